"""A browser for the HTML report: what a page looks like, and what it measures when it is opened.

Its name is that of a module of helpers: pytest collects nothing here.
"""

import json
import re
import shutil
import struct
import subprocess
import zlib
from html import unescape

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
)
PHONE = 390
"""CSS pixels of a telephone's width; a window cannot be as narrow as that, a frame can."""


def browser():
    """The browser that there is; a test that needs one is skipped where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("chromium is missing")
    return found


def _run(tmp_path, page, *options, width=1280, height=1600):
    profile = tmp_path / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    done = subprocess.run(
        [browser(), *_QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}", *options, page],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )
    shutil.rmtree(profile, ignore_errors=True)
    return done.stdout


def screenshot(tmp_path, page, name, *, width=1280, height=1600, dark=False):
    """The picture of a page, as a path to a PNG."""
    path = tmp_path / f"{name}.png"
    address = page.as_uri()
    if width < 500:
        frame = tmp_path / f"{name}-frame.html"
        frame.write_text(_frame(address, width, height))
        address = frame.as_uri()
    wanted = ("--blink-settings=preferredColorScheme=0",) if dark else ("--blink-settings=preferredColorScheme=1",)
    _run(tmp_path, address, *wanted, f"--screenshot={path}", width=width, height=height)
    assert path.exists(), "the browser made no picture"
    return path


def _frame(address, width, height):
    return (
        f'<body style="margin:0"><iframe src="{address}" style="border:0;width:{width}px;height:{height}px"></iframe>'
    )


def measured(tmp_path, page, script, *, width=1280, fragment=""):
    """What ``script`` gives, a body of a function of ``window`` and ``document`` of the page, opened at a width."""
    asking = tmp_path / "asking.html"
    asking.write_text(
        f"{_frame(page.as_uri() + fragment, width, 1200)}<pre id=answer></pre><script>"
        "document.querySelector('iframe').addEventListener('load', function () {"
        f"var answer = (function (window, document) {{ {script} }})(this.contentWindow, this.contentDocument);"
        "document.getElementById('answer').textContent = JSON.stringify(answer); });</script>"
    )
    out = _run(tmp_path, asking.as_uri(), "--virtual-time-budget=4000", "--dump-dom")
    found = re.search(r'<pre id="answer">(.*?)</pre>', out, re.DOTALL)
    assert found is not None, out[-2000:]
    return json.loads(unescape(found[1]))


def pixels(path):
    """Width, height, and the colour of the first pixel and of how many others there are in a PNG without a palette."""
    data = path.read_bytes()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (depth, kind in (2, 6)) == (8, True)
    size = 3 if kind == 2 else 4
    packed, place = b"", 8
    while place < len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        packed += data[place + 8 : place + 8 + length] if name == b"IDAT" else b""
        place += 12 + length
    rows = zlib.decompress(packed)
    stride = width * size + 1
    alike = sum(rows[y * stride + 1 : (y + 1) * stride].count(0) == stride - 1 for y in range(height))
    return width, height, tuple(rows[1:4]), alike / height
