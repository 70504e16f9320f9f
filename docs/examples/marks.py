"""Writes into the survey's table of root causes on which real file systems each of them was seen.

``python marks.py SURVEY REPORT...`` takes what ``--tradestore-confirm`` came to from JSON reports of the suite and puts
it into the last column. Where no report speaks of a file system, what the table said of it stays: it can be asked bit
by bit. Prints what has no row; exit status 1 then.
"""

import json
import re
import sys
from pathlib import Path

FILESYSTEMS = ("ext4", "xfs", "btrfs")
COLUMN = "seen on Linux"
HEAD = "| store | root cause | breaks | what a process sees that opens what the crash left |"
NOT_ASKED = "not asked"
_OTHERWISE = re.compile(r"not in (\d+) states of (\w+)")


def asked(report):
    """Yield each root cause: its store, how it is told, and by file system how many states did not show it; 0: seen."""
    for store in report["stores"]:
        told = {
            example["token"]: example.get("sightings", ())
            for row in store["requirements"]
            for example in (row["counterexample"], *row["others"])
            if example
        }
        for finding in store["findings"]:
            found = {}
            for consequence in finding["consequences"]:
                for one in told.get(consequence["token"], ()):
                    if one["unasked"] and not one["seen"]:
                        continue
                    states = 0 if one["seen"] else one["states"]
                    found[one["filesystem"]] = min(states, found.get(one["filesystem"], states))
            yield store["name"], finding["told"].rpartition(": ")[0], found


def read(cell):
    """Return what a cell says, by file system."""
    parts = cell.split("; ")
    otherwise = {filesystem: int(states) for states, filesystem in _OTHERWISE.findall(cell)}
    return {name: 0 for name in FILESYSTEMS if name in parts[0].split()} | otherwise


def written(found):
    """Return the cell that says this."""
    seen = " ".join(name for name in FILESYSTEMS if found.get(name) == 0)
    rest = [f"not in {found[name]} states of {name}" for name in FILESYSTEMS if found.get(name)]
    unasked = [name for name in FILESYSTEMS if name not in found]
    if len(unasked) == len(FILESYSTEMS):
        return NOT_ASKED
    told = [f"{' '.join(unasked)} {NOT_ASKED}"] if unasked else []
    return "; ".join([*([seen] if seen else []), *rest, *told])


def marked(text, reports):
    """Return the survey with its marks, and the root causes that it has no row of."""
    found = {}
    for report in reports:
        for store, cause, states in asked(report):
            found.setdefault((store, cause), {}).update(states)
    lines = text.splitlines(keepends=True)
    head = next(number for number, line in enumerate(lines) if line.startswith(HEAD))
    lines[head] = f"{HEAD} {COLUMN} |\n"
    lines[head + 1] = "|---|---|---|---|---|\n"
    for number in range(head + 2, len(lines)):
        if not lines[number].startswith("| "):
            break
        cells = lines[number].strip().strip("|").strip().split(" | ")
        store, cause, broken, process = cells[:4]
        known = read(cells[4]) if len(cells) > 4 else {}
        lines[number] = (
            f"| {store} | {cause} | {broken} | {process} | {written(known | found.pop((store, cause), {}))} |\n"
        )
    return "".join(lines), list(found)


def main(survey, *reports):
    text, rest = marked(
        Path(survey).read_text(encoding="utf-8"), [json.loads(Path(name).read_text("utf-8")) for name in reports]
    )
    Path(survey).write_text(text, encoding="utf-8")
    for store, cause in rest:
        print(f"no row: {store}: {cause}")
    return bool(rest)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
