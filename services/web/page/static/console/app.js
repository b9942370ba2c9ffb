// The console's entry: signing in and out, and which parts the key allows.

import { accounts, makeAccounts } from "./accounts.js";
import { ask, forget, keep, key, Problem } from "./api.js";
import { restoreReason } from "./bulk.js";
import { blankCity, cities, makeCities } from "./cities.js";
import { drafts } from "./drafts.js";
import { keys, makeKeys } from "./keys.js";
import { subscriptions } from "./subscriptions.js";
import { forgetTyped, typedBy } from "./typed.js";
import { allow, explain, find, may, moment, put, say, tell } from "./view.js";

const form = find(document, "#sign-in", HTMLFormElement);
const field = find(document, "#key", HTMLInputElement);
const failed = find(document, "#failed", HTMLElement);
const me = find(document, "#me", HTMLElement);
const parts = find(document, "#parts", HTMLElement);
/** Who was signed in before. */
let last = "";
/** @type {[HTMLElement, string, (own: string) => Promise<void>][]} */
const sections = [
  [find(document, "#drafts", HTMLElement), "drafts:read", drafts],
  [find(document, "#subscriptions", HTMLElement), "subscriptions:read", subscriptions],
  [find(document, "#keys", HTMLElement), "account:keys", keys],
  [find(document, "#cities", HTMLElement), "cities:admin", cities],
  [find(document, "#accounts", HTMLElement), "accounts:admin", accounts],
];

/** @param {string} text */
function fail(text) {
  failed.textContent = text;
  failed.hidden = false;
}

/** Forget what was entered in forms for something new. */
function blank() {
  for (const one of document.querySelectorAll("#new-subscription form")) one.remove();
  for (const one of document.querySelectorAll("#new-key form, #new-account form")) if (one instanceof HTMLFormElement) one.reset();
  blankCity();
}

/** Show the way in, and nothing of what was. @param {string} [why] */
function out(why = "") {
  forget();
  for (const [section] of sections) section.hidden = true;
  for (const list of document.querySelectorAll("#draft-list, #subscription-list, #key-list, #city-list, #city-notes, #account-list, #notices")) list.replaceChildren();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  find(document, "#bulk", HTMLFormElement).reset();
  find(document, "#draft-others", HTMLElement).textContent = "";
  for (const part of [me, parts, find(document, "#nothing", HTMLElement)]) part.hidden = true;
  tell("");
  failed.hidden = true;
  form.hidden = false;
  if (why) fail(why);
}

/** Sign in with the key that is kept, and load what it may see. @param {boolean} [bySignIn] whether the reader asked for it just now */
async function enter(bySignIn = false) {
  failed.hidden = true;
  tell(say("loading"));
  let who;
  try {
    who = await ask("GET", "/account");
  } catch (error) {
    tell("");
    // A key without the scope to read its account is a key all the same, but the console can't know what it may.
    if (error instanceof Problem && error.status === 401) out(say("no_key"));
    else {
      out();
      fail(explain(error));
    }
    return false;
  }
  allow(document, who.scopes);
  typedBy(who.id);
  if (who.id !== last) blank();
  last = who.id;
  restoreReason();
  form.hidden = true;
  me.hidden = false;
  put(me, { name: who.name, id: who.id, role: say(`role_${who.role}`), key: who.key, expires: "–" });
  let any = false;
  for (const [section, scope] of sections) {
    section.hidden = !may(scope);
    any ||= may(scope);
    find(parts, `a[href="#${section.id}"]`, HTMLAnchorElement).hidden = !may(scope);
  }
  parts.hidden = !any;
  find(document, "#nothing", HTMLElement).hidden = any;
  // Before the lists come: who begins to work meanwhile keeps the focus.
  if (bySignIn) find(document, "#console-title", HTMLElement).focus();
  const shown = sections.filter(([, scope]) => may(scope));
  await Promise.all(shown.map(async ([section, , load]) => {
    try {
      await load(who.key);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) out(say("ended"));
      else fail(`${section.querySelector("h2")?.textContent}: ${explain(error)}`);
    }
  }));
  if (key()) tell("");
  return true;
}

window.addEventListener("hazecast:expires", (event) => {
  put(me, { expires: moment(/** @type {CustomEvent<string>} */ (event).detail) });
});
window.addEventListener("hazecast:ended", () => out(say("ended")));
window.addEventListener("hazecast:again", () => enter());
find(document, "#sign-out", HTMLButtonElement).addEventListener("click", () => {
  out();
  forgetTyped();
  blank();
  field.focus();
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text) return;
  // What no key has, a header can't hold either.
  if (!/^[\x21-\x7e]+$/.test(text)) return fail(say("no_key"));
  keep(text);
  field.value = "";
  if (!await enter(true)) field.focus();
});

makeKeys();
makeCities();
makeAccounts();
if (key()) enter();
else out();
