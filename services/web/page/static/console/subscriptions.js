// The account's subscriptions: made, changed, tested, ended.

import { ask } from "./api.js";
import { deliveries } from "./deliveries.js";
import { attempt, copy, facts, fill, find, may, moment, put, say, showOnce, sure, tell, values } from "./view.js";

const list = find(document, "#subscription-list", HTMLElement);
const making = find(document, "#new-subscription", HTMLDetailsElement);
/** What the API takes where nothing is said. */
const USUAL = { kinds: ["warning"], languages: ["zh"], formats: ["pdf"], bulletin_hour: 7 };

/** @typedef {{id: string, name: string, channel: string, target: string, kinds: string[], cities: string[], regions: string[], rule_sets: string[], levels: string[], languages: string[], formats: string[], simulated: boolean, bulletin_hour: number, time_zone: string, state: string, state_reason: string, next_bulletin_at: string | null, failures: number}} Subscription */

export async function subscriptions() {
  const { items: found } = await ask("GET", "/subscriptions");
  show(found);
  // What is being entered stays.
  if (may("subscriptions:write") && !making.querySelector("form")) making.append(newForm());
}

/** @param {Subscription[]} found */
function show(found) {
  list.replaceChildren(...found.map(article));
  find(document, "#no-subscriptions", HTMLElement).hidden = found.length > 0;
}

function newForm() {
  const form = wantedForm("new");
  fill(form, USUAL);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, async () => {
      const made = await ask("POST", "/subscriptions", values(form));
      list.append(article(made));
      find(document, "#no-subscriptions", HTMLElement).hidden = true;
      if (made.channel === "webhook") await showOnce("secret", made.secret);
      form.reset();
      fill(form, USUAL);
      making.open = false;
      tell(say("done_created"));
    });
  });
  return form;
}

/** @param {"new" | "change"} kind */
function wantedForm(kind) {
  const form = /** @type {HTMLFormElement} */ (copy("wanted-template"));
  const button = find(form, "button", HTMLButtonElement);
  button.textContent = button.dataset[kind] ?? "";
  if (kind === "change") find(form, ".once-set", HTMLElement).remove();
  return form;
}

/** @param {Subscription} of */
function article(of) {
  const made = copy("subscription-template");
  /** @type {Record<string, (at: HTMLElement) => Promise<void>>} */
  const actions = {
    test: async () => {
      await ask("POST", path(of, "/test"));
      tell(say("done_test"));
      history?.();
    },
    pause: () => change(made, of, { state: "paused" }),
    resume: () => change(made, of, { state: "active" }),
    secret: async () => {
      if (!(await sure(say("ask_secret", { name: of.name })))) return;
      await showOnce("secret", (await ask("POST", path(of, "/secret"))).secret);
    },
    remove: async () => {
      if (!(await sure(say("ask_remove", { name: of.name })))) return;
      await ask("DELETE", path(of));
      made.remove();
      find(document, "#no-subscriptions", HTMLElement).hidden = list.childElementCount > 0;
      find(document, "#subscriptions", HTMLElement).focus();
      tell(say("done_removed"));
    },
  };
  for (const button of made.querySelectorAll("[data-do]")) {
    const action = /** @type {HTMLElement} */ (button).dataset.do ?? "";
    if (action in actions) button.addEventListener("click", () => attempt(made, () => actions[action](made)));
  }
  find(made, '[data-do="change"]', HTMLButtonElement).addEventListener("click", () => edit(made, of));
  const able = of.state === "active" || of.state === "paused";
  find(made, '[data-do="test"]', HTMLButtonElement).hidden = !able;
  find(made, '[data-do="pause"]', HTMLButtonElement).hidden = of.state !== "active";
  find(made, '[data-do="resume"]', HTMLButtonElement).hidden = of.state !== "paused" && of.state !== "stopped";
  find(made, '[data-do="secret"]', HTMLButtonElement).hidden = of.channel !== "webhook";
  const history = may("deliveries:read") ? deliveries(made, of.id) : undefined;
  put(made, {
    name: of.name, state: say(`state_${of.state}`), reason: of.state_reason, channel: say(`channel_${of.channel}`),
    target: of.target, wanted: wanted(of),
    next: [
      of.next_bulletin_at ? say("bulletin_at", { time: moment(of.next_bulletin_at, of.time_zone) }) : "",
      of.failures ? say("failures", { n: of.failures }) : "",
    ].filter(Boolean).join(" · "),
  });
  return made;
}

/** @param {Subscription} of */
function wanted(of) {
  const places = [...of.cities.map((id) => facts.cities[id]?.name ?? id), ...of.regions.map((id) => facts.regions[id] ?? id)];
  return [
    of.kinds.map((kind) => say(`kind_${kind}`)).join(", "),
    places.join(", ") || say("all_places"),
    of.rule_sets.map((id) => facts.rules[id]?.name ?? id).join(", "),
    of.levels.join(", ") || say("all_levels"),
    of.languages.join(", "),
    of.simulated ? say("simulated") : "",
  ].filter(Boolean).join(" · ");
}

/** @param {HTMLElement} made @param {Subscription} of */
function edit(made, of) {
  const editor = find(made, ".editor", HTMLElement);
  if (editor.firstChild) return editor.replaceChildren();
  const form = wantedForm("change");
  fill(form, of);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, () => change(made, of, values(form, true)));
  });
  editor.append(form);
  find(form, "input", HTMLInputElement).focus();
}

/** @param {HTMLElement} made @param {Subscription} of @param {Record<string, unknown>} given */
async function change(made, of, given) {
  const fresh = article(await ask("PATCH", path(of), given));
  made.replaceWith(fresh);
  find(fresh, '[data-do="change"]', HTMLButtonElement).focus();
  tell(say("done_saved"));
}

/** @param {Subscription} of @param {string} [more] */
function path(of, more = "") {
  return `/subscriptions/${encodeURIComponent(of.id)}${more}`;
}
