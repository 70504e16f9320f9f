"""How many identifiers lead a store out of its root: ``python -m tests.benchmarks.bench_identifiers [--count N]``.

Identifiers are put together from what makes them hostile, by a seed, and go in turn through every call of the
bundled stores that takes one, a few dozen in each nest. What is asked for outside is seen by Python's audit events,
what changes there by the canaries around the root. Prints how many were accepted, how many refused, and how many
escaped or came back as something else; the last two have to be 0.
"""

import argparse
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial

from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.carried import by_mark
from pytest_tradestore.names.client import How, NestClient
from pytest_tradestore.names.context import Context
from pytest_tradestore.names.strategies import FRAGMENTS, LONGEST, composed
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from reference_store import DocumentStore, FileDataStore, JobStore, JournalStore, RunStore

STORES = {
    "documents": DocumentStore,
    "journal": JournalStore,
    "jobs": JobStore,
    "runs": RunStore,
    **dict.fromkeys(("bars", "fundamentals", "events", "state", "audit"), FileDataStore),
}
"""By contract, the bundled store that offers it."""
_IN_ONE_NEST = 40
_DEADLINE = 60.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the identifiers; ``escapes`` and ``changed`` say what was wrong, one line each."""

    accepted: int
    refused: int
    escapes: tuple[str, ...]
    changed: tuple[str, ...]


def drawn(randomness: random.Random) -> str:
    """Return an identifier of up to twelve fragments, sometimes with a character from anywhere in it."""
    fragments = randomness.choices(FRAGMENTS, k=randomness.randint(0, LONGEST))
    if randomness.random() < 0.2:
        fragments.insert(randomness.randint(0, len(fragments)), chr(randomness.randrange(0x11000)))
    return composed(fragments)


@contextmanager
def _surroundings_kept() -> Iterator[None]:
    """Give back the home and the working directory, which stores find changed."""
    home = os.environ.get("HOME")
    with chdir("."):
        yield
    if home is None:
        os.environ.pop("HOME", None)
    else:
        os.environ["HOME"] = home


def tally(count: int, seed: int) -> Tally:
    """Put ``count`` identifiers through the bundled stores, about as many through each of their calls."""
    ending = run_isolated(partial(_tallied, count, seed), _DEADLINE)
    if not isinstance(ending, Finished):
        raise RuntimeError(f"the identifiers were not all tried: {ending}")
    found: Tally = ending.value
    return found


def _tallied(count: int, seed: int, channel: Channel) -> Tally:
    randomness = random.Random(seed)
    places = [(slot, store) for contract, store in STORES.items() for slot in kit_named(contract).slots()]
    totals: Counter[str] = Counter()
    escapes: list[str] = []
    changed: list[str] = []
    with Sandbox() as sandbox, _surroundings_kept():
        contexts = [
            Context(StoreUnderTest("bundled", store), sandbox.path / str(n), channel)
            for n, (_, store) in enumerate(places)
        ]
        turn = 0
        while (left := count - totals.total()) > 0:
            slot, context = places[turn % len(places)][0], contexts[turn % len(places)]
            turn += 1
            (sandbox.path / str((turn - 1) % len(places))).mkdir(exist_ok=True)
            values: dict[str, None] = {}
            while len(values) < min(_IN_ONE_NEST, left):
                value = drawn(randomness)
                if not context.skips(slot, value):
                    values[value] = None
            with context.client() as client:
                _visit(context, slot, client, list(values), totals, escapes, changed)
    return Tally(totals["accepted"], totals["refused"], tuple(escapes), tuple(changed))


def _visit(
    context: Context,
    slot: Slot,
    client: NestClient,
    values: list[str],
    totals: Counter[str],
    escapes: list[str],
    changed: list[str],
) -> None:
    """Write each value and read it at once; at the end look at the list, at all records, and at the canaries."""

    def differs(value: object, what: str) -> None:
        changed.append(f"{slot.contract}, {slot.what} {value!a}: {what}")

    marks: dict[str, int] = {}
    for value in values:
        mark = context.mark()
        client.asked_outside()
        how = client.write(slot, value, mark).how
        totals["accepted" if how is How.ACCEPTED else "refused"] += 1
        if how is How.ACCEPTED:
            marks[value] = mark
            if slot.read is not None:
                back = slot.read(client, value)
                if back.marks != (mark,) or any(name != value for name in back.names):
                    differs(value, f"read {back.marks} of {back.names!a}")
        elif how is How.UNCLEAR:
            differs(value, "refused by an error that is not declared")
        escapes += [f"{value!a} asked for {asked.path!a}" for asked in client.asked_outside()]
    if slot.everything is not None and not slot.normalises:
        records = by_mark(slot.everything(client) or ())
        for value, mark in marks.items():
            if value not in records.get(mark, ()):
                differs(value, "is in no record")
    if slot.names is not None and sorted(slot.names(client) or ()) != sorted(marks):
        differs(sorted(marks), "not listed as given")
    for value in marks if slot.delete is not None else ():
        slot.delete(client, value)  # type: ignore[misc]
    if change := client.canaries.change():
        escapes.append(f"one of {values!a}: {change}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.perf_counter()
    found = tally(given.count, given.seed)
    seconds = time.perf_counter() - began
    print(f"{given.count:,} identifiers in {seconds:.1f} s: {found.accepted:,} accepted, {found.refused:,} refused")
    print(f"escapes: {len(found.escapes)}; not given back as they were: {len(found.changed)}")
    for line in (*found.escapes, *found.changed)[:20]:
        print(line)


if __name__ == "__main__":
    main()
