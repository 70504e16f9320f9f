"""A bucket on loopback, atomic by construction: each request is done under one lock, and a gate can spoil it.

What S3 and the XML interface of Google Cloud Storage have in common, as far as a vault needs it: objects put whole or
in parts, with the condition that there is none; got, copied, removed, listed.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Stored:
    data: bytes
    at: datetime
    metadata: dict[str, str]


Gate = Callable[[int, str, str], str]
"""Told number, method and path of a request: "go", "refuse" (403), "busy" (503), "conflict" (409) or, done, "lost"."""


@dataclass
class Bucket:
    """The objects, and how the server behaves."""

    objects: dict[str, Stored] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    gate: Gate = lambda _number, _method, _path: "go"
    conditions: bool = True
    ahead: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        return datetime.now(UTC) + (self.ahead or datetime.now(UTC) - datetime.now(UTC))

    def put(self, path: str, data: bytes, metadata: dict[str, str]) -> None:
        self.objects[path] = Stored(data, self.now(), metadata)


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        path = unquote(url.path).lstrip("/").partition("/")[2]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.bucket.lock:
            number = len(self.bucket.requests)
            self.bucket.requests.append((self.command, path))
            verdict = self.bucket.gate(number, self.command, path)
            if verdict in ("go", "lost"):
                answer = self._answer(path, query, body)
        if verdict == "lost":
            self.close_connection = True
            return
        if verdict != "go":
            status = {"refuse": 403, "conflict": 409}.get(verdict, 503)
            answer = (status, b"<Error><Code>Spoilt</Code></Error>", {})
        status, data, headers = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", headers.get("Content-Length", str(len(data))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        bucket = self.bucket
        there = bucket.objects.get(path)
        match self.command:
            case "PUT" if "partNumber" in query:
                bucket.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
                return 200, b"", {"ETag": _etag(body)}
            case "PUT":
                only_new = (
                    self.headers.get("If-None-Match") == "*" or self.headers.get("x-goog-if-generation-match") == "0"
                )
                if only_new and there is not None and bucket.conditions:
                    return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
                source = self.headers.get("x-amz-copy-source") or self.headers.get("x-goog-copy-source")
                if source is not None:
                    body = bucket.objects[unquote(source).lstrip("/").partition("/")[2]].data
                named = {name.lower(): value for name, value in self.headers.items()}
                bucket.put(path, body, {name: value for name, value in named.items() if "-meta-" in name})
                answer = f"<CopyObjectResult><ETag>{_etag(body)}</ETag></CopyObjectResult>" if source else ""
                return 200, answer.encode(), {"ETag": _etag(body), "x-goog-generation": "1"}
            case "POST" if "uploads" in query:
                upload = f"upload-{len(bucket.parts)}"
                bucket.parts[upload] = {}
                told = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                return 200, told.encode(), {}
            case "POST" if "uploadId" in query:
                parts = bucket.parts.pop(query["uploadId"][0])
                data = b"".join(parts[number] for number in sorted(parts))
                bucket.put(path, data, {})
                told = f"<CompleteMultipartUploadResult><ETag>{_etag(data)}</ETag></CompleteMultipartUploadResult>"
                return 200, told.encode(), {}
            case "POST" if "delete" in query:
                keys = [key.partition("</Key>")[0] for key in body.decode().split("<Key>")[1:]]
                for key in keys:
                    bucket.objects.pop(key, None)
                rows = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
                return 200, f"<DeleteResult>{rows}</DeleteResult>".encode(), {}
            case "DELETE":
                bucket.objects.pop(path, None)
                return 204, b"", {}
            case "GET" if not path:
                return 200, self._listing(query), {"Content-Type": "application/xml"}
            case _ if there is None:
                return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
            case _:
                headers = {
                    "ETag": _etag(there.data), "Last-Modified": format_datetime(there.at, usegmt=True),
                    "Content-Length": str(len(there.data)), **there.metadata,
                }  # fmt: skip
                return 200, there.data, headers

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        names = sorted(name for name in self.bucket.objects if name.startswith(prefix) and name > after)
        page = names[:50]
        rows = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{self.bucket.objects[name].at:%Y-%m-%dT%H:%M:%S.%f}Z"
            f"</LastModified><ETag>{_etag(self.bucket.objects[name].data)}</ETag>"
            f"<Size>{len(self.bucket.objects[name].data)}</Size></Contents>"
            for name in page
        )
        more = len(names) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>".encode()
        )

    def log_message(self, *_: object) -> None:
        pass


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


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
