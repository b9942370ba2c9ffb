// Keeps the page current: notified of changes by server-sent events, and asking each minute should they break off.

import { reload } from "./addresses.js";

const ASK_MS = 60_000;
const SETTLE_MS = 300;

/**
 * @param {Record<string, string>} words
 * @param {string} language
 * @param {() => Promise<void>} load fetches the map's data anew
 */
export function watch(words, language, load) {
  const announce = /** @type {HTMLElement} */ (document.getElementById("announce"));
  const offline = /** @type {HTMLElement} */ (document.getElementById("offline"));
  let loaded = new Date();
  let pending = 0;

  async function refresh() {
    const before = headlines();
    try {
      await load();
      if (!(await reload())) return;
    } catch {
      lost();
      return;
    }
    loaded = new Date();
    if (!offline.hidden) announce.textContent = words.back_online;
    offline.hidden = true;
    tell(before, headlines());
  }

  function lost() {
    const time = loaded.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
    const said = words.offline.replace("{time}", time);
    const line = offline.querySelector("span");
    if (line) line.textContent = said;
    if (offline.hidden) announce.textContent = said;
    offline.hidden = false;
  }

  /** @returns {Map<string, string>} */
  function headlines() {
    const found = new Map();
    for (const line of document.querySelectorAll("[data-headline]")) {
      found.set(line.id, /** @type {HTMLElement} */ (line).dataset.headline ?? "");
    }
    return found;
  }

  /**
   * @param {Map<string, string>} before
   * @param {Map<string, string>} after
   */
  function tell(before, after) {
    const fresh = [...after].filter(([id]) => !before.has(id)).map(([, headline]) => headline);
    const gone = [...before].filter(([id]) => !after.has(id)).map(([, headline]) => headline);
    if (fresh.length > 3 || gone.length > 3) announce.textContent = words.updated.replace("{count}", String(after.size));
    else if (fresh.length) announce.textContent = fresh.map((h) => words.new_warning.replace("{headline}", h)).join(" ");
    else if (gone.length) announce.textContent = gone.map((h) => words.ended.replace("{headline}", h)).join(" ");
  }

  function soon() {
    window.clearTimeout(pending);
    pending = window.setTimeout(refresh, SETTLE_MS);
  }

  window.addEventListener("offline", lost);
  window.addEventListener("online", soon);
  window.addEventListener("hazecast:lost", lost);
  window.addEventListener("hazecast:refresh", soon);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && Date.now() - loaded.getTime() > ASK_MS) soon();
  });
  window.setInterval(() => {
    if (document.visibilityState === "visible") refresh();
  }, ASK_MS);
  const source = new EventSource("/v1/events");
  for (const kind of ["forecast", "warning", "reset"]) source.addEventListener(kind, soon);
  // The page was whole when it came: only the map's data is missing.
  load().catch(lost);
}
