// Keeps the last page and its data, so that a reader without a connection sees them, with their age: the page tells it.

const CACHE = "hazecast-VERSION";
// Of the views opened last, the oldest make room; the files of the page and the data of the map stay.
const MOST = 30;
const KEPT = ["/page/map.json", "/page/shapes.json"];
// What was shown last, for an address that was not kept.
const LAST = "/page/last";

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)))));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/page/static/")) event.respondWith(fromCache(request));
  // Only what a reader opens: the page's own requests must fail, so that it knows that it is off line.
  else if (request.mode === "navigate" && url.pathname === "/") event.respondWith(fromNetwork(request, true));
  // Not those of a run of the past, each of which has an address of its own.
  else if (KEPT.includes(url.pathname) && !url.search) event.respondWith(fromNetwork(request, false));
});

/** @param {Request} request */
async function fromCache(request) {
  return (await caches.match(request)) ?? keep(request, await fetch(request));
}

/** @param {Request} request @param {boolean} page */
async function fromNetwork(request, page) {
  try {
    const answer = await fetch(request);
    if (page) await keep(new Request(LAST), answer.clone());
    return await keep(request, answer);
  } catch (error) {
    const kept = (await caches.match(request)) ?? (page ? await caches.match(LAST) : undefined);
    if (kept) return kept;
    throw error;
  }
}

/** @param {Request} request @param {Response} answer */
async function keep(request, answer) {
  if (!answer.ok) return answer;
  const cache = await caches.open(CACHE);
  await cache.put(request, answer.clone());
  const views = (await cache.keys()).filter(({ url }) => new URL(url).pathname === "/");
  for (const old of views.slice(0, Math.max(0, views.length - MOST))) await cache.delete(old);
  return answer;
}
