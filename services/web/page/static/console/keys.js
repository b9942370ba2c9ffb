// The account's keys: made, rotated, revoked; those that end soon are announced.

import { ask, keep } from "./api.js";
import { attempt, copy, find, moment, put, say, showOnce, sure, tell, values } from "./view.js";

const SOON_MS = 30 * 24 * 3600 * 1000;
const list = find(document, "#key-list", HTMLElement);
const making = find(document, "#new-key", HTMLDetailsElement);
const section = find(document, "#keys", HTMLElement);
let own = "";

/** @typedef {{id: string, label: string, scopes: string[], created_at: string, created_by: string, expires_at: string, revoked_at: string | null, last_used_at: string | null, replaces: string | null}} Key */

/** @param {string} key id of the key that asks */
export async function keys(key) {
  own = key;
  /** @type {{items: Key[]}} */
  const { items: found } = await ask("GET", "/account/keys");
  list.replaceChildren(...found.map(row));
  const mine = found.find((one) => one.id === own);
  if (mine) window.dispatchEvent(new CustomEvent("hazecast:expires", { detail: mine.expires_at }));
  warn(found);
}

/** @param {Key} key */
function state(key) {
  if (key.revoked_at) return "revoked";
  return new Date(key.expires_at) <= new Date() ? "expired" : "active";
}

/** @param {Key} key */
function row(key) {
  const made = copy("key-template");
  const now = state(key);
  put(made, {
    label: key.label, id: key.id, scopes: key.scopes.join(", "), own: key.id === own ? say("own_key") : "",
    state: say(`key_${now}`), created: moment(key.created_at), by: key.created_by, expires: moment(key.expires_at),
    used: moment(key.last_used_at),
  });
  find(made, ".row", HTMLElement).hidden = now !== "active";
  const said = { label: key.label, id: key.id };
  find(made, '[data-do="rotate"]', HTMLButtonElement).addEventListener("click", async () => {
    if (!(await sure(say("ask_rotate", said)))) return;
    await attempt(section, async () => {
      const next = await ask("POST", `/account/keys/${key.id}/rotate`, {});
      await showOnce("key", next.token);
      // Who rotates the key in use goes on with its successor.
      if (key.id === own) {
        keep(next.token);
        window.dispatchEvent(new CustomEvent("hazecast:again"));
      } else await keys(own);
      tell(say("done_key"));
    });
  });
  find(made, '[data-do="revoke"]', HTMLButtonElement).addEventListener("click", async () => {
    if (!(await sure(say(key.id === own ? "ask_revoke_own" : "ask_revoke", said)))) return;
    await attempt(section, async () => {
      await ask("DELETE", `/account/keys/${key.id}`);
      await keys(own);
      tell(say("done_revoked"));
    });
  });
  return made;
}

/** Tell of keys that end soon and have no successor. @param {Key[]} found */
function warn(found) {
  const living = found.filter((key) => state(key) === "active");
  const followed = new Set(living.map((key) => key.replaces));
  const ending = living.filter((key) => !followed.has(key.id) && new Date(key.expires_at).getTime() - Date.now() < SOON_MS);
  find(document, "#notices", HTMLElement).replaceChildren(...ending.map((key) => {
    const line = document.createElement("p");
    line.className = "notice";
    line.textContent = say("expiring", { label: key.label, id: key.id, time: moment(key.expires_at) });
    return line;
  }));
}

/** Make the form for a new key work. */
export function makeKeys() {
  const form = find(making, "form", HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, async () => {
      const { scopes, ...asked } = values(form);
      const made = await ask("POST", "/account/keys", scopes.length ? { ...asked, scopes } : asked);
      await showOnce("key", made.token);
      form.reset();
      making.open = false;
      await keys(own);
      tell(say("done_key"));
    });
  });
}
