"""All identifiers in one store: each has to come back as it is, with its own data, for good."""

from collections import Counter

from pytest_tradestore.causes import Harm
from pytest_tradestore.kits.slots import Back, Slot, shown
from pytest_tradestore.names.carried import by_mark
from pytest_tradestore.names.client import How, NestClient
from pytest_tradestore.names.context import NEIGHBOUR, NOTHING_OUTSIDE, Context, Habits, Tried, told, value_of
from pytest_tradestore.names.corpus import GROUPS
from pytest_tradestore.names.flaws import GONE, LISTED, OTHERWISE, RAW, SPOILS, TAKEN_ALONG
from pytest_tradestore.names.sharing import why_shared
from pytest_tradestore.observation import canonical, shortened
from pytest_tradestore.records import plain


def try_collisions(context: Context, slot: Slot, tried: list[Tried], habits: Habits) -> None:
    """NAME-3 and NAME-4: write all that is accepted; read and list it at once, after reopening, after deletions."""
    with context.client() as client:
        library = _Library(context, slot, client)
        library.fill(_values(context, slot, tried, client), again=habits.overwrites)
        library.look("", lists=habits.lists)
        if habits.survives:
            client.forget()
            ended = client.attempt(client.reopen)
            if ended.how is not How.ACCEPTED:
                sentence = f"with {len(library.marks)} accepted {slot.what}s in it the store cannot be opened again"
                context.violation("NAME-4", SPOILS, sentence, client, told(ended), "it opens")
                return
            library.look("after reopening ", lists=habits.lists_reopened)
        if habits.deletes and library.thin_out():
            library.look("after deletions ", lists=habits.lists)
        if change := client.canaries.change(thorough=True):
            sentence = f"an accepted {slot.what} led out of the root: {change}"
            context.violation("NAME-1", RAW, sentence, client, change, NOTHING_OUTSIDE, harm=Harm.DESTROYED)


def _values(context: Context, slot: Slot, tried: list[Tried], client: NestClient) -> list[str]:
    """Return the rows that were accepted, and all members of groups that were not refused before."""
    bad = {one.row.value for one in tried if one.escaped or one.ended.how is not How.ACCEPTED}
    values = [value_of(one.row, client) for one in tried if one.row.value not in bad]
    values += [member for group in GROUPS for member in group.members]
    values.append("x")  # what many of the rows that climb and come back are another name for
    return [v for v in dict.fromkeys(values) if v not in bad and not context.skips(slot, v)]


_AT_ONCE = 16
"""Identifiers that are asked for together, where that can be done."""
_MEMBERS = frozenset(member for group in GROUPS for member in group.members)


