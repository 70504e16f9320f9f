"""A bucket: its objects, and what it answers to each request. No sockets, no threads.

What S3 and the XML interface of Google Cloud Storage have in common, as far as stores use it: objects put whole or in
parts, under conditions; got whole or in ranges; copied, removed, listed by pages. Atomic by construction: a request is
one call of ``answer``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

BEGINS = "POST begin upload"
"""How a request is told that begins an upload, whose answer alone names it."""
_PAGE = 1000
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: ``headers`` by their names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def key(self) -> str:
        """The object's name; empty where the request is about the bucket."""
        return unquote(urlsplit(self.target).path).lstrip("/").partition("/")[2]

    @property
    def bucket(self) -> str:
        return unquote(urlsplit(self.target).path).lstrip("/").partition("/")[0]

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    @property
    def condition(self) -> str:
        """The condition under which it is done, as a report writes it; empty where it is done in any case."""
        for name, said in (
            ("if-none-match", "If-None-Match: {}"),
            ("if-match", "If-Match: {}"),
            ("x-goog-if-generation-match", "if-generation-match: {}"),
        ):
            if name in self.headers:
                return said.format(self.headers[name].strip('"')[:8])
        return ""

    @property
    def writes(self) -> bool:
        """Whether it may change the bucket."""
        return self.method not in ("GET", "HEAD")

    def __str__(self) -> str:
        query, condition = self.query, self.condition
        about = f"{self.method} {self.key or 'the bucket'}"
        if self.method == "GET" and not self.key:
            about = f"LIST {query.get('prefix', '') or 'the bucket'}"
        elif self.method == "POST" and "delete" in query:
            about = f"DELETE {', '.join(_named(self.body)) or 'nothing'}"
        elif "partNumber" in query:
            about = f"PUT part {query['partNumber']} of {self.key}"
        elif "uploads" in query:
            about = f"{BEGINS} of {self.key}"
        elif "uploadId" in query:
            about = f"{'POST complete' if self.method == 'POST' else self.method + ' abort'} upload of {self.key}"
        return f"{about} ({condition})" if condition else about


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered; ``body`` is left out where the request was a HEAD, and its length told all the same."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        code = re.search(rb"<Code>(\w+)</Code>", self.body)
        return f"{self.status} {code[1].decode()}" if code else str(self.status)


@dataclass(frozen=True, slots=True)
class Stored:
    """One object: ``generation`` counts the writes of the whole bucket, as Google's does those of an object."""

    data: bytes
    at: datetime
    generation: int
    metadata: Mapping[str, str]

    @property
    def etag(self) -> str:
        return f'"{md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Upload:
    """One that was begun and neither completed nor given up."""

    key: str
    parts: Mapping[int, bytes]
    metadata: Mapping[str, str]


def unfinished(key: str) -> str:
    """Return how an upload is told of that is left."""
    return f"an unfinished upload of {key}"


def error(status: int, code: str) -> Response:
    """Return an answer that says what is wrong as S3 does."""
    return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status=status)


