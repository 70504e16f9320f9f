"""How many crash states are checked in a second, and what the harness adds to the store's own time.

Run with ``python -m tests.benchmarks.bench_crash_states``. Every line is one recording and one exploration of a store
on JSON files. States are subsets of losses at cuts, images what is left of them when equal ones are joined; each image
is reopened, read, updated, and reopened again. The store's own time is what its calls take inside the exploring
process, without recording. Under each line stands where the time went.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from pytest_tradestore.crash.evidence import Effort, Evidence, gather
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.examination import examine
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from reference_store import DocumentStore
from tests.broken_stores.unsynced import JobsFile, RenameWithoutSync
from tests.sound_stores.plain import PlainDocuments

STORES: dict[str, Callable[[Path], Any]] = {
    "reference, documents": DocumentStore,
    "plain files, sound": PlainDocuments,
    "plain file, unsynced": RenameWithoutSync,
    "jobs file, unsynced": JobsFile,
}
REPETITIONS = 3


def measured(name: str, target: Callable[[Path], Any], settings: Settings) -> tuple[Evidence, float]:
    store = StoreUnderTest(name, target)
    examined = examine(store)
    workload = workload_for(examined.contracts[0], frozenset(examined.methods))
    best: tuple[Evidence, float] | None = None
    for _ in range(REPETITIONS):
        began = perf_counter()
        evidence = gather(store, workload, settings)
        seconds = perf_counter() - began
        if best is None or seconds < best[1]:
            best = (evidence, seconds)
    assert best is not None
    assert not best[0].undecided, best[0].undecided
    return best


def main() -> None:
    print(
        f"{'store':<24}{'states':>22}{'images':>8}{'seconds':>9}{'images/s':>10}{'in store':>10}{'total/in store':>16}"
    )
    for name, target in STORES.items():
        for budget in (Budget.NORMAL, Budget.DEEP):
            evidence, seconds = measured(name, target, replace(Settings(), budget=budget))
            effort = evidence.effort
            images = effort.images + effort.recovery_images
            print(
                f"{name:<24}{effort.crash_states:>22,}{images:>8,}{seconds:>9.2f}{images / seconds:>10,.0f}"
                f"{effort.store_seconds:>10.2f}{seconds / effort.store_seconds:>16.2f}"
            )
            print(f"  {', '.join(f'{what} {spent / seconds:.0%}' for what, spent in _parts(effort))}")


def _parts(effort: Effort) -> list[tuple[str, float]]:
    """Return what took longest first; of looking at images the store's own part is told apart."""
    parts = {**effort.spent, "images": effort.spent["images"] - effort.store_seconds, "store": effort.store_seconds}
    return sorted(parts.items(), key=lambda part: -part[1])


if __name__ == "__main__":
    main()
