// The page's entry: what the server sent is already true and complete; this makes it move.

import { changed, go, onView } from "./addresses.js";
import { Charts } from "./charts.js";
import { watch } from "./live.js";
import { CityMap } from "./map.js";
import { Slider } from "./slider.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
/** @type {Record<string, string>} */
const words = JSON.parse(main.dataset.words ?? "{}");
const language = main.dataset.language ?? "en";
const controls = /** @type {HTMLFormElement} */ (document.getElementById("controls"));
const picker = /** @type {HTMLSelectElement} */ (document.getElementById("city"));

const charts = new Charts(words);
const range = /** @type {HTMLInputElement} */ (document.getElementById("hour"));
const map = new CityMap(words, language, Number(range.value), (city) => choose(city));
const slider = new Slider(words, language, (hour, time) => {
  map.showHour(hour);
  charts.showTime(time);
}, (time) => changed({ time }));

/** @param {string} city */
function choose(city) {
  picker.value = city;
  go({ city: city || null, partner: null }, true);
}

picker.addEventListener("change", () => choose(picker.value));
controls.addEventListener("submit", (event) => {
  event.preventDefault();
  choose(picker.value);
});
for (const radio of document.querySelectorAll('input[name="layer"]')) {
  radio.addEventListener("change", () => {
    const layer = /** @type {HTMLInputElement} */ (radio).value;
    map.showLayer(layer);
    showLegend(layer);
    changed({ layer });
  });
}
document.getElementById("print")?.addEventListener("click", () => window.print());

/** @param {string} layer */
function showLegend(layer) {
  for (const legend of document.querySelectorAll("[data-layer]")) {
    legend.toggleAttribute("hidden", /** @type {HTMLElement} */ (legend).dataset.layer !== layer);
  }
}

function currentLayer() {
  const chosen = /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="layer"]:checked'));
  return chosen?.value ?? "pm25";
}

onView((city) => {
  picker.value = city ?? "";
  showLegend(currentLayer());
  map.choose(city);
  charts.read();
  slider.readZone();
  slider.show();
});

map.showLayer(currentLayer());
map.choose(picker.value || null);
slider.show();
watch(words, language, async () => {
  const data = await map.load();
  slider.setRange(data);
});
