"""A client of a bucket that does no more than it is told: no pool, no retries, no secrets."""

import http.client
import re
import threading
from urllib.parse import quote
from xml.sax.saxutils import unescape

from pytest_tradestore import Address


class Refused(Exception):
    """The server did not do it; ``status`` says why."""

    def __init__(self, status, what):
        super().__init__(f"{what}: {status}")
        self.status = status


class NoAnswer(Exception):
    """Nobody knows whether the server did it."""


class Client:
    """Each thread has a connection of its own; one on which a request was broken off is not used again."""

    def __init__(self, address: Address):
        self.address, self._here = address, threading.local()
        self.aborts = False

    @property
    def connection(self):
        if not hasattr(self._here, "connection"):
            self._here.connection = http.client.HTTPConnection("127.0.0.1", self.address.port)
        return self._here.connection

    def ask(self, method, key, body=b"", query="", **conditions):
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        path = f"/{self.address.bucket}/{quote(key)}{query}"
        try:
            self.connection.request(method, path, body=body, headers=headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read(), answer.headers.get("ETag", "")
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise NoAnswer(f"{method} {key}: {error}") from error
        except BaseException:
            self.broken_off()
            raise

    def broken_off(self):
        """Let nobody take the answer that may yet come for one to another request."""
        self.connection.close()

    def get(self, key):
        """Return the content and its tag; None and no tag where there is none."""
        status, body, tag = self.ask("GET", key)
        if status == 404:
            return None, ""
        if status != 200:
            raise Refused(status, f"GET {key}")
        return body, tag

    def put(self, key, body, **conditions):
        status, _, _ = self.ask("PUT", key, body, **conditions)
        if status != 200:
            raise Refused(status, f"PUT {key}")

    def delete(self, key):
        status, _, _ = self.ask("DELETE", key)
        if status != 204:
            raise Refused(status, f"DELETE {key}")

    def upload(self, key, parts):
        """Put an object in parts; whoever dies in the middle leaves an upload that nobody ends."""
        status, told, _ = self.ask("POST", key, query="?uploads")
        if status != 200:
            raise Refused(status, f"POST {key}")
        upload = f"uploadId={re.search(r'<UploadId>(.*?)</UploadId>', told.decode())[1]}"
        try:
            for number, part in enumerate(parts, 1):
                self._done("PUT", key, part, f"?partNumber={number}&{upload}")
            self._done("POST", key, b"<CompleteMultipartUpload/>", f"?{upload}")
        except (Refused, NoAnswer):
            for _ in range(4 if self.aborts else 0):  # a server that is throttled lets nothing be given up at first
                if self.ask("DELETE", key, query=f"?{upload}")[0] == 204:
                    break
            raise

    def _done(self, method, key, body, query):
        status, _, _ = self.ask(method, key, body, query)
        if status != 200:
            raise Refused(status, f"{method} {key}")

    def abort_uploads(self):
        """Give up what others have begun and not ended."""
        _, told, _ = self.ask("GET", "", query="?uploads")
        rows = re.findall(r"<Key>(.*?)</Key><UploadId>(.*?)</UploadId>", told.decode())
        for key, upload in rows:
            self.ask("DELETE", unescape(key), query=f"?uploadId={upload}")

    def list(self, prefix):
        status, body, _ = self.ask("GET", "", query=f"?list-type=2&prefix={quote(prefix)}")
        if status != 200:
            raise Refused(status, f"LIST {prefix}")
        return [unescape(name) for name in re.findall(r"<Key>(.*?)</Key>", body.decode())]

    def close(self):
        self.connection.close()
