// Several drafts decided at once, for one reason.

import { ask } from "./api.js";
import { attempt, find, may, say, sure, tell } from "./view.js";

const form = find(document, "#bulk", HTMLFormElement);
const every = find(form, "#bulk-all", HTMLInputElement);
const list = find(document, "#draft-list", HTMLElement);

function boxes() {
  return [...list.querySelectorAll(".choose input")].filter((one) => one instanceof HTMLInputElement);
}

function chosen() {
  return boxes().filter((one) => one.checked);
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
 */
export function makeBulk(reload, simulated) {
  every.addEventListener("change", () => {
    for (const box of boxes()) box.checked = every.checked;
    countChosen();
  });
  list.addEventListener("change", countChosen);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = /** @type {HTMLButtonElement} */ (event.submitter).value;
    attempt(form, () => decide(action, reload, simulated()));
  });
}

/** @param {string} action @param {() => Promise<void>} reload @param {boolean} simulated */
async function decide(action, reload, simulated) {
  const wanted = chosen();
  if (!wanted.length) {
    tell(say("none_chosen"));
    return;
  }
  const places = wanted.map((box) => box.dataset.headline ?? "");
  if (!(await sure(say(`ask_all_${action}`, { n: wanted.length, headlines: places.join("\n") })))) return;
  const reason = find(form, "textarea", HTMLTextAreaElement);
  const drafts = wanted.map((box) => box.value);
  const { items: found } = await ask("POST", `/drafts/decisions?simulated=${simulated}`, { action, drafts, reason: reason.value });
  const refused = found.filter((/** @type {{status: string | null}} */ one) => one.status === null);
  await reload();
  if (!refused.length) reason.value = "";
  tell(say(action === "approve" ? "done_all_approved" : "done_all_rejected", { n: found.length - refused.length }));
  const place = find(form, ".problem.whole", HTMLElement);
  const failed = refused.length ? find(document, "#failed", HTMLElement) : place;
  failed.textContent = refused.map((/** @type {{problem: string}} */ one) => say("gone", { detail: one.problem })).join("\n");
  failed.hidden = !refused.length;
}
