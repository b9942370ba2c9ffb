// The charts follow the slider: a line at its hour, and the hour in figures, taken from the table beside them.

export class Charts {
  /** @param {Record<string, string>} words */
  constructor(words) {
    this.words = words;
    this.time = "";
    /** @type {{cursor: SVGElement, readout: HTMLElement, now: number, hour: number, column: number,
     *   rows: Map<string, {number: number, cells: string[], name: string}>}[]} */
    this.charts = [];
    this.read();
  }

  /** Read what the server drew. */
  read() {
    this.charts = [];
    for (const column of document.querySelectorAll(".column")) {
      /** @type {Map<string, {number: number, cells: string[], name: string}>} */
      const rows = new Map();
      column.querySelectorAll("tr[data-time]").forEach((row, n) => {
        const cells = [...row.querySelectorAll("td")].map((cell) => cell.textContent ?? "");
        const key = /** @type {HTMLElement} */ (row).dataset.time ?? "";
        rows.set(key, { number: n + 1, cells, name: row.querySelector("th")?.textContent ?? "" });
      });
      for (const figure of column.querySelectorAll("figure.fan")) {
        const svg = figure.querySelector("svg");
        const cursor = /** @type {SVGElement | null} */ (figure.querySelector(".cursor"));
        const readout = /** @type {HTMLElement | null} */ (figure.querySelector(".readout"));
        if (!svg || !cursor || !readout) continue;
        const pollutant = /** @type {HTMLElement} */ (figure).dataset.pollutant;
        this.charts.push({
          cursor, readout, rows, now: Number(svg.dataset.now), hour: Number(svg.dataset.hour),
          column: pollutant === "o3" ? 1 : 0,
        });
      }
    }
    if (this.time) this.showTime(this.time);
  }

  /** @param {string} time */
  showTime(time) {
    this.time = time;
    for (const chart of this.charts) {
      const row = chart.rows.get(time);
      chart.cursor.toggleAttribute("hidden", !row);
      chart.readout.hidden = !row;
      if (!row) continue;
      chart.cursor.setAttribute("transform", `translate(${chart.now + row.number * chart.hour} 0)`);
      chart.readout.textContent = `${row.name}: ${row.cells[chart.column]}`;
    }
  }
}
