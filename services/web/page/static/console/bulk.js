// Several drafts decided at once, for one reason.

import { ask, Problem } from "./api.js";
import { keepTyped, typed } from "./typed.js";
import { attempt, explain, find, may, say, sure, tell } from "./view.js";

const form = find(document, "#bulk", HTMLFormElement);
const every = find(form, "#bulk-all", HTMLInputElement);
const reason = find(form, "textarea", HTMLTextAreaElement);
const list = find(document, "#draft-list", HTMLElement);
/** Under what the reason is kept. */
const FORM = "bulk";

function boxes() {
  return [...list.querySelectorAll(".choose input")].filter((one) => one instanceof HTMLInputElement);
}

function chosen() {
  return boxes().filter((one) => one.checked);
}

/** Put back a reason that was typed before. */
export function restoreReason() {
  reason.value = typed(FORM).reason ?? "";
}

/** Show the form where there is something to choose, and how much is chosen. */
export function countChosen() {
  const [all, some] = [boxes().length, chosen().length];
  form.hidden = !may("drafts:decide") || all < 2;
  every.checked = all > 0 && some === all;
  every.indeterminate = some > 0 && some < all;
  find(form, ".with-chosen", HTMLElement).hidden = !some;
  find(form, '[data-text="chosen"]', HTMLElement).textContent = say("chosen", { n: some, of: all });
}

/**
 * Make the form work.
 * @param {() => Promise<void>} reload fetches the list anew
 * @param {() => boolean} simulated whether the drafts are those of simulated runs
 * @param {(draft: Element) => boolean} isChanged whether something else was entered for a draft
 */
export function makeBulk(reload, simulated, isChanged) {
  every.addEventListener("change", () => {
    for (const box of boxes()) box.checked = every.checked;
    countChosen();
  });
  list.addEventListener("change", countChosen);
  reason.addEventListener("input", () => keepTyped(FORM, reason.value ? { reason: reason.value } : {}));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = /** @type {HTMLButtonElement} */ (event.submitter).value;
    attempt(form, () => decide(action, reload, simulated(), isChanged));
  });
}

/** @param {string} action @param {() => Promise<void>} reload @param {boolean} simulated @param {(draft: Element) => boolean} isChanged */
async function decide(action, reload, simulated, isChanged) {
  const wanted = chosen();
  if (!wanted.length) {
    tell(say("none_chosen"));
    return;
  }
  const places = wanted.map((box) => box.dataset.headline ?? "");
  // They would go out as they were proposed, without what was entered.
  const changed = wanted.filter((box) => isChanged(/** @type {Element} */ (box.closest(".draft"))));
  if (action === "approve" && changed.length) throw new Problem(0, say("have_changes", { headlines: changed.map((box) => box.dataset.headline).join("\n") }));
  if (!(await sure(say(`ask_all_${action}`, { n: wanted.length, headlines: places.join("\n") })))) return;
  const drafts = wanted.map((box) => box.value);
  /** @type {{id: string, status: string | null, problem: string}[]} */
  let found;
  try {
    found = (await ask("POST", `/drafts/decisions?simulated=${simulated}`, { action, drafts, reason: reason.value })).items;
  } catch (error) {
    // Some may be decided all the same: the list shows which.
    if (error instanceof Problem && error.unknown) await reload().catch(() => undefined);
    throw error;
  }
  const refused = found.filter((one) => one.status === null);
  for (const one of found) if (one.status !== null) keepTyped(one.id, {});
  if (!refused.length) {
    reason.value = "";
    keepTyped(FORM, {});
  }
  const lines = refused.map((one) => say("gone", { detail: one.problem }));
  await reload().catch((error) => lines.push(explain(error)));
  tell(say(action === "approve" ? "done_all_approved" : "done_all_rejected", { n: found.length - refused.length }));
  const failed = find(document, "#failed", HTMLElement);
  failed.textContent = lines.join("\n");
  failed.hidden = !lines.length;
}
