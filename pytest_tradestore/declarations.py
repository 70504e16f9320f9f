"""What a store can say of itself: the declarations, the capabilities that it can claim, and the page of both.

Facts only: ``target`` reads and checks what a store declares. Run this module with a path to write the page there.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that a store may promise; ``asks`` is what the suite asks of those who do."""

    name: str
    promise: str
    asks: str
    by_default: bool = False


@dataclass(frozen=True, slots=True)
class Declaration:
    """A plain class attribute of the target, or, without its prefix, an argument of ``StoreUnderTest``."""

    name: str
    meaning: str
    default: str
    example: str


CAPABILITIES = (
    Capability("process-crash", "what was acknowledged outlives the process", "ATOM-1 DUR-1", by_default=True),
    Capability("power-loss", "what was acknowledged outlives a power loss", "DUR-2 FAULT-2", by_default=True),
    Capability("threads", "threads may use one instance, and several, at once", "RACE-1 to RACE-5", by_default=True),
    Capability(
        "tasks",
        "tasks of an event loop may do so, and be cancelled (async stores)",
        "RACE-1 to RACE-6",
        by_default=True,
    ),
    Capability(
        "atomic-batch", "a call that changes several files does it whole or not at all", "ATOM-3", by_default=True
    ),
    Capability("processes", "several processes may use one directory at once", "RACE-3"),
    Capability(
        "single-instance",
        "less: only one instance may be open on a directory at a time",
        "RACE-1 RACE-4 RACE-5 RACE-6 of one instance; not RACE-2, and no claim of processes goes with it",
    ),
    Capability(
        "backup",
        "a damaged file is answered from the version before it, and that is said; a log only appended to has none",
        "CORR-3",
    ),
    Capability(
        "checksums",
        "damage of any kind is noticed",
        "CORR-7, and of CORR-1 also a flipped bit; without it CORR-1 is asked of truncated, empty, zeroed and "
        "unparsable files",
    ),
    Capability(
        "private-files",
        "nobody else reads the files, and somebody else may write into the directory",
        "PERM-1 PERM-2 PERM-3 NAME-2",
    ),
)

DECLARATIONS = (
    Declaration(
        "tradestore_errors",
        "the exception types that count as a clear refusal or report; list the store's own",
        "(ValueError, OSError)",
        "(AcmeError,)",
    ),
    Declaration("tradestore_claims", "capabilities beyond the default ones", "()", '("processes", "backup")'),
    Declaration("tradestore_disclaims", "capabilities that it does not have after all", "()", '("power-loss",)'),
    Declaration(
        "tradestore_identifiers",
        '`"opaque"` where any text is an identifier because it is encoded reversibly',
        '"strict"',
        '"opaque"',
    ),
    Declaration(
        "tradestore_volatile",
        "globs, relative to the root, of files whose content after a crash does not matter; they may be mapped",
        "()",
        '("*-shm", "lock.mdb")',
    ),
    Declaration(
        "tradestore_deadline",
        "seconds that one step of it (open, read, update) may take before it counts as hung",
        "10.0",
        "30.0",
    ),
    Declaration(
        "tradestore_platforms",
        "the platforms that it is used on, of `linux`, `macos` and `windows`: what can only happen on others is a note "
        "on portability and violates nothing (for all stores: `tradestore_platforms` in the configuration file)",
        "the one that the suite runs on",
        '("linux", "macos")',
    ),
    Declaration(
        "tradestore_contracts",
        "the contracts that it is asked by: kits of the team's own, and those of the suite by name",
        "what its methods show",
        '(QueueKit(), "journal")',
    ),
    Declaration(
        "tradestore_takes",
        "which values it takes where its contract leaves that open: [see below](#what-a-store-takes)",
        "everything",
        'Takes(aware=True, bars="later", tick=0.01)',
    ),
    Declaration(
        "tradestore_backend",
        "the server that it keeps its data on, `Bucket()` or `Postgres()` of `pytest_tradestore`: the suite starts one "
        "on loopback, and the store is opened with an `Address` (`.endpoint` and `.bucket`, or `.dsn`) in place of a "
        "directory: [how](../how-to/check-a-store-on-a-server.md)",
        "none: it is opened with a directory",
        "Postgres()",
    ),
    Declaration(
        "tradestore_damage_reported",
        'how it tells of damage where it raises nothing: `"log"`, by a log record of level WARNING or above, a warning '
        "or a line on its output; or a function of the open store that says whether it has. What it then shows is "
        "nothing, or what it once held; a value that it never held stays wrong",
        '"error"',
        "lambda store: store.issues",
    ),
    *(
        Declaration(f"make_{what}", f"`make_{what}(**fields)` builds its own type for {of}", f"{model}", "AcmeRecord")
        for what, of, model in (
            ("bar", "a price bar", "reference_store.models.PriceBar"),
            ("fundamental", "what is known of a company", "reference_store.models.FundamentalData"),
            ("event", "an event", "reference_store.models.Event"),
            ("decision", "a decision", "reference_store.models.Decision"),
            ("order", "an order", "reference_store.models.Order"),
            ("order_result", "what became of an order", "reference_store.models.OrderResult"),
            ("job", "a job", "reference_store.models.Job"),
        )
    ),
)

