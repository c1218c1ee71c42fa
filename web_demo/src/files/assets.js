// Models from the page's own server: fetched once, checked against their listed hash, never from anywhere else.

import {ClimbEdgeError} from "../errors.js";
import {sha256} from "./sha256.js";

const ROOT = new URL("../../", import.meta.url);
const held = new Map();

/** The bytes of `path`; with a `hash`, only those. Throws ClimbEdgeError. */
export async function fetched(path, hash = null) {
  if (!held.has(path)) held.set(path, await download(path));
  const bytes = held.get(path), found = hash && await sha256(bytes);
  if (hash === found) return bytes;
  held.delete(path);
  throw new ClimbEdgeError(`${path}: expected SHA-256 ${hash.slice(0, 12)}..., found ${found.slice(0, 12)}...: the file is damaged or another one; run make web again`);
}

async function download(path) {
  let response;
  try {
    response = await fetch(new URL(path, ROOT));
  } catch (error) {
    throw new ClimbEdgeError(`${path}: could not be fetched (${error.message}); is the server still running?`);
  }
  if (!response.ok) throw new ClimbEdgeError(`${path}: the server answers ${response.status}; run make web again`);
  return new Uint8Array(await response.arrayBuffer());
}

/** What the page was built with: refiners, estimators, clip. */
export async function catalogue() {
  return JSON.parse(new TextDecoder().decode(await fetched("models.json")));
}
