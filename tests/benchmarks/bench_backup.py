"""What a backup and a restore cost beside a copy: ``python -m tests.benchmarks.bench_backup --megabytes 1024``.

The directory holds files of 4 MiB and small documents, of so many megabytes together. Beside each step stands a copy of
the tree with a sync of every file, which checks nothing. Ratios are of wall time; CPU seconds stand beside them.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reference_store import DocumentStore
from reference_store.operations.backups.creating import create
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.restoring import restore
from reference_store.operations.backups.verifying import verify

_FILE = 4 << 20


def fill(root: Path, megabytes: int) -> None:
    with DocumentStore(root) as store:
        for number in range(100):
            store.put(f"K{number}", {"n": number})
    for number in range(max(megabytes * (1 << 20) // _FILE, 1)):
        (root / f"{number}.bin").write_bytes(os.urandom(_FILE))


def copied(here: Path, there: Path) -> None:
    for path in here.rglob("*"):
        if path.is_file():
            target = there / path.relative_to(here)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            descriptor = os.open(target, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def timed(step: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--directory", help="where to work; a temporary directory if not said")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        root = Path(place)
        fill(root / "data", options.megabytes)
        vault = LocalVault(str(root / "vault"), create=True)
        data = str(root / "data")
        bare, _ = timed(lambda: copied(root / "data", root / "copy"))
        print(f"{'copy and sync':24} {bare:8.2f} s  1.00")
        steps: dict[str, Callable[[], object]] = {
            "backup, the first": lambda: create(data, vault),
            "backup, nothing changed": lambda: create(data, vault),
            "restore": lambda: restore(vault, str(root / "new")),
            "verify": lambda: verify(vault, scratch=place),
        }
        for name, step in steps.items():
            wall, cpu = timed(step)
            print(f"{name:24} {wall:8.2f} s  {wall / bare:.2f}  ({cpu:.2f} s of CPU)")


if __name__ == "__main__":
    main()
