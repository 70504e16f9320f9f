"""Prints the root causes that a JSON report of the suite holds: a row for each store, and their number."""

import json
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
harms = ("destroyed", "unreadable", "lost", "wrong", "leftover")
print(f"{'store':<13}{'version':<11}{'findings':>8}   " + "".join(f"{harm:>12}" for harm in harms))
total = Counter()
for store in report["stores"]:
    by_harm = Counter(finding["cause"]["harm"] if finding["cause"] else "wrong" for finding in store["findings"])
    try:
        number = version(store["name"])
    except PackageNotFoundError:
        number = "of Python"
    print(
        f"{store['name']:<13}{number:<11}{by_harm.total():>8}   "
        + "".join(f"{by_harm[harm] or '':>12}" for harm in harms)
    )
    total += by_harm
print(
    f"{len(report['stores'])} stores".ljust(24)
    + f"{total.total():>8}   "
    + "".join(f"{total[harm]:>12}" for harm in harms)
)
