// All accounts, for administrators: added, renamed, given a role, disabled; their keys made and revoked.

import { ask } from "./api.js";
import { attempt, copy, fill, find, moment, put, say, showOnce, sure, tell, values } from "./view.js";

const list = find(document, "#account-list", HTMLElement);
const making = find(document, "#new-account", HTMLDetailsElement);

/** @typedef {{id: string, name: string, role: string, created_at: string, disabled_at: string | null}} Account */
/** @typedef {{id: string, label: string, expires_at: string, revoked_at: string | null, last_used_at: string | null}} Key */

export async function accounts() {
  /** @type {{items: Account[]}} */
  const { items: found } = await ask("GET", "/accounts");
  list.replaceChildren(...found.map(article));
}

/** @param {Account} account */
function article(account) {
  const made = copy("account-template");
  put(made, {
    title: account.name, id: account.id, role: say(`role_${account.role}`),
    state: say(account.disabled_at ? "account_disabled" : "account_enabled"), made: moment(account.created_at),
  });
  const form = find(made, ".account-change", HTMLFormElement);
  fill(form, account);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, () => change(made, account, values(form, true)));
  });
  const toggle = find(form, '[data-do="toggle"]', HTMLButtonElement);
  toggle.textContent = (account.disabled_at ? toggle.dataset.enable : toggle.dataset.disable) ?? "";
  toggle.addEventListener("click", () => attempt(form, async () => {
    const disabled = !account.disabled_at;
    if (disabled && !(await sure(say("ask_disable", { name: account.name, id: account.id })))) return;
    await change(made, account, { disabled });
  }));
  const box = find(made, ".of-keys", HTMLDetailsElement);
  const adding = find(box, "form", HTMLFormElement);
  box.addEventListener("toggle", () => {
    if (box.open) attempt(adding, () => keys(box, account));
  });
  adding.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(adding, async () => {
      const key = await ask("POST", path(account, "/keys"), values(adding));
      await showOnce("key", key.token);
      adding.reset();
      await keys(box, account);
      tell(say("done_key"));
    });
  });
  return made;
}

/** @param {HTMLElement} made @param {Account} account @param {Record<string, unknown>} given */
async function change(made, account, given) {
  const fresh = article(await ask("PATCH", path(account), given));
  made.replaceWith(fresh);
  find(fresh, "input", HTMLInputElement).focus();
  tell(say("done_saved"));
}

/** @param {HTMLElement} box @param {Account} account */
async function keys(box, account) {
  /** @type {{items: Key[]}} */
  const { items: found } = await ask("GET", path(account, "/keys"));
  find(box, "ul", HTMLElement).replaceChildren(...found.map((key) => {
    const line = copy("account-key-template");
    const works = !key.revoked_at && new Date(key.expires_at) > new Date();
    put(line, {
      label: key.label, id: key.id, state: say(key.revoked_at ? "key_revoked" : works ? "key_active" : "key_expired"),
      expires: moment(key.expires_at), used: moment(key.last_used_at),
    });
    const button = find(line, "button", HTMLButtonElement);
    button.hidden = !works;
    button.addEventListener("click", () => attempt(find(box, "form", HTMLFormElement), async () => {
      if (!(await sure(say("ask_revoke", { label: key.label, id: key.id })))) return;
      await ask("DELETE", path(account, `/keys/${encodeURIComponent(key.id)}`));
      await keys(box, account);
      tell(say("done_revoked"));
    }));
    return line;
  }));
}

/** @param {Account} account @param {string} [more] */
function path(account, more = "") {
  return `/accounts/${encodeURIComponent(account.id)}${more}`;
}

/** Make the form for a new account work. */
export function makeAccounts() {
  const form = find(making, "form", HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, async () => {
      const added = await ask("POST", "/accounts", values(form));
      list.append(article(added));
      form.reset();
      making.open = false;
      tell(say("done_account"));
    });
  });
}
