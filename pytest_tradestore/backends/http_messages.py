"""HTTP/1.1 as bytes: requests out of what a connection has received so far, and answers into what it is sent."""

from http import HTTPStatus

from pytest_tradestore.backends.objects import Request, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_END = b"\r\n\r\n"


def taken(received: bytearray) -> Request | None:
    """Take the first whole request out of ``received``; None, and nothing is taken, as long as it is not all there."""
    end = received.find(_END)
    if end < 0:
        return None
    first, *lines = bytes(received[:end]).decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    begin = end + len(_END)
    if "chunked" in headers.get("transfer-encoding", ""):
        chunked = _dechunked(received, begin)
        if chunked is None:
            return None
        body, stop = chunked
    else:
        stop = begin + int(headers.get("content-length") or 0)
        if len(received) < stop:
            return None
        body = bytes(received[begin:stop])
    del received[:stop]
    if "aws-chunked" in headers.get("content-encoding", ""):
        inner = _dechunked(bytearray(body), 0)
        body = body if inner is None else inner[0]
    return Request(method, target, headers, body)


def waits_for_leave(received: bytearray) -> bool:
    """Say whether a client has sent its headers, and waits to be told that it may send the rest."""
    end = received.find(_END)
    return end >= 0 and end + len(_END) == len(received) and b"100-continue" in bytes(received[:end]).lower()


def _dechunked(data: bytearray, at: int) -> tuple[bytes, int] | None:
    """Return the content of chunks that begin at ``at``, and where they end; None where they are not all there."""
    body = bytearray()
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(data[at:line]).partition(b";")[0] or b"0", 16)
        at = line + 2
        if not size:
            end = data.find(b"\r\n", at)
            while end > at:  # trailers
                at = end + 2
                end = data.find(b"\r\n", at)
            return (bytes(body), at + 2) if end == at else None if end < 0 else (bytes(body), at)
        if len(data) < at + size + 2:
            return None
        body += data[at : at + size]
        at += size + 2


def told(response: Response, method: str) -> bytes:
    """Return an answer as it is sent."""
    reason = HTTPStatus(response.status).phrase
    length = "" if response.status in (204, 304) else f"Content-Length: {len(response.body)}\r\n"
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    head = f"HTTP/1.1 {response.status} {reason}\r\n{headers}{length}\r\n".encode("latin-1")
    return head if method == "HEAD" or not length else head + response.body
