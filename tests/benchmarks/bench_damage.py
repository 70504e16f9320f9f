"""How many damaged images a second, and how many of them a reference store reads wrongly without a word.

python -m tests.benchmarks.bench_damage [--images NUMBER] [store ...]

NUMBER is that of one contract; 2,500 make some 50,000 of all reference stores.
"""

import argparse
from time import perf_counter

from pytest_tradestore.bench import Bench
from pytest_tradestore.configuration import REFERENCE
from pytest_tradestore.damage.evidence import gather
from pytest_tradestore.damage.planning import IMAGES
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.faults.test_kill_matrix import target_of

SILENT = ("CORR-1", "CORR-3", "CORR-6", "CORR-7")


def main(wanted, images):
    IMAGES[Budget.DEEP] = images
    total = wrong = 0
    for spec in REFERENCE:
        name, _, place = spec.partition("=")
        if wanted and name not in wanted:
            continue
        store = StoreUnderTest(name, target_of(place))
        bench = Bench(Settings(budget=Budget.DEEP))
        for contract in bench.examined(store).contracts:
            began = perf_counter()
            evidence = gather(store, bench.workload(store, contract), bench.settings)
            seconds = perf_counter() - began
            silent = sum(v.how_many for id_, of in evidence.violations.items() if id_ in SILENT for v in of)
            total, wrong = total + evidence.images, wrong + silent
            print(
                f"{name} {contract.name}: {evidence.images:,} damaged images, {evidence.told:,} noticed, "
                f"{silent} silently wrong, {evidence.images / seconds:,.0f} per second {evidence.undecided}"
            )
    print(f"{total:,} damaged images, {wrong} silently wrong")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=IMAGES[Budget.DEEP])
    parser.add_argument("stores", nargs="*")
    given = parser.parse_args()
    main(given.stores, given.images)
