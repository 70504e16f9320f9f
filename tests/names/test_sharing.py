"""Two identifiers share a place: the cause that is told is the one that the store shows, whatever they look like."""

import json
import os
import re
import sqlite3
import unicodedata
import zlib
from contextlib import closing
from urllib.parse import quote, unquote

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import names
from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.names.context import Context
from pytest_tradestore.names.sharing import why_shared
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest


class Files:
    """A file for each key, named by it; what the name is differs from store to store."""

    def __init__(self, root):
        self.root = root

    def name(self, key):
        return quote(key, safe="").replace(".", "%2E") + "-.json"

    def put(self, key, document):
        text, file = json.dumps(document), self.root / self.name(key)
        with open(file, "w") as opened:
            opened.write(text)

    def get(self, key):
        try:
            return json.loads((self.root / self.name(key)).read_text())
        except FileNotFoundError:
            return None


def named(name):
    """Return a store whose files are called as ``name`` says."""
    return type("Named", (Files,), {"name": staticmethod(name)})


class BackedUp(Files):
    """Keeps the version before beside a file, where another key may have its own."""

    def name(self, key):
        return quote(key, safe="")

    def put(self, key, document):
        file = self.root / self.name(key)
        if file.exists():
            os.replace(file, f"{file}.bak")
        super().put(key, document)


class Staged(Files):
    """Writes into a temporary file that may be another key's."""

    def name(self, key):
        return quote(key, safe="")

    def put(self, key, document):
        file = self.root / self.name(key)
        staged = file.with_name(f"{file.name}.tmp")
        staged.write_text(json.dumps(document))
        os.replace(staged, file)


class Globbing(Files):
    """Looks for its files by a pattern, and a key is a part of that."""

    def name(self, key):
        if "/" in key:
            raise ValueError("a / in a key")
        return f"{key}.json"

    def get(self, key):
        self.name(key)
        found = sorted(self.root.glob(f"{key}.json"))
        return json.loads(found[0].read_text()) if found else None


class Rows:
    """One row of a table for each key; how keys are compared differs from store to store."""

    column, where = "key TEXT PRIMARY KEY", "key = ?"

    def __init__(self, root):
        self.file = root / "rows.db"
        with closing(sqlite3.connect(self.file)) as rows, rows:
            rows.execute(f"CREATE TABLE IF NOT EXISTS documents ({self.column}, document TEXT)")

    def put(self, key, document):
        with closing(sqlite3.connect(self.file)) as rows, rows:
            rows.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (key, json.dumps(document)))

    def get(self, key):
        with closing(sqlite3.connect(self.file)) as rows:
            found = rows.execute(f"SELECT document FROM documents WHERE {self.where}", (key,)).fetchone()
        return json.loads(found[0]) if found else None


class NoCase(Rows):
    column = "key TEXT COLLATE NOCASE PRIMARY KEY"


class Like(Rows):
    where = "key LIKE ?"


class Numeric(Rows):
    column = "key NUMERIC PRIMARY KEY"


def slug(key):
    return re.sub(r"[^a-z0-9]+", "-", key.lower()) + ".json"


def capitals(key):
    if key != key.upper():
        raise ValueError("capitals only")
    return os.path.normpath(key)


def letters(key):
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in key)[:60]


def colliding(first):
    digest = zlib.crc32(first.encode()) % 997
    return first, next(f"S{n}" for n in range(100_000) if zlib.crc32(f"S{n}".encode()) % 997 == digest)


COLLIDING = colliding("AAPL")
RAW = "identifier that becomes a path as it is"
DROPPED, REPLACED = "differ in characters that are dropped", "differ in characters that are replaced"

