"""Programs run together on a rig: their calls interleaved at random, with what the kernel does at times of its own."""

import os
import random
from collections.abc import Sequence
from contextlib import suppress

from pytest_tradestore.confirm import system
from pytest_tradestore.confirm.disk import Hesitation
from pytest_tradestore.confirm.playing import Holding, Playing
from pytest_tradestore.confirm.rig import Course, Recording, Rig, read_tree
from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Mark
from pytest_tradestore.crash.trace import replay
from tests.kernel.programs import Program

SCHEDULES = ("calls only", "journal", "pages", "pages and journal")


def recorded(
    rig: Rig, programs: Sequence[Program], schedule: str, options: str, rng: random.Random
) -> tuple[Recording, list[Course]]:
    """Run programs; return what the disk was asked, and when each program was where.

    Raises RuntimeError if one of them does not lead to the tree that its trace says.
    """
    courses = [Course() for _ in programs]

    def play(roots: Sequence[str]) -> None:
        _play(rig, programs, roots, courses, schedule, rng)
        for program, root in zip(programs, roots, strict=True):
            if read_tree(root) != end_of(program):
                raise RuntimeError(f"{program.name} did not do on {rig.filesystem} what its trace says")
        if rng.random() < 0.7:
            system.sync_filesystem(rig.top)

    hesitation = Hesitation(0.4, 0.01, rng.randrange(1 << 30)) if rng.random() < 0.4 else Hesitation()
    return rig.record([program.trace.initial for program in programs], play, options, hesitation), courses


def _play(
    rig: Rig,
    programs: Sequence[Program],
    roots: Sequence[str],
    courses: Sequence[Course],
    schedule: str,
    rng: random.Random,
) -> None:
    playing = [
        Playing(p.trace.initial, p.trace.operations, root, rng.choice(tuple(Holding)))
        for p, root in zip(programs, roots, strict=True)
    ]
    waiting = [(n, p.steps()) for n, p in enumerate(playing)]
    width = rng.choice((1, 2, 4, len(programs)))
    active = [waiting.pop(0) for _ in range(min(width, len(waiting)))]
    try:
        while active:
            at = rng.randrange(len(active)) if rng.random() < 0.5 else 0
            number, steps = active[at]
            operation = next(steps, None)
            if operation is None:
                active.pop(at)
                if waiting:
                    active.append(waiting.pop(0))
            elif isinstance(operation, Mark):
                courses[number].note(operation, rig.now())
            else:
                _between(rig, schedule, roots[number], rng)
    finally:
        for played in playing:
            played.close()


def _between(rig: Rig, schedule: str, root: str, rng: random.Random) -> None:
    """Let the kernel do between two calls what it does at times of its own."""
    slow = rig.filesystem == "btrfs"
    if "pages" in schedule and rng.random() < 0.35:
        files = [os.path.join(d, f) for d, _, names in os.walk(root) for f in names]
        if files:
            start, length = rng.choice(((0, 0), (0, 0), (0, 4096), (4096, 4096), (8192, 4096)))
            with suppress(OSError):
                system.write_back(rng.choice(files), start, length, wait=rng.random() < 0.5)
    if "journal" in schedule and rng.random() < (0.08 if slow else 0.25):
        rig.commit(whole=rng.random() < 0.5)
    if slow and rng.random() < 0.02:
        rig.crowd()


def end_of(program: Program) -> DurableImage:
    """Return the tree that a program leads to when nothing is lost."""
    tree = replay(program.trace)
    nodes = tree.nodes
    return DurableImage(
        tuple(
            ImageFile(path, nodes[inode].kind, 0o644, bytes(nodes[inode].content), nodes[inode].target, inode)
            for path, inode in tree.walk()
        )
    )
