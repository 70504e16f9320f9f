"""Which of a store's methods are like those of a contract? By their names, and by what they can be called with.

A guess is a way to write the bodies of an adapter; which one holds is found out by trying, in ``trials``.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

_PUT = ("put", "set", "write", "save", "store", "insert", "upsert", "add", "put_item", "set_item", "dump")
_GET = ("get", "read", "load", "fetch", "find", "lookup", "retrieve", "get_item", "query")
_DELETE = ("delete", "remove", "rem", "discard", "drop", "unset", "pop", "delete_item", "remove_item")
_KEYS = ("keys", "list_keys", "iterkeys", "all_keys", "get_keys", "getall", "list", "names", "all", "ids")
_SAVE = ("save", "dump", "write", "store", "set", "persist", "put")
_LOAD = ("load", "read", "get", "fetch", "restore", "data")
_APPEND = ("append", "insert", "add", "log", "write", "push", "record", "emit", "publish", "put", "save")
_READ = ("read", "records", "entries", "all", "history", "list", "load", "get_all", "fetch_all", "items", "replay")
_ENQUEUE = ("put", "push", "enqueue", "send", "append", "add")
_TAKE = ("get_nowait", "pop", "popleft", "dequeue", "take", "receive", "get")
_UPSERT = ("upsert", "update_or_insert", "insert_or_update", "put", "set", "save")
_REPLACE = ("replace_one", "find_one_and_replace", "replace", "upsert")
_ROW = ("get", "find_one", "first", "fetch_one", "get_one", "find")
_GONE = ("remove", "delete_one", "delete", "find_one_and_delete", "rem")
_ROWS = ("all", "find", "rows", "__iter__")
_COMMIT = ("commit", "sync", "flush", "save", "dump", "persist")
_START = ("load", "open", "connect", "initialize", "init", "setup", "start")
_CLOSE = ("close", "aclose", "shutdown", "disconnect", "stop")
LIKELY_WRITES = (*_ENQUEUE, *_PUT, *_APPEND)
"""Names of methods that change something, the plainest first."""
LIKELY_READS = (*_GET, *_READ, *_KEYS, "peek", "balance", "count", "size", "qsize")
"""Names of methods that show something."""
_LOOKED_FOR = {*_PUT, *_GET, *_DELETE, *_KEYS, *_SAVE, *_LOAD, *_APPEND, *_READ, *_COMMIT, *_START, *_CLOSE}
_LOOKED_FOR |= {*_ENQUEUE, *_TAKE, *_UPSERT, *_REPLACE, *_ROW, *_GONE, "task_done"}
_NO_KEYS = {"block", "timeout", "default", "wait"}
"""What the first parameter of a method is called that takes out of a queue."""
_SPECIAL = ("__setitem__", "__getitem__", "__delitem__", "__iter__", "__aenter__", "__enter__")
_UNKNOWN = (0, 9)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an open store: with how many arguments it can be called at least and at most, and whether awaited."""

    least: int
    most: int
    awaited: bool
    parameters: tuple[str, ...] = ()

    def takes(self, count: int) -> bool:
        return self.least <= count <= self.most


Methods = dict[str, Method]


@dataclass(frozen=True, slots=True)
class Guess:
    """How a contract may be had from a store's methods.

    ``uses`` are the store's methods by the contract's; ``text`` says that a document is handed over as ``"text"`` or
    ``"bytes"`` and not as it is, ``keys`` that keys are bytes; ``commit`` is called after each update, ``start`` once
    after opening. ``absent`` is what reading raises where nothing is, as an import and a name.
    """

    contract: str
    uses: dict[str, str] = field(default_factory=dict)
    text: str = ""
    keys: str = ""
    commit: str = ""
    start: str = ""
    close: str = ""
    awaited: bool = False
    absent: tuple[str, str] = ("", "")
    one_log: bool = False
    """Whether the store has one log only, so that the stream is written beside each record."""
    entered: bool = False
    """Whether the methods are those of what it gives when it is entered as a context manager."""
    rows: str = ""
    """How one of many rows is found, so that a key is written beside each document: by a ``"function"`` that says
    whether it is this one, or by an ``"example"`` of what is in it."""

    @property
    def price(self) -> int:
        """How far the store's methods are from the contract's: what an adapter adds, and what it has to leave out."""
        added = 3 * self.one_log + 2 * bool(self.rows) + bool(self.text) + bool(self.keys) + bool(self.commit)
        keyed = "put" in self.uses
        lacking = sum(method not in self.uses for method in ("delete", "keys") if keyed)
        return added + lacking

    @property
    def told(self) -> str:
        """What the adapter adds, in words; empty where it adds nothing."""
        parts = [
            "the stream stands beside each record" if self.one_log else "",
            "the key stands beside each document" if self.rows else "",
            f"documents are handed over as {self.text}" if self.text else "",
            f"{self.commit}() follows each change" if self.commit else "",
        ]
        return ", ".join(filter(None, parts))


def methods_of(store: object) -> Methods:
    """Return the methods of an open store, those included that it makes up when they are asked for."""
    names = [name for name in dir(store) if not name.startswith("_")]
    special = [name for name in _SPECIAL if hasattr(type(store), name)]
    found = {}
    for name in dict.fromkeys([*names, *sorted(_LOOKED_FOR), *special]):
        try:
            method = getattr(store, name)
        except Exception:  # noqa: S112 - whatever a property raises, it is no method
            continue
        if callable(method) and not inspect.isclass(method):
            found[name] = _method(method)
    return found


