"""What is done to a store while it is recorded, and how it is looked at before, between and after: from its kit."""

from dataclasses import dataclass, replace

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.observation import Failed, Observation, Seen
from pytest_tradestore.records import Records
from pytest_tradestore.target import OpenStore


@dataclass(frozen=True, slots=True)
class Workload:
    """The calls of one recording, and the calls that look at the store: one for each key that there is to see."""

    kit: Kit
    updates: tuple[Call, ...]
    looks: tuple[Call, ...]
    make: Records

    @property
    def place_names(self) -> tuple[str, ...]:
        """All keys looked at."""
        return tuple(look.key for look in self.looks)

    @property
    def of_later_sessions(self) -> frozenset[int]:
        """The second and the third update, by number from 1: the store is closed and opened before each of them.

        What a store remembers in memory (which of two files is the newer one, where its log ends) it finds out anew
        then; two, because a mistake in that may show after an odd number of updates only. All others belong to one
        session, in which what piles up has the time to.
        """
        return frozenset({2, 3})

    @property
    def listing(self) -> str:
        """The key of the look that shows names, if there is one."""
        return self.kit.listing

    def look(self, store: OpenStore, key: str) -> Seen:
        """Look at one key; whatever the store raises is raised."""
        (look,) = (look for look in self.looks if look.key == key)
        return self._seen(store, look)

    def next_update(self, key: str, version: int) -> Call:
        """Return the update of a key that is made after a recovery, to find out whether the store still works there."""
        return _about(self.kit.next_update(self.make, key, version), key)

    def observe(self, store: OpenStore, errors: tuple[type[BaseException], ...]) -> Observation:
        """Look at every key; an exception is one of the things that can be seen."""
        return Observation(tuple((look.key, self._look(store, look, errors)) for look in self.looks))

    def _look(self, store: OpenStore, look: Call, errors: tuple[type[BaseException], ...]) -> Seen:
        try:
            return self._seen(store, look)
        except Exception as error:  # whatever a reader gets is an observation
            return Failed(type(error).__name__, store.told(error), isinstance(error, errors))

    def _seen(self, store: OpenStore, look: Call) -> Seen:
        return self.kit.seen(look, look.make(store))


def workload_for(kit: Kit, methods: frozenset[str], make: Records | None = None) -> Workload:
    """Return the workload of a contract; optional parts of it are used where the store has the ``methods``.

    ``make`` makes the records that the contract speaks of, where it has any.
    """
    make = make or Records()
    looks = tuple(_about(look, look.rendered) for look in kit.looks(make, methods))
    return Workload(kit, tuple(_about(call, looks[0].key) for call in kit.workload(make, methods)), looks, make)


def _about(call: Call, key: str) -> Call:
    """Return the call with a key; a kit that knows only one need not say it."""
    return call if call.key else replace(call, key=key)
