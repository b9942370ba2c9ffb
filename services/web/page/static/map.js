// The map: coasts, areas of haze, areas of warnings, and the cities with the value of the hour in figures.

/**
 * @typedef {{bounds: number[], colours: string[], closed: boolean}} Scale
 * @typedef {{id: string, name: Record<string, string>, at: [number, number], zone: string, marks: number,
 *   pm25: (number|null)[], o3: (number|null)[], aqi: (number|null)[], visibility: (number|null)[],
 *   haze_grade: (number|null)[]}} City
 * @typedef {{id: string, city: string, colour: string, marks: number, rings: number[][]}} Warning
 * @typedef {{init_time: string|null, now: string, stale: boolean, first: string|null, hours: number, cities: City[],
 *   warnings: Warning[], scales: Record<string, Scale>}} MapData
 */

const VIEW = /** @type {[[number, number], [number, number]]} */ ([[21, 104], [45.5, 143]]);
const LIMITS = /** @type {[[number, number], [number, number]]} */ ([[6, 82], [62, 160]]);
const BADGE = { width: 34, height: 26 };

export class CityMap {
  /**
   * @param {Record<string, string>} words
   * @param {string} language
   * @param {number} hour
   * @param {(city: string) => void} choose
   */
  constructor(words, language, hour, choose) {
    this.words = words;
    this.language = language;
    this.chooseCity = choose;
    this.layer = "pm25";
    this.hour = hour;
    /** @type {string | null} */
    this.chosen = null;
    /** @type {MapData | null} */
    this.data = null;
    this.state = /** @type {HTMLElement} */ (document.getElementById("map-state"));
    this.holder = /** @type {HTMLElement} */ (document.getElementById("map"));
    this.holder.setAttribute("role", "region");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.map = L.map(this.holder, {
      attributionControl: false, zoomControl: false, minZoom: 3, maxZoom: 8, zoomSnap: 0.25, zoomDelta: 1,
      maxBounds: LIMITS, maxBoundsViscosity: 1,
      zoomAnimation: !still, fadeAnimation: !still, markerZoomAnimation: !still, inertia: !still,
    });
    L.control.zoom({ zoomInTitle: words.zoom_in, zoomOutTitle: words.zoom_out }).addTo(this.map);
    this.map.fitBounds(VIEW);
    this.areas = L.layerGroup().addTo(this.map);
    this.warned = L.layerGroup().addTo(this.map);
    this.cities = L.layerGroup().addTo(this.map);
    this.map.on("zoomend resize", () => this.draw());
    this.loadShapes();
  }

  async loadShapes() {
    try {
      const shapes = await fetchJson("/page/shapes.json");
      const land = shapes.land.map(points);
      L.polygon(land, { className: "land", interactive: false }).addTo(this.map).bringToBack();
      L.polyline(shapes.provinces.map(points), { className: "province", interactive: false }).addTo(this.map);
      L.polyline(shapes.borders.map(points), { className: "border", interactive: false }).addTo(this.map);
    } catch {
      // Values stand in their places without coasts too.
    }
  }

  /** Show cities beyond East Asia too, where there are any; coasts end there. */
  widen() {
    const places = L.latLngBounds(this.data?.cities.map((city) => city.at) ?? []);
    if (!places.isValid() || L.latLngBounds(LIMITS).contains(places)) return;
    this.map.setMaxBounds(undefined).setMinZoom(1);
    this.map.fitBounds(places.pad(0.2), { maxZoom: 6 });
  }

  /** Fetch values, warnings and areas anew. @returns {Promise<MapData>} */
  async load() {
    const first = !this.data;
    if (first) this.state.textContent = this.words.loading;
    try {
      this.data = await fetchJson("/page/map.json");
      this.state.textContent = "";
    } catch (error) {
      if (!this.data) this.state.textContent = this.words.failed;
      throw error;
    }
    if (first) this.widen();
    this.drawWarnings();
    this.draw();
    this.loadAreas();
    return /** @type {MapData} */ (this.data);
  }

  async loadAreas() {
    const bulletin = document.getElementById("bulletin");
    this.placeBulletin();
    this.areas.clearLayers();
    if (!this.data?.cities.length) return;
    try {
      const areas = await fetchJson("/v1/areas");
      this.areas.clearLayers();
      for (const feature of areas.features) {
        L.geoJSON(feature, {
          interactive: false,
          style: { className: `area area-${feature.properties.level_rank}`, color: feature.properties.colour,
            fillColor: feature.properties.colour },
        }).addTo(this.areas);
      }
      if (bulletin) bulletin.textContent = areas.bulletin[this.language] ?? "";
    } catch {
      // Areas are beside the point of the warnings, which are there.
    }
  }

