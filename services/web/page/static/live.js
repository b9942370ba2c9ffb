// Keeps the page current: notified of changes by server-sent events, and asking each minute should they break off.

import { reload } from "./addresses.js";

const ASK_MS = 60_000;
const SETTLE_MS = 300;
const OLD_MS = 600_000;
const UNITS = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]]);

/**
 * @param {Record<string, string>} words
 * @param {string} language
 * @param {() => Promise<void>} load fetches the map's data anew
 * @returns {{lost: () => void}} to be told of a lost connection
 */
export function watch(words, language, load) {
  const announce = /** @type {HTMLElement} */ (document.getElementById("announce"));
  const offline = /** @type {HTMLElement} */ (document.getElementById("offline"));
  // When what stands here was made: a page kept from the last visit is older than the visit.
  const made = () => new Date(document.getElementById("main")?.dataset.made ?? Date.now());
  let loaded = made();
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
    const time = loaded.toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
    const said = words.offline.replace("{time}", time).replace("{age}", age(loaded));
    const line = offline.querySelector("span");
    if (line) line.textContent = said;
    if (offline.hidden) announce.textContent = said;
    offline.hidden = false;
  }

  /** @param {Date} time */
  function age(time) {
    const passed = Date.now() - time.getTime();
    const [unit, length] = UNITS.find(([, one]) => passed >= one) ?? UNITS[2];
    return new Intl.RelativeTimeFormat(language, { numeric: "always" }).format(-Math.max(0, Math.floor(passed / length)), unit);
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
  // A page kept from an earlier visit may come while the service, not the connection, is down.
  if (!navigator.onLine) lost();
  else if (Date.now() - loaded.getTime() > OLD_MS) soon();
  return { lost };
}
