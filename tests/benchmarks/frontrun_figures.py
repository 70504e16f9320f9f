"""What frontrun says of the small stores, as JSON: ``frontrun python tests/benchmarks/frontrun_figures.py``.

It is run by a Python that has frontrun, which this project does not need: see ``bench_schedules``.
"""

import asyncio
import inspect
import json
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import frontrun  # type: ignore[import-not-found,unused-ignore]
import small_stores  # type: ignore[import-not-found,unused-ignore]

ATTEMPTS = 200


def explored(store, invariant, **options):
    """Explore two increments, and return what came of it and how fast."""
    place = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        begun = time.perf_counter()
        found = frontrun.explore(
            setup=lambda: store(tempfile.mkdtemp(dir=place)),
            workers=store.increment,
            count=2,
            invariant=invariant,
            **options,
        )
        if inspect.isawaitable(found):

            async def wait():
                return await found

            found = asyncio.run(wait())
        seconds = time.perf_counter() - begun
        return {"holds": found.property_holds, "executions": found.num_explored, "rate": found.num_explored / seconds}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def both_counted(store):
    with open(store.file, encoding="utf-8") as file:
        return json.load(file)["n"] == 2


def main():
    racy = [small_stores.ByReplace, small_stores.ByPathlib, small_stores.ByAiofiles]
    verdicts = {store.__name__: explored(store, both_counted) for store in racy}
    rates = {
        store.__name__: explored(store, lambda _: True, strategy="random", max_attempts=ATTEMPTS, seed=1)
        for store in racy
    }
    print(json.dumps({"dpor": verdicts, "random": rates}))


if __name__ == "__main__":
    main()