def _method(method: Any) -> Method:
    awaited = inspect.iscoroutinefunction(method)
    try:
        parameters = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):
        return Method(*_UNKNOWN, awaited)
    plain = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one for one in parameters if one.default is one.empty and one.kind is not one.VAR_POSITIONAL]
    needed = [one for one in needed if one.kind is not one.VAR_KEYWORD]
    most = 9 if any(one.kind is one.VAR_POSITIONAL for one in parameters) else len(plain)
    return Method(len(needed), most, awaited, tuple(one.name for one in plain))


def guesses(methods: Methods, leaving: str = "") -> Iterator[Guess]:
    """Yield what may be made of the methods, the likeliest first.

    With ``leaving``, ``"__exit__"`` or ``"__aexit__"``, they are those of what was entered, and it is left by that.
    """
    starts = [""] if leaving else ["", *(name for name in _START if name in methods and methods[name].least == 0)][:3]
    for guess in (*_documents(methods), *_rows(methods), *_document(methods), *_journal(methods)):
        used = set(guess.uses.values())
        commits = [name for name in _COMMIT if name in methods and methods[name].least == 0 and name not in used][:1]
        awaited = any(methods[name].awaited for name in used if name in methods)
        close = leaving or _closes(methods, awaited=awaited)
        for start, commit, text in product(starts, [*commits, ""][:2], ("", "text", "bytes")):
            if start not in used and not (text and guess.rows):
                made = replace(guess, start=start, commit=commit, text=text, close=close, awaited=awaited)
                made = replace(made, entered=bool(leaving))
                yield made
                if text and "put" in guess.uses:  # there are keys
                    yield replace(made, keys="bytes")


def _closes(methods: Methods, *, awaited: bool) -> str:
    """Return what closes a store: a method, or leaving it as a context manager."""
    for name in _CLOSE:
        if _has(methods, name, 0) and methods[name].awaited in (awaited, False):
            return name
    leaving = ("__aenter__", "__aexit__") if awaited else ("__enter__", "__exit__")
    return leaving[1] if leaving[0] in methods else ""


def _documents(methods: Methods) -> Iterator[Guess]:
    if "__setitem__" in methods and "__getitem__" in methods:
        keys = "keys" if _has(methods, "keys", 0) else "iter" if "__iter__" in methods else ""
        for get in ("get", "[]") if _has(methods, "get", 1) else ("[]",):
            uses = {"put": "[]=", "get": get, "delete": "del" if "__delitem__" in methods else "", "keys": keys}
            yield Guess("documents", {ours: theirs for ours, theirs in uses.items() if theirs})
    delete, keys = _first(methods, _DELETE, 1), _first(methods, _KEYS, 0)
    for put, get in product(_all(methods, _PUT, 2), _all(methods, _GET, 1)):
        if set(methods[get].parameters[:1]) & _NO_KEYS:
            continue
        uses = {"put": put, "get": get, "delete": delete, "keys": "" if keys == get else keys}
        yield Guess("documents", {ours: theirs for ours, theirs in uses.items() if theirs})


def _rows(methods: Methods) -> Iterator[Guess]:
    """Yield how documents may be rows of one table, each with its key in it."""
    for how, puts, wants in (("function", _UPSERT, 2), ("example", _REPLACE, 2)):
        for put, get in product(_exactly(methods, puts, wants), _exactly(methods, _ROW, 1)):
            delete = next(iter(_exactly(methods, _GONE, 1)), "")
            keys = next(iter(_exactly(methods, _ROWS, 0)), "")
            uses = {"put": put, "get": get, "delete": delete, "keys": "" if keys == get else keys}
            yield Guess("documents", {ours: theirs for ours, theirs in uses.items() if theirs}, rows=how)


def _document(methods: Methods) -> Iterator[Guess]:
    for save, load in product(_all(methods, _SAVE, 1), _all(methods, _LOAD, 0)):
        if not (save.startswith("put") and load.startswith("get")):  # a queue, and to get is to take
            yield Guess("document", {"save": save, "load": load})


def _journal(methods: Methods) -> Iterator[Guess]:
    for append, read in product(_all(methods, _APPEND, 2), _all(methods, _READ, 1)):
        if methods[append].least == 2 and methods[read].least == 1:
            yield Guess("journal", {"append": append, "read": read})
    for append, read in product(_all(methods, _APPEND, 1), _all(methods, _READ, 0)):
        yield Guess("journal", {"append": append, "read": read}, one_log=True)


def queues(methods: Methods) -> Iterator[tuple[str, str, str]]:
    """Yield what puts an item into a queue, what takes the oldest out, and what has to be called after that."""
    ends = [name for name in ("task_done", "commit", "ack") if _has(methods, name, 0)]
    takes = [name for name in _TAKE if _has(methods, name, 0)]
    for put, take in product([name for name in _ENQUEUE if _has(methods, name, 1)][:2], takes[:2]):
        yield from ((put, take, end) for end in (*ends[:1], ""))


def _all(methods: Methods, names: Sequence[str], count: int) -> list[str]:
    """Return the store's methods that are called so, or begin so (``save_state``), and take so many arguments."""
    exact = [name for name in names if _has(methods, name, count)]
    begun = [name for name in methods if name not in exact and name.partition("_")[0] in names]
    return [*exact, *(name for name in begun if _has(methods, name, count))][:3]


def _exactly(methods: Methods, names: Sequence[str], count: int) -> list[str]:
    """Return the store's methods of just these names that take so many arguments."""
    return [name for name in names if _has(methods, name, count)][:2]


def _first(methods: Methods, names: Sequence[str], count: int) -> str:
    return next(iter(_all(methods, names, count)), "")


def _has(methods: Methods, name: str, count: int) -> bool:
    return name in methods and methods[name].takes(count)
