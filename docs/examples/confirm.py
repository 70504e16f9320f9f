"""Confirms what a JSON report of the suite says: makes each crash again, and looks at what it left without the suite.

``python confirm.py REPORT`` replays the token of every root cause, leaves the files as the crash left them, and lets
``read_back.py``, which knows nothing but the library and its adapter, open the store there, look, write once more and
open it again. Prints a row of a Markdown table for each: the root cause, and the line in which that process saw it too.
"""

import json
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
with open(HERE / "pyproject.toml", "rb") as configuration:
    STORES = tomllib.load(configuration)["tool"]["pytest"]["tradestore_stores"]
TARGETS = dict(store.split("=", 1) for store in STORES)
AT_ONCE = 2


def examples(store):
    """Yield each finding with its counterexample."""
    by_token = {
        example["token"]: example
        for row in store["requirements"]
        for example in (row["counterexample"], *row["others"])
        if example
    }
    for finding in store["findings"]:
        yield finding, by_token[finding["consequences"][0]["token"]]


def crashed(store, token, directory):
    """Make the crash again, and leave its files in the directory."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tradestore-conformance"]
    options = [f"--tradestore-store={store}={TARGETS[store]}", f"--tradestore-replay={token}"]
    run = subprocess.run(
        [*command, *options, f"--tradestore-keep={directory}"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return directory.is_dir() or run.stdout[-500:]


def read_back(store, directory):
    """Return what a process of its own sees there, line by line."""
    program = [sys.executable, str(HERE / "read_back.py"), TARGETS[store], str(directory)]
    try:
        run = subprocess.run(program, cwd=HERE, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return ["it hangs"]
    ended = [f"it ended with status {run.returncode}"] if run.returncode else []
    return [*run.stdout.replace(str(directory), "<root>").splitlines(), *ended]


def names(directory):
    return {path.name for path in directory.rglob("*") if not path.is_dir()}


def same(example, lines, directory, clean):
    """Return the line by which a plain process saw what the suite says; nothing if it saw something else."""
    found = "; ".join(example["found"])
    if "leaves one more file" in example["headline"]:  # opening and writing have not removed it
        return next((f"{name} is still there" for name in sorted(names(directory) - clean)), "")
    if error := _ERROR.search(found):
        return next((line for line in lines if error[1] in line), "")
    told = [_as_shown(part) for part in found.split("; ")]
    seen = [next((line for line in lines if _alike(line, part)), "") for part in told]
    if all(seen):
        return "; ".join(seen)
    if "hang" in found or "longer than" in found:
        return next((line for line in lines if line == "it hangs"), "")
    if "ended its process" in found:
        return next((line for line in lines if line.startswith("it ended")), "")
    return ""


_ERROR = re.compile(r"\b([A-Za-z_]*(?:Error|Exception|Timeout)|IO error|Corruption)\b")
_DRAWN = re.compile(r"[0-9a-f]{16,}|\W+")
"""Names that are drawn anew in each run; and how values are set apart differs."""


def _as_shown(part):
    """Return a part of what the suite found as ``read_back.py`` prints it."""
    place, _, what = part.partition(": ")
    places = {"get(1000)": "waiting", "keys()": "keys"}
    return f"{places.get(place, place)}: {'null' if what in ('nothing', 'missing') else what}"


def _alike(line, part):
    """Say whether two lines show the same place and, as far as the suite's is not shortened, the same value."""
    one, other = (_DRAWN.sub(" ", text.partition(" …(")[0].replace("[]", "null")).strip() for text in (line, part))
    return one[:40] == other[:40] or (" …(" in part and one.startswith(other[:30]))


def confirmed(job):
    store, finding, example = job
    with TemporaryDirectory() as parent:
        directory = Path(parent, "crashed")
        made = crashed(store, example["token"], directory)
        if made is not True:
            return store, finding, example, [f"it could not be made again: {made}"], ""
        lines = read_back(store, directory)
        (intact := Path(parent, "intact")).mkdir()
        read_back(store, intact)
        return store, finding, example, lines, same(example, lines, directory, names(intact))


def main(report):
    stores = json.loads(Path(report).read_text(encoding="utf-8"))["stores"]
    jobs = [(store["name"], *pair) for store in stores for pair in examples(store)]
    print("| store | root cause | breaks | what a process sees that opens what the crash left |")
    print("|---|---|---|---|")
    count = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for store, finding, example, lines, line in pool.map(confirmed, jobs):
            cause, broken = finding["told"].rpartition(": ")[0], " ".join(finding["requirements"])
            count += bool(line)
            told = f"`{line[:100]}`" if line else f"NOT CONFIRMED: {'; '.join(example['found'])} / {' / '.join(lines)}"
            print(f"| {store} | {cause} | {broken} | {told} |", flush=True)
    print(f"\n{count} of {len(jobs)} confirmed")
    return count < len(jobs)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
