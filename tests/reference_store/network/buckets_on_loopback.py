"""Buckets on loopback for the tests of stores in them: the suite's own, and moto as a second opinion."""

import multiprocessing
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.reference_store.bucket_server import Bucket, BucketServer

OPTIONS = {
    "aws_access_key_id": "id", "aws_secret_access_key": "not-to-be-shown", "aws_region": "us-east-1",
    "aws_virtual_hosted_style_request": "false", "aws_allow_http": "true",
}  # fmt: skip


def options_for(url: str) -> dict[str, str]:
    return {**OPTIONS, "aws_endpoint": url}


@contextmanager
def served_apart() -> Iterator[dict[str, str]]:
    """A bucket in a process of its own: deltalake lets no thread of its process run while it waits for some answers."""
    with _apart(_serve_bucket) as url:
        yield options_for(url)


@contextmanager
def moto(bucket: str) -> Iterator[dict[str, str]]:
    """Moto with one bucket, in a process of its own for the same reason."""
    pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
    with _apart(_serve_moto) as url:
        urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT")).close()
        yield options_for(url)


@contextmanager
def _apart(serve: Callable[[Any], None]) -> Iterator[str]:
    """Let a process serve; give the URL that it sends by its link, and end it when that is no longer needed."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join()


def _until_told(link: Any) -> None:
    """Wait until the other end is closed, however that comes about."""
    with suppress(EOFError):
        link.recv()


def _serve_bucket(link: Any) -> None:
    with BucketServer(Bucket()) as server:
        link.send(server.url)
        _until_told(link)


def _serve_moto(link: Any) -> None:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    link.send(f"http://{host}:{port}")
    _until_told(link)
    running.stop()
