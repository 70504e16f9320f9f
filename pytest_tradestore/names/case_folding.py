"""Plays file systems that take for one name what this one keeps apart: APFS, and NTFS.

No such file system is needed, and native libraries can be asked too: where two identifiers have two names that are one
there, a look for the second one would find what the first one has left. So the files of the first are given the names
of the second, and the second is asked for. A store that knows whose data it finds is not fooled by that.
"""

import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.client import How
from pytest_tradestore.names.context import NEIGHBOUR, Context
from pytest_tradestore.names.corpus import GROUPS
from pytest_tradestore.names.flaws import DEVICE, NO_NAME, one_name
from pytest_tradestore.names.tree import paths_of

Fold = Callable[[str], str]
Renames = list[tuple[str, str]]


def _ignoring_case(name: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _as_windows_does(name: str) -> str:
    """Compare letter by letter by capitals, as NTFS does: a sign that is one itself, like the Kelvin, is another."""
    return "".join(map(_capital, name)).rstrip(" .")


def _capital(letter: str) -> str:
    upper = letter.upper()
    return upper if upper.lower() == letter else letter


_SYSTEMS: dict[str, Fold] = {"APFS (macOS)": _ignoring_case, "NTFS (Windows)": _as_windows_does}

_PLATFORMS = {"APFS (macOS)": "macos", "NTFS (Windows)": "windows"}


_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789")}
)
_NO_CHARACTERS = frozenset('<>:"|?*')
_KEPT_BY_WINDOWS = ("CON", "NUL", "AUX", "COM1", "BTC:USDT", "TSLA*", 'a<b>c|d?e"f')
"""Symbols and the like, made into files whose names Windows keeps for itself by who changes nothing of them."""


def try_case_folding(context: Context, slot: Slot) -> None:
    """NAME-3: compare the names that the members of each group get, as other file systems compare them.

    NAME-4: what lies in a file whose name Windows keeps for itself, or cannot have, is not read back there.
    """
    files = _files_by_identifier(context, slot)
    _not_kept_on_windows(context, slot, {value: files[value] for value in _KEPT_BY_WINDOWS if value in files})
    for group in GROUPS:
        for first, second in combinations([member for member in group.members if member in files], 2):
            context.checked["lookalikes"] += 1
            if _told_apart(context, slot, first, second, files):
                continue
            break  # one pair of a group says it


def _not_kept_on_windows(context: Context, slot: Slot, files: dict[str, tuple[str, ...]]) -> None:
    """Name, for each way in which a name is none on Windows, the first identifier that gets one."""
    found: dict[str, tuple[str, str, str]] = {}
    for value, paths in files.items():
        for part in (part for path in paths for part in path.split("/")):
            if (none := _no_name_on_windows(part)) is not None:
                found.setdefault(none[0], (value, part, none[1]))
    if not found:
        return
    with context.client() as client:
        for flaw, (value, part, why) in found.items():
            client.forget()
            client.write(slot, value, context.mark())
            context.violation(
                "NAME-4",
                flaw,
                f"the {slot.what} {shown(value)} is kept in {part!a}, which {why} on Windows",
                client,
                f"a file {part!a}",
                "a file that can be there, or a clear error",
                filesystems=("NTFS (Windows)",),
                platform="windows",
            )


def _no_name_on_windows(part: str) -> tuple[str, str] | None:
    """Return the flaw of a store that gives a file this name, and why no file has it on Windows."""
    if part.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        return DEVICE, "is a device"
    if _NO_CHARACTERS.intersection(part):
        return NO_NAME, "is no name"
    return None


def _files_by_identifier(context: Context, slot: Slot) -> dict[str, tuple[str, ...]]:
    """Write under every member and see which names that makes."""
    files: dict[str, tuple[str, ...]] = {}
    members = dict.fromkeys((*(member for group in GROUPS for member in group.members), *_KEPT_BY_WINDOWS))
    for some in ([m for m in members if m != NEIGHBOUR], [NEIGHBOUR]):
        with context.client() as client:
            if NEIGHBOUR not in some:
                for _ in range(2):  # with everything that a store makes once
                    client.write(slot, NEIGHBOUR, context.mark())
            else:
                client.attempt(lambda client=client: client.opened)  # type: ignore[misc]
            for value in some:
                if context.skips(slot, value):
                    continue
                context.at(slot, value, "writing it to see its files")
                before = paths_of(client.nest.root)
                if client.write(slot, value, context.mark()).how is How.ACCEPTED:
                    files[value] = tuple(sorted(paths_of(client.nest.root) - before))
    return files


def _told_apart(context: Context, slot: Slot, first: str, second: str, files: dict[str, tuple[str, ...]]) -> bool:
    fooled = False
    for system, fold in _SYSTEMS.items():  # each, for a store may be used on one of them alone
        renames = _one_there(files[first], files[second], fold)
        fooled = bool(renames and _taken_for(context, slot, first, second, renames, system)) or fooled
    return not fooled


def _one_there(first: Sequence[str], second: Sequence[str], fold: Fold) -> Renames:
    """Return the renames that give the files of ``first`` those names of ``second`` which are the same when folded."""
    return list(_renames(first, {_folded(path, fold): path for path in second}, fold))


def _renames(paths: Sequence[str], targets: dict[tuple[str, ...], str], fold: Fold) -> Iterator[tuple[str, str]]:
    moved: list[str] = []
    for path in sorted(paths, key=lambda path: path.count("/")):
        target = targets.get(_folded(path, fold))
        if target is not None and target != path and not any(path.startswith(f"{above}/") for above in moved):
            moved.append(path)  # what lies in a directory moves with it
            yield path, target


def _folded(path: str, fold: Fold) -> tuple[str, ...]:
    return tuple(fold(part) for part in path.split("/"))


def _taken_for(context: Context, slot: Slot, first: str, second: str, renames: Renames, system: str) -> bool:
    """Say whether the store gives what stands under ``first`` to who asks for ``second``, as it would there."""
    mark = context.mark()
    with context.client() as client:
        if client.write(slot, first, mark).how is not How.ACCEPTED:
            return False
        client.attempt(client.reopen)
        root = client.nest.root
        for source, target in renames:
            if os.path.lexists(root / source) and not os.path.lexists(root / target):
                os.rename(root / source, root / target)
        back = client.attempt(lambda: slot.read(client, second))  # type: ignore[misc]
        if back.how is not How.ACCEPTED or mark not in back.value.marks:
            return False
        client.calls[:] = [f"write under {shown(first)}", f"read {shown(second)}"]
        source, target = renames[0]
        context.violation(
            "NAME-3",
            one_name(source, target),
            f"the {slot.what}s {shown(first)} and {shown(second)} share data on {system}",
            client,
            f"what was written under {shown(first)}: {source!a} and {target!a} are one name there",
            f"nothing was written under {shown(second)}",
            filesystems=(system,),
            platform=_PLATFORMS[system],
        )
        return True
