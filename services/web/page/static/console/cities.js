// The cities, for administrators: listed with what the service has of each, checked on a map, added, changed, withdrawn.

import { ask } from "./api.js";
import { drawArea } from "./draft_map.js";
import { attempt, copy, facts, fill, find, language, moment, put, say, sure, tell, values } from "./view.js";

const list = find(document, "#city-list", HTMLElement);
const more = find(document, "#city-more", HTMLButtonElement);
const which = find(document, "#city-which", HTMLSelectElement);
const filter = find(document, "#city-filter", HTMLInputElement);
const making = find(document, "#new-city", HTMLDetailsElement);
const ACCENT = "var(--accent)";

/** @typedef {{id: string, name_en: string, name_zh: string, name_ja: string, country: string, region: string, latitude: number, longitude: number, elevation: number | null, time_zone: string, code: string | null}} Place */
/** @typedef {Place & {stations: string[], origin: string, file: string | null, editable: boolean, wanted: boolean, rated_by: string | null, index: string, rule_sets: string[], stations_known: number, stations_reporting: number, forecast_by: string, reason: string | null}} City */
/** @typedef {{trouble: string | null, fault: string | null, replaced: string[], not_forecast: string[], english_only: string[], without_rules: string[]}} Folder */
/** @typedef {{area: any, kind: string, administrative: boolean, cut: boolean}} Area */

/** The cursor of the next page. @type {string | null} */
let next = null;

export async function cities() {
  list.replaceChildren();
  next = null;
  await page();
}

async function page() {
  const after = next ? `&cursor=${encodeURIComponent(next)}` : "";
  const found = await ask("GET", `/administration/cities?limit=500&own=${which.value === "own"}${after}`);
  const model = found.model_id ? `${found.model_id}, ${moment(found.init_time)}${found.simulated ? `, ${say("simulated")}` : ""}` : say("no_run");
  find(document, "#city-run", HTMLElement).textContent = say("city_run", { run: model });
  tellFolder(found.folder);
  list.append(...found.items.map(row));
  next = found.next;
  more.hidden = !next;
  narrow();
}

/** Say whether cities can be written, and what is to know of those that were. @param {Folder} folder */
function tellFolder(folder) {
  const stops = folder.trouble ? say(`folder_${folder.trouble}`) : "";
  const lines = [stops, folder.fault ? say("folder_fault", { fault: folder.fault }) : ""];
  const box = find(document, "#city-folder", HTMLElement);
  box.textContent = lines.filter(Boolean).join(" ");
  box.hidden = !box.textContent;
  const notes = find(document, "#city-notes", HTMLElement);
  const named = /** @type {("replaced" | "not_forecast" | "english_only" | "without_rules")[]} */ (["replaced", "not_forecast", "english_only", "without_rules"]);
  notes.replaceChildren(...named.filter((name) => folder[name].length).map((name) => {
    const line = document.createElement("li");
    line.textContent = say(`folder_${name}`, { n: folder[name].length, cities: folder[name].slice(0, 10).join(", ") });
    return line;
  }));
  making.dataset.closed = String(Boolean(folder.trouble));
  making.hidden = Boolean(folder.trouble);
}

/** @param {Place} city */
function name(city) {
  return { zh: city.name_zh, ja: city.name_ja }[language.slice(0, 2)] ?? city.name_en;
}

/** @param {City} city */
function row(city) {
  const made = copy("city-template");
  made.dataset.id = city.id;
  made.dataset.words = `${city.id} ${city.name_en} ${city.name_zh} ${city.name_ja} ${city.country}`.toLowerCase();
  put(made, {
    name: name(city), id: `${city.id} · ${city.country}`,
    forecast: city.wanted ? say(`by_${city.forecast_by}`) : say("withdrawn"),
    reason: city.reason ?? "",
    rules: city.rule_sets.map((one) => facts.rules[one]?.name ?? one).join(", ") || say("no_rules"),
    index: city.index,
    stations: say("stations", { n: city.stations_known, reporting: city.stations_reporting }), places: city.stations.join(", "),
    origin: say(`origin_${city.origin}`), file: city.file ?? "",
  });
  const own = city.origin === "own";
  const able = city.editable && making.dataset.closed !== "true";
  act(made, "show", true, async () => show(made, city));
  act(made, "change", able, async () => edit(city));
  act(made, "withdraw", able && city.wanted, () => withdraw(made, city, false));
  act(made, "restore", able && !city.wanted, () => withdraw(made, city, true));
  act(made, "remove", able && own, () => remove(made, city));
  return made;
}

