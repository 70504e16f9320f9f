"""Azurite, Microsoft's own stand-in for Azure, where it is installed.

``npm install -g azurite`` puts it on the path; it gets a directory and a port of its own, and tells nobody of its use.
"""

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(b"a key that was made up for this test, and is nobody's").decode()
VERSION = "2021-08-06"


def made_container(place: str, name: str) -> None:
    """Make a container: what a backup does not do by itself."""
    when = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    said = f"x-ms-date:{when}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), ("PUT" + "\n" * 12 + said).encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": when,
        "x-ms-version": VERSION,
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
        "Content-Length": "0",
        "Content-Type": "",
    }
    asked = urllib.request.Request(f"{place}/{name}?restype=container", method="PUT", headers=headers)
    urllib.request.urlopen(asked).close()


@contextmanager
def served(location: Path) -> Iterator[str]:
    """Run it, with its data there, and give its place; skip the test where it is not installed."""
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--disableTelemetry", "--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", str(port))
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    running = subprocess.Popen(
        [program, *options, "--location", str(location)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert running.stdout is not None
        assert any("successfully listens" in line for line in running.stdout), "it has not come up"
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"
    finally:
        running.terminate()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()