class _Library:
    """A store full of identifiers, and the marks that have to stand under each."""

    def __init__(self, context: Context, slot: Slot, client: NestClient) -> None:
        self._context, self._slot, self._session = context, slot, client
        self.marks: dict[str, list[int]] = {}
        self._told: set[str] = set()
        """Identifiers about which something has been said: once is enough."""
        self._shared: set[str] = set()
        self._broken = False
        """Whether one identifier has been found that keeps all the others from being read."""

    def fill(self, values: list[str], *, again: bool) -> None:
        """Write under each value, and once more under the neighbour: that must not touch those that look like it."""
        for value in [*values, *([NEIGHBOUR] * 2 if again else [])]:
            self._context.at(self._slot, value, "writing it beside others")
            mark = self._context.mark()
            self._session.forget()
            ended = self._session.write(self._slot, value, mark)
            if ended.how is How.ACCEPTED:
                self.marks[value] = [*self.marks.get(value, []), mark] if self._slot.appends else [mark]
            elif ended.how is How.UNCLEAR:
                self._context.unclear(self._slot, ended, self._session)
        self._context.checked["identifiers_together"] += len(self.marks)

    def thin_out(self) -> bool:
        """Delete every second identifier; say whether the store can do that."""
        if self._slot.delete is None:
            return False
        for value in list(self.marks)[::2]:
            self._context.at(self._slot, value, "deleting it")
            ended = self._session.attempt(lambda value=value: self._slot.delete(self._session, value))  # type: ignore[misc]
            if ended.how is How.ACCEPTED and not ended.value:
                return False
            del self.marks[value]
        return True

    def look(self, moment: str, *, lists: bool) -> None:
        """Read under every identifier, and list them."""
        if self._slot.read is None:
            self._carried(moment)
        else:
            for value in self._one_by_one(moment):
                if not self._broken and value not in self._told and value not in self._shared:
                    self._read(value, moment)
        if lists and self._slot.names is not None and not self._broken:
            self._listed(moment)

    def _one_by_one(self, moment: str) -> list[str]:
        """Return the identifiers to read one by one: all, unless several can be asked for and are right together.

        No two are asked for together at every moment, so that none can hide behind the other.
        """
        values = [value for value in self.marks if value not in self._told and value not in self._shared]
        if self._slot.read_several is None:
            return values
        alone = [value for value in values if value in _MEMBERS and not moment]
        others = [value for value in values if moment or value not in _MEMBERS]
        count = -(-len(others) // _AT_ONCE)
        if moment:
            parts = [others[first : first + _AT_ONCE] for first in range(0, len(others), _AT_ONCE)]
        else:
            parts = [others[first::count] for first in range(count)]
        return alone + [value for part in parts if not self._right(part) for value in part]

    def _right(self, values: list[str]) -> bool:
        """Say whether several identifiers, asked for together, give what was written under each and nothing else."""
        self._context.at(self._slot, values[0], f"reading it and {len(values) - 1} others")
        self._session.forget()
        ended = self._session.attempt(lambda: self._slot.read_several(self._session, values))  # type: ignore[misc]
        if ended.how is not How.ACCEPTED or len(ended.value.names) != len(ended.value.marks):
            return False
        back = Counter(zip(ended.value.names, ended.value.marks, strict=True))
        return all(type(name) is str for name in ended.value.names) and back == Counter(
            (value, mark) for value in values for mark in self.marks[value]
        )

    def _read(self, value: str, moment: str) -> None:
        context, slot, client = self._context, self._slot, self._session
        context.at(slot, value, "reading it")
        client.forget()
        ended = client.attempt(lambda: slot.read(client, value))  # type: ignore[misc]
        wanted = f"what was written under {shown(value)}"
        if ended.how is not How.ACCEPTED:
            self._told.add(value)
            if (culprit := self._culprit(value)) is not None:
                self._broken = True
                client.calls[:0] = [f"write under {shown(value)}", f"write under {shown(culprit)}"]
                sentence = f"the {slot.what} {shown(culprit)} was accepted, and others cannot be read since then"
                context.violation("NAME-4", SPOILS, sentence, client, told(ended), wanted)
                return
            sentence = f"{moment}the {slot.what} {shown(value)} was accepted and cannot be read"
            context.violation("NAME-4", GONE, sentence, client, told(ended), wanted)
            return
        back: Back = ended.value
        if sorted(back.marks) == sorted(self.marks[value]):
            strange = [name for name in back.names if name != value or type(name) is not str]
            if strange:
                self._told.add(value)
                sentence = f"{moment}the {slot.what} {shown(value)} comes back as {shown(strange[0])}"
                context.violation("NAME-4", OTHERWISE, sentence, client, shown(strange[0]), shown(value))
            return
        if slot.loses and not back.marks:
            return
        owner = {mark: name for name, marks in self.marks.items() for mark in marks}
        foreign = next((owner[mark] for mark in back.marks if owner.get(mark, value) != value), None)
        rival = foreign if foreign is not None else self._rival(value)
        if rival is not None:
            self._shared |= {value, rival}
            client.calls[:0] = [f"write under {shown(value)}", f"write under {shown(rival)}"]
            sentence = f"{moment}the {slot.what}s {shown(value)} and {shown(rival)} share data"
            found = f"what was written under {shown(rival)}" if foreign is not None else "something else"
            flaw = why_shared(context, slot, client.nest, value, rival)
            context.violation("NAME-3", flaw, sentence, client, found, wanted)
        elif moment.startswith("after deletions"):
            self._shared.add(value)
            sentence = f"deleting other {slot.what}s has changed {shown(value)}"
            found = shortened(canonical(plain(back.content)), 150)
            context.violation("NAME-3", TAKEN_ALONG, sentence, client, found, wanted)
        else:
            self._told.add(value)
            sentence = f"{moment}the {slot.what} {shown(value)} was accepted and is not there"
            found = shortened(canonical(plain(back.content)), 150)
            context.violation("NAME-4", GONE, sentence, client, found, wanted)

    def _culprit(self, value: str) -> str | None:
        """Find an identifier that, once written, keeps ``value`` from being read; None when that fails by itself."""
        if self._spoils(value, value):
            return None
        return next((other for other in self.marks if self._spoils(other, value)), None)

    def _spoils(self, other: str, value: str) -> bool:
        slot = self._slot
        with self._context.client() as client:
            value, other = self._in_nest_of(client, value), self._in_nest_of(client, other)
            for one in dict.fromkeys((value, other)):
                client.write(slot, one, self._context.mark())
            return client.attempt(lambda: slot.read(client, value)).how is not How.ACCEPTED  # type: ignore[misc]

    def _in_nest_of(self, client: NestClient, value: str) -> str:
        """Return an identifier that names a path around the library as one that names it around another store."""
        return value.replace(str(self._session.nest.top), str(client.nest.top))

    def _rival(self, value: str) -> str | None:
        """Find an identifier whose write takes away what stands under ``value``, in a store with these two only."""
        for group in GROUPS:
            for rival in group.members if value in group.members else ():
                if rival != value and rival in self.marks and self._takes(rival, value):
                    return rival
        return None

    def _takes(self, rival: str, value: str) -> bool:
        slot, mark = self._slot, self._context.mark()
        with self._context.client() as client:
            client.write(slot, value, mark)
            alone = client.attempt(lambda: slot.read(client, value))  # type: ignore[misc]
            if alone.how is not How.ACCEPTED or alone.value.marks != (mark,):
                return False  # it cannot be read back at all, with or without the other
            client.write(slot, rival, self._context.mark())
            back = client.attempt(lambda: slot.read(client, value))  # type: ignore[misc]
            return back.how is not How.ACCEPTED or back.value.marks != (mark,)

    def _carried(self, moment: str) -> None:
        """Look for every identifier in the record that was written with it."""
        context, slot, client = self._context, self._slot, self._session
        if slot.everything is None:
            return
        client.forget()
        ended = client.attempt(lambda: slot.everything(client))  # type: ignore[misc]
        if ended.how is not How.ACCEPTED:
            sentence = f"{moment}with the accepted {slot.what}s in it the store cannot be read"
            context.violation("NAME-4", SPOILS, sentence, client, told(ended), "all records")
            return
        if ended.value is None:
            return
        records = by_mark(ended.value)
        for value, marks in self.marks.items():
            record = records.get(marks[-1])
            if record is None or value not in record:
                sentence = f"{moment}the {slot.what} {shown(value)} does not come back as it was given"
                texts = sorted(leaf for leaf in record or () if isinstance(leaf, str))
                found = ", ".join(map(shown, texts[:6])) or "no such record"
                context.violation("NAME-4", OTHERWISE, sentence, client, found, f"a record with {shown(value)}")
                return

    def _listed(self, moment: str) -> None:
        context, slot, client = self._context, self._slot, self._session
        client.forget()
        context.at(slot, "", "listing all")
        ended = client.attempt(lambda: slot.names(client))  # type: ignore[misc]
        if ended.how is not How.ACCEPTED:
            sentence = f"{moment}the accepted {slot.what}s cannot be listed"
            context.violation("NAME-4", SPOILS, sentence, client, told(ended), f"a list of {len(self.marks)}")
            return
        if ended.value is None:
            return
        listed = Counter(name if type(name) is str else repr(name) for name in ended.value)
        # One that shares its place with another cannot be listed beside it: that has been told already.
        missing = [value for value in self.marks if value not in self._shared and listed[value] != 1]
        extra = [name for name in listed if name not in self.marks and name not in self._shared]
        if missing:
            times = listed[missing[0]]
            found = f"listed {times} times" if times else "not listed"
            if extra:
                found += f"; {shown(extra[0])} is listed, which nobody has written"
            sentence = f"{moment}the {slot.what} {shown(missing[0])} is not listed as it was given"
            context.violation("NAME-4", LISTED, sentence, client, found, f"{shown(missing[0])}, once")
        elif extra and not self._shared:
            sentence = f"{moment}the {slot.what} {shown(extra[0])} is listed, which nobody has written"
            context.violation("NAME-4", LISTED, sentence, client, shown(extra[0]), "what was written")
