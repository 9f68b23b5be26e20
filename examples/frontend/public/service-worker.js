/**
 * The page opens without a network, as it was at the last visit. Its data is not in here: boards are in IndexedDB (src/collab), what is behind /api and /collab is never kept.
 *
 * With a network the page comes from there, so a new build is there at the next load, and this file need not change for it. What is kept is one whole build: the page, and the files that it
 * names. A build that loads parts of itself later has to name those too (<link rel="modulepreload">).
 */
const CACHE = "righttask-page";
const PAGE = "/";
/** Files whose names change with what is in them. */
const ASSETS = "/assets/";
/** Until the kept page is taken where the network is there and does not answer, ms. */
const PATIENCE_MS = 4000;

self.addEventListener("install", (event) => {
  event.waitUntil(
    fetch(PAGE, { cache: "no-store" })
      .then(keep)
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname === PAGE && request.mode === "navigate") event.respondWith(newest(event));
  // A server that says "Vary: Origin" means nothing by it here: the name says all.
  else if (pathname.startsWith(ASSETS))
    event.respondWith(caches.match(request, { ignoreVary: true }).then((kept) => kept ?? fetch(request)));
  else if (pathname === "/icon.svg")
    event.respondWith(fetch(request).catch(() => caches.match(request, { ignoreVary: true })));
});

async function newest(event) {
  const asked = fetch(event.request).then(answered);
  event.waitUntil(asked.then((response) => keep(response.clone())).catch(() => {}));
  const late = new Promise((_, reject) => setTimeout(reject, PATIENCE_MS, new Error("too late")));
  try {
    return (await Promise.race([asked, late])).clone();
  } catch {
    return (await caches.match(PAGE, { ignoreVary: true })) ?? asked;
  }
}

/** A proxy answers too while the server behind it is away. Everything else is an answer, also a way to a login page. */
function answered(response) {
  if (response.status >= 500) throw new Error(`The page answered ${response.status}`);
  return response;
}

/** The files first: until all are there the build of before is the one that opens. */
async function keep(response) {
  if (!response.ok) throw new Error(`The page answered ${response.status}`);
  const cache = await caches.open(CACHE);
  const html = await response.clone().text();
  const files = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
  const kept = (await cache.keys()).map(({ url }) => new URL(url).pathname);
  await cache.addAll(files.filter((file) => !file.startsWith(ASSETS) || !kept.includes(file)));
  await cache.put(PAGE, response);
  for (const path of kept) if (path !== PAGE && !files.includes(path)) await cache.delete(path);
}
