// Offline after the first visit: the service worker, where the browser has them.

/** Register it; gives a function that has it keep `urls` as well: what was fetched before it was there. */
export function install() {
  const workers = navigator.serviceWorker;
  if (!workers) return () => {};
  workers.register(new URL("../../service-worker.js", import.meta.url)).catch(() => {}); // without one the page works online
  workers.onmessage = ({data}) => {
    if (data.kept) document.body.dataset.offline = "ready";
  };
  return async urls => {
    const {active} = await workers.ready;
    active.postMessage({keep: urls.filter(url => url.includes("/vendor/litert/wasm/"))});
  };
}
