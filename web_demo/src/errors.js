// What a user can act on: the message names what was expected, what was found, what to do.

export class ClimbEdgeError extends Error {
  constructor(message) {
    super(message);
    this.name = "ClimbEdgeError";
  }
}

/** A sentence for whatever was thrown: ours as it is, the browser's under `where`. */
export function sentence(error, where = "") {
  const said = String(error?.message ?? error).split("\n")[0].slice(0, 300);
  return error instanceof ClimbEdgeError || error?.name === "ClimbEdgeError" || !where ? said : `${where}: ${said}`;
}
