"""Serve a folder on this machine alone, with the headers that give a page threads. `serve.py FOLDER
[PORT]`
"""

from __future__ import annotations

import functools
import http.server
import sys
from pathlib import Path

ADDRESS = "127.0.0.1"


TYPES = {
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".tflite": "application/octet-stream",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    def guess_type(self, path) -> str:
        return TYPES.get(Path(path).suffix) or super().guess_type(path)

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *arguments) -> None:
        """Requests are not news."""


def main() -> int:
    folder, port = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8322
    if not (folder / "index.html").is_file():
        print(f"error: {folder}: expected the page, found none; run make web", file=sys.stderr)
        return 2
    try:
        server = http.server.ThreadingHTTPServer(
            (ADDRESS, port), functools.partial(Handler, directory=str(folder))
        )
    except OSError as error:
        print(
            f"error: port {port} of {ADDRESS}: {error.strerror}; choose another: make web-serve"
            " PORT=...",
            file=sys.stderr,
        )
        return 2
    print(f"http://{ADDRESS}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
