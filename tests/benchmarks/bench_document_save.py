"""How close a durable save comes to the bare calls: ``python -m tests.benchmarks.bench_document_save [--rounds N]``.

The bare sequence is temp file, write, fsync, rename, fsync of the directory: no name is checked, nothing is sealed or
locked, no previous version is kept. It is given finished bytes, or makes them with json.dumps, or with json.dumps and
an indentation, so that people can read the file as they can read the store's. All write the same document, with varying
content, into the same directory, in alternating slices of one run; the figure is the median of the ratios of
neighbouring slices. The disk must be quiet: while others sync, all of them wait alike and the ratio comes close to 1.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reference_store import DocumentStore


def portfolio(turn: int) -> dict[str, object]:
    """A document of about 1.5 KB that differs from turn to turn."""
    positions = [
        {"symbol": f"S{i}", "amount": i * 1.5, "last_price_eur": 45000.0 + turn + i, "note": "n" * 8} for i in range(16)
    ]
    return {"trades_executed": turn, "cash": 1000.25 + turn, "updated": "2024-01-01T00:00:00", "positions": positions}


def bare_save(directory: int, name: str, turn: int, data: bytes) -> None:
    staged = f"{name}.{turn}"
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
    os.write(descriptor, data)
    os.fsync(descriptor)
    os.close(descriptor)
    os.rename(staged, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def seconds(save: Callable[[int], None], turns: range) -> float:
    begun = time.perf_counter()
    for turn in turns:
        save(turn)
    return (time.perf_counter() - begun) / len(turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="pairs of slices")
    parser.add_argument("--slice", type=int, default=50, help="saves in a slice")
    parser.add_argument("--directory", type=Path, help="a directory on the disk to measure")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as root:
        store = DocumentStore(root)
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        encoded = [json.dumps(portfolio(turn)).encode() for turn in range(chosen.slice)]
        ways: dict[str, Callable[[int], None]] = {
            "bare, bytes given": lambda turn: bare_save(directory, "bare", turn, encoded[turn % chosen.slice]),
            "bare, json.dumps": lambda turn: bare_save(directory, "json", turn, json.dumps(portfolio(turn)).encode()),
            "bare, readable": lambda turn: bare_save(
                directory, "readable", turn, json.dumps(portfolio(turn), indent=2).encode()
            ),
            "DocumentStore.put": lambda turn: store.put("PORTFOLIO", portfolio(turn)),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(chosen.rounds + 1):
            slice_ = range(turn * chosen.slice, (turn + 1) * chosen.slice)
            for name, save in ways.items():
                taken[name].append(seconds(save, slice_))
        os.close(directory)
        store.close()
    kept = taken.pop("DocumentStore.put")[1:]  # the first slice warms up
    print(f"document of {len(encoded[0])} bytes, {chosen.rounds} x {chosen.slice} saves each")
    print(f"  {'DocumentStore.put':20} {statistics.median(kept) * 1e6:8.0f} us")
    for name, slices in taken.items():
        ratio = statistics.median(bare / put for bare, put in zip(slices[1:], kept, strict=True))
        print(f"  {name:20} {statistics.median(slices[1:]) * 1e6:8.0f} us   put reaches {ratio:.3f} of its rate")


if __name__ == "__main__":
    main()
