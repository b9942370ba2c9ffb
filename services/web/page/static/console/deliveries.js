// What was sent to a subscription, or waits, or was given up; and sending it again.

import { ask } from "./api.js";
import { attempt, copy, find, may, moment, put, say, span, tell } from "./view.js";

const AT_A_TIME = 25;

/** @typedef {{id: string, event: string, type: string, state: string, attempts: number, created_at: string, status: number | null, error: string | null, late: {reason: string, error: string | null, seconds: number} | null}} Delivery */

/**
 * Make the history of a subscription work; it is fetched when it is opened.
 * @param {HTMLElement} article
 * @param {string} subscription
 * @returns {() => void} fetches it anew, if it stands open
 */
export function deliveries(article, subscription) {
  const box = find(article, ".deliveries", HTMLDetailsElement);
  const rows = find(box, "tbody", HTMLElement);
  const state = find(box, ".of-state", HTMLSelectElement);
  const older = find(box, '[data-do="older"]', HTMLButtonElement);
  /** @type {string | null} */
  let cursor = null;

  const load = () => attempt(article, fetchRows);
  const again = () => {
    cursor = null;
    return load();
  };

  async function fetchRows() {
    const query = new URLSearchParams({ limit: String(AT_A_TIME) });
    if (state.value) query.set("state", state.value);
    if (cursor !== null) query.set("cursor", cursor);
    const found = await ask("GET", `/subscriptions/${encodeURIComponent(subscription)}/deliveries?${query}`);
    if (cursor === null) rows.replaceChildren();
    rows.append(...found.items.map(row));
    cursor = found.next;
    older.hidden = cursor === null;
    find(box, ".scroll", HTMLElement).hidden = !rows.firstChild;
    find(box, ".none", HTMLElement).hidden = Boolean(rows.firstChild);
  }

  /** @param {Delivery} of */
  function row(of) {
    const made = copy("delivery-template");
    put(made, {
      when: moment(of.created_at), type: of.type, event: of.event, state: say(`delivery_${of.state}`),
      attempts: String(of.attempts), answer: [of.status, of.error].filter((part) => part !== null).join(" "),
      late: of.late ? say(`late_${of.late.reason}`, { time: span(of.late.seconds) }) : "", late_error: of.late?.error ?? "",
    });
    const button = find(made, "button", HTMLButtonElement);
    button.hidden = of.state === "offered" || !may("deliveries:replay");
    button.textContent = (of.state === "pending" ? button.dataset.now : button.dataset.again) ?? "";
    button.addEventListener("click", () => replay(`/deliveries/${encodeURIComponent(of.id)}/replay`));
    return made;
  }

  /** @param {string} path */
  function replay(path) {
    return attempt(article, async () => {
      const { replayed, waiting } = await ask("POST", path);
      cursor = null;
      await fetchRows();
      tell(waiting === undefined ? say("done_replayed", { n: replayed }) : say("done_now", { n: waiting }));
    });
  }

  box.addEventListener("toggle", () => {
    if (box.open) again();
  });
  state.addEventListener("change", again);
  older.addEventListener("click", load);
  find(box, '[data-do="reload"]', HTMLButtonElement).addEventListener("click", again);
  find(box, '[data-do="send-now"]', HTMLButtonElement).addEventListener("click", () => {
    replay(`/subscriptions/${encodeURIComponent(subscription)}/send-now`);
  });
  find(box, '[data-do="replay-dead"]', HTMLButtonElement).addEventListener("click", () => {
    replay(`/subscriptions/${encodeURIComponent(subscription)}/replay`);
  });
  return () => {
    if (box.open) again();
  };
}
