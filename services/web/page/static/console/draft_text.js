// The words of a draft that a person may edit, and what would go out with them.

import { ask } from "./api.js";
import { copy, find, put } from "./view.js";

/** @typedef {{language: string, headline: string, description: string, comment: string, instruction: string}} Text */
const EDITABLE = /** @type {const} */ (["comment", "instruction"]);

/**
 * Fill the fields of each language with the engine's words.
 * @param {HTMLElement} box
 * @param {Text[]} texts
 */
export function fillWords(box, texts) {
  box.replaceChildren(...texts.map((text) => {
    const made = copy("wording-template");
    made.dataset.of = text.language;
    put(made, { headline: text.headline, description: text.description });
    for (const part of EDITABLE) {
      const field = find(made, `[name="${part}"]`, HTMLTextAreaElement);
      // Not the form's own: `changedWords` returns them.
      field.removeAttribute("name");
      field.dataset.part = part;
      field.value = field.defaultValue = text[part];
      field.lang = text.language;
      find(made, `[data-field="${part}"]`, HTMLElement).dataset.field = `texts.${text.language}.${part}`;
    }
    for (const said of made.querySelectorAll("[data-text]")) said.setAttribute("lang", text.language);
    return made;
  }));
}

/** Put back what was typed before. @param {HTMLElement} box @param {Record<string, string>} given by language and part */
export function setWords(box, given) {
  for (const field of box.querySelectorAll("textarea")) {
    const of = /** @type {HTMLElement} */ (field.closest("[data-of]")).dataset.of;
    field.value = given[`${of}.${field.dataset.part}`] ?? field.value;
  }
}

/** Return what differs from the engine's words, as the API takes it. @param {HTMLElement} box */
export function changedWords(box) {
  /** @type {Record<string, Record<string, string>>} */
  const changed = {};
  for (const field of box.querySelectorAll("textarea")) {
    if (field.value.trim() === field.defaultValue.trim()) continue;
    const language = /** @type {HTMLElement} */ (field.closest("[data-of]")).dataset.of ?? "";
    (changed[language] ??= {})[field.dataset.part ?? ""] = field.value.trim();
  }
  return changed;
}

/**
 * Show mail, CAP and page as they would go out.
 * @param {HTMLElement} box
 * @param {string} path of the draft's preview
 * @param {Record<string, unknown>} changes
 * @param {string} name of files that are saved
 */
export async function preview(box, path, changes, name) {
  const found = await ask("POST", path, changes);
  put(box, { subject: found.mail.subject, mail: found.mail.text, cap: found.cap });
  find(box, ".as-page", HTMLElement).replaceChildren(...found.pages.map((/** @type {{language: string, html: string}} */ page) => {
    // The service's own template, which escapes what was typed; its links lead to what is not there yet.
    const shown = new DOMParser().parseFromString(page.html, "text/html").body;
    shown.querySelector(".actions")?.remove();
    const part = document.createElement("div");
    part.lang = page.language;
    part.append(...shown.children);
    return part;
  }));
  save(find(box, '[data-do="save-mail"]', HTMLButtonElement), found.mail.message, "message/rfc822", `${name}.eml`);
  save(find(box, '[data-do="save-cap"]', HTMLButtonElement), found.cap, "application/cap+xml", `${name}.cap.xml`);
  box.hidden = false;
  find(box, "h4", HTMLElement).focus();
}

/** @param {HTMLButtonElement} button @param {string} content @param {string} type @param {string} name */
function save(button, content, type, name) {
  button.onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };
}
