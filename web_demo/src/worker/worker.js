// The worker of inference. A classic one, since the runtime loads its own script by importScripts; all else is modules.

const engine = import("./engine.js");

self.onmessage = async ({data}) => (await engine).receive(data);
