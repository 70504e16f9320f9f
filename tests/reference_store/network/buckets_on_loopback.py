"""Buckets on loopback for the tests: the suite's own objects, served by threads, and moto as a second opinion."""

import multiprocessing
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pytest_tradestore.backends.http_messages import told
from pytest_tradestore.backends.objects import Objects, Request, Response

OPTIONS = {
    "aws_access_key_id": "id", "aws_secret_access_key": "not-to-be-shown", "aws_region": "us-east-1",
    "aws_virtual_hosted_style_request": "false", "aws_allow_http": "true",
}  # fmt: skip


class BucketServer:
    """One bucket; ``gate`` is told method and name, and says "go", "lost" (done, not answered), "dead" or "busy"."""

    def __init__(self, *, conditions: bool = True) -> None:
        self.objects = Objects(conditions=conditions)
        self.gate: Callable[[str, str], str] = lambda _method, _name: "go"
        self.requests: list[tuple[str, str]] = []
        lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body)
                with lock:
                    outer.requests.append((request.method, request.key))
                    verdict = outer.gate(request.method, request.key)
                    answer = outer.objects.answer(request) if verdict in ("go", "lost") else None
                if verdict in ("lost", "dead"):
                    self.close_connection = True
                    return
                self.wfile.write(told(answer or Response(503), self.command))

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.options = {**OPTIONS, "aws_endpoint": f"http://127.0.0.1:{self._server.server_address[1]}"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def served(*, conditions: bool = True) -> Iterator[BucketServer]:
    server = BucketServer(conditions=conditions)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def moto(bucket: str) -> Iterator[dict[str, str]]:
    module = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
    running = module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        url = f"http://{host}:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT")).close()
        yield {**OPTIONS, "aws_endpoint": url}
    finally:
        running.stop()


@contextmanager
def served_apart(*, conditions: bool = True) -> Iterator[dict[str, str]]:
    """The same in a process of its own: deltalake lets no thread of its process run while it waits for some answers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_until_told, args=(theirs, conditions), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def _serve_until_told(link: Any, conditions: bool) -> None:
    with served(conditions=conditions) as server:
        link.send(server.options)
        link.recv()
