// The hash by which files are known.

import {ClimbEdgeError} from "../errors.js";

/** Hex SHA-256. Browsers hash only for pages over https or from this machine. */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new ClimbEdgeError("expected a page over https or from localhost, found plain http: files cannot be checked there; serve the page over https");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("");
}
