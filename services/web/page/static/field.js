// The colour between places: their values of the hour by inverse distance, and none where no place is near.

import { channels, classOf } from "./mapparts.js";

const CELL = 8;
const KM = 111.2;
// Whole out to the radius that a city's warning applies to, then fading: farther out nothing is known here.
const FULL_KM = 50;
const LAST_KM = 150;
const OPACITY = 0.5;

export class Field {
  /** @param {L.Map} map */
  constructor(map) {
    this.map = map;
    const pane = map.createPane("field");
    pane.style.zIndex = "250";
    pane.style.pointerEvents = "none";
    this.canvas = document.createElement("canvas");
    this.canvas.className = "field";
    pane.append(this.canvas);
    /** @type {[number, number][]} */
    this.places = [];
    /** @type {{cell: number, alpha: number, near: [number, number][]}[]} */
    this.cells = [];
    /** @type {{values: (number|null)[], scale: import("./mapparts.js").Scale} | null} */
    this.painted = null;
    map.on("zoomstart", () => { this.canvas.hidden = true; });
    map.on("moveend zoomend resize", () => this.place());
  }

  /** @param {[number, number][]} places */
  setPlaces(places) {
    this.places = places;
    this.place();
  }

  /** Find which places each cell of the view takes its value from: once for a view, not for each hour. */
  place() {
    const size = this.map.getSize();
    const width = Math.ceil(size.x / CELL);
    const height = Math.ceil(size.y / CELL);
    L.DomUtil.setPosition(this.canvas, this.map.containerPointToLayerPoint([0, 0]));
    this.canvas.hidden = false;
    this.canvas.width = width;
    this.canvas.height = height;
    this.canvas.style.width = `${width * CELL}px`;
    this.canvas.style.height = `${height * CELL}px`;
    const longitudes = Array.from({ length: width }, (_, x) => this.map.containerPointToLatLng([(x + 0.5) * CELL, 0]).lng);
    this.cells = [];
    for (let y = 0; y < height; y += 1) {
      const latitude = this.map.containerPointToLatLng([0, (y + 0.5) * CELL]).lat;
      const band = this.places.map((at, n) => [n, (at[0] - latitude) * KM, at[1]])
        .filter(([, dy]) => Math.abs(dy) < LAST_KM);
      if (!band.length) continue;
      const east = Math.cos((latitude * Math.PI) / 180) * KM;
      for (let x = 0; x < width; x += 1) {
        /** @type {[number, number][]} */
        const near = [];
        let least = Infinity;
        for (const [n, dy, longitude] of band) {
          const d2 = dy * dy + ((longitude - longitudes[x]) * east) ** 2;
          if (d2 >= LAST_KM * LAST_KM) continue;
          least = Math.min(least, d2);
          // Down to nothing at the edge, so that no place comes in with a step.
          near.push([n, (1 - d2 / (LAST_KM * LAST_KM)) / (d2 + 100)]);
        }
        if (!near.length) continue;
        const alpha = Math.min(1, (LAST_KM - Math.sqrt(least)) / (LAST_KM - FULL_KM));
        this.cells.push({ cell: y * width + x, alpha, near });
      }
    }
    if (this.painted) this.paint(this.painted.values, this.painted.scale);
  }

  /**
   * @param {(number|null)[]} values of the places, in their order
   * @param {import("./mapparts.js").Scale} scale
   */
  paint(values, scale) {
    this.painted = { values, scale };
    const context = this.canvas.getContext("2d");
    if (!context || !this.canvas.width || !this.canvas.height) return;
    const image = context.createImageData(this.canvas.width, this.canvas.height);
    const colours = scale.colours.map(channels);
    for (const { cell, alpha, near } of this.cells) {
      let sum = 0;
      let weight = 0;
      for (const [n, w] of near) {
        const value = values[n];
        if (value === null) continue;
        sum += w * value;
        weight += w;
      }
      if (!weight) continue;
      const colour = colours[classOf(sum / weight, scale)];
      image.data.set([...colour, 255 * OPACITY * alpha], cell * 4);
    }
    context.putImageData(image, 0, 0);
  }
}
