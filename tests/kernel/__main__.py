"""Hold the persistence models against real file systems: ``python -m tests.kernel --seconds 100``.

Exit status 0: no model forbids what was seen, and a wrong model was caught; 1: otherwise; 3: something is missing.
"""

import argparse
import os
import random
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from multiprocessing import get_context
from platform import release
from time import monotonic

from pytest_tradestore.confirm import system
from pytest_tradestore.confirm.losses import Losses
from pytest_tradestore.confirm.needs import MAKE, missing
from pytest_tradestore.confirm.rig import Rig, rig
from pytest_tradestore.crash.models import STRICT, by_name
from pytest_tradestore.sandbox import Sandbox
from tests.kernel.judging import Judged
from tests.kernel.programs import (
    Program,
    left_behind,
    name_taken_again,
    patterns,
    random_program,
    written_without_a_name,
)
from tests.kernel.reporting import Findings, report
from tests.kernel.running import SCHEDULES, recorded
from tests.kernel.workloads import workloads
from tests.kernel.wrong import WRONG

_GROUP = 14
_RARE = {0: name_taken_again, 1: written_without_a_name, 2: left_behind}
"""Of each five programs three are about what chance hardly ever makes."""
_LOSSES = 40


def main() -> int:
    """Run, and say what was found."""
    options = _options()
    chosen = tuple(options.filesystem or MAKE)
    lacking = list(missing(chosen))
    if lacking:
        print(f"the kernel cannot be asked here: {', '.join(lacking)} missing")
        return 3
    print(f"Linux {release()}, seed {options.seed}: programs on {', '.join(chosen)}, the power cut, every tree judged")
    given = [*patterns(), *workloads()]
    good = True
    seconds = options.seconds / len(chosen)
    for filesystem in chosen:
        jobs = [(filesystem, number, seconds, options, given) for number in range(options.workers)]
        with get_context("fork").Pool(options.workers) as pool:
            found = Findings.joined(pool.starmap(_worker, jobs, chunksize=1))
        good = report(filesystem, found, seconds) and good
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kernel", description=__doc__)
    parser.add_argument("--filesystem", action="append", choices=MAKE, help="default: all of them")
    parser.add_argument("--seconds", type=float, default=120, help="how long, all file systems together")
    parser.add_argument("--programs", type=int, default=1 << 30, help="at most so many random programs a file system")
    parser.add_argument("--seed", type=int, default=0, help="of programs, schedules and losses")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes, each with its own disks")
    parser.add_argument("--mount", default=None, help="mount options instead of the usual ones, data=journal for one")
    return parser.parse_args()


def _programs(number: int, options: argparse.Namespace, given: Sequence[Program]) -> Iterator[Program]:
    """Yield what one worker runs: its share of what is ``given``, and random programs for ever."""
    yield from given[number :: options.workers]
    for count in range(number, options.programs, options.workers):
        yield _RARE.get(count % 5, random_program)(options.seed * 1_000_000 + count)


def _worker(
    filesystem: str, number: int, seconds: float, options: argparse.Namespace, given: Sequence[Program]
) -> Findings:
    system.end_with_parent()
    system.private_mounts()
    with Sandbox() as sandbox, system.memory_at(str(sandbox.path)), rig(filesystem, str(sandbox.path)) as running:
        programs = _programs(number, options, given)
        return _run(running, programs, random.Random(f"{options.seed} {filesystem} {number}"), seconds, options.mount)


def _run(
    running: Rig, programs: Iterator[Program], rng: random.Random, seconds: float, options: str | None
) -> Findings:
    deadline = monotonic() + seconds
    filesystem = running.filesystem
    models = {"strict": STRICT, filesystem: by_name(filesystem), "wrong": WRONG[filesystem]}
    findings = Findings(times=running.times)
    while monotonic() < deadline and (group := list(islice(programs, _GROUP))):
        judged = [Judged(program, models) for program in group]
        mounting = options if options is not None else _usual(filesystem, rng)
        recording, courses = recorded(running, group, rng.choice(SCHEDULES), mounting, rng)
        for loss, images in running.left(recording, Losses(recording.log).some(_LOSSES, rng), len(group)):
            with running.times.of("judging"):
                for judge, course, image in zip(judged, courses, images, strict=True):
                    if image is None:
                        findings.unreadable += 1
                        continue
                    for window in judge.unknown(course.windows(loss), image):
                        findings.forbidden += judge.judge(window, image)
            if monotonic() > deadline:
                break
        findings.add(judged, by_name(filesystem))
    findings.unmountable = running.unmountable
    findings.busy = sum(os.times()[:4])
    return findings


def _usual(filesystem: str, rng: random.Random) -> str:
    """Return mount options: the defaults, with transactions that end sooner now and then."""
    return "" if filesystem == "xfs" else rng.choice(("", "commit=1"))


if __name__ == "__main__":
    sys.exit(main())
