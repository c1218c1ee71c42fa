// Offline after the first visit, and the headers that give threads where a static host cannot send them.
// precache.js names the files and a version that changes with any byte of them.

importScripts("precache.js");

const {version, files} = self.PRECACHE, NAME = `climb-edge-${version}`;

self.addEventListener("install", event => event.waitUntil(
  caches.open(NAME).then(cache => cache.addAll(files)).then(() => self.skipWaiting()),
));

self.addEventListener("activate", event => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("climb-edge-") && name !== NAME) await caches.delete(name);
  await self.clients.claim();
})()));

// What the runtime took before this worker was there: {keep: [urls]}; answered with {kept: true} once all of it is held.
self.addEventListener("message", event => {
  const own = (event.data?.keep ?? []).filter(url => new URL(url).origin === self.location.origin);
  event.waitUntil((async () => {
    const cache = await caches.open(NAME);
    for (const url of own) if (!await cache.match(url)) await cache.add(url);
    event.source.postMessage({kept: true});
  })().catch(() => {})); // offline or no room: at the next visit
});

self.addEventListener("fetch", event => {
  const {method, url} = event.request;
  if (method === "GET" && new URL(url).origin === self.location.origin) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(NAME), held = await cache.match(request, {ignoreSearch: true});
  if (held) return isolated(held);
  const fresh = await fetch(request);
  if (fresh.status === 200) await cache.put(request, fresh.clone()).catch(() => {}); // no room: go on without
  return isolated(fresh);
}

function isolated(response) {
  if (response.type === "opaqueredirect" || response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, {status: response.status, statusText: response.statusText, headers});
}
