"""Why two identifiers share a place: found out by asking the same store with others, never from their text alone.

What two texts differ in only says what to ask. Two other identifiers that differ in the same and in nothing else are
then given to the store; where these share a place too, that is the cause. Which files the store makes tells identifiers
that become paths, and files that are kept about one identifier and lie where another has its own. Where nothing that
was asked shows the cause, none is told.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.client import How, NestClient
from pytest_tradestore.names.context import Context
from pytest_tradestore.names.flaws import BESIDE, EVERY, NO_CAUSE, PATTERN, RAW, unnoticed
from pytest_tradestore.names.nest import Nest
from pytest_tradestore.names.tree import paths_of, tree_of

Pair = tuple[str, str]

_LONG = 40
"""Characters from which on two identifiers that begin alike may be cut to one."""
_ENDS = " .\t\n\u00a0"
_NOTHING = ("NA", "", "nan", "None", "null")
_WILD = re.compile(r"[*?%_\[]")


def why_shared(context: Context, slot: Slot, nest: Nest, first: str, second: str) -> str:
    """Return the flaw by which two identifiers, seen in a store in ``nest``, share a place."""
    context.at(slot, first, "finding out why it shares data with another")
    return _Asking(context, slot, nest).why(first, second)


class _Asking:
    """Asks stores in nests of their own; what names a path around ``nest`` names the same around another."""

    def __init__(self, context: Context, slot: Slot, nest: Nest) -> None:
        self._context, self._slot, self._nest = context, slot, nest

    def why(self, first: str, second: str) -> str:
        places = self._places(first), self._places(second)
        apart = all(places) and not set(places[0]) & set(places[1])
        if apart and (self._lies_beside(first, second) or self._lies_beside(second, first)):
            return BESIDE
        if self._one_path(first, second) and self._becomes_a_path():
            return RAW
        if self._share("ZQW", "MKP"):
            return EVERY
        if (apart and self._a_beginning(first, second)) or self._a_pattern(first, second):
            return PATTERN
        for difference, pairs in _suspected(first, second):
            if pairs and all(self._share(one, other) for one, other in pairs):
                return unnoticed(difference)
        return PATTERN if self._a_beginning(first, second) else NO_CAUSE

    def _share(self, first: str, second: str) -> bool:
        """Say whether two identifiers share data in a store that holds nothing else."""
        return self._disturbs(first, second) or self._disturbs(second, first)

    def _disturbs(self, first: str, second: str) -> bool:
        """Say whether what stands under ``first`` is found under ``second``, or is another after a write under that."""
        with self._context.client() as client:
            mark = self._write(client, first)
            if mark is None or self._read(client, first) != (mark,):
                return False
            if mark in self._read(client, second):
                return True
            other = self._write(client, second)
            return other in self._read(client, second) and self._read(client, first) != (mark,)

    def _write(self, client: NestClient, identifier: str) -> int | None:
        """Write under an identifier; return the mark, or nothing where that is refused."""
        mark, identifier = self._context.mark(), self._around(client, identifier)
        if not client.may_write(identifier):
            return None
        return mark if client.write(self._slot, identifier, mark).how is How.ACCEPTED else None

    def _read(self, client: NestClient, identifier: str) -> tuple[int, ...]:
        identifier = self._around(client, identifier)
        ended = client.attempt(lambda: self._slot.read(client, identifier))  # type: ignore[misc]
        return ended.value.marks if ended.how is How.ACCEPTED else ()

    def _around(self, client: NestClient, identifier: str) -> str:
        return identifier.replace(str(self._nest.top), str(client.nest.top))

    def _places(self, identifier: str) -> tuple[str, ...]:
        """Return the files that writing under an identifier makes, beside those of one that was there before."""
        with self._context.client() as client:
            self._write(client, "WQZ")
            before = tree_of(client.nest.root)
            self._write(client, identifier)
            after = tree_of(client.nest.root)
            return tuple(path for path in sorted(after) if path not in before and after[path] != "directory")

    def _lies_beside(self, one: str, other: str) -> bool:
        """Say whether updates of ``one`` make or touch the file of ``other``, which it does not have itself."""
        theirs = self._places(other)
        with self._context.client() as client:
            self._write(client, other)
            before = tree_of(client.nest.root)
            for _ in range(3):  # so many until a store has made a backup of what it has replaced itself
                self._write(client, one)
            now = tree_of(client.nest.root)
            if any(before.get(path) != now.get(path) for path in theirs):
                return True
        with self._context.client() as client:
            for _ in range(3):
                self._write(client, one)
            return bool(set(theirs) & paths_of(client.nest.root))

    def _a_pattern(self, first: str, second: str) -> bool:
        """Say whether the store takes a character of the two for any other."""
        for character in dict.fromkeys(_WILD.findall(first + second)):
            wild = "Z[PQR]W" if character == "[" else f"Z{character}W"
            if self._found_under("ZQW", wild) and not self._found_under("ZQW", "ZKW"):
                return True
        return False

    def _a_beginning(self, first: str, second: str) -> bool:
        """Say whether the store takes the beginning of an identifier for the whole, as it is of one of the two."""
        short, long = sorted((first, second), key=len)
        return long.startswith(short) and self._found_under("ZQWK", "ZQW")

    def _found_under(self, written: str, asked: str) -> bool:
        with self._context.client() as client:
            mark = self._write(client, written)
            return mark in self._read(client, asked)

    def _one_path(self, first: str, second: str) -> bool:
        root = self._nest.root
        return os.path.normpath(root / first) == os.path.normpath(root / second)

    def _becomes_a_path(self) -> bool:
        """Say whether the file of an identifier with a / in it lies in that directory, which is there already."""
        return self._lies_in("zqd", "zqw") or self._lies_in("ZQD", "ZQW")

    def _lies_in(self, above: str, name: str) -> bool:
        own = [path for path in self._places(name) if "zqw" in path.lower()]
        if not own:
            return False
        usual = own[0].lower().partition("zqw")[0].rpartition("/")[0]
        with self._context.client() as client:
            self._write(client, name)
            directory = client.nest.root / own[0][: len(usual)] / above
            directory.mkdir(parents=True, exist_ok=True)
            self._write(client, f"{above}/{name}")
            return any(path.lower().startswith("zqw") for path in paths_of(directory))


def _suspected(first: str, second: str) -> Iterator[tuple[str, tuple[Pair, ...]]]:
    """Yield what the store may take no notice of, most particular first, with the pairs that have to share, too."""
    if _same(first, second, lambda text: unicodedata.normalize("NFC", text)):
        yield "how their letters are encoded", (("Zq\u00e9W", "Zqe\u0301W"),)
    elif _same(first, second, lambda text: unicodedata.normalize("NFKC", text)):
        yield "how their letters are encoded", (("Zq\ufb01W", "ZqfiW"),)
    if any(_same(first, second, fold) for fold in (str.casefold, str.lower, str.upper)):
        yield "upper and lower case", (("ZQW", "zqw"),)
    begins = _alike(first, second)
    if begins >= _LONG:
        yield "what follows after many characters", (("Z" * begins + "1", "Z" * begins + "2"),)
    if _same(first, second, unquote):
        yield "which of their characters are written as %41 and the like", (("%5AQW", "ZQW"),)
    if "/" in first + second and _same(first, second, lambda text: PurePosixPath(text).name):
        yield "what stands before the last /", (("Zq/ZQW", "Zw/ZQW"), ("Zq/ZQW", "ZQW"))
    if _number(first) is not None and _number(first) == _number(second):
        yield "how a number is written", (("71", "071"),)
        yield "how a number is written", (("71", "71.0"),)
    if first in _NOTHING and second in _NOTHING:
        others = [word for word in _NOTHING if word and word not in (first, second)]
        yield (
            "which word for nothing they are",
            tuple((one, other) for one in others for other in others if one < other),
        )
    one, other = _differing(first, second)
    signs = _differing(first, second, widened=True)
    if one and other:
        yield "characters that are replaced", ((f"ZQ{one}W", f"ZQ{other}W"),)
        yield "characters that are replaced", ((f"{one}ZQW", f"{other}ZQW"), (f"ZQW{one}", f"ZQW{other}"))
    elif one or other:
        more = one or other
        yield "characters that are dropped", ((f"ZQ{more}W", "ZQW"),)
        if set(more) <= set(_ENDS):
            longer, shorter = (first, second) if one else (second, first)
            yield "blanks and dots at their ends", (_around(longer, shorter.strip(_ENDS)),)
        elif first.endswith(second) or second.endswith(first):
            yield "what stands at their beginning", ((f"{more}ZQW", "ZQW"),)
        elif first.startswith(second) or second.startswith(first):
            yield "what stands at their end", ((f"ZQW{more}", "ZQW"),)
    if signs != (one, other) and all(signs):
        yield "characters that are replaced", ((f"ZQ{signs[0]}W", f"ZQ{signs[1]}W"),)


def _around(longer: str, core: str) -> Pair:
    """Return another identifier with the same at its ends as ``longer`` has around ``core``, and without it."""
    before, _, after = longer.partition(core) if core else (longer, "", "")
    return f"{before}ZQW{after}", "ZQW"


def _same(first: str, second: str, made: Callable[[str], str]) -> bool:
    return made(first) == made(second)


def _number(text: str) -> float | None:
    if text in ("True", "False"):
        return float(text == "True")
    try:
        return float(text)
    except ValueError:
        return None


def _alike(first: str, second: str) -> int:
    """Return with how many characters both begin."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def _differing(first: str, second: str, *, widened: bool = False) -> Pair:
    """Return what is left of both without what they begin and end with alike; ``widened``: whole runs of signs."""
    begin = _alike(first, second)
    end = min(_alike(first[::-1], second[::-1]), len(first) - begin, len(second) - begin)
    while widened and begin and not first[begin - 1].isalnum():
        begin -= 1
    while widened and end and not first[-end].isalnum():
        end -= 1
    return first[begin : len(first) - end], second[begin : len(second) - end]
