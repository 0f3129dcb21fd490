"""A proxy before an HTTP server that refuses, delays or stalls requests, as a busy service does."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)


class Fault:
    """What is done to the requests; tests change it while the proxy runs."""

    def __init__(self) -> None:
        self.refuses: Callable[[int], bool] = lambda _: False
        """Whether the request of this number is answered with 503 SlowDown."""
        self.delay_s = 0.0
        """Seconds before each request is passed on."""
        self.is_open = threading.Event()
        """Unset, requests wait for it: the server stalls."""
        self.is_open.set()
        self.num_requests = 0
        self._guard = threading.Lock()

    def next_number(self) -> int:
        """Count a request."""
        with self._guard:
            self.num_requests += 1
            return self.num_requests


@contextmanager
def faulty(endpoint: str) -> Iterator[tuple[str, Fault]]:
    """Run the proxy; yields its address, and the faults, of which there are none at first."""
    fault, behind = Fault(), urlsplit(endpoint).netloc

    class Handler(_Handler):
        server_behind, faults = behind, fault

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", fault
    finally:
        fault.is_open.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_behind: str
    faults: Fault

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # the client did not wait
            self.close_connection = True

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        number = self.faults.next_number()
        self.faults.is_open.wait()
        threading.Event().wait(self.faults.delay_s)
        if self.faults.refuses(number):
            self._answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN)
            return
        behind = http.client.HTTPConnection(self.server_behind, timeout=120)
        try:
            behind.request(self.command, self.path, body, dict(self.headers.items()))
            answer = behind.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            behind.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        dropped = {"connection", "transfer-encoding"}
        if self.command != "HEAD":
            dropped.add("content-length")
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            if name.lower() not in dropped:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
