// What the map's parts share: the data's types, and values as colours.

/**
 * @typedef {{bounds: number[], colours: string[], closed: boolean}} Scale
 * @typedef {{id: string, name: Record<string, string>, country: string, at: [number, number],
 *   pm25: (number|null)[], o3: (number|null)[], aqi: (number|null)[], aqi_us: (number|null)[], visibility: (number|null)[],
 *   haze_grade: (number|null)[], wind?: [(number|null)[], (number|null)[]]}} City
 * @typedef {{id: string, city: string, name: Record<string, string>, colour: string, marks: number, from: string, until: string,
 *   rings: number[][]}} Warning
 * @typedef {{init_time: string|null, now: string, stale: boolean, first: string|null, hours: number, cities: City[], left_out: number,
 *   warnings: Warning[], scales: Record<string, Scale>}} MapData
 */

export const HOUR = 3600_000;
export const WIND_HOURS = 3;

/** The address of data of the run that the page shows: a chosen one stands in the page's own address. @param {string} path */
export function ofRun(path) {
  const run = new URLSearchParams(location.search).get("init_time");
  return run ? `${path}?init_time=${encodeURIComponent(run)}` : path;
}

/** @param {string} address */
export async function fetchJson(address) {
  const answer = await fetch(address, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

/** Steps in hundredths of a degree to latitudes and longitudes. @param {number[]} steps */
export function points(steps) {
  /** @type {[number, number][]} */
  const found = [];
  let lon = 0;
  let lat = 0;
  for (let n = 0; n < steps.length; n += 2) {
    lon += steps[n];
    lat += steps[n + 1];
    found.push([lat / 100, lon / 100]);
  }
  return found;
}

/**
 * @param {number} value
 * @param {Scale} scale
 */
export function classOf(value, scale) {
  let found = 0;
  for (let n = 1; n < scale.colours.length; n += 1) {
    if (scale.closed ? value > scale.bounds[n] : value >= scale.bounds[n]) found = n;
  }
  return found;
}

/** Red, green and blue of #rrggbb. @param {string} colour */
export function channels(colour) {
  return [1, 3, 5].map((n) => parseInt(colour.slice(n, n + 2), 16));
}

/** Black or white, whichever is read better. @param {string} colour */
export function ink(colour) {
  const [r, g, b] = channels(colour).map((value) => {
    const c = value / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return (luminance + 0.05) ** 2 > 0.05 * 1.05 ? "#000" : "#fff";
}
