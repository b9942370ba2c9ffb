// What the parts of the console share: words, copies of templates, forms, problems, questions.

import { Problem } from "./api.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
/** @type {Record<string, string>} */
const words = JSON.parse(main.dataset.words ?? "{}");
/** @type {{cities: Record<string, {name: string, zone: string, at: [number, number]}>, regions: Record<string, string>, rules: Record<string, {name: string, levels: {id: string, rank: number, name: string, colour: string}[]}>}} */
export const facts = JSON.parse(main.dataset.facts ?? "{}");
export const language = main.dataset.language ?? "en";
/** @type {Set<string>} */
let allowed = new Set();

/**
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
export function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`no ${selector}`);
  return found;
}

/**
 * @param {string} name
 * @param {Record<string, unknown>} [values]
 */
export function say(name, values = {}) {
  return (words[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}

/** The zone that times are shown in where no city's own is asked for: the bureau's, as chosen in this browser. */
const zones = find(document, "#zone", HTMLSelectElement);
const KEPT_ZONE = "hazecast.zone";
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const name of new Set([own, ...Object.values(facts.cities).map((city) => city.zone).sort()])) zones.add(new Option(name, name));
zones.value = localStorage.getItem(KEPT_ZONE) ?? own;
if (!zones.value) zones.value = own;
zones.addEventListener("change", () => {
  localStorage.setItem(KEPT_ZONE, zones.value);
  window.dispatchEvent(new Event("hazecast:again"));
});

/**
 * @param {string | null} time
 * @param {string} [zone] IANA name; by default the bureau's
 */
export function moment(time, zone = zones.value) {
  if (!time) return say("never");
  const parts = new Intl.DateTimeFormat(language, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    timeZone: zone, timeZoneName: "short",
  }).formatToParts(new Date(time));
  // Chinese has the zone between day and hour: it goes to the end, as in the other languages.
  const said = parts.filter(({ type }) => type !== "timeZoneName").map(({ value }) => value).join("").replace(/\s+/g, " ").trim();
  return `${said} ${parts.find(({ type }) => type === "timeZoneName")?.value ?? ""}`;
}

/** Return a length of time in its largest whole unit. @param {number} seconds */
export function span(seconds) {
  /** @type {[number, string][]} */
  const units = [[86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]];
  const [length, unit] = units.find(([one]) => seconds >= one) ?? [1, "second"];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 0 }).format(seconds / length);
}

/** @param {string} id */
export function copy(id) {
  const made = /** @type {HTMLElement} */ (find(document, `#${id}`, HTMLTemplateElement).content.firstElementChild).cloneNode(true);
  allow(/** @type {HTMLElement} */ (made));
  return /** @type {HTMLElement} */ (made);
}

/** Show of an element only what the key allows. @param {ParentNode} root @param {Iterable<string>} [scopes] */
export function allow(root, scopes) {
  if (scopes) allowed = new Set(scopes);
  for (const part of root.querySelectorAll("[data-needs]")) {
    part.toggleAttribute("hidden", !may(/** @type {HTMLElement} */ (part).dataset.needs ?? ""));
  }
}

/** @param {string} scope */
export function may(scope) {
  return allowed.has(scope);
}

/**
 * Write texts where an element has places for them, as text alone.
 * @param {ParentNode} root
 * @param {Record<string, string>} texts
 */
export function put(root, texts) {
  for (const [name, text] of Object.entries(texts)) {
    for (const place of root.querySelectorAll(`[data-text="${name}"]`)) {
      place.textContent = text;
      if (place.classList.contains("tag")) place.toggleAttribute("hidden", !text);
    }
  }
}

/** Tell what was done. @param {string} text */
export function tell(text) {
  const place = find(document, "#said", HTMLElement);
  place.textContent = text;
}

/** @param {unknown} error */
export function explain(error) {
  if (!(error instanceof Problem)) throw error;
  if (error.unknown) return say("unknown");
  if (error.status === 0) return error.detail || say("failed");
  if (error.status === 429 && error.wait) return say("limited", { seconds: error.wait });
  if (error.status === 409 || error.status === 404) return say("gone", { detail: error.detail });
  if (error.status === 422) return say("wrong");
  return say("refused", { detail: error.detail });
}

/**
 * Do something that asks the API: its buttons wait, and what it refuses is shown by field, else as a whole.
 * @param {HTMLElement} root the form, or what holds a place for problems
 * @param {() => Promise<void>} act
 */
export async function attempt(root, act) {
  clear(root);
  const focused = document.activeElement;
  const buttons = [...root.querySelectorAll("button")].filter((one) => !one.disabled);
  for (const button of buttons) button.disabled = true;
  root.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) window.dispatchEvent(new CustomEvent("hazecast:ended"));
    else showProblem(root, error);
  } finally {
    root.removeAttribute("aria-busy");
    for (const button of buttons) button.disabled = false;
    // A button that can't be pressed loses the focus, as does a closed dialog; who works by keyboard is put back.
    const now = document.activeElement;
    const lost = now === null || now === document.body || now.closest("dialog") !== null;
    if (lost && focused instanceof HTMLElement && focused.isConnected) focused.focus();
  }
}

