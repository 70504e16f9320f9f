"""The whole kill matrix on real file systems: ``python -m tests.confirm docs/reference/seen-on-linux.md``.

Each broken store whose defect a crash shows is looked for on one file system after the other, until each requirement
that it breaks has been seen on one; each sound store is asked on all of them. Rows of stores that are not asked are
kept. Exit status 1 if a sound store shows anything, 3 if something is missing.
"""

import argparse
import sys
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

from pytest_tradestore.confirm.needs import missing
from pytest_tradestore.confirm.sightings import kernel
from tests.broken_stores import Broken
from tests.confirm.asking import CRASHING, FILESYSTEMS, possible, seen, shown_by
from tests.confirm.page import ELSEWHERE, Page
from tests.sound_stores import SOUND, Sound


def main() -> int:
    """Ask, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.confirm", description=__doc__)
    parser.add_argument("page", help="the file to write")
    parser.add_argument("--store", action="append", default=[], help="only these stores")
    parser.add_argument("--missing", action="store_true", help="only the stores that the file has no row of")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if lacking := list(missing(FILESYSTEMS)):
        print(f"no real file system can be asked here: {', '.join(lacking)} missing")
        return 3
    page, place = Page([row.name for row in CRASHING], [row.name for row in SOUND], FILESYSTEMS), Path(options.page)
    if place.exists():
        page.read(place.read_text("utf-8"))
    wanted = {*options.store, *(page.missing() if options.missing else ())}
    everything = not options.store and not options.missing
    asked: list[Broken | Sound] = [row for row in (*CRASHING, *SOUND) if everything or row.name in wanted]
    good = True
    with Pool(options.workers) as pool:
        for row, cells in zip(asked, pool.imap(_cells, asked), strict=True):
            good = good and not (isinstance(row, Sound) and any("**" in cell for cell in cells))
            print(row.name, *cells, flush=True)
            page.rows[row.name] = cells
            place.write_text(page.text(kernel()), "utf-8")
    return 0 if good else 1


def _cells(row: Broken | Sound) -> list[str]:
    return _sound(row) if isinstance(row, Sound) else [_broken(row)]


def _broken(row: Broken) -> str:
    first: dict[str, str] = {}
    for filesystem in FILESYSTEMS:
        if row.breaks.keys() <= first.keys():
            break
        for (requirement, _), marks in seen(row, filesystem).items():
            if any(mark.seen for mark in marks):
                first.setdefault(requirement, filesystem)
    can = possible(row) if row.breaks.keys() - first.keys() else frozenset[str]()
    for requirement in row.breaks.keys() - first.keys():
        first[requirement] = "-" if requirement in can else ELSEWHERE
    return ", ".join(f"**{requirement}** {first[requirement]}" for requirement in row.breaks)


def _sound(row: Sound) -> list[str]:
    return [_cell(row, filesystem) for filesystem in FILESYSTEMS]


def _cell(row: Sound, filesystem: str) -> str:
    return "<br>".join(_told(row, filesystem)) or "not recorded"


def _told(row: Sound, filesystem: str) -> Iterator[str]:
    for contract, broken, states in shown_by(row, filesystem):
        yield f"{contract}: **{' '.join(sorted(broken))}**" if broken else f"nothing in {states:,} states"


if __name__ == "__main__":
    sys.exit(main())