/** @param {HTMLElement} made @param {string} action @param {boolean} shown @param {() => Promise<void>} run */
function act(made, action, shown, run) {
  const button = find(made, `[data-do="${action}"]`, HTMLButtonElement);
  button.hidden = !shown;
  // Each is one of many alike: a reader who hears it alone hears of which city it is.
  button.setAttribute("aria-label", `${button.textContent} ${find(made, '[data-text="name"]', HTMLElement).textContent}`);
  button.addEventListener("click", () => attempt(made, run));
}

/** @param {City} city */
function path(city) {
  return `/administration/cities/${encodeURIComponent(city.id)}`;
}

/** The area and what was done, in a line of its own below the city. @param {HTMLElement} made @param {City} city */
async function show(made, city) {
  const open = made.nextElementSibling;
  if (open?.matches(".city-detail")) {
    open.remove();
    return;
  }
  const found = await ask("GET", path(city));
  const detail = copy("city-detail-template");
  put(detail, { area: areaText(found) });
  find(detail, ".history", HTMLElement).replaceChildren(...found.changes.map((/** @type {any} */ one) => {
    const line = document.createElement("li");
    line.textContent = `${moment(one.at)} · ${say(`city_${one.action}`, { by: one.by })}`;
    return line;
  }));
  made.after(detail);
  await draw(find(detail, ".area", HTMLElement), found);
  find(detail, "td", HTMLElement).focus();
}

/** @param {Element} box @param {Place & Area} found */
async function draw(box, found) {
  const coasts = await drawArea(box, found.area, ACCENT, say("area_of", { place: name(found) }), { name: name(found), at: [found.longitude, found.latitude] });
  if (coasts) return;
  const line = document.createElement("p");
  line.className = "fine";
  line.textContent = say("no_coasts");
  box.append(line);
}

/** @param {Area} area */
function areaText(area) {
  return [say(`area_${area.kind}`), say(area.administrative ? "area_administrative" : "area_not_administrative"), area.cut ? say("area_cut") : ""].filter(Boolean).join(" ");
}

/** @param {HTMLElement} made @param {City} city @param {boolean} wanted */
async function withdraw(made, city, wanted) {
  if (!wanted && !(await sure(say("ask_withdraw", { city: name(city) })))) return;
  replace(made, await ask("PUT", path(city), { ...fieldsOf(city), forecast: wanted }));
  tell(say(wanted ? "done_restored" : "done_withdrawn", { city: name(city) }));
}

/** @param {HTMLElement} made @param {City} city */
async function remove(made, city) {
  if (!(await sure(say("ask_remove_city", { city: name(city) })))) return;
  await ask("DELETE", path(city));
  // A shipped one may be there again.
  await cities();
  find(document, "#cities", HTMLElement).focus();
  tell(say("done_city_removed", { city: name(city) }));
}

/** @param {HTMLElement} made @param {City} city */
function replace(made, city) {
  if (made.nextElementSibling?.matches(".city-detail")) made.nextElementSibling.remove();
  const fresh = row(city);
  made.replaceWith(fresh);
  facts.cities[city.id] = fact(city);
  find(fresh, '[data-do="show"]', HTMLButtonElement).focus();
}

/** What other parts of the console know of a city. @param {Place} city @returns {{name: string, zone: string, at: [number, number]}} */
function fact(city) {
  return { name: name(city), zone: city.time_zone, at: [city.longitude, city.latitude] };
}

/** What the API takes of a city. @param {City} city */
function fieldsOf(city) {
  const { name_en, name_zh, name_ja, country, region, latitude, longitude, elevation, time_zone, code, stations, rated_by } = city;
  return { name_en, name_zh, name_ja, country, region, latitude, longitude, elevation, time_zone, code, stations, rated_by };
}