/** @param {HTMLElement} root */
function clear(root) {
  tell("");
  find(document, "#failed", HTMLElement).hidden = true;
  for (const place of root.querySelectorAll(".problem")) {
    place.textContent = "";
    place.toggleAttribute("hidden", true);
  }
  for (const field of root.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

let problems = 0;

/** @param {HTMLElement} root @param {unknown} error */
export function showProblem(root, error) {
  const whole = [explain(error)];
  /** @type {HTMLElement | null} */
  let first = null;
  for (const { field, reason } of error instanceof Problem ? error.errors : []) {
    // "draft ...: level", "target: host" and "cities.0" are of the fields "level", "target" and "cities".
    const named = field.split(/[:. ]+/);
    const fields = [...root.querySelectorAll("[data-field]")].map((one) => /** @type {HTMLElement} */ (one));
    const box = fields.find((one) => one.dataset.field === field) ?? fields.find((one) => named.includes(one.dataset.field ?? ""));
    const place = box?.querySelector(".problem");
    const input = box?.querySelector("fieldset, input, select, textarea");
    if (!box || !place || !(input instanceof HTMLElement)) {
      whole.push(`${field}: ${reason}`);
      continue;
    }
    place.id ||= `problem-${++problems}`;
    place.textContent = [place.textContent, reason].filter(Boolean).join("; ");
    place.toggleAttribute("hidden", false);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", place.id);
    for (let outer = box.closest("details"); outer; outer = outer.parentElement?.closest("details") ?? null) outer.open = true;
    const inner = box.querySelector("details");
    if (inner) inner.open = true;
    first ??= input.matches("fieldset") ? input.querySelector("input") : input;
  }
  const own = root.matches("section") ? null : root.querySelector(".problem.whole");
  const place = own ?? find(document, "#failed", HTMLElement);
  place.textContent = whole.join(" ");
  place.toggleAttribute("hidden", false);
  first?.focus();
}

/**
 * Return what a form holds, by the API's names; empty fields are left out, the API knows what is then meant.
 * @param {HTMLFormElement} form
 * @param {boolean} [emptied] for a change, where what is left out stays: empty fields are in it, as empty texts
 */
export function values(form, emptied = false) {
  /** @type {Record<string, any>} */
  const found = {};
  for (const field of form.elements) {
    if (field instanceof HTMLInputElement && field.type === "checkbox") {
      if (!field.hasAttribute("data-list")) found[field.name] = field.checked;
      else (found[field.name] ??= []).push(...(field.checked ? [field.value] : []));
    } else if (field instanceof HTMLInputElement && field.type === "number") {
      if (field.value !== "") found[field.name] = Number(field.value);
      else if (emptied) found[field.name] = "";
    } else if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement || field instanceof HTMLTextAreaElement) {
      if (field.name && (emptied || field.value !== "")) found[field.name] = field.value;
    }
  }
  return found;
}

/** @param {HTMLFormElement} form @param {Record<string, any>} given */
export function fill(form, given) {
  for (const field of form.elements) {
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement || field instanceof HTMLTextAreaElement)) continue;
    if (!(field.name in given)) continue;
    const value = given[field.name];
    if (field instanceof HTMLInputElement && field.type === "checkbox") {
      field.checked = field.hasAttribute("data-list") ? value.includes(field.value) : value;
    } else field.value = value ?? "";
  }
}

/** Ask the reader whether to go on. @param {string} text @returns {Promise<boolean>} */
export function sure(text) {
  const dialog = find(document, "#ask", HTMLDialogElement);
  find(dialog, "#ask-text", HTMLElement).textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Show a key or a secret this once. @param {"key" | "secret"} kind @param {string} text @returns {Promise<void>} */
export function showOnce(kind, text) {
  const dialog = find(document, "#once", HTMLDialogElement);
  const title = find(dialog, "#once-title", HTMLElement);
  title.textContent = title.dataset[kind] ?? "";
  const value = find(dialog, "#once-value", HTMLInputElement);
  value.value = text;
  dialog.showModal();
  value.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      value.value = "";
      resolve();
    }, { once: true });
  });
}

find(document, "#once-copy", HTMLButtonElement).addEventListener("click", async () => {
  const value = find(document, "#once-value", HTMLInputElement);
  value.select();
  // Without TLS browsers give no clipboard: the text stands selected.
  await navigator.clipboard?.writeText(value.value);
  if (navigator.clipboard) find(document, "#once-hint", HTMLElement).append(` ${say("copied")}`);
});