TAKES = (
    Declaration(
        "keys",
        "keys (of documents, logs, caches) are no text: the function makes the n-th key of them, another one for each "
        "number and always the same; hostile identifiers are then not asked",
        "text",
        'keys=lambda n: ("AAPL", n)',
    ),
    Declaration("aware", "only times with a zone", "with and without", "aware=True"),
    Declaration(
        "bars",
        '`"apart"` where bars are refused if there are others at their time, `"later"` if there are any at or after it',
        '`"replace"`',
        'bars="later"',
    ),
    Declaration("tick", "the step of prices of bars; prices between two steps are refused", "none", "tick=0.01"),
    Declaration("float_volume", "volumes of bars are floats", "integers", "float_volume=True"),
    Declaration(
        "intervals",
        "bars are kept by symbol and interval: all calls name one, `write_bars(symbol, bars, interval=...)` and "
        "`read_bars(symbol, start, end, interval=...)`; two or more of those that the store knows",
        "none",
        'intervals=("1m", "1h")',
    ),
    Declaration(
        "nanoseconds",
        "times of bars, in `make_bar(date=...)` and in `read_bars`, are whole numbers of nanoseconds since 1970 in UTC",
        "datetimes",
        "nanoseconds=True",
    ),
)
"""The arguments of ``Takes``."""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# What a store can say of itself"
    yield ""
    yield "This page is generated from `pytest_tradestore/declarations.py`; change it there. All of it is optional."
    yield "Each declaration is a plain attribute of the class or function that opens the store, or an argument of"
    yield "`StoreUnderTest`, without its prefix `tradestore_`. What only the instance has, or only the class that a"
    yield "function returns, comes too late to be read: the former is refused, and of the latter the run says where"
    yield "it would be read."
    yield ""
    yield "```python"
    yield "class Portfolio:"
    yield "    tradestore_errors = (AcmeError,)"
    yield '    tradestore_claims = ("processes", "backup")'
    yield "```"
    yield ""
    yield "| declaration | says | default | example |"
    yield "|---|---|---|---|"
    for declaration in DECLARATIONS:
        default, example = f"`{declaration.default}`", f"`{declaration.example}`"
        yield f"| `{declaration.name}` | {declaration.meaning} | {default} | {example} |"
    yield ""
    yield "## What a store takes"
    yield ""
    yield "Times, bars, ticks and volumes are found out by trying where nothing is declared; the rest has to be said. A"
    yield "value that a store refuses leaves undecided what it was needed for; what is said here, every family asks in."
    yield ""
    yield "```python"
    yield "from pytest_tradestore.takes import Takes"
    yield ""
    yield ""
    yield "class Catalogue:"
    yield '    tradestore_takes = Takes(aware=True, bars="later", tick=0.01)'
    yield "```"
    yield ""
    yield "| argument | says that | without it | example |"
    yield "|---|---|---|---|"
    for takes in TAKES:
        yield f"| `{takes.name}` | {takes.meaning} | {takes.default} | `{takes.example}` |"
    yield ""
    yield "## Capabilities"
    yield ""
    yield "What is not claimed is not asked, and no profile that it belongs to is reached: the verdict then says"
    yield "`not claimed: processes`."
    yield ""
    yield "| capability | promises that | claimed | is asked |"
    yield "|---|---|---|---|"
    for capability in CAPABILITIES:
        claimed = "unless disclaimed" if capability.by_default else "if declared"
        yield f"| `{capability.name}` | {capability.promise} | {claimed} | {capability.asks} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
