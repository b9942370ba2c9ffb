// The area of a draft or a city on a small map: coasts, borders and cities as on the page, drawn without tiles or a library.

import { facts } from "./view.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360;
const LETTER = 12;
/** As much of the surroundings beside the area as the area is wide. */
const AROUND = 0.8;
/** @type {Promise<Record<string, number[][]>> | undefined} */
let base;

/** @typedef {[number, number][]} Line longitudes and latitudes, degrees */

/**
 * Draw an area.
 * @param {Element} box is filled with it
 * @param {{type: string, coordinates: any}} area a GeoJSON Polygon or MultiPolygon
 * @param {string} colour
 * @param {string} label
 * @param {{name: string, at: [number, number]} | undefined} place its name, longitude and latitude
 * @returns {Promise<boolean>} whether any land is known there
 */
export async function drawArea(box, area, colour, label, place) {
  /** @type {Line[]} */
  const rings = area.type === "Polygon" ? area.coordinates : area.coordinates.flat();
  base ??= fetch("/page/shapes.json", { credentials: "omit" }).then((answer) => answer.json());
  /** @type {Record<string, number[][]>} */
  const around = await base.catch(() => {
    base = undefined;
    return {};
  });
  const [west, east, south, north] = bounds(rings);
  const margin = AROUND * Math.max(east - west, north - south);
  const shrink = Math.cos(((south + north) / 2) * (Math.PI / 180));
  const scale = WIDTH / ((east - west + 2 * margin) * shrink);
  const height = Math.round((north - south + 2 * margin) * scale);
  /** @param {Line} line */
  const path = (line) => `M${line.map(([x, y]) => `${((x - west + margin) * shrink * scale).toFixed(1)} ${((north + margin - y) * scale).toFixed(1)}`).join("L")}`;
  const map = make("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label, class: "area-map" });
  map.append(make("rect", { width: WIDTH, height, class: "sea" }));
  let known = false;
  for (const [name, end] of [["land", "Z"], ["provinces", ""], ["borders", ""]]) {
    const lines = (around[name] ?? []).map(unfold).filter((/** @type {Line} */ line) => meets(bounds([line]), [west - margin, east + margin, south - margin, north + margin]));
    known ||= lines.length > 0;
    map.append(make("path", { d: lines.map((line) => path(line) + end).join(""), class: name }));
  }
  map.append(make("path", { d: rings.map((ring) => `${path(ring)}Z`).join(""), class: "warned", fill: colour, "fill-rule": "evenodd" }));
  const others = Object.values(facts.cities).filter((one) => one.name !== place?.name);
  /** @param {[number, number]} at @returns {[number, number]} */
  const point = ([x, y]) => [(x - west + margin) * shrink * scale, (north + margin - y) * scale];
  mark(map, place ? [place, ...others] : others, point, height);
  if (!known) map.classList.add("bare");
  box.replaceChildren(map);
  return known;
}

/**
 * Mark cities by dots, and by their names where there is room; the first is the one that the map is of.
 * @param {Element} map @param {{name: string, at: [number, number]}[]} cities @param {(at: [number, number]) => [number, number]} point @param {number} height
 */
function mark(map, cities, point, height) {
  /** @type {[number, number, number, number][]} */
  const taken = [];
  for (const city of cities) {
    const [x, y] = point(city.at);
    if (x < 0 || x > WIDTH || y < 0 || y > height) continue;
    const own = city === cities[0];
    map.append(make("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: own ? 4 : 2.5, class: own ? "at" : "other" }));
    // Chinese and Japanese letters are as wide as high, Latin ones half of that.
    const width = [...city.name].reduce((sum, letter) => sum + (letter > "\u2e80" ? 1 : 0.6), 0) * LETTER;
    const left = x + 7 + width > WIDTH ? x - 7 - width : x + 7;
    /** @type {[number, number, number, number]} */
    const box = [left, left + width, y - LETTER, y + LETTER / 2];
    if (taken.some((other) => meets(box, other))) continue;
    taken.push(box);
    const name = make("text", { x: left.toFixed(1), y: (y + 4).toFixed(1), class: own ? "own" : "" });
    name.textContent = city.name;
    map.append(name);
  }
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** Return a line of `/page/shapes.json`: a first point and steps, in hundredths of a degree. @param {number[]} steps @returns {Line} */
function unfold(steps) {
  /** @type {Line} */
  const line = [];
  let [x, y] = [0, 0];
  for (let at = 0; at < steps.length; at += 2) {
    x += steps[at];
    y += steps[at + 1];
    line.push([x / 100, y / 100]);
  }
  return line;
}

/** @param {Line[]} lines @returns {[number, number, number, number]} west, east, south, north */
function bounds(lines) {
  let [west, east, south, north] = [180, -180, 90, -90];
  for (const [x, y] of lines.flat()) {
    west = Math.min(west, x);
    east = Math.max(east, x);
    south = Math.min(south, y);
    north = Math.max(north, y);
  }
  return [west, east, south, north];
}

/** @param {number[]} one @param {number[]} other */
function meets(one, other) {
  return one[0] <= other[1] && one[1] >= other[0] && one[2] <= other[3] && one[3] >= other[2];
}
