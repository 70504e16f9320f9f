"""The figures of how long a person waits: ``python -m tests.benchmarks.figures [NAME ...]`` measures and writes them.

``docs/reference/figures.json`` keeps what was measured, when and on what; those that are not named keep what they have,
and ``--page`` measures nothing. ``docs/reference/figures.md`` is made of that. Rates are of wall time, so the machine
must have nothing else to do; what the processor did is shown beside where it is known.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE, KEPT = (ROOT / "docs" / "reference" / f"figures.{suffix}" for suffix in ("md", "json"))
Measured = dict[str, str]
"""``value`` and, where there is more to say, ``detail``: the profile of what is not reached, processor time, ratios."""


@dataclass(frozen=True, slots=True)
class Figure:
    """``asked`` is the aim; ``command`` what is timed, or the benchmark that tells it."""

    name: str
    what: str
    asked: str
    command: str
    measure: Callable[[], Measured]


def pytest_in(directory: str, *arguments: str) -> tuple[str, float, float]:
    """Return what a run of pytest printed, its seconds by the clock, and those of the processor."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        env={**os.environ, "PYTEST_ADDOPTS": "", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 5):
        raise SystemExit(f"pytest {' '.join(arguments)} ended with status {done.returncode}:\n{done.stdout}")
    return done.stdout, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main_job() -> Measured:
    return _timed(str(ROOT), "--tradestore-conformance", "--tradestore-store", "reference")


def one_contract() -> Measured:
    return _timed(str(ROOT), "--tradestore-conformance", "--tradestore-store", "tests.sound_stores.plain:PlainDocument")


def _timed(directory: str, *arguments: str) -> Measured:
    printed, seconds, processor = pytest_in(directory, *arguments)
    return {"value": f"{seconds:.1f} s", "detail": f"{processor:.0f} s of processor time; {_took(printed)}"}


def _took(printed: str) -> str:
    """Return what each family took, all stores together, from the lines that say so of each."""
    families: dict[str, float] = {}
    for line in re.findall(r"^  took [\d.]+ s: (.*)$", printed, re.M):
        for family, seconds in re.findall(r"([A-Za-z][\w ]*) ([\d.]+)", line):
            families[family] = families.get(family, 0.0) + float(seconds)
    told = ", ".join(f"{family} {seconds:.1f}" for family, seconds in sorted(families.items(), key=lambda f: -f[1]))
    return f"seconds by the clock in all processes together: {told}"


