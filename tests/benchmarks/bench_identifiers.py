"""How many identifiers lead a store out of its root: ``python -m tests.benchmarks.bench_identifiers [--count N]``.

Identifiers are put together from what makes them hostile, by a seed. Each is written, read back and deleted in the
reference store, in a nest with canaries, which are looked at every few thousand identifiers and at the end. Prints how
many were accepted, how many refused, and how many escaped or came back as something else; the last two have to be 0.
"""

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_tradestore.names.nest import Canaries, Nest
from pytest_tradestore.names.strategies import FRAGMENTS, LONGEST, composed
from reference_store import DocumentStore, InvalidIdentifier

_BETWEEN_LOOKS = 5000


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


def tally(count: int, seed: int) -> Tally:
    """Put ``count`` identifiers through the reference store."""
    randomness = random.Random(seed)
    escapes: list[str] = []
    changed: list[str] = []
    accepted = 0
    with tempfile.TemporaryDirectory() as sandbox:
        nest = Nest.build(Path(sandbox, "nest"))
        canaries = Canaries(nest)
        store = DocumentStore(nest.root)
        for number in range(count):
            identifier = drawn(randomness)
            try:
                store.put(identifier, {"number": number})
            except InvalidIdentifier:
                pass
            else:
                accepted += 1
                if store.get(identifier) != {"number": number} or store.keys() != [identifier]:
                    changed.append(ascii(identifier))
                store.delete(identifier)
            if number % _BETWEEN_LOOKS == 0 and (change := canaries.change()):
                escapes.append(f"up to {identifier!a}: {change}")
        store.close()
        if change := canaries.change(thorough=True):
            escapes.append(f"up to the end: {change}")
        nest.remove()
    return Tally(accepted, count - accepted, tuple(escapes), tuple(changed))


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
