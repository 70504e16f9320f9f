"""How long a look at many files takes: ``python -m tests.benchmarks.bench_health --files 100000``.

Every file is a sealed document of a store. Beside ``health`` stands a loop that opens and reads them all, and checks
nothing. CPU seconds are what counts where others use the machine; wall time stands beside them.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reference_store.core import integrity
from reference_store.operations.health import health

_IN_ONE = 1000


def fill(root: Path, files: int) -> None:
    for number in range(files):
        directory, key = root / f"d{number // _IN_ONE}", f"K{number % _IN_ONE}"
        directory.mkdir(parents=True, exist_ok=True)
        content = integrity.encode({"symbol": key, "amount": 12.5, "history": [1, 2, 3]})
        (directory / f"{key}.json").write_bytes(integrity.seal_document(content, key, 1))


def read_all(root: Path) -> int:
    size = 0
    for path, _directories, names in os.walk(root):
        for name in names:
            size += len(Path(path, name).read_bytes())
    return size


def timed(step: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "data")
        fill(root, options.files)
        _, bare = timed(lambda: read_all(root))
        wall, cpu = timed(lambda: health(str(root)))
        print(
            f"{options.files} files: read {bare:.2f} s CPU; health {cpu:.2f} s ({cpu / bare:.1f} x), {wall:.2f} s all"
        )


if __name__ == "__main__":
    main()