def first_finding() -> Measured:
    """Time until the first item has failed, and until what is printed before that, of a process as it prints."""
    command = [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", "-x", "--tradestore-conformance"]
    wanted = {"the session began": rb"test session starts", "collected": rb"collected ", "failed": rb"(\S+\]) F"}
    seen: dict[str, float] = {}
    printed = b""
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--tradestore-store", "usual=usual_store:UsualStore"],
        cwd=ROOT / "docs" / "examples",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        assert running.stdout is not None
        while piece := os.read(running.stdout.fileno(), 1 << 16):
            printed += piece
            for what, pattern in wanted.items():
                if what not in seen and re.search(pattern, printed):
                    seen[what] = time.perf_counter() - began
    failed = re.search(wanted["failed"], printed)
    if failed is None:
        raise SystemExit(f"the store of the README did not fail:\n{printed.decode()}")
    until = ", ".join(f"{what} after {seconds:.1f} s" for what, seconds in seen.items() if what != "failed")
    return {"value": f"{seen['failed']:.1f} s", "detail": f"{until}; then {failed[1].decode()} failed"}


def without_the_flag() -> Measured:
    """Run a test file with and without the plugin, in turn; the figure is the difference of the least that each took.

    Of processor time: what a run does beside waiting its turn. Medians say more of the machine than of the plugin: they
    differed by 79 ms one time, and by -41 the next.
    """
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        runs: dict[tuple[str, ...], list[float]] = {(): [], ("-p", "no:tradestore"): []}
        for turn in range(30):  # whoever comes second finds more in the caches of the system
            for off in list(runs)[:: -1 if turn % 2 else 1]:
                runs[off].append(pytest_in(directory, *off, "test_nothing.py")[2])
    more, less = (min(times) for times in runs.values())
    return {
        "value": f"{1000 * (more - less):.0f} ms",
        "detail": f"{more:.3f} s of processor time with the plugin, {less:.3f} s without: the least of thirty each",
    }


def images() -> Measured:
    """Return images a second and the ratio of harness to store, of JSON documents, from the benchmark's table."""
    lines = _printed("tests.benchmarks.bench_crash_states").splitlines()[1:]
    rows = [(line.rsplit(maxsplit=6), parts.strip()) for line, parts in zip(lines[::4], lines[1::4], strict=True)]
    profile = "; ".join(f"{row[0].strip()}: {parts}" for row, parts in rows)
    return {
        "value": "; ".join(f"{row[0].strip()}: {row[4]} images/s, {row[6]} x" for row, _ in rows),
        "detail": f"images a second, and the harness's time over that inside of the store. Where it went: {profile}",
    }


def schedules() -> Measured:
    """Return schedules a second of threads, tasks and processes, and where their time went, from the benchmark."""
    lines = _printed("tests.benchmarks.bench_schedules").splitlines()[1:]
    rows = [(line.split(), parts.strip()) for line, parts in zip(lines[::2], lines[1::2], strict=True)]
    named = [(f"{row[0]}{' in processes' if row[-1] == 'processes' else ''}", row[1], parts) for row, parts in rows]
    profile = "; ".join(f"{name}: {parts}" for name, _, parts in named)
    return {
        "value": "; ".join(f"{name}: {rate}/s" for name, rate, _ in named),
        "detail": f"two callers that increment a number. Where it went: {profile}",
    }


def _printed(module: str) -> str:
    return subprocess.run([sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True, check=True).stdout


_SUITE = "pytest --tradestore-conformance"
FIGURES = (
    Figure(
        "main-job", "the bundled stores, all families", "<= 60 s", f"{_SUITE} --tradestore-store reference", main_job
    ),
    Figure(
        "one-contract", "a store of one document, sound", "<= 8 s", f"{_SUITE} --tradestore-store ...", one_contract
    ),
    Figure("first-finding", "the first finding of a broken store", "<= 3 s", f"{_SUITE} -x ...", first_finding),
    Figure(
        "images",
        "crash states of JSON documents",
        ">= 2,000 images/s, <= 1.5 x the store's own time",
        "python -m tests.benchmarks.bench_crash_states",
        images,
    ),
    Figure(
        "schedules",
        "schedules of concurrent callers",
        "threads >= 1,500/s, tasks >= 2,500/s, processes >= 150/s",
        "python -m tests.benchmarks.bench_schedules",
        schedules,
    ),
    Figure("without-the-flag", "what a run without the flag pays", "< 20 ms", "pytest", without_the_flag),
)


def page(kept: dict[str, Measured]) -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines(kept)) + "\n"


def _lines(kept: dict[str, Measured]) -> Iterator[str]:
    yield from ("# Figures", "")
    yield "How long a person waits. This page is written by `python -m tests.benchmarks.figures`, on a machine that"
    yield "does nothing else; with names it measures those alone, and the others keep what they have. What the"
    yield "reference store costs is in [its guide](../how-to/use-the-reference-store.md)."
    yield from ("", "| figure | asked | measured | on |", "|---|---|---|---|")
    for figure in FIGURES:
        found = kept.get(figure.name, {})
        yield f"| {figure.what} | {figure.asked} | {found.get('value', 'not measured yet')} | {found.get('on', '')} |"
    for figure in FIGURES:
        found = kept.get(figure.name, {})
        yield from ("", f"**{figure.what[0].upper()}{figure.what[1:]}** (`{figure.name}`): `{figure.command}`.")
        if "detail" in found:
            yield f"{found['detail'][0].upper()}{found['detail'][1:]}."


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(figure.name for figure in FIGURES))
    parser.add_argument("--page", action="store_true", help="measure nothing: write the page of what is kept")
    asked = parser.parse_args(words)
    unknown = set(asked.names) - {figure.name for figure in FIGURES}
    if unknown:
        parser.error(f"there is no figure {', '.join(sorted(unknown))}")
    kept: dict[str, Measured] = json.loads(KEPT.read_text(encoding="utf-8"))
    for figure in () if asked.page else FIGURES:
        if not asked.names or figure.name in asked.names:
            print(f"{figure.name}: {figure.what} ...", flush=True)
            load = os.getloadavg()[0]
            on = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
            kept[figure.name] = figure.measure() | {"on": on + (f", load {load:.1f} before" if load > 1 else "")}
            print(f"  {kept[figure.name]['value']} ({kept[figure.name]['detail']})", flush=True)
            KEPT.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
