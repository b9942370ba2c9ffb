// What was typed and not yet sent, kept in this tab: a key that ends, a reload or another language must not lose it.

const KEPT = "hazecast.typed";

/** @typedef {{who: string, forms: Record<string, Record<string, string>>}} Typed the account, and fields by form */

let who = "";

/** @returns {Typed} */
function read() {
  return JSON.parse(sessionStorage.getItem(KEPT) ?? "null") ?? { who, forms: {} };
}

/** Nothing of one account is shown to another. @param {string} account that has signed in */
export function typedBy(account) {
  who = account;
  if (read().who !== account) forgetTyped();
}

/** @param {string} form @param {Record<string, string>} fields that differ from what was there; none: nothing is kept */
export function keepTyped(form, fields) {
  const kept = read();
  delete kept.forms[form];
  if (Object.keys(fields).length) kept.forms[form] = fields;
  if (Object.keys(kept.forms).length) sessionStorage.setItem(KEPT, JSON.stringify({ ...kept, who }));
  else forgetTyped();
}

/** @param {string} form @returns {Record<string, string>} */
export function typed(form) {
  return read().forms[form] ?? {};
}

export function forgetTyped() {
  sessionStorage.removeItem(KEPT);
}