CASES = {
    "a key that becomes a path, and climbs": (named(lambda key: key), "../store/x", "x", RAW),
    "a key that becomes a path with a suffix": (named(lambda key: f"{key}.json"), "x/../AAPL", "AAPL", RAW),
    "a key that becomes a path, normalised before": (named(os.path.normpath), "./AAPL", "AAPL", RAW),
    "a key in capitals that becomes a path": (named(capitals), "X/../AAPL", "AAPL", RAW),
    "separators twice in a path": (named(lambda key: key), "../store//x", "../store/x", RAW),
    "the last part alone": (named(os.path.basename), "../store/x", "x", "differ in what stands before the last /"),
    "climbing cut away": (named(lambda key: key.replace("../", "")), "../AAPL", "AAPL", DROPPED),
    "dots and slashes cut off in front": (
        named(lambda key: quote(key.lstrip("./"), safe="")),
        "./AAPL",
        "AAPL",
        "differ in what stands at their beginning",
    ),
    "separators dropped": (named(lambda key: key.replace("/", "")), "BTC/USDT", "BTCUSDT", DROPPED),
    "separators replaced": (named(letters), "BTC/USDT", "BTC_USDT", REPLACED),
    "separators replaced by several": (named(lambda key: key.replace("/", "__")), "BTC/USDT", "BTC__USDT", REPLACED),
    "cut to a length": (named(letters), "A" * 300 + "x", "A" * 300 + "y", "what follows after many characters"),
    "small letters": (named(slug), "AAPL", "aapl", "upper and lower case"),
    "small letters in a table": (NoCase, "AAPL", "aapl", "upper and lower case"),
    "runs of signs as one": (named(slug), "a//b", "a/b", REPLACED),
    "blanks at the ends": (named(lambda key: quote(key.strip(), safe="")), "AAPL ", "AAPL", "blanks and dots at their"),
    "one normal form": (
        named(lambda key: quote(unicodedata.normalize("NFC", key), safe="")),
        "\u00c5",
        "A\u030a",
        "how their letters are encoded",
    ),
    "decoded": (named(lambda key: quote(unquote(key), safe="")), "%41APL", "AAPL", "written as %41"),
    "a number": (Numeric, "1", "01", "how a number is written"),
    "a backup": (BackedUp, "AAPL", "AAPL.bak", "file kept about one identifier"),
    "a temporary file": (Staged, "AAPL", "AAPL.tmp", "file kept about one identifier"),
    "a pattern of files": (Globbing, "A[A]PL", "AAPL", "taken for a pattern"),
    "a pattern in a table": (Like, "A_PL", "AAPL", "taken for a pattern"),
    "a name that is one for all": (named(lambda _: "state.json"), "AAPL", "aapl", "one place for all identifiers"),
    "a short digest": (named(lambda key: f"{zlib.crc32(key.encode()) % 997}"), *COLLIDING, "for different identifiers"),
}


def told(store, first, second):
    def ask(channel):
        target = StoreUnderTest("told", store)
        (slot, *_) = kit_named("documents").slots_of(target.declarations.takes)
        context = Context(target, ask.sandbox, channel)
        with context.client() as client:
            return why_shared(context, slot, client.nest, first, second)

    return ask


@pytest.mark.parametrize(("store", "first", "second", "words"), CASES.values(), ids=list(CASES))
def test_the_cause_is_the_one_that_the_store_shows(store, first, second, words, tmp_path):
    ask = told(store, first, second)
    ask.sandbox = tmp_path

    ended = run_isolated(ask, 20)

    assert isinstance(ended, Finished), ended
    assert words in ended.value


@pytest.mark.parametrize("pair", [("../store/x", "x"), ("AAPL", "aapl"), ("AAPL", "AAPL.bak"), ("BTC/USDT", "BTCUSDT")])
def test_control_of_two_that_share_nothing_no_cause_is_told(pair, tmp_path):
    ask = told(Files, *pair)
    ask.sandbox = tmp_path

    ended = run_isolated(ask, 20)

    assert isinstance(ended, Finished), ended
    assert ended.value == "one place for different identifiers"


def test_a_key_that_becomes_a_path_is_one_cause_whichever_requirement_it_breaks():
    target = StoreUnderTest("raw", named(lambda key: key))
    bench = Bench(Settings(recorder="fake", budget=Budget.QUICK))
    checks = {check.requirement: check for check in names.checks(kit_named("documents"))}
    causes = {
        requirement: {example.cause.culprit.fault for example in checks[requirement].judge(bench, target).examples}
        for requirement in ("NAME-1", "NAME-3", "NAME-5")
    }

    assert causes["NAME-1"] == {RAW}
    assert causes["NAME-3"] == {RAW}
    assert RAW in causes["NAME-5"]
