"""Stress for every store: ``python -m tests.stress [--minutes M] [--store NAME] [--seed N] [--directory DIR]``.

Rounds of some seconds, each on a new root: two processes of threads and two of tasks write, one of them short of room,
another one reads and lists, and all that is in ``writers`` happens to them; processes are killed with SIGKILL and
others take their place. Where the program may mount, every third round has a file system of its own that is full again
and again. Meanwhile and at the end what the store shows is held against ledgers of what its writers were told: nothing
that was acknowledged is missing, hidden from a listing or there twice, nothing that was refused is there, nothing comes
late, no error but those of a store comes out, no store warns of damage, and nobody waits for ever. Ends with 1 if
something is found.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.stress.all_stores import STORES
from tests.stress.rounds import stress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each store")
    parser.add_argument("--store", action="append", choices=list(STORES), help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=6.0, help="of one round")
    parser.add_argument("--directory", type=Path, help="an existing directory to work below; what is made is removed")
    chosen = parser.parse_args()
    found = False
    for name in chosen.store or STORES:
        with tempfile.TemporaryDirectory(prefix="stress-", dir=chosen.directory) as place:
            said = stress(name, Path(place), chosen.minutes * 60, chosen.seconds, chosen.seed)
        print(said, flush=True)
        found = found or bool(said.findings)
    sys.exit(int(found))


if __name__ == "__main__":
    main()
