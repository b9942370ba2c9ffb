// Every view has an address. The server answers it with a whole page; its parts ("slots") are put in place here.

/** @type {((city: string | null) => void)[]} */
const listeners = [];
let latest = 0;
/** The reader's own way to another view, while it is being fetched. @type {Promise<boolean> | null} */
let going = null;

/** Be told when another view has been put in place. @param {(city: string | null) => void} listener */
export function onView(listener) {
  listeners.push(listener);
}

/** Note a change that needs nothing from the server. @param {Record<string, string | null>} parts */
export function changed(parts) {
  history.replaceState(null, "", address(parts));
}

/**
 * Go to another view of the page; where it can't be loaded, the present one stays, with its address.
 * @param {Record<string, string | null>} parts
 * @param {boolean} [focus] whether the reader asked for it and should be taken to it
 * @param {boolean} [instead] whether it takes the place of the present view in the history
 * @returns {Promise<boolean>} whether it came
 */
export async function go(parts, focus = false, instead = false) {
  const target = address(parts);
  const way = load(target, focus, () => history[instead ? "replaceState" : "pushState"](null, "", target));
  going = way;
  try {
    return await way;
  } finally {
    if (going === way) going = null;
  }
}

/** Ask for the present view again, unless the reader is on the way to another. @returns {Promise<boolean>} whether it came */
export function reload() {
  return going ?? load(location.pathname + location.search, false);
}

/** @param {Record<string, string | null>} parts */
function address(parts) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(parts)) {
    if (value === null || (name === "layer" && value === "pm25")) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  url.searchParams.delete("hour");
  return url.pathname + url.search.replaceAll("%3A", ":");
}

/**
 * @param {string} target
 * @param {boolean} focus
 * @param {() => void} [came] called when it has come, before it is put in place
 */
async function load(target, focus, came) {
  const turn = ++latest;
  const main = document.getElementById("main");
  main?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(target, { cache: "no-cache", headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`${target}: ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (turn !== latest) return true;
    came?.();
    place(page);
    const city = new URL(target, location.href).searchParams.get("city");
    for (const listener of listeners) listener(city || null);
    if (focus) {
      const heading = /** @type {HTMLElement | null} */ (document.querySelector("#city-title, #warnings-title"));
      heading?.focus();
    }
    return true;
  } catch (error) {
    // The view that stands is still what its notices say; the watch tells of a lost connection.
    window.dispatchEvent(new CustomEvent("hazecast:lost"));
    return false;
  } finally {
    if (turn === latest) main?.removeAttribute("aria-busy");
  }
}

/** @param {Document} page */
function place(page) {
  document.title = page.title;
  for (const slot of document.querySelectorAll("[data-slot]")) {
    const name = /** @type {HTMLElement} */ (slot).dataset.slot;
    const fresh = page.querySelector(`[data-slot="${name}"]`);
    if (!fresh || fresh.innerHTML === slot.innerHTML) continue;
    const open = [...slot.querySelectorAll("details")].map((details) => details.open);
    for (const { name: attribute, value } of fresh.attributes) slot.setAttribute(attribute, value);
    slot.replaceChildren(...fresh.childNodes);
    const details = [...slot.querySelectorAll("details")];
    if (details.length === open.length) details.forEach((one, n) => { one.open = open[n]; });
  }
  const heading = page.querySelector("h1");
  const own = document.querySelector("h1");
  if (heading && own) own.textContent = heading.textContent;
  for (const link of document.querySelectorAll(".languages a")) {
    const twin = page.querySelector(`.languages a[lang="${link.getAttribute("lang")}"]`);
    if (twin) link.setAttribute("href", twin.getAttribute("href") ?? "/");
  }
}

// Links to another view, and the languages, which keep the layer and the hour that were chosen since.
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = /** @type {Element} */ (event.target).closest("a");
  if (!link) return;
  if (link.hasAttribute("data-nav")) {
    event.preventDefault();
    const wanted = new URL(link.href).searchParams;
    go({ city: wanted.get("city"), partner: wanted.get("partner"), index: wanted.get("index") }, true);
  } else if (link.closest(".languages")) {
    link.setAttribute("href", address({ lang: new URL(link.href).searchParams.get("lang") }));
  }
});

window.addEventListener("popstate", () => reload());
