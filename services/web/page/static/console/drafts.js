// Drafts of warnings: read, approved, changed or rejected, each with a reason.

import { ask } from "./api.js";
import { countChosen, makeBulk } from "./bulk.js";
import { drawArea } from "./draft_map.js";
import { decisions, isChanged, path, statusOf } from "./draft_decide.js";
import { attempt, copy, facts, find, language, may, moment, put, say, tell } from "./view.js";

const ASK_MS = 60_000;
const list = find(document, "#draft-list", HTMLElement);
const status = find(document, "#draft-status", HTMLSelectElement);
const simulated = find(document, "#draft-simulated", HTMLInputElement);
const news = find(document, "#draft-news", HTMLElement);
const section = find(document, "#drafts", HTMLElement);
const more = find(document, "#draft-more", HTMLButtonElement);
/** The drafts that are shown, in their order. @type {Draft[]} */
let shown = [];
/** Where the next page begins. @type {string | null} */
let next = null;

/** @typedef {{time: string, pm25: number | null, relative_humidity: number | null, visibility: number | null, level: number, basis: string, values: Record<string, number>, observed_hours: number | null}} Evidence */
/** @typedef {{id: string, rule_set: string, level: string, kind: string, city: string, onset: string, expires: string, evidence: Evidence[], run_init_time: string, simulated: boolean, weather_source: string, probability: number | null}} Message */
/** @typedef {{id: string, status: string, proposed: Message, by: string | null, reason: string | null}} Draft */
/** @typedef {{part: string, language: string | null, before: string, after: string}} Edit */

export async function drafts() {
  const found = await asked();
  shown = [];
  news.hidden = true;
  list.replaceChildren();
  add(found);
  await tellOthers();
}

/** @param {{items: Draft[], next: string | null}} found */
function add(found) {
  list.append(...found.items.map(article));
  shown.push(...found.items);
  next = found.next;
  more.hidden = !next;
  empty();
}

/** Say what waits in the runs that are not shown: simulated ones beside real ones, and the other way round. */
async function tellOthers() {
  const others = await ask("GET", `/drafts?status=pending&limit=500&simulated=${!simulated.checked}`);
  const line = find(document, "#draft-others", HTMLElement);
  const n = `${others.items.length}${others.next ? "+" : ""}`;
  line.textContent = others.items.length ? say(simulated.checked ? "waiting_real" : "waiting_simulated", { n }) : "";
}

/** A page of the list. @param {string | null} [cursor] @returns {Promise<{items: Draft[], next: string | null}>} */
async function asked(cursor = null) {
  const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
  return ask("GET", `/drafts?status=${status.value}&simulated=${simulated.checked}${after}`);
}

/** @param {Draft[]} found */
function ids(found) {
  return found.map((one) => `${one.id} ${one.status}`).join();
}

function empty() {
  for (const line of section.querySelectorAll("[data-empty]")) {
    const of = /** @type {HTMLElement} */ (line).dataset.empty;
    line.toggleAttribute("hidden", list.childElementCount > 0 || Boolean(next) || of !== status.value);
  }
  countChosen();
}

/** @param {Draft} draft */
function article(draft) {
  const made = copy("draft-template");
  const message = draft.proposed;
  const zone = facts.cities[message.city]?.zone ?? "UTC";
  const level = facts.rules[message.rule_set]?.levels.find((one) => one.id === message.level);
  const place = facts.cities[message.city]?.name ?? message.city;
  const headline = `${place} · ${level?.name ?? message.level} · ${say(`message_${message.kind}`)}`;
  find(made, ".swatch rect", SVGRectElement).setAttribute("fill", level?.colour ?? "none");
  const percent = new Intl.NumberFormat(language, { style: "percent" });
  put(made, {
    headline,
    span: lasts(message, zone),
    here: lasts(message) === lasts(message, zone) ? "" : say("in_own_zone", { span: lasts(message) }),
    simulated: message.simulated ? say("simulated") : "",
    facts: [
      facts.rules[message.rule_set]?.name ?? message.rule_set,
      message.probability === null ? "" : say("probability", { percent: percent.format(message.probability) }),
      say("run", { time: moment(message.run_init_time, zone) }),
      message.weather_source,
    ].filter(Boolean).join(" · "),
    status: statusOf(draft),
    zone,
  });
  const more = find(made, ".more", HTMLDetailsElement);
  more.addEventListener("toggle", () => {
    if (more.open) attempt(section, () => detail(made, draft, zone, level?.colour ?? "none", place));
  });
  const box = find(made, ".choose input", HTMLInputElement);
  const open = draft.status === "pending" && may("drafts:decide");
  find(made, ".choose", HTMLElement).hidden = !open;
  if (open) {
    box.value = draft.id;
    box.dataset.headline = headline;
    decisions(made, draft, zone, headline, decided);
  } else box.remove();
  return made;
}

