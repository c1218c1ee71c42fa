"""The live page: the newest overlay and its numbers over HTTP, for a browser on this machine or
behind an ssh tunnel.

Whoever watches waits for the newest picture in a thread of its own, so the slowest viewer slows
nobody; a picture that nobody watches is never encoded. Only this machine can connect, and only
under its own name: a page from elsewhere whose name was made to point here (DNS rebinding) is
refused.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import urlsplit

from climb_edge.errors import ClimbEdgeError
from climb_edge.media.picture import jpeg
from climb_edge.tracking.track import Moment

ADDRESS = "127.0.0.1"
# of this machine; the port may be another's, the end of a tunnel
NAMES = ("127.0.0.1", "localhost", "::1")
# bytes that may wait for a slow viewer: about one picture, so that what is seen is not old
UNREAD = 1 << 16
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",  # other pages may not show the camera either
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """Serves `show`n moments at `url` while it is open; a context manager.

    Paths: / the page, /stream multipart JPEG, /picture one JPEG, /state JSON.
    """

    def __init__(self, port: int = 0, source: str = ""):
        """`port` 0 takes any that is free. Raises ClimbEdgeError where the port cannot be had."""
        try:
            self._server = _Server(port, self)
        except OSError as error:
            raise ClimbEdgeError(
                f"port {port} of {ADDRESS}: expected one that is free, found"
                f" {error.strerror or error}; choose another, or 0 for any"
            ) from error
        self.url = f"http://{ADDRESS}:{self._server.server_address[1]}/"
        self._source, self._closed = source, False
        self._moment: Moment | None = None
        self._times: deque[float] = deque(maxlen=30)  # when the last ones were shown
        self._changed, self._encoding = threading.Condition(), threading.Lock()
        self._number, self._encoded = 0, (0, b"")
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="climb-edge-page"
        )
        self._thread.start()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving, let every viewer go, and end all threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.close()

    def show(self, moment: Moment) -> None:
        """Make this the newest picture. Costs nothing but a reference: viewers encode it, where
        there are any.
        """
        with self._changed:
            self._moment, self._number = moment, self._number + 1
            self._times.append(time.monotonic())
            self._changed.notify_all()

    def picture(self, after: int = 0) -> tuple[int, bytes] | None:
        """Wait for a picture later than number `after`: its number and JPEG, once for all viewers;
        None at the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number > after)
            number, moment = self._number, self._moment
            if self._closed or moment is None:
                return None
        with self._encoding:
            if self._encoded[0] < number:
                self._encoded = number, jpeg(moment.picture)
            return self._encoded

    def state(self) -> dict:
        """What the page tells beside the picture; `fps` over the last 30 frames, until now."""
        with self._changed:
            moment, times = self._moment, list(self._times)
        if moment is None:
            return {"source": self._source, "state": "starting"}
        fps = (len(times) - 1) / max(time.monotonic() - times[0], 1e-3)
        return {
            "source": self._source,
            "state": moment.state,
            "frame": moment.frame,
            "time": round(moment.time, 3),
            "fps": round(fps, 1),
            "milliseconds": round(moment.milliseconds, 1),
            "dropped": moment.dropped,
        }


class _Server(ThreadingHTTPServer):
    """Ends with every connection and thread it began."""

    daemon_threads = False  # so that server_close waits for them

    def __init__(self, port: int, page: Page):
        self.page = page
        self._open: set[socket.socket] = set()
        super().__init__((ADDRESS, port), _Viewer)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks a name server who we are

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        # a viewer that goes away, or reads no more, is no error
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """After `shutdown`: wake threads that wait for a viewer, and wait for them."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Viewer(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds that a viewer may take for a picture before it is let go

    def do_GET(self) -> None:
        paths = {
            "/": self._page,
            "/stream": self._stream,
            "/picture": self._picture,
            "/state": self._state,
        }
        if _name(self.headers.get("Host", "")) not in NAMES:
            self._answer(
                421, "text/plain", f"this page is called {self.server.page.url}\n".encode()
            )
        elif (path := self.path.partition("?")[0]) in paths:
            paths[path]()
        else:
            self._answer(404, "text/plain", b"not found\n")

    def _page(self) -> None:
        self._answer(
            200,
            "text/html; charset=utf-8",
            (files("climb_edge.tracking") / "page.html").read_bytes(),
        )

    def _state(self) -> None:
        self._answer(200, "application/json", json.dumps(self.server.page.state()).encode())

    def _picture(self) -> None:
        found = self.server.page.picture()
        if found is None:
            self._answer(503, "text/plain", b"the stream has ended\n")
        else:
            self._answer(200, "image/jpeg", found[1])

    def _stream(self) -> None:
        self._head(200, "multipart/x-mixed-replace; boundary=picture")
        self.wfile.write(b"--picture\r\n")
        number = 0
        while (found := self.server.page.picture(number)) is not None:
            number, content = found
            head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(content)
            # The boundary follows at once: browsers show a picture when they see it.
            self.wfile.write(head + content + b"\r\n--picture\r\n")

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self._head(status, kind, {"Content-Length": str(len(content))})
        self.wfile.write(content)

    def _head(self, status: int, kind: str, more: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments) -> None:
        """Requests are not news."""


def _name(host: str) -> str | None:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
