// The stations behind the cities' values, when one is near enough to tell them apart: coloured at the hour they were read.

import { classOf, fetchJson, HOUR, ofRun } from "./mapparts.js";

/** @typedef {{name: string, at: [number, number], time: string, pm25: number}} Station */

const FROM_ZOOM = 7;

export class Stations {
  /** @param {L.Map} map @param {Record<string, string>} words */
  constructor(map, words) {
    this.words = words;
    this.map = map;
    this.layer = L.layerGroup();
    /** @type {[Station, L.CircleMarker][] | null} */
    this.dots = null;
    this.asked = false;
    map.on("zoomend", () => this.toggle());
  }

  toggle() {
    if (this.map.getZoom() < FROM_ZOOM) this.layer.remove();
    else {
      this.layer.addTo(this.map);
      if (!this.asked) this.load();
    }
  }

  async load() {
    this.asked = true;
    try {
      const stations = /** @type {Station[]} */ (await fetchJson(ofRun("/page/stations.json")));
      const { colon } = this.words;
      const unit = /** @type {HTMLElement | null} */ (document.querySelector('.legend[data-layer="pm25"]'))?.dataset.unit ?? "";
      this.dots = stations.map((station) => {
        const dot = L.circleMarker(station.at, { radius: 5, className: "station", weight: 1 });
        dot.bindTooltip(`${station.name}${colon}${station.pm25} ${unit}`, { direction: "top" }).addTo(this.layer);
        return [station, dot];
      });
      if (this.shown) this.draw(...this.shown);
    } catch {
      // The cities' values are there without their stations.
    }
  }

  /**
   * @param {number} time the hour shown
   * @param {import("./mapparts.js").Scale} scale of PM2.5
   */
  draw(time, scale) {
    /** @type {[number, import("./mapparts.js").Scale]} */
    this.shown = [time, scale];
    for (const [station, dot] of this.dots ?? []) {
      // At other hours it says where something is measured, and not what.
      const now = Math.abs(time - Date.parse(station.time)) <= HOUR;
      dot.setStyle({ fillColor: scale.colours[classOf(station.pm25, scale)], fillOpacity: now ? 1 : 0 });
    }
  }
}
