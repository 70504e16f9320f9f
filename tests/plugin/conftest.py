"""A project to run pytest in, with a few small stores and made-up checks, so that only the plugin is tested."""

import json

import hypothesis.internal.observability  # noqa: F401
import pytest

# Loaded here once: pytester forgets what was first imported inside of a run.
import pytest_tradestore.bench
import pytest_tradestore.collection
import pytest_tradestore.conformance.crashes
import pytest_tradestore.conformance.data
import pytest_tradestore.crash.recorders.fake
import pytest_tradestore.crash.recorders.strace
import pytest_tradestore.examination
import pytest_tradestore.hooks
import pytest_tradestore.replaying
import pytest_tradestore.smoke  # noqa: F401
import reference_store.stores.aio  # noqa: F401

STORES = """
import json
import os
import sys


class Acme:
    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        (self.root / key).write_text(json.dumps(document))

    def get(self, key):
        path = self.root / key
        return json.loads(path.read_text()) if path.exists() else None


class Log:
    def __init__(self, root):
        pass

    def append(self, stream, record):
        pass

    def read(self, stream):
        return []


class Chatty(Acme):
    def __init__(self, root):
        super().__init__(root)
        print("hello from the store")


class NoContract:
    def __init__(self, root):
        pass

    def frobnicate(self):
        pass


class Declares(Acme):
    tradestore_claims = ("teleportation",)


class Misspelt(Acme):
    tradestore_claim = ("processes",)


class Camel(Acme):
    tradestoreErrors = (KeyError,)


class Unheard(Acme):
    tradestore_claims = ("processes",)


def made(root):
    return Unheard(root)


def raises(root):
    raise RuntimeError("the flux is not aligned")


def exits(root):
    sys.exit(3)


def hangs(root):
    import threading
    threading.Event().wait()


hangs.tradestore_deadline = 0.2
number = 7
"""

CHECKS = """
import json
import os
import pathlib

import pytest

from pytest_tradestore import conformance
from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.isolation import run_isolated
from pytest_tradestore.verdict import Counterexample, Result, Verdict

ROWS = json.loads((pathlib.Path(__file__).parent / "checks.json").read_text())


def made_of(row):
    requirement, case, verdict, more = row

    def judge(bench, store):
        if verdict == "RAISES":
            raise ZeroDivisionError("a mistake of ours")
        if verdict == "PRINTS":
            print("said while it was judged\\n" * more.get("lines", 1), end="")
        if verdict == "WAITS":
            run_isolated(lambda channel: None, 9.0)
        watched = "VIOLATED" if os.environ.get("WATCHED") == "yes" else "HOLDS"
        chosen = Verdict[{"PRINTS": "VIOLATED", "WAITS": "HOLDS", "IS WATCHED": watched}.get(verdict, verdict)]
        cause = Cause(Culprit("fsync missing", (more["at"],)), Harm.LOST) if "at" in more else None
        example = None
        if chosen is Verdict.VIOLATED:
            example = Counterexample(f"{requirement} breaks", token="t1", cause=cause)
        return Result(requirement, case, chosen, more.get("reason", ""), more.get("checked", {}),
                      more.get("exhaustive", True), example, output=more.get("output", ""))

    return conformance.Check(requirement, case, judge)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    patch = pytest.MonkeyPatch()
    patch.setattr(conformance, "checks_for", lambda contracts: tuple(map(made_of, ROWS)))
    config.add_cleanup(patch.undo)
"""


_LEFT_OUT = ("-p", "no:hypothesispytest", "-p", "no:fakefs")
"""Plugins of others that have no part in these runs, and take longer to import than all else together."""


class Project:
    """A directory with ``acme.py`` (stores) and a conftest that replaces the suite's checks by made-up ones."""

    def __init__(self, pytester):
        self.pytester = pytester
        pytester.makepyfile(acme=STORES)
        pytester.makeconftest(CHECKS)
        self.checks()

    def checks(self, *rows):
        """Each row: requirement, verdict, and optionally a dictionary (case, reason, checked, exhaustive)."""
        rows = rows or (("ATOM-1", "HOLDS"), ("ATOM-2", "HOLDS"))
        full = []
        for requirement, verdict, *more in rows:
            details = dict(*more)
            full.append((requirement, details.pop("case", "documents"), verdict, details))
        (self.pytester.path / "checks.json").write_text(json.dumps(full))

    def run(self, *arguments, store="acme:Acme"):
        """Run the suite on ``store``, in this process; with a recorder that works everywhere."""
        return self.pytester.runpytest(*self._options(store), *arguments)

    def collected(self, *arguments, store="acme:Acme"):
        """Return the ids of the items of a run."""
        result = self.run("--collect-only", "-q", *arguments, store=store)
        return [line for line in result.outlines if "[" in line and " " not in line]

    def run_apart(self, *arguments, store="acme:Acme"):
        """Run it in a process of its own, as xdist needs."""
        return self.pytester.runpytest_subprocess(*_LEFT_OUT, *self._options(store), *arguments)

    def _options(self, store):
        named = () if store is None else ("--tradestore-store", store)
        return ("--tradestore-conformance", "--tradestore-recorder=fake", *named)


@pytest.fixture
def project(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("PYTEST_ADDOPTS", "FORCE_COLOR", "PY_COLORS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_AUTO_NUM_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return Project(pytester)
