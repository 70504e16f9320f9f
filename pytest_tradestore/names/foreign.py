"""Files of others in the root: what editors, file managers and unpackers leave there is no data, and harms none.

Asked of stores that expect others in their root, which is what the claim ``private-files`` is about.
"""

import os
from collections.abc import Sequence

from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.client import How, NestClient
from pytest_tradestore.names.context import NEIGHBOUR, Context, Habits, told
from pytest_tradestore.names.flaws import FOREIGN
from pytest_tradestore.names.tree import paths_of

_LEFT = (b"README", b".DS_Store", b"Thumbs.db", b"lost+found")
_CONTENT = b"not yours"


def try_foreign(context: Context, slot: Slot, habits: Habits) -> None:
    """NAME-4: with each such file beside its own, the store lists and reads what it did before."""
    with context.client() as client:
        mark = context.mark()
        client.write(slot, NEIGHBOUR, mark)
        listed = _listed(client, slot) if habits.lists else None
        client.attempt(client.close)
        own = sorted(paths_of(client.nest.root))
        for name in _names(own):
            context.at(slot, NEIGHBOUR, f"beside a file of the name {name!r}")
            planted = _plant(client, own, name)
            context.checked["foreign_files"] += len(planted)
            client.forget()
            client.calls.append(f"somebody leaves a file of the name {os.fsdecode(name)!a} in the root")
            wrong = _wrong(client, slot, mark, listed)
            if wrong is not None:
                sentence, found, allowed = wrong
                sentence = f"with a file of somebody else in the root, {os.fsdecode(name)!a}, {sentence}"
                context.violation("NAME-4", FOREIGN, sentence, client, found, allowed)
                return
            client.attempt(client.close)
            for path in planted:
                if os.path.lexists(path):  # the store may put aside what is not its own
                    os.unlink(path)


def _names(own: Sequence[str]) -> list[bytes]:
    """Return the names to try: ordinary ones, and ones that are like the store's own or no text at all."""
    files = [os.path.basename(path) for path in own if NEIGHBOUR in os.path.basename(path)]
    suffixes = dict.fromkeys(os.path.splitext(path)[1] for path in own if "lock" not in path)
    like = [text for file in files for text in (f".{file}.swp", f"{file}~")]
    return [*_LEFT, *map(os.fsencode, dict.fromkeys(like)), *(b"\xff" + os.fsencode(suffix) for suffix in suffixes)]


def _plant(client: NestClient, own: Sequence[str], name: bytes) -> list[bytes]:
    """Leave a file of this name in the root and in each directory below it."""
    root = os.fsencode(client.nest.root)
    places = [root, *(os.path.join(root, os.fsencode(path)) for path in own)]
    planted = [os.path.join(place, name) for place in places if os.path.isdir(place)]
    planted = [path for path in planted if not os.path.lexists(path)]
    for path in planted:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, _CONTENT)
        os.close(descriptor)
    return planted


def _listed(client: NestClient, slot: Slot) -> list[str] | None:
    if slot.names is None:
        return None
    ended = client.attempt(lambda: slot.names(client))  # type: ignore[misc]
    return None if ended.value is None else sorted(map(str, ended.value))


def _wrong(client: NestClient, slot: Slot, mark: int, listed: list[str] | None) -> tuple[str, str, str] | None:
    """Say what is not as it was: a sentence, what was found, and what had to be."""
    if slot.read is not None:
        ended = client.attempt(lambda: slot.read(client, NEIGHBOUR))  # type: ignore[misc]
        wanted = f"what was written under {shown(NEIGHBOUR)}"
        if ended.how is not How.ACCEPTED:
            return f"the {slot.what} {shown(NEIGHBOUR)} cannot be read", told(ended), wanted
        if mark not in ended.value.marks:
            return f"the {slot.what} {shown(NEIGHBOUR)} reads as something else", repr(ended.value.marks), wanted
    if listed is not None:
        ended = client.attempt(lambda: slot.names(client))  # type: ignore[misc]
        if ended.how is not How.ACCEPTED:
            return f"the {slot.what}s cannot be listed", told(ended), f"a list of {len(listed)}"
        names = [str(name) for name in ended.value or ()]
        if invented := [name for name in names if name not in listed]:
            return f"{shown(invented[0])} is listed, which nobody has written", shown(invented[0]), repr(listed)
        if sorted(names) != listed:
            return f"the {slot.what}s listed are not those written", repr(names), repr(listed)
    return None
