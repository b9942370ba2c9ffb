// One draft decided: approved, changed or rejected, each with a reason.

import { ask, Problem } from "./api.js";
import { changedWords, fillWords, preview, setWords } from "./draft_text.js";
import { keepTyped, typed } from "./typed.js";
import { attempt, facts, find, moment, put, say, sure, tell } from "./view.js";
import { toInput, toTime } from "./zones.js";

/** @typedef {import("./drafts.js").Draft} Draft */
/** What is entered and differs from the draft, of each article that can be decided. @type {WeakMap<Element, () => boolean>} */
const changed = new WeakMap();

/** Whether level, times or words were changed in the form of a draft. @param {Element} made */
export function isChanged(made) {
  return changed.get(made)?.() ?? false;
}

/** How a draft stands, in words. @param {Draft} draft */
export function statusOf(draft) {
  const action = say(`draft_${draft.status}`);
  return draft.by ? say("by", { action, by: draft.by, reason: draft.reason }) : action;
}

/** @param {Draft} draft @param {string} [more] */
export function path(draft, more = "") {
  return `/drafts/${encodeURIComponent(draft.id)}${more}?simulated=${draft.proposed.simulated}`;
}

/**
 * Make the form of a draft work.
 * @param {HTMLElement} made
 * @param {Draft} draft
 * @param {string} zone of its city
 * @param {string} headline
 * @param {(made: HTMLElement, draft: Draft) => void} done shows the draft as it is now
 */
export function decisions(made, draft, zone, headline, done) {
  const form = find(made, "form", HTMLFormElement);
  const message = draft.proposed;
  const level = find(form, '[name="level"]', HTMLSelectElement);
  const onset = find(form, '[name="onset"]', HTMLInputElement);
  const expires = find(form, '[name="expires"]', HTMLInputElement);
  const reason = find(form, "textarea", HTMLTextAreaElement);
  const words = find(form, ".wordings", HTMLElement);
  const amend = find(form, ".amend", HTMLDetailsElement);
  for (const one of facts.rules[message.rule_set]?.levels ?? []) level.add(new Option(one.name, one.id));
  const usual = { reason: "", level: message.level, onset: toInput(message.onset, zone), expires: toInput(message.expires, zone) };
  const fields = { reason, level, onset, expires };
  for (const name of /** @type {(keyof typeof fields)[]} */ (Object.keys(fields))) fields[name].value = typed(draft.id)[name] ?? usual[name];
  form.hidden = false;

  /** What differs from the draft, as it is typed; words that are not here yet as they were typed before. */
  const entered = () => Object.fromEntries([
    ...Object.entries(fields).filter(([name, field]) => field.value !== usual[/** @type {keyof typeof usual} */ (name)]).map(([name, field]) => [name, field.value]),
    ...(words.firstChild ? Object.entries(changedWords(words)).flatMap(([of, parts]) => Object.entries(parts).map(([part, text]) => [`${of}.${part}`, text]))
      : Object.entries(typed(draft.id)).filter(([name]) => name.includes("."))),
  ]);
  form.addEventListener("input", () => keepTyped(draft.id, entered()));
  changed.set(made, () => Object.keys(entered()).some((name) => name !== "reason"));
  amend.addEventListener("toggle", () => {
    if (!amend.open || words.firstChild) return;
    attempt(form, async () => {
      const { texts } = await ask("GET", path(draft));
      if (words.firstChild) return;
      fillWords(words, texts);
      setWords(words, typed(draft.id));
    });
  });
  if (isChanged(made)) amend.open = true;

  const changes = () => ({
    ...(level.value !== message.level && { level: level.value }),
    ...(onset.value !== usual.onset && { onset: time("onset", onset.value, zone, false) }),
    ...(expires.value !== usual.expires && { expires: time("expires", expires.value, zone, true) }),
    ...(Object.keys(changedWords(words)).length && { texts: changedWords(words) }),
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = /** @type {HTMLButtonElement} */ (event.submitter).value;
    attempt(form, async () => {
      if (action === "approve" && isChanged(made)) {
        const place = find(form, ".problem.whole", HTMLElement);
        place.textContent = say("has_changes");
        place.hidden = false;
        return;
      }
      const given = action === "amend" || action === "preview" ? changes() : {};
      if (action === "preview") return preview(find(form, ".preview", HTMLElement), path(draft, "/preview"), given, draft.id);
      // The clock of a day on which clocks change says an hour twice: the times are read again with their zone.
      const times = given.onset || given.expires ? `\n${moment(given.onset ?? message.onset, zone)} – ${moment(given.expires ?? message.expires, zone)}` : "";
      if (!(await sure(say(`ask_${action}`, { headline }) + times))) return;
      const [now, said] = await decide(made, draft, action, { ...given, reason: reason.value });
      keepTyped(draft.id, {});
      done(made, now);
      tell(said);
    });
  });
}

/**
 * Decide; where no answer comes, find out whether it was decided.
 * @param {HTMLElement} made @param {Draft} draft @param {string} action @param {Record<string, unknown>} given
 * @returns {Promise<[Draft, string]>} the draft as it is then, and what to tell
 */
async function decide(made, draft, action, given) {
  try {
    const now = await ask("POST", path(draft, `/${action}`), given);
    return [now, say(`done_${now.status}`)];
  } catch (error) {
    if (!(error instanceof Problem) || !(error.unknown || error.status === 409)) throw error;
    /** @type {Draft | null} */
    const now = await ask("GET", path(draft)).catch(() => null);
    if (now) put(made, { status: statusOf(now) });
    if (error.status === 409 || !now) throw error;
    if (now.status === "pending") throw new Problem(0, say("not_decided"));
    return [now, say("was_decided", { what: statusOf(now) })];
  }
}

/** @param {string} field @param {string} text @param {string} zone @param {boolean} late @returns {string} in UTC */
function time(field, text, zone, late) {
  const found = toTime(text, zone, late);
  if (found === null) throw new Problem(422, "", [{ field, reason: say("no_such_time", { zone }) }]);
  return found;
}