  /** Beside the map where there is room, else below it, where it moves nothing when it comes. */
  placeBulletin() {
    const beside = matchMedia("(min-width: 64rem)").matches && this.chosen === null;
    const bulletin = document.getElementById("bulletin");
    if (bulletin) document.querySelector(beside ? ".side" : ".map-box")?.append(bulletin);
  }

  /** @param {string} layer */
  showLayer(layer) {
    this.layer = layer;
    this.draw();
  }

  /** @param {number} hour */
  showHour(hour) {
    if (hour === this.hour) return;
    this.hour = hour;
    this.draw();
  }

  /** @param {string | null} city */
  choose(city) {
    this.chosen = city;
    this.placeBulletin();
    const found = this.data?.cities.find((one) => one.id === city);
    if (found && !this.map.getBounds().pad(-0.1).contains(found.at)) this.map.panTo(found.at);
    this.draw();
  }

  drawWarnings() {
    this.warned.clearLayers();
    for (const warning of this.data?.warnings ?? []) {
      const rings = warning.rings.map((ring) => [points(ring)]);
      L.polygon(rings, { className: `warned warned-${warning.marks}`, color: warning.colour,
        fillColor: warning.colour, interactive: false }).addTo(this.warned);
    }
  }

  draw() {
    this.cities.clearLayers();
    if (!this.data) return;
    const scale = this.data.scales[this.layer];
    /** @type {L.Bounds[]} */
    const taken = [];
    const order = [...this.data.cities].sort((a, b) => this.weight(b) - this.weight(a));
    for (const city of order) {
      const value = this.value(city);
      const at = this.map.latLngToLayerPoint(city.at);
      const box = L.bounds(at.subtract([BADGE.width / 2, BADGE.height / 2]), at.add([BADGE.width / 2, BADGE.height / 2]));
      const room = !taken.some((other) => other.overlaps(box));
      if (room) taken.push(box);
      const colour = value === null ? null : scale.colours[classOf(value, scale)];
      this.marker(city, value, colour, room);
    }
  }

  /** @param {City} city */
  weight(city) {
    const value = this.value(city) ?? -1;
    const bad = this.layer === "visibility" ? 1000 - value : value;
    return (city.id === this.chosen ? 1e6 : 0) + city.marks * 1e4 + bad;
  }

  /** @param {City} city @returns {number | null} */
  value(city) {
    const values = /** @type {(number|null)[]} */ (city[/** @type {"pm25"} */ (this.layer)]);
    return values[this.hour - 1] ?? null;
  }

  /**
   * @param {City} city
   * @param {number | null} value
   * @param {string | null} colour
   * @param {boolean} room whether the value can be written without covering another
   */
  marker(city, value, colour, room) {
    const shape = document.createElement("span");
    shape.className = room ? "badge" : "dot";
    if (city.id === this.chosen) shape.classList.add("chosen");
    if (colour) {
      shape.style.backgroundColor = colour;
      shape.style.color = ink(colour);
    }
    if (room) {
      shape.append(value === null ? "–" : String(value));
      if (city.marks) {
        const marks = document.createElement("sup");
        marks.textContent = "!".repeat(city.marks);
        shape.append(marks);
      }
    }
    const size = room ? BADGE : { width: 24, height: 24 };
    const icon = L.divIcon({ html: shape, className: "city", iconSize: [size.width, size.height] });
    const name = city.name[this.language];
    // The keyboard's way is the list of cities: forty stops in a map would be a trap.
    const marker = L.marker(city.at, { icon, keyboard: false, riseOnHover: true, zIndexOffset: room ? 500 : 0 });
    marker.bindTooltip(`${name}: ${value ?? this.words.no_data}`, { direction: "top", offset: [0, -12] });
    marker.on("click", () => this.chooseCity(city.id));
    marker.addTo(this.cities);
  }
}

/** @param {string} address */
async function fetchJson(address) {
  const answer = await fetch(address, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

/** Steps in hundredths of a degree to latitudes and longitudes. @param {number[]} steps */
function points(steps) {
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
function classOf(value, scale) {
  let found = 0;
  for (let n = 1; n < scale.colours.length; n += 1) {
    if (scale.closed ? value > scale.bounds[n] : value >= scale.bounds[n]) found = n;
  }
  return found;
}

/** Black or white, whichever is read better. @param {string} colour */
function ink(colour) {
  const [r, g, b] = [1, 3, 5].map((n) => {
    const c = parseInt(colour.slice(n, n + 2), 16) / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return (luminance + 0.05) ** 2 > 0.05 * 1.05 ? "#000" : "#fff";
}
