"""What each operation of the reference store costs as the store grows: ``python -m tests.benchmarks.reference_costs``.

Beside it, in turn, in the same run and on the same file system: sqlite3 in WAL mode with synchronous=FULL, and where
an operation has something like it deltalake, duckdb and a month file written anew. Medians of at least five; what
cannot be synced is not measured, so tmpfs is refused. ``--quick`` leaves out the largest size of each row; ``--row``
takes one row (``--list`` names them). ``--write`` puts the table and the plots into the guide to the reference store,
once all rows were measured; on a machine that does nothing else that takes some minutes.
"""

import argparse
import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.reference_costs import documents, logs, records, report, trading
from tests.benchmarks.reference_costs.measure import Chosen, Cost, NotThere, file_system_of

REPOSITORY = Path(__file__).parents[3]
GUIDE = REPOSITORY / "docs" / "how-to" / "use-the-reference-store.md"
ROWS: dict[str, Callable[[Chosen], Iterator[list[Cost]]]] = {
    "documents": documents.documents,
    "threads": documents.threads,
    "logs": logs.append,
    "processes": logs.append_in_processes,
    "jobs": records.jobs,
    "runs": records.runs,
    "events": logs.events,
    "companies": trading.companies,
    "hour": trading.one_hour,
    "next": trading.next_bar,
    "symbols": trading.many_symbols,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", choices=list(ROWS), help="only this one; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--quick", action="store_true", help="leave out the largest size of each row")
    parser.add_argument("--repeats", type=int, default=5, help="at least five")
    parser.add_argument("--directory", type=Path, default=REPOSITORY.parent, help="a directory on the disk to measure")
    parser.add_argument("--write", action="store_true", help="write table and plots into the guide")
    parser.add_argument("--keep", type=Path, help="a file for what was measured; rows that are not run come from it")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(ROWS))
        return
    if chosen.repeats < 5:
        parser.error("medians of fewer than five say little: give --repeats 5 or more")
    kind = file_system_of(chosen.directory)
    if kind in ("tmpfs", "ramfs"):
        parser.error(f"{chosen.directory} is on {kind}, where a sync costs nothing: choose a --directory on a disk")
    measured: list[Cost] = []
    if chosen.keep and chosen.keep.exists():
        measured = pickle.loads(chosen.keep.read_bytes())
    for name in chosen.row or ROWS:
        measured = _measured(name, chosen, measured)
        if chosen.keep:
            chosen.keep.write_bytes(pickle.dumps(measured))
    said = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {kind}, Python "
        f"{sys.version_info.major}.{sys.version_info.minor}; load of the machine at the end: {os.getloadavg()[0]:.1f}. "
        "Where it is above the number of cores, compare ratios, not times."
    )
    print(said + "\n\n" + report.markdown(measured))
    if chosen.write:
        report.write(measured, said, GUIDE, GUIDE.parent / "figures")


def _measured(name: str, chosen: argparse.Namespace, before: list[Cost]) -> list[Cost]:
    """Measure one row and return all that is known then, in the order of the rows."""
    found: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="reference-costs-", dir=chosen.directory) as place:
        try:
            for costs in ROWS[name](Chosen(Path(place), chosen.repeats, chosen.quick)):
                found += costs
                told = ", ".join(f"{cost.side} {cost.value:.3g} {cost.unit}" for cost in costs)
                print(f"{costs[0].row} at {costs[0].size:,}: {told}", file=sys.stderr, flush=True)
        except NotThere as missing:
            print(f"{name}: not there ({missing})", file=sys.stderr)
        except Exception:
            print(f"{name}: failed\n{traceback.format_exc()}", file=sys.stderr)
    rows = {cost.row for cost in found}
    return [cost for cost in before if cost.row not in rows] + found


if __name__ == "__main__":
    main()
