// The page's entry: what the server sent is already true and complete; this makes it move.

import { changed, go, onView } from "./addresses.js";
import { Charts } from "./charts.js";
import { watch } from "./live.js";
import { remember, remembered, Search } from "./search.js";
import { Slider } from "./slider.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
/** @type {Record<string, string>} */
const words = JSON.parse(main.dataset.words ?? "{}");
const language = main.dataset.language ?? "en";
const chosen = /** @type {HTMLInputElement} */ (document.getElementById("city"));
const box = /** @type {HTMLElement} */ (document.getElementById("map"));
const wind = /** @type {HTMLInputElement} */ (document.getElementById("wind"));

const charts = new Charts(words);
/** @type {import("./map.js").CityMap | null} */
let map = null;
const slider = new Slider(words, language, (hour, time, moving) => {
  map?.showHour(hour, moving);
  charts.showTime(time);
}, (time) => {
  changed({ time });
  map?.showHour(slider.hour, false);
});
const search = new Search(words, language, choose);

/**
 * @param {string} city
 * @param {string} name
 */
async function choose(city, name) {
  const old = document.querySelector("#city-title")?.textContent ?? words.all_places;
  if (!(await go({ city: city || null, partner: null }, true))) {
    search.say(words.city_failed.replace("{place}", name).replace("{old}", old));
  }
}

for (const radio of document.querySelectorAll('input[name="layer"]')) {
  radio.addEventListener("change", () => {
    const layer = /** @type {HTMLInputElement} */ (radio).value;
    map?.showLayer(layer, index());
    showLegend(layer);
    changed({ layer });
  });
}
wind.addEventListener("change", () => map?.showWind(wind.checked));
document.getElementById("print")?.addEventListener("click", () => window.print());

/** @param {string} layer */
function showLegend(layer) {
  for (const legend of document.querySelectorAll("[data-layer]")) {
    legend.toggleAttribute("hidden", /** @type {HTMLElement} */ (legend).dataset.layer !== layer);
  }
}

function currentLayer() {
  const radio = /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="layer"]:checked'));
  return radio?.value ?? "pm25";
}

function index() {
  return document.getElementById("legends")?.dataset.index ?? "";
}

onView((city) => {
  chosen.value = city ?? "";
  remember(city);
  showLegend(currentLayer());
  map?.showLayer(currentLayer(), index());
  map?.choose(city);
  charts.read();
  slider.read();
});

/** @type {Promise<void> | undefined} */
let opened;

/** The map's library is most of the page's weight: it comes when the map is about to be seen. */
async function openMap() {
  await Promise.all([library("link", main.dataset.libraryStyle), library("script", main.dataset.library)]);
  const { CityMap } = await import("./map.js");
  map = new CityMap(words, language, slider.hour, (city) => choose(city, map?.city(city)?.name[language] ?? city));
  map.showWind(wind.checked);
  map.showLayer(currentLayer(), index());
  map.choose(chosen.value || null);
  await map.load();
}

/** @param {"link" | "script"} kind @param {string | undefined} address */
function library(kind, address) {
  return new Promise((resolve, reject) => {
    const part = document.createElement(kind);
    if (part instanceof HTMLLinkElement) Object.assign(part, { rel: "stylesheet", href: address });
    else part.src = address ?? "";
    part.addEventListener("load", resolve);
    part.addEventListener("error", reject);
    document.head.prepend(part);
  });
}

showLegend(currentLayer());
slider.read();
const { lost } = watch(words, language, async () => { await map?.load(); });
/** @param {string} margin */
function openMapWhenSeen(margin) {
  new IntersectionObserver((seen, observer) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    observer.disconnect();
    opened ??= openMap().catch(lost);
  }, { rootMargin: margin }).observe(box);
}

// A strip at the foot of a phone's first screen is not looked at: there the map comes when the reader moves.
openMapWhenSeen("0px 0px -10% 0px");
addEventListener("scroll", () => openMapWhenSeen("200px"), { once: true, passive: true });

if ("serviceWorker" in navigator) navigator.serviceWorker.register("/service-worker.js").catch(() => {});

// The address of the view, to whatever the reader's device shares with, or copied.
document.addEventListener("click", async (event) => {
  if (!(/** @type {Element} */ (event.target).closest("#share"))) return;
  if (navigator.share) await navigator.share({ title: document.title, url: location.href }).catch(() => {});
  else {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    search.say(`${words.copied} ${location.href}`);
  }
});

const last = remembered();
if (chosen.value) remember(chosen.value);
else if (last && !new URLSearchParams(location.search).has("city")) go({ city: last }, false, true);
