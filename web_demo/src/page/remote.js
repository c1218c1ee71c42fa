// The page's end of the worker: a promise for every request. A worker that dies answers them all with its reason.

import {ClimbEdgeError} from "../errors.js";

export class Engine {
  #worker = null;
  #open = new Map();
  #next = 0;
  fresh = true; // nothing has been opened in this worker

  /** `told(text)`: how far a long request is. `lost(reason)`: the GPU went away. */
  constructor({told = () => {}, lost = () => {}} = {}) {
    Object.assign(this, {told, lost});
    this.#start();
  }

  /** The answer to one request. Rejects with ClimbEdgeError; after `limit` ms the worker is started anew. */
  ask(type, request = {}, transfer = [], limit = null) {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      const timer = limit && setTimeout(() => this.restart(`no answer came in ${limit / 1000} s; choose another model or backend`), limit);
      this.#open.set(id, {resolve, reject, timer});
      this.#worker.postMessage({id, type, ...request}, transfer);
    });
  }

  /** A fresh worker, with nothing open; what was asked of the old one is refused. */
  restart(reason) {
    this.fresh = true;
    this.#worker.terminate();
    this.#fail(reason);
    this.#start();
  }

  #start() {
    const worker = new Worker(new URL("../worker/worker.js", import.meta.url));
    worker.onmessage = ({data}) => {
      if (worker !== this.#worker) return;
      if (data.told !== undefined) this.told(data.told);
      else if (data.lost !== undefined) this.lost(data.lost);
      else this.#answer(data);
    };
    worker.onerror = event => {
      event.preventDefault();
      this.#fail(`the worker of the models failed (${event.message || "its script could not be loaded"}); reload the page`);
    };
    this.#worker = worker;
  }

  #answer({id, error, fatal, ...answer}) {
    const asked = this.#open.get(id);
    this.#open.delete(id);
    clearTimeout(asked?.timer);
    if (error === undefined) asked?.resolve(answer);
    else asked?.reject(new ClimbEdgeError(error));
    if (fatal) this.restart("the runtime had to be started anew");
  }

  #fail(reason) {
    for (const {reject, timer} of this.#open.values()) {
      clearTimeout(timer);
      reject(new ClimbEdgeError(reason));
    }
    this.#open.clear();
  }
}
