/**
 * The page opens without a network, as it was at the last visit. Its data is not in here: boards are in IndexedDB (src/collab), what is behind /api and /collab is never kept.
 *
 * With a network the page comes from there, so a new build is there at the next load, and this file need not change for it. What is kept is one whole build: the page, and the files that it
 * names. A build that loads parts of itself later has to name those too (<link rel="modulepreload">).
 */
const CACHE = "righttask-page";
const PAGE = "/";
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
  // The names of assets change with what is in them, and nothing else does: a server that says "Vary: Origin" means nothing by it here.
  else if (pathname.startsWith("/assets/") || pathname === "/icon.svg")
    event.respondWith(caches.match(request, { ignoreVary: true }).then((kept) => kept ?? fetch(request)));
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

/** A proxy whose server is away answers too. */
function answered(response) {
  if (!response.ok) throw new Error(`The page answered ${response.status}`);
  return response;
}

/** The files first: until all are there the build of before is the one that opens. */
async function keep(response) {
  const cache = await caches.open(CACHE);
  const html = await answered(response).clone().text();
  const files = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
  const kept = await cache.keys();
  const paths = kept.map(({ url }) => new URL(url).pathname);
  await cache.addAll(files.filter((file) => !paths.includes(file)));
  await cache.put(PAGE, response);
  for (const path of paths) if (path !== PAGE && !files.includes(path)) await cache.delete(path);
}
