// The search for a place: suggestions while one types, the place nearest to the reader, and the place chosen last.

import { fetchJson } from "./mapparts.js";

const WAIT_MS = 120;
const KEY = "hazecast.place";
// A tenth of a degree, about 10 km, is enough to find the nearest city: more is nobody's business.
const COARSE = 10;
const FAR_KM = 60;

/** @typedef {{id: string, name: string, region: string, distance: number | null}} Place */

export class Search {
  /**
   * @param {Record<string, string>} words
   * @param {string} language
   * @param {(city: string, name: string) => void} choose
   */
  constructor(words, language, choose) {
    this.words = words;
    this.language = language;
    this.choose = choose;
    this.field = /** @type {HTMLInputElement} */ (document.getElementById("place"));
    this.list = /** @type {HTMLElement} */ (document.getElementById("places"));
    this.state = /** @type {HTMLElement} */ (document.getElementById("place-state"));
    /** @type {Place[]} */
    this.found = [];
    this.at = -1;
    this.timer = 0;
    this.turn = 0;
    for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", "places"],
      ["aria-autocomplete", "list"]]) this.field.setAttribute(name, value);
    this.field.addEventListener("input", () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.find(), WAIT_MS);
    });
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("blur", () => window.setTimeout(() => this.close(), 200));
    this.list.addEventListener("pointerdown", (event) => {
      const item = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-n]"));
      if (!item) return;
      event.preventDefault();
      this.take(Number(item.dataset.n));
    });
    this.form = /** @type {HTMLFormElement} */ (document.getElementById("controls"));
    this.form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.find();
      this.take(Math.max(this.at, 0));
    });
    const here = document.getElementById("here");
    if (here && window.isSecureContext && "geolocation" in navigator) {
      here.hidden = false;
      here.addEventListener("click", () => this.locate());
    }
  }

  async find() {
    window.clearTimeout(this.timer);
    const name = this.field.value.trim();
    if (!name) return this.close();
    const turn = ++this.turn;
    try {
      const found = await fetchJson(`/page/places.json?lang=${this.language}&q=${encodeURIComponent(name)}`);
      if (turn !== this.turn) return;
      this.found = found;
    } catch {
      this.found = [];
      window.dispatchEvent(new CustomEvent("hazecast:lost"));
    }
    this.open();
  }

  open() {
    this.at = -1;
    this.list.replaceChildren(...this.found.map((place, n) => {
      const item = document.createElement("li");
      item.id = `place-${n}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.dataset.n = String(n);
      const region = document.createElement("span");
      region.className = "fine";
      region.textContent = place.region === place.name ? "" : place.region;
      item.append(`${place.name} `, region);
      return item;
    }));
    this.list.hidden = this.found.length === 0;
    this.field.setAttribute("aria-expanded", String(!this.list.hidden));
    this.say(this.found.length ? this.words.found.replace("{count}", String(this.found.length)) : this.words.none);
  }

  close() {
    this.list.hidden = true;
    this.at = -1;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === "Escape") return this.close();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || this.list.hidden) return;
    event.preventDefault();
    const count = this.found.length;
    this.at = (this.at + step + (this.at < 0 && step < 0 ? 1 : 0) + count) % count;
    [...this.list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === this.at)));
    this.field.setAttribute("aria-activedescendant", `place-${this.at}`);
  }

  /** @param {number} n */
  take(n) {
    const place = this.found[n];
    if (!place) return;
    this.close();
    this.field.value = "";
    this.say("");
    this.choose(place.id, place.name);
  }

  locate() {
    this.say(this.words.locating);
    navigator.geolocation.getCurrentPosition(async ({ coords }) => {
      const [lat, lon] = [coords.latitude, coords.longitude].map((value) => Math.round(value * COARSE) / COARSE);
      try {
        const [place] = await fetchJson(`/page/places.json?lang=${this.language}&lat=${lat}&lon=${lon}`);
        this.choose(place.id, place.name);
        const far = this.words.nearest.replace("{place}", place.name).replace("{distance}", String(place.distance));
        this.say(place.distance > FAR_KM ? far : "");
      } catch {
        this.say(this.words.not_located);
      }
    }, () => this.say(this.words.not_located), { maximumAge: 600_000, timeout: 15_000 });
  }

  /** @param {string} text */
  say(text) {
    this.state.textContent = text;
  }
}

/** Keep the place for the next visit, in this browser alone; none forgets it. @param {string | null} city */
export function remember(city) {
  try {
    if (city) localStorage.setItem(KEY, city);
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing still shows everything.
  }
}

/** @returns {string | null} the place of the last visit */
export function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
