"""What was measured as a Markdown table and as plots."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.reference_costs.measure import SQLITE, STORE, Cost
from tests.benchmarks.reference_costs.svg import plot

HEAD = ("operation", "size", "store", "sqlite3", "store / sqlite3", "others", "growth")
TARGETS = {
    "first append after reopening": "<= 50 ms at 1M",
    "memory of reading a log in pages": "< 100 MB",
    "save of a job": "<= 3x, flat",
    "save of a job after another process's": "<= 3x, flat",
    "update of a run": "<= 3x, flat",
    "page of 50 runs": "<= 2 ms",
    "page of 50 jobs": "<= 2 ms",
    "events of one minute of a day": "<= 5x",
    "one hour of bars": "<= 20 ms",
    "new version of company data": "flat",
    "next bar of 100 symbols in one call": "<= 300 ms",
    "next bar of a month": "<= 1/3 of rewriting it, not slower than deltalake",
    "puts of 8 threads on different keys": ">= 1x",
    "appends of 4 processes to one stream": ">= 1x",
    "longest wait of 4 processes on one stream": "<= 1 s",
    "keys()": "<= 3x, no cliff",
    "keys() after a put": "<= 3x, no cliff",
}
"""What is to be reached, from the goals of the store."""


def markdown(measured: Sequence[Cost]) -> str:
    """Return the table: a line for each operation and size, with what it costs more than at the smallest size."""
    lines = [[*HEAD, "aim"], ["---"] * 2 + ["---:"] * 3 + ["---"] * 3]
    seen: set[str] = set()
    for row, size, sides in _grouped(measured):
        ours = sides.get(STORE)
        theirs = sides.get(SQLITE)
        first = next(cost for cost in measured if cost.row == row and cost.side == STORE)
        others = ", ".join(f"{name} {_told(cost)}" for name, cost in sides.items() if name not in (STORE, SQLITE))
        ratio = f"{ours.value / theirs.value:.2g}x" if ours and theirs and theirs.value else ""
        growth = "" if ours is None or size == first.size else f"{ours.value / max(first.value, 1e-9):.2g}x"
        told = [_told(ours) if ours else "", _told(theirs) if theirs else "", ratio, others, growth]
        lines.append([row, f"{size:,}", *told, "" if row in seen else TARGETS.get(row, "")])
        seen.add(row)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _grouped(measured: Sequence[Cost]) -> list[tuple[str, int, Mapping[str, Cost]]]:
    keys = dict.fromkeys((cost.row, cost.size) for cost in measured)
    order = list(dict.fromkeys(row for row, _ in keys))
    return [
        (row, size, {cost.side: cost for cost in measured if (cost.row, cost.size) == (row, size)})
        for row, size in sorted(keys, key=lambda key: (order.index(key[0]), key[1]))
    ]


def _told(cost: Cost) -> str:
    value = cost.value
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f} {cost.unit}"


def figures(measured: Sequence[Cost]) -> dict[str, str]:
    """Return the plots of what was measured at more than one size: name of the file and its text."""
    found = {}
    for row in dict.fromkeys(cost.row for cost in measured):
        costs = [cost for cost in measured if cost.row == row]
        if len({cost.size for cost in costs}) < 2:
            continue
        lines = {
            side: [(cost.size, max(cost.value, 1e-3)) for cost in costs if cost.side == side]
            for side in dict.fromkeys(cost.side for cost in costs)
        }
        name = re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-")
        found[f"{name}.svg"] = plot(row, costs[0].unit, lines)
    return found


def write(measured: Sequence[Cost], said: str, page: Path, directory: Path) -> None:
    """Put the table and links to the plots between the marks in ``page``, and the plots into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    made = figures(measured)
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")
    links = " · ".join(f"[{name.removesuffix('.svg').replace('-', ' ')}]({directory.name}/{name})" for name in made)
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    told = f"{said}\n\n{markdown(measured)}\nPlots of cost against size: {links}\n"
    page.write_text(before + begin + "\n" + told + "\n" + end + after, encoding="utf-8")