/**
 * Show what was decided. The list is not fetched for it: what came meanwhile is announced, never taken as seen.
 * @param {HTMLElement} made @param {Draft} draft as it is now
 */
function decided(made, draft) {
  const at = shown.findIndex((one) => one.id === draft.id);
  if (status.value === "pending") {
    made.remove();
    shown.splice(at, 1);
  } else {
    made.replaceWith(article(draft));
    shown[at] = draft;
  }
  empty();
  section.focus();
  look();
}

/** From when to when a message is for, on a clock; by default the bureau's. @param {Message} message @param {string} [zone] */
function lasts(message, zone) {
  return `${moment(message.onset, zone)} – ${moment(message.expires, zone)}`;
}

/** @param {HTMLElement} made @param {Draft} draft @param {string} zone @param {string} colour @param {string} place */
async function detail(made, draft, zone, colour, place) {
  const found = await ask("GET", path(draft));
  find(made, ".texts", HTMLElement).replaceChildren(...found.texts.map((/** @type {any} */ text) => {
    const said = copy("text-template");
    said.lang = text.language;
    put(said, text);
    return said;
  }));
  find(made, ".evidence", HTMLElement).replaceChildren(...draft.proposed.evidence.map((one) => evidence(one, draft.proposed, zone)));
  find(made, ".history", HTMLElement).replaceChildren(...found.audit.map((/** @type {any} */ step) => {
    const line = document.createElement("li");
    const action = say(`draft_${step.action}`);
    const what = step.by ? say("by", { action, by: step.by, reason: step.reason }) : [action, step.reason].filter(Boolean).join(": ");
    line.textContent = `${moment(step.at, zone)} · ${what}`;
    if (step.edits.length) {
      const changed = document.createElement("ul");
      changed.append(...step.edits.map((/** @type {Edit} */ one) => edited(one, zone)));
      line.append(changed);
    }
    return line;
  }));
  await drawArea(find(made, ".area", HTMLElement), found.area, colour, say("area_of", { place }), facts.cities[draft.proposed.city]);
}

/** @param {Edit} one @param {string} zone */
function edited(one, zone) {
  const line = document.createElement("li");
  const time = one.part === "onset" || one.part === "expires";
  /** @param {string} text */
  const shown = (text) => (time ? moment(text, zone) : text) || "–";
  const [was, is] = ["del", "ins"].map((name) => document.createElement(name));
  was.textContent = shown(one.before);
  is.textContent = shown(one.after);
  for (const part of one.language ? [was, is] : []) part.lang = one.language ?? "";
  line.append(`${say(`part_${one.part}`)}${one.language ? ` (${one.language})` : ""}: `, was, " → ", is);
  return line;
}

/** @param {Evidence} one @param {Message} message @param {string} zone */
function evidence(one, message, zone) {
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  /** @param {number | null} value */
  const said = (value) => (value === null ? "–" : number.format(value));
  const row = document.createElement("tr");
  const level = facts.rules[message.rule_set]?.levels.find((other) => other.rank === one.level)?.name ?? String(one.level);
  const facets = one.observed_hours === null ? one.values : { ...one.values, observed_hours: one.observed_hours };
  const tested = Object.entries(facets).map(([name, value]) => `${name} ${number.format(value)}`).join(", ");
  const visibility = one.visibility === null ? null : one.visibility / 1000;
  const cells = [say(`basis_${one.basis}`), level, said(one.pm25), said(one.relative_humidity), said(visibility), tested];
  const time = document.createElement("th");
  time.scope = "row";
  time.textContent = moment(one.time, zone);
  row.append(time, ...cells.map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  }));
  return row;
}

/** Say that the list is no longer what waits; a form that is being filled in stays as it is. */
async function look() {
  if (section.hidden || document.visibilityState !== "visible") return;
  try {
    const found = await asked();
    if (section.hidden || isShown(found)) return;
    news.textContent = say("new_drafts");
    news.hidden = false;
  } catch {
    // The next action tells of it.
  }
}

/** Whether a first page, fetched anew, is what is shown. @param {{items: Draft[], next: string | null}} found */
function isShown(found) {
  const both = Math.min(found.items.length, shown.length);
  // One page may be longer than the other: pages that were added, or drafts that moved up since some were decided.
  const longer = found.items.length > shown.length ? next : found.items.length < shown.length ? found.next : "none";
  return Boolean(longer) && ids(found.items.slice(0, both)) === ids(shown.slice(0, both));
}

for (const control of [status, simulated]) control.addEventListener("change", () => attempt(section, drafts));
more.addEventListener("click", () => attempt(section, async () => add(await asked(next))));
find(document, "#draft-reload", HTMLButtonElement).addEventListener("click", () => attempt(section, drafts));
makeBulk(() => drafts(), () => simulated.checked, isChanged);
window.setInterval(look, ASK_MS);
