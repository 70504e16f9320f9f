"""A client of a bucket that does no more than it is told: one connection, no retries, no secrets."""

import http.client
import re
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
    def __init__(self, address: Address):
        self.address = address
        self.connection = http.client.HTTPConnection("127.0.0.1", address.port)

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

    def list(self, prefix):
        status, body, _ = self.ask("GET", "", query=f"?list-type=2&prefix={quote(prefix)}")
        if status != 200:
            raise Refused(status, f"LIST {prefix}")
        return [unescape(name) for name in re.findall(r"<Key>(.*?)</Key>", body.decode())]

    def close(self):
        self.connection.close()
