"""The suite's own bucket, served on loopback by threads of the test: each request is done whole; a gate spoils it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pytest_tradestore.backends.http_messages import told
from pytest_tradestore.backends.objects import Objects, Request, error

Gate = Callable[[int, str, str], str]
"""Told number, method and name of a request: "go", "refuse" (403), "busy" (503), "conflict" (409); or no answer comes,
and it was done ("lost") or not ("dead")."""
_REFUSALS = {"refuse": error(403, "AccessDenied"), "conflict": error(409, "Conflict"), "busy": error(503, "SlowDown")}


@dataclass
class Bucket(Objects):
    """The objects, how the server behaves, and what it was asked; its clock goes ``ahead`` of ours."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    gate: Gate = lambda _number, _method, _name: "go"
    ahead: timedelta = timedelta()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        bucket = self.bucket
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        with bucket.lock:
            number = len(bucket.requests)
            bucket.requests.append((request.method, request.key))
            verdict = bucket.gate(number, request.method, request.key)
            answer = bucket.answer(request) if verdict in ("go", "lost") else None
        if verdict in ("lost", "dead"):
            self.close_connection = True
            return
        self.wfile.write(told(answer or _REFUSALS[verdict], self.command))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do

    def log_message(self, *_: object) -> None:
        pass


class BucketServer:
    """Serves one bucket on a port of its own, from ``with`` to its end."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        handler = type("Handler", (_Handler,), {"bucket": bucket})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "BucketServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
