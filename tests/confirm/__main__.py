"""The whole kill matrix on real file systems: ``python -m tests.confirm docs/reference/seen-on-linux.md``.

Each broken store whose defect a crash shows is looked for on one file system after the other, until each requirement
that it breaks has been seen on one; each sound store is asked on all of them. Writes a table; exit status 1 if a
sound store shows anything, 3 if something is missing.
"""

import argparse
import sys
from collections.abc import Iterator
from multiprocessing import Pool

from pytest_tradestore.confirm.needs import missing
from pytest_tradestore.confirm.sightings import kernel
from tests.broken_stores import Broken
from tests.confirm.asking import CRASHING, FILESYSTEMS, seen, shown_by
from tests.sound_stores import SOUND, Sound

_HEAD = """\
# Seen on Linux

This page is written by `python -m tests.confirm docs/reference/seen-on-linux.md` (root, `/dev/fuse`, loop devices);
it ran on {kernel}.

## Broken stores

What crashes break in the stores of the [kill matrix](kill-matrix.md), and the first file system on which it was seen.
A dash is for what was seen on none of {filesystems}. That does not mean that it cannot happen: some of it happens by
the letter of POSIX alone, on macOS, or where a process dies inside of a write.

| store | requirement: seen on |
|---|---|
"""
_SOUND = """
## Sound stores

Left alone, made to write all pages, to commit after each operation, and both; the power cut at prefixes of what the
disk was asked and at subsets of what no flush had covered.

| store | {columns} |
|---|{rule}|
"""


def main() -> int:
    """Ask, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.confirm", description=__doc__)
    parser.add_argument("page", help="the file to write")
    parser.add_argument("--store", action="append", default=[], help="only these stores")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if lacking := list(missing(FILESYSTEMS)):
        print(f"no real file system can be asked here: {', '.join(lacking)} missing")
        return 3
    broken = [row for row in CRASHING if not options.store or row.name in options.store]
    sound = [row for row in SOUND if not options.store or row.name in options.store]
    good = True
    with Pool(options.workers) as pool, open(options.page, "w", encoding="utf-8") as page:
        page.write(_HEAD.format(kernel=kernel(), filesystems=", ".join(FILESYSTEMS)))
        for row, line in zip(broken, pool.imap(_broken, broken), strict=True):
            print(row.name, line, flush=True)
            page.write(f"| `{row.name}` | {line} |\n")
            page.flush()
        page.write(_SOUND.format(columns=" | ".join(FILESYSTEMS), rule="---|" * (len(FILESYSTEMS) - 1) + "---"))
        for row, cells in zip(sound, pool.imap(_sound, sound), strict=True):
            good = good and not any("**" in cell for cell in cells)
            print(row.name, *cells, flush=True)
            page.write(f"| `{row.name}` | {' | '.join(cells)} |\n")
            page.flush()
    return 0 if good else 1


def _broken(row: Broken) -> str:
    first: dict[str, str] = {}
    for filesystem in FILESYSTEMS:
        if row.breaks.keys() <= first.keys():
            break
        for (requirement, _), marks in seen(row, filesystem).items():
            if any(mark.seen for mark in marks):
                first.setdefault(requirement, filesystem)
    return ", ".join(f"**{requirement}** {first.get(requirement, '-')}" for requirement in row.breaks)


def _sound(row: Sound) -> list[str]:
    return [_cell(row, filesystem) for filesystem in FILESYSTEMS]


def _cell(row: Sound, filesystem: str) -> str:
    return "<br>".join(_told(row, filesystem)) or "not recorded"


def _told(row: Sound, filesystem: str) -> Iterator[str]:
    for contract, broken, states in shown_by(row, filesystem):
        yield f"{contract}: **{' '.join(sorted(broken))}**" if broken else f"nothing in {states:,} states"


if __name__ == "__main__":
    sys.exit(main())