@dataclass
class Objects:
    """The content of one bucket. ``conditions`` False makes one that ignores them, as some test doubles do."""

    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    writes: int = 0
    begun: int = 0
    conditions: bool = True

    def now(self) -> datetime:
        """Return the time of the server."""
        return datetime.now(UTC)

    def answer(self, request: Request) -> Response:
        """Do one request, whole, and return the answer."""
        key, query = request.key, request.query
        if not key:
            return self._of_the_bucket(request, query)
        match request.method:
            case "PUT" if "partNumber" in query:
                return self._part(request, query)
            case "POST" if "uploads" in query:
                return self._begin(request)
            case "POST" if "uploadId" in query:
                return self._complete(request, query)
            case "DELETE" if "uploadId" in query:
                self.uploads.pop(query["uploadId"], None)
                return Response(204)
            case "PUT":
                return self._put(request)
            case "DELETE":
                refused = self._refused(request)
                if refused is None:
                    self.objects.pop(key, None)
                return refused or Response(204)
            case "GET" | "HEAD":
                return self._get(request)
        return error(405, "MethodNotAllowed")

    def _of_the_bucket(self, request: Request, query: Mapping[str, str]) -> Response:
        if request.method == "POST" and "delete" in query:
            keys = _named(request.body)
            for key in keys:
                self.objects.pop(key, None)
            rows = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
            return _xml(f"<DeleteResult>{rows}</DeleteResult>")
        if request.method == "GET" and "uploads" in query:
            rows = "".join(
                f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{name}</UploadId></Upload>"
                for name, upload in self.uploads.items()
                if upload.key.startswith(query.get("prefix", ""))
            )
            told = f"<IsTruncated>false</IsTruncated>{rows}"
            return _xml(f"<ListMultipartUploadsResult>{told}</ListMultipartUploadsResult>")
        if request.method == "GET" and "location" in query:
            return _xml("<LocationConstraint/>")
        return self._listing(request.bucket, query) if request.method == "GET" else Response(200)

    def _refused(self, request: Request) -> Response | None:
        """Return what is answered where the request's condition does not hold."""
        if not self.conditions:
            return None
        there = self.objects.get(request.key)
        generation = request.headers.get("x-goog-if-generation-match")
        if request.headers.get("if-none-match") == "*" and there is not None:
            return error(412, "PreconditionFailed")
        if generation is not None and int(generation) != (0 if there is None else there.generation):
            return error(412, "PreconditionFailed")
        wanted = request.headers.get("if-match")
        if wanted is not None and there is None:
            return error(404, "NoSuchKey")
        if wanted is not None and there is not None and wanted not in ("*", there.etag, there.etag.strip('"')):
            return error(412, "PreconditionFailed")
        return None

    def _put(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        source = request.headers.get("x-amz-copy-source") or request.headers.get("x-goog-copy-source")
        body = request.body
        if source is not None:
            copied = self.objects.get(unquote(source).lstrip("/").partition("/")[2])
            if copied is None:
                return error(404, "NoSuchKey")
            body = copied.data
        stored = self.store(request.key, body, _metadata(request))
        headers = {"ETag": stored.etag, "x-goog-generation": str(stored.generation)}
        if source is None:
            return Response(200, b"", headers)
        told = f"<CopyObjectResult><LastModified>{stored.at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        return _xml(f"{told}<ETag>{escape(stored.etag)}</ETag></CopyObjectResult>", headers)

    def store(self, key: str, data: bytes, metadata: Mapping[str, str]) -> Stored:
        """Let an object be there, whoever brought it."""
        self.writes += 1
        self.objects[key] = Stored(data, self.now(), self.writes, metadata)
        return self.objects[key]

    def _begin(self, request: Request) -> Response:
        self.begun += 1
        name = f"upload-{self.begun}"
        self.uploads[name] = Upload(request.key, {}, _metadata(request))
        told = f"<Bucket>{escape(request.bucket)}</Bucket><Key>{escape(request.key)}</Key><UploadId>{name}</UploadId>"
        return _xml(f"<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>")

    def _part(self, request: Request, query: Mapping[str, str]) -> Response:
        upload = self.uploads.get(query["uploadId"])
        if upload is None:
            return error(404, "NoSuchUpload")
        parts = {**upload.parts, int(query["partNumber"]): request.body}
        self.uploads[query["uploadId"]] = Upload(upload.key, parts, upload.metadata)
        return Response(200, b"", {"ETag": f'"{md5(request.body, usedforsecurity=False).hexdigest()}"'})

    def _complete(self, request: Request, query: Mapping[str, str]) -> Response:
        upload = self.uploads.get(query["uploadId"])
        if upload is None:
            return error(404, "NoSuchUpload")
        refused = self._refused(request)
        if refused is not None:
            return refused
        del self.uploads[query["uploadId"]]
        data = b"".join(upload.parts[number] for number in sorted(upload.parts))
        stored = self.store(upload.key, data, upload.metadata)
        told = f"<Key>{escape(upload.key)}</Key><ETag>{escape(stored.etag)}</ETag>"
        return _xml(f"<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>", {"ETag": stored.etag})

    def _get(self, request: Request) -> Response:
        there = self.objects.get(request.key)
        if there is None:
            return error(404, "NoSuchKey")
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted not in ("*", there.etag, there.etag.strip('"')):
            return error(412, "PreconditionFailed")
        headers = {
            "ETag": there.etag,
            "Last-Modified": format_datetime(there.at, usegmt=True),
            "Accept-Ranges": "bytes",
            "x-goog-generation": str(there.generation),
            **there.metadata,
        }
        if request.headers.get("if-none-match") in (there.etag, "*"):
            return Response(304, b"", headers)
        cut = _cut(request.headers.get("range", ""), len(there.data))
        if cut is None:
            return Response(200, there.data, headers)
        first, last = cut
        if first >= len(there.data):
            return error(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(there.data)}"
        return Response(206, there.data[first : last + 1], headers)

    def _listing(self, bucket: str, query: Mapping[str, str]) -> Response:
        coding = query.get("encoding-type", "")
        coded = quote if coding == "url" else escape
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        went_on = bytes.fromhex(query.get("continuation-token", "")).decode()
        after = went_on or query.get("start-after") or query.get("marker", "")
        most = int(query.get("max-keys", _PAGE))
        rows: dict[str, str] = {}
        for name in sorted(self.objects):
            if name.startswith(prefix) and name > after:
                inner, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
                folder = prefix + inner + delimiter
                if found and folder > after:
                    rows[folder] = f"<CommonPrefixes><Prefix>{coded(folder)}</Prefix></CommonPrefixes>"
                elif not found:
                    rows[name] = _row(coded(name), self.objects[name])
        page = list(rows)[:most]
        more = len(rows) > len(page)
        told = (
            f"<Name>{escape(bucket)}</Name><Prefix>{coded(prefix)}</Prefix><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated><KeyCount>{len(page)}</KeyCount>"
        )
        if delimiter:
            told += f"<Delimiter>{coded(delimiter)}</Delimiter>"
        if coding:
            told += f"<EncodingType>{escape(coding)}</EncodingType>"
        if more and page:
            told += f"<NextContinuationToken>{page[-1].encode().hex()}</NextContinuationToken>"
            told += f"<NextMarker>{coded(page[-1])}</NextMarker>"
        return _xml(f"<ListBucketResult>{told}{''.join(rows[name] for name in page)}</ListBucketResult>")


def _named(body: bytes) -> list[str]:
    """Return the keys that a request names which removes several."""
    return [unescape(found) for found in _KEY.findall(body.decode())]


def _row(name: str, stored: Stored) -> str:
    return (
        f"<Contents><Key>{name}</Key><LastModified>{stored.at:%Y-%m-%dT%H:%M:%S.%f}Z</LastModified>"
        f"<ETag>{escape(stored.etag)}</ETag><Size>{len(stored.data)}</Size></Contents>"
    )


def _xml(told: str, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    return Response(status, told.encode(), {"Content-Type": "application/xml", **(headers or {})})


def _metadata(request: Request) -> dict[str, str]:
    return dict(_kept(request.headers))


def _kept(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if "-meta-" in name or name == "content-type":
            yield name, value


def _cut(wanted: str, size: int) -> tuple[int, int] | None:
    """Return the first and the last byte of a range, None where the whole is wanted."""
    found = _RANGE.fullmatch(wanted)
    if found is None or wanted == "bytes=-":
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size - 1
    return int(found[1]), min(int(found[2] or size - 1), size - 1)