const form = find(making, "form", HTMLFormElement);
const found = find(form, ".checked", HTMLElement);
/** The city that the form changes; null for a new one. @type {City | null} */
let changed = null;

/** @param {City | null} city */
function open(city) {
  changed = city;
  form.reset();
  found.hidden = true;
  form.querySelectorAll(".problem").forEach((place) => place.toggleAttribute("hidden", true));
  if (city) fill(form, { ...city, stations: city.stations.join("\n") });
  find(form, '[name="id"]', HTMLInputElement).readOnly = Boolean(city);
  const button = find(form, 'button[value="save"]', HTMLButtonElement);
  button.textContent = (city ? button.dataset.change : button.dataset.new) ?? "";
  put(making, { doing: city ? say("changing_city", { city: name(city) }) : "" });
  find(form, 'button[value="new"]', HTMLButtonElement).hidden = !city;
}

/** Make the form one for a new city again. */
export function blankCity() {
  open(null);
}

/** @param {City} city */
async function edit(city) {
  open(city);
  making.open = true;
  find(form, '[name="name_en"]', HTMLInputElement).focus();
}

/** @returns {Record<string, any>} */
function given() {
  const { stations, ...rest } = values(form);
  const places = String(stations ?? "").split("\n").map((one) => one.trim()).filter(Boolean);
  return { ...rest, ...(places.length && { stations: places }) };
}

async function check() {
  found.hidden = true;
  const checked = await ask("POST", "/administration/cities/check", given());
  const rules = checked.rule_sets.map((/** @type {string} */ one) => facts.rules[one]?.name ?? one).join(", ");
  put(found, {
    area: areaText(checked), index: checked.index, rules: rules || say("no_rules"),
    near: checked.nearest ? say("nearest", { city: facts.cities[checked.nearest]?.name ?? checked.nearest, km: checked.distance }) : "",
    notes: checked.notes.map((/** @type {string} */ one) => say(`note_${one}`)).join(" "),
  });
  found.hidden = false;
  await draw(find(found, ".area", HTMLElement), checked);
  find(found, "h3", HTMLElement).focus();
}

async function save() {
  const { id, ...fields } = given();
  if (changed) {
    // What the form does not show stays.
    const kept = { forecast: changed.wanted, rated_by: changed.rated_by };
    const answer = await ask("PUT", path(changed), { ...fields, ...kept });
    const line = [...list.querySelectorAll("tr[data-id]")].find((one) => one.getAttribute("data-id") === answer.id);
    if (line instanceof HTMLElement) replace(line, answer);
    tell(say("done_city_changed", { city: name(answer) }));
  } else {
    const answer = await ask("POST", "/administration/cities", { id, ...fields });
    facts.cities[answer.id] = fact(answer);
    await cities();
    tell(say("done_city_added", { city: name(answer) }));
    find(document, "#cities", HTMLElement).focus();
  }
  open(null);
  making.open = false;
}

function narrow() {
  const wanted = filter.value.trim().toLowerCase();
  let shown = 0;
  for (const line of list.querySelectorAll("tr[data-id]")) {
    const fits = (/** @type {HTMLElement} */ (line).dataset.words ?? "").includes(wanted);
    line.toggleAttribute("hidden", !fits);
    shown += Number(fits);
  }
  for (const detail of list.querySelectorAll(".city-detail")) detail.remove();
  find(document, "#no-cities", HTMLElement).hidden = shown > 0;
}

/** Make the list's filters and the form work. */
export function makeCities() {
  open(null);
  const section = find(document, "#cities", HTMLElement);
  which.addEventListener("change", () => attempt(section, cities));
  filter.addEventListener("input", narrow);
  more.addEventListener("click", () => attempt(section, page));
  find(document, "#city-reload", HTMLButtonElement).addEventListener("click", () => attempt(section, cities));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = /** @type {HTMLButtonElement} */ (event.submitter).value;
    if (action === "new") open(null);
    else attempt(form, action === "check" ? check : save);
  });
}
