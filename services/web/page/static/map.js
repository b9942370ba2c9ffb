// The map: coasts, the colour of the hour, areas whose warning is in force then, and the cities with their values in figures.

import { Field } from "./field.js";
import { Stations } from "./stations.js";
import { classOf, fetchJson, HOUR, ink, ofRun, points, WIND_HOURS } from "./mapparts.js";

/** @typedef {import("./mapparts.js").City} City */
/** @typedef {import("./mapparts.js").MapData} MapData */
/** @typedef {{city: City, marker: L.Marker, shape: HTMLElement, value: HTMLElement, marks: HTMLElement, name: HTMLElement,
 *   wind: HTMLElement}} Sign */

const VIEW = /** @type {[[number, number], [number, number]]} */ ([[21, 104], [45.5, 143]]);
const EDGE = /** @type {[[number, number], [number, number]]} */ ([[6, 82], [62, 160]]);
const BADGE = { width: 36, height: 26 };
const NEAR_ZOOM = 6.5;
const NAMES_FROM = 5;

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
    this.index = "";
    this.hour = hour;
    this.windy = true;
    /** @type {string | null} */
    this.chosen = null;
    /** @type {MapData | null} */
    this.data = null;
    /** @type {Map<string, Sign>} */
    this.signs = new Map();
    /** @type {[number, number, import("./mapparts.js").Warning, L.Polygon][]} */
    this.warnings = [];
    this.state = /** @type {HTMLElement} */ (document.getElementById("map-state"));
    this.readout = /** @type {HTMLElement} */ (document.getElementById("map-readout"));
    this.holder = /** @type {HTMLElement} */ (document.getElementById("map"));
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.map = L.map(this.holder, {
      attributionControl: false, zoomControl: false, minZoom: 3, maxZoom: 9, zoomSnap: 0.25, zoomDelta: 1,
      maxBounds: EDGE, maxBoundsViscosity: 1,
      zoomAnimation: !this.still, fadeAnimation: !this.still, markerZoomAnimation: !this.still, inertia: !this.still,
    });
    L.control.zoom({ zoomInTitle: words.zoom_in, zoomOutTitle: words.zoom_out }).addTo(this.map);
    this.keepToChosen();
    for (const [name, order] of [["land", "200"], ["lines", "300"], ["warned", "350"]]) {
      const pane = this.map.createPane(name);
      pane.style.zIndex = order;
      pane.style.pointerEvents = "none";
    }
    this.map.fitBounds(VIEW);
    this.field = new Field(this.map);
    this.stations = new Stations(this.map, words);
    this.warned = L.layerGroup().addTo(this.map);
    this.cities = L.layerGroup().addTo(this.map);
    this.map.on("zoomend resize", () => this.arrange());
    this.loadShapes();
    addEventListener("beforeprint", () => this.fit(true));
    addEventListener("afterprint", () => this.fit(false));
  }

  /**
   * Keeps the middle of the map in the middle of a sheet of paper, whose layout the map isn't told of.
   * @param {boolean} paper
   */
  fit(paper) {
    this.holder.classList.toggle("on-paper", paper);
    this.map.invalidateSize({ animate: false });
  }

  /** The button + comes nearer to the chosen city, not to where the map happens to be. */
  keepToChosen() {
    const zoomIn = this.map.zoomIn.bind(this.map);
    this.map.zoomIn = (by, options) => {
      const city = this.city(this.chosen);
      if (!city) return zoomIn(by, options);
      return this.map.setView(city.at, this.map.getZoom() + (by ?? 1), { animate: !this.still });
    };
  }

  async loadShapes() {
    try {
      const shapes = await fetchJson("/page/shapes.json");
      const [land, lines] = ["land", "lines"].map((pane) => L.svg({ pane }));
      L.polygon(shapes.land.map(points), { className: "land", interactive: false, pane: "land", renderer: land }).addTo(this.map);
      for (const [rings, className] of [[shapes.provinces, "province"], [shapes.borders, "border"]]) {
        L.polyline(rings.map(points), { className, interactive: false, pane: "lines", renderer: lines }).addTo(this.map);
      }
    } catch {
      // Values stand in their places without coasts too.
    }
  }

  /** Fetch values and warnings anew. @returns {Promise<MapData>} */
  async load() {
    if (!this.data) this.state.textContent = this.words.loading;
    const first = this.data === null;
    try {
      this.data = await fetchJson(ofRun("/page/map.json"));
      this.state.textContent = "";
    } catch (error) {
      if (!this.data) this.state.textContent = this.words.failed;
      throw error;
    }
    if (this.data?.left_out) this.state.textContent = this.words.left_out.replace("{count}", String(this.data.left_out));
    this.placeSigns();
    this.placeWarnings();
    if (first) this.lookAt();
    this.arrange();
    return /** @type {MapData} */ (this.data);
  }

  /** Show where the cities are: the usual view, or whatever holds those of a bureau elsewhere. */
  lookAt() {
    const places = (this.data?.cities ?? []).map((city) => city.at);
    if (places.length && !places.every((at) => L.latLngBounds(EDGE).contains(at))) {
      this.map.setMaxBounds(L.latLngBounds(places).pad(1));
      this.map.fitBounds(L.latLngBounds(places).pad(0.2));
    }
    this.centre();
  }

  /** @param {string | null} id */
  city(id) {
    return this.data?.cities.find((one) => one.id === id) ?? null;
  }

  centre() {
    const city = this.city(this.chosen);
    if (city) this.map.setView(city.at, Math.max(this.map.getZoom(), NEAR_ZOOM), { animate: false });
  }

  /** @param {string} layer @param {string} index */
  showLayer(layer, index) {
    this.layer = layer === "aqi" && index === "us" ? "aqi_us" : layer;
    this.index = index;
    this.arrange();
  }

  /** @param {number} hour @param {boolean} moving whether more hours follow at once */
  showHour(hour, moving) {
    this.hour = hour;
    if (moving) this.draw();
    else this.arrange();
  }

  /** @param {boolean} windy */
  showWind(windy) {
    this.windy = windy;
    this.draw();
  }

  /** @param {string | null} city */
  choose(city) {
    const before = this.chosen;
    this.chosen = city;
    if (city !== before) {
      if (city) this.centre();
      else this.map.fitBounds(VIEW, { animate: false });
    }
    this.arrange();
  }

  placeWarnings() {
    this.warned.clearLayers();
    this.warnings = (this.data?.warnings ?? []).map((warning) => {
      const rings = warning.rings.map((ring) => [points(ring)]);
      const shape = L.polygon(rings, { className: `warned warned-${warning.marks}`, color: warning.colour, fill: false,
        interactive: false, pane: "warned" });
      return [Date.parse(warning.from), Date.parse(warning.until), warning, shape];
    });
  }

  placeSigns() {
    const data = /** @type {MapData} */ (this.data);
    this.cities.clearLayers();
    this.signs.clear();
    this.field.setPlaces(data.cities.map((city) => city.at));
    for (const city of data.cities) this.signs.set(city.id, this.sign(city));
  }

  /** @param {City} city @returns {Sign} */
  sign(city) {
    const [holder, shape, value, marks, name, wind] = ["place", "badge", "", "level-marks", "place-name", "wind"].map((className) => {
      const part = document.createElement("span");
      part.className = className;
      return part;
    });
    shape.append(value, marks);
    name.textContent = city.name[this.language];
    wind.textContent = "↑";
    holder.append(wind, shape, name);
    const icon = L.divIcon({ html: holder, className: "city", iconSize: [BADGE.width, BADGE.height] });
    // The keyboard's way is the search and the list of cities: forty stops in a map would be a trap.
    const marker = L.marker(city.at, { icon, keyboard: false, riseOnHover: true });
    marker.bindTooltip(() => this.say(city), { direction: "top", offset: [0, -12] });
    marker.on("click", () => this.chooseCity(city.id));
    marker.on("mouseover", () => this.read(city));
    marker.addTo(this.cities);
    return { city, marker, shape, value, marks, name, wind };
  }

  /** Decide which values and names have room, then draw; while the hours play, this stays as it is. */
  arrange() {
    if (!this.data) return;
    const standing = this.standing();
    /** @type {L.Bounds[]} */
    const taken = [];
    const room = (/** @type {L.Bounds} */ box) => !taken.some((other) => other.overlaps(box)) && taken.push(box) > 0;
    const order = [...this.signs.values()].sort((a, b) => this.weight(b, standing) - this.weight(a, standing));
    const spots = order.map((sign) => ({ sign, at: this.map.latLngToLayerPoint(sign.city.at) }));
    const half = L.point(BADGE.width / 2, BADGE.height / 2);
    for (const { sign, at } of spots) {
      const written = room(L.bounds(at.subtract(half), at.add(half)));
      sign.shape.className = written ? "badge" : "dot";
      sign.shape.classList.toggle("chosen", sign.city.id === this.chosen);
      sign.marker.setZIndexOffset(written ? 500 : 0);
    }
    for (const { sign, at } of spots) {
      const width = [...(sign.name.textContent ?? "")].reduce((sum, c) => sum + (c > "⺀" ? 13 : 7), 8) / 2;
      const below = L.bounds(at.add([-width, 14]), at.add([width, 30]));
      const wanted = sign.city.id === this.chosen || (this.map.getZoom() >= NAMES_FROM && sign.shape.className.startsWith("badge"));
      sign.name.hidden = !(wanted && room(below));
    }
    this.draw();
  }

  draw() {
    if (!this.data) return;
    const scale = this.data.scales[this.layer];
    const standing = this.standing();
    /** @type {(number|null)[]} */
    const values = [];
    for (const { city, shape, value, marks, wind } of this.signs.values()) {
      const here = this.value(city, this.layer);
      values.push(here);
      const colour = here === null ? "" : scale.colours[classOf(here, scale)];
      shape.style.backgroundColor = colour;
      shape.style.color = colour && ink(colour);
      value.textContent = here === null ? "–" : String(here);
      marks.textContent = "!".repeat(Math.max(0, ...(standing.get(city.id) ?? []).map((one) => one.marks)));
      this.drawWind(city, wind);
    }
    this.field.paint(values, scale);
    this.stations.draw(this.time(), this.data.scales.pm25);
    this.read(this.city(this.chosen));
  }

  /** @param {City} city @param {HTMLElement} arrow */
  drawWind(city, arrow) {
    const [from, speed] = this.wind(city);
    arrow.hidden = !this.windy || from === null || speed === null || speed < 1;
    if (arrow.hidden) return;
    arrow.style.transform = `rotate(${/** @type {number} */ (from) * 10 + 180}deg)`;
    arrow.style.fontSize = `${Math.min(17 + 0.8 * /** @type {number} */ (speed), 26)}px`;
  }

  /** The warnings in force at the hour shown, by city; their areas are on the map, those of others are not. */
  standing() {
    /** @type {Map<string, import("./mapparts.js").Warning[]>} */
    const found = new Map();
    const at = this.time();
    for (const [from, until, warning, shape] of this.warnings) {
      const holds = from <= at && at <= until;
      if (holds) found.set(warning.city, [...(found.get(warning.city) ?? []), warning]);
      if (holds !== this.warned.hasLayer(shape)) {
        if (holds) this.warned.addLayer(shape);
        else this.warned.removeLayer(shape);
      }
    }
    return found;
  }

  /** The end of the hour shown. */
  time() {
    return Date.parse(this.data?.first ?? "") + (this.hour - 1) * HOUR;
  }

  /** @param {Sign} sign @param {Map<string, import("./mapparts.js").Warning[]>} standing */
  weight({ city }, standing) {
    const value = this.value(city, this.layer) ?? -1;
    const bad = this.layer === "visibility" ? 1000 - value : value;
    const marks = Math.max(0, ...(standing.get(city.id) ?? []).map((one) => one.marks));
    return (city.id === this.chosen ? 1e6 : 0) + marks * 1e4 + bad;
  }

  /** @param {City} city @param {string} layer @returns {number | null} */
  value(city, layer) {
    const values = /** @type {(number|null)[]} */ (city[/** @type {"pm25"} */ (layer)]);
    return values[this.hour - 1] ?? null;
  }

  /** @param {City} city @returns {[number | null, number | null]} */
  wind(city) {
    const at = Math.floor((this.hour - 1) / WIND_HOURS);
    return [city.wind?.[0][at] ?? null, city.wind?.[1][at] ?? null];
  }

  /** A city's hour in words: value, unit and class, the warnings in force then, the wind. @param {City} city */
  say(city) {
    const layer = this.layer.startsWith("aqi") ? "aqi" : this.layer;
    const parts = [this.valueSaid(city, layer)];
    // Without a choice only China's own cities are rated by China's index; Japan's standards and Europe's index have no number.
    const rated = this.index || (city.country === "CN" ? "china" : "");
    if (layer === "pm25" && (rated === "china" || rated === "us")) parts.push(this.valueSaid(city, "aqi"));
    for (const one of this.standing().get(city.id) ?? []) parts.push(this.words.warned.replace("{level}", one.name[this.language]));
    const speed = this.wind(city)[1];
    if (speed !== null) parts.push(speed < 1 ? this.words.calm : this.words.wind.replace("{speed}", String(speed)));
    return `${city.name[this.language]}${this.words.colon}${parts.filter(Boolean).join(" · ")}`;
  }

  /** @param {City} city @param {string} layer a radio's value */
  valueSaid(city, layer) {
    const key = layer === "aqi" && this.index === "us" ? "aqi_us" : layer;
    const value = this.value(city, key);
    const legend = /** @type {HTMLElement | null} */ (document.querySelector(`.legend[data-layer="${layer}"]`));
    if (value === null) return layer === this.layer ? this.words.no_data : "";
    const line = legend?.querySelectorAll("li")[classOf(value, /** @type {MapData} */ (this.data).scales[key])];
    return [legend?.dataset.name, value, legend?.dataset.unit, line?.dataset.name].filter((part) => part !== "" && part !== undefined).join(" ");
  }

  /** @param {City | null} city */
  read(city) {
    this.readout.textContent = city ? this.say(city) : "";
  }
}
