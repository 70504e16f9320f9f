"""What is done to each store and how it is looked at: the same calls for its synchronous and asynchronous faces.

A change carries its writer and number. ``change`` returns what the method of the store returns, something to await in
asyncio; ``look`` is asked of a synchronous store, or of one whose answers ``ended`` has waited for.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import reference_store as rs
from reference_store.models import Decision, Event, FundamentalData, Job, PriceBar
from tests.stress.judge import Seen

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2036, 1, 1, tzinfo=UTC)
ALL = {"limit": 1_000_000}
WRITERS = 1_000
"""No writer has this number, or a greater one: what each has kept under a name of its own is looked for."""

Answer = Callable[[Any], Any]
"""Waits for what an asynchronous method returned; hands on what a synchronous one did."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a store keeps, see ``judge`` for the kinds; ``needs`` is a method that not every version has."""

    kind: str
    change: Callable[[Any, int, int], Any]
    look: Callable[[Any, Answer], Seen | None]
    """None when there is nothing to be said."""
    ordered: bool = False
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Stressed:
    """A store under stress: how it is opened for threads and for tasks, if it is, and its parts."""

    threads: Callable[[Path, float], Any] | None
    tasks: Callable[[Path, float], Any] | None
    parts: dict[str, Part]
    prepare: Callable[[Any, Answer], None] = lambda _store, _ended: None
    """Puts there what the parts need before anybody writes; is given a store for tasks if there is one."""


def pair(document: Any) -> tuple[int, int]:
    return int(document["writer"]), int(document["number"])


def added(writer: int, number: int) -> Callable[[Any], dict[str, Any]]:
    """A function for ``update``: the document with one change more."""

    def more(document: Any) -> dict[str, Any]:
        return {"changes": [*((document or {}).get("changes") or []), [writer, number]]}

    return more


def changes_of(document: Any) -> Seen:
    return [(writer, number) for writer, number in (document or {}).get("changes", [])]


def listed(store: Any, ended: Answer) -> Seen:
    """Look at each key that is listed."""
    return [pair(ended(store.get(key))) for key in ended(store.keys()) if key.startswith("own ")]


DOCUMENTS = {
    "documents": Part("last", lambda s, w, n: s.put(f"own {w}", {"writer": w, "number": n}), listed),
    "shared": Part(
        "one",
        lambda s, w, n: s.put("shared", {"writer": w, "number": n}),
        lambda s, ended: [pair(found)] if (found := ended(s.get("shared"))) is not None else [],
    ),
    "updated": Part(
        "all",
        lambda s, w, n: s.update("changes", added(w, n)),
        lambda s, ended: changes_of(ended(s.get("changes"))),
        ordered=True,
        needs="update",
    ),
}

SINGLE = {
    "saved": Part(
        "one",
        lambda s, w, n: s.save({"writer": w, "number": n}),
        lambda s, ended: [pair(found)] if (found := ended(s.load())) else [],
    ),
}

UPDATED_SINGLE = {
    "updated": Part(
        "all",
        lambda s, w, n: s.update(added(w, n)),
        lambda s, ended: changes_of(ended(s.load())),
        ordered=True,
        needs="update",
    ),
}

JOURNAL = {
    name: Part(
        "all",
        lambda s, w, n, name=name: s.append(name, {"writer": w, "number": n}),
        lambda s, ended, name=name: [pair(record) for record in ended(s.read(name))],
        ordered=True,
    )
    for name in ("orders", "fills")
}


def bars(writer: int, number: int) -> list[PriceBar]:
    """Two bars, in months far apart, that no other change has."""
    first = FIRST + timedelta(hours=writer, microseconds=number)
    return [
        PriceBar(symbol="AAPL", date=when, open=1.0, high=2.0, low=0.5, close=1.5, volume=number)
        for when in (first, first + (LATER - FIRST))
    ]


def seen_bars(store: Any, ended: Answer) -> Seen:
    """The changes whose two bars are both there; a half of one is nobody's change."""
    seen: dict[tuple[int, int], int] = {}
    for bar in ended(store.read_bars("AAPL", FIRST, LATER + (LATER - FIRST))):
        since = (bar.date - FIRST) % (LATER - FIRST)
        change = since // timedelta(hours=1), bar.volume
        seen[change] = seen.get(change, 0) + 1
    return [change if count == 2 else (-1, change[1]) for change, count in seen.items()]


def next_bars(writer: int, number: int) -> dict[str, list[PriceBar]]:
    """A bar for each of two symbols, all or none; they wait beside their months, and are folded now and then."""
    when = FIRST + timedelta(hours=writer, microseconds=number)
    return {
        symbol: [PriceBar(symbol=symbol, date=when, open=1.0, high=2.0, low=0.5, close=1.5, volume=number)]
        for symbol in ("MSFT", "GOOG")
    }


def write_next(store: Any, writer: int, number: int) -> Any:
    """Write them; each thirtieth write is one of months, which folds what waits of these symbols."""
    new = next_bars(writer, number)
    return store.write_bars_of_many(new) if number % 30 else store.write_bars("MSFT", new["MSFT"])


def seen_next(store: Any, ended: Answer) -> Seen:
    """The changes of which both bars are there, or the one of MSFT alone if it was written alone."""
    first, second = (
        [((bar.date - FIRST) // timedelta(hours=1), bar.volume) for bar in ended(store.read_bars(symbol, FIRST, LATER))]
        for symbol in ("MSFT", "GOOG")  # in this order: what is only in the second came in between
    )
    both = set(second)
    return [*first, *((-1, number) for writer, number in first if number % 30 and (writer, number) not in both)]


def company(writer: int, number: int) -> FundamentalData:
    when = FIRST + timedelta(microseconds=number)
    return FundamentalData(symbol=f"C{writer}", timestamp=when, employees=number, cik=str(writer))


def companies(store: Any, ended: Answer, writers: int = WRITERS) -> Seen:
    found = (ended(store.read_fundamental(f"C{writer}")) for writer in range(writers))
    return [(int(version.cik), version.employees) for version in found if version is not None]


def of_text(text: str) -> tuple[int, int]:
    writer, number = text.split()
    return int(writer), int(number)


def clock() -> datetime:
    """One day, so that the audit log is one file."""
    return FIRST


TRADING = {
    "bars": Part("all", lambda s, w, n: s.write_bars("AAPL", bars(w, n)), seen_bars),
    "next-bars": Part("all", write_next, seen_next, needs="write_bars_of_many"),
    "companies": Part("last", lambda s, w, n: s.write_fundamental(f"C{w}", company(w, n)), companies),
    "events": Part(
        "all",
        lambda s, w, n: s.write_event(Event(type="x", timestamp=FIRST + timedelta(days=w % 90), symbol=f"{w} {n}")),
        lambda s, ended: [of_text(event.symbol) for event in ended(s.read_events(FIRST, LATER))],
    ),
    "states": Part(
        "last",
        lambda s, w, n: s.save_strategy_state(f"own {w}", {"writer": w, "number": n}),
        lambda s, ended: [
            pair(found) for w in range(WRITERS) if (found := ended(s.load_strategy_state(f"own {w}"))) is not None
        ],
    ),
    "decisions": Part(
        "all",
        lambda s, w, n: s.log_decision("momentum", Decision(symbol="AAPL", action="BUY", reasoning=f"{w} {n}")),
        lambda s, ended: [of_text(line["decision"]["reasoning"]) for line in ended(s.read_decisions(FIRST.date()))],
        ordered=True,
    ),
    "updated": Part(
        "all",
        lambda s, w, n: s.update_strategy_state("changes", added(w, n)),
        lambda s, ended: changes_of(ended(s.load_strategy_state("changes"))),
        ordered=True,
        needs="update_strategy_state",
    ),
}


def job(job_id: str, writer: int, number: int) -> Job:
    return Job(job_id=job_id, job_type="stress", params={"writer": writer, "number": number})


JOBS = {
    "jobs": Part(
        "last",
        lambda s, w, n: s.save(job(f"own-{w}", w, n)),
        lambda s, ended: [pair(j.params) for j in ended(s.list(**ALL)) if j.job_id.startswith("own-")],
    ),
    "many-jobs": Part(
        "all",
        lambda s, w, n: s.save(job(f"job-{w}-{n}", w, n)),
        lambda s, ended: [pair(j.params) for j in ended(s.list(**ALL)) if j.job_id.startswith("job-")],
    ),
}

CLAIMABLE = 1_500


def claimed(store: Any, ended: Answer) -> Seen | None:
    """Who has claimed the jobs of the queue; nothing can be said when there were not enough for all."""
    found = ended(store.list(job_type="queue", **ALL))
    if sum(job.claimed_by is None for job in found) < 50:
        return None
    return [of_text(job.claimed_by) for job in found if job.claimed_by is not None]


def adding(field: str, writer: int, number: int) -> Callable[[Any], Any]:
    """A function for ``update_job`` and ``update_run``: the record with one change more in ``field``."""
    more = added(writer, number)
    return lambda record: record.model_copy(update={field: more(getattr(record, field))})


def prepare_jobs(store: Any, ended: Answer) -> None:
    """A job that all update, and a queue from which they claim."""

    async def save() -> None:
        jobs = [Job(job_id=f"queue-{number}", job_type="queue") for number in range(CLAIMABLE)]
        await asyncio.gather(*map(store.save, [Job(job_id="changes", job_type="shared"), *jobs]))

    if hasattr(store, "update_job"):
        ended(save())


def prepare_runs(store: Any, ended: Answer) -> None:
    """A run that all update."""
    ended(store.create_or_update_run("changes", "shared"))


JOBS |= {
    "updated": Part(
        "all",
        lambda s, w, n: s.update_job("changes", adding("params", w, n)),
        lambda s, ended: changes_of(ended(s.get("changes")).params),
        ordered=True,
        needs="update_job",
    ),
    "claimed": Part("all", lambda s, w, n: s.claim_next("queue", worker=f"{w} {n}"), claimed, needs="claim_next"),
}

RUNS = {
    "updated": Part(
        "all",
        lambda s, w, n: s.update_run("changes", adding("metrics", w, n)),
        lambda s, ended: changes_of(ended(s.get_run("changes")).metrics),
        ordered=True,
        needs="update_run",
    ),
    "runs": Part(
        "last",
        lambda s, w, n: s.create_or_update_run(f"own-{w}", "own", metrics={"writer": w, "number": n}),
        lambda s, ended: [pair(run.metrics) for run in ended(s.list_runs(kind="own", **ALL))],
    ),
    "many-runs": Part(
        "all",
        lambda s, w, n: s.create_or_update_run(f"run-{w}-{n}", "many", metrics={"writer": w, "number": n}),
        lambda s, ended: [pair(run.metrics) for run in ended(s.list_runs(kind="many", **ALL))],
    ),
}


def opened(name: str, *given: Any, **options: Any) -> Callable[[Path, float], Any] | None:
    """How the store ``name`` is opened, None if there is no such store."""
    kind = getattr(rs, name, None)
    return kind and (lambda root, timeout: kind(root, *given, lock_timeout=timeout, **options))


STORES = {
    "documents": Stressed(opened("DocumentStore"), opened("AsyncDocumentStore"), DOCUMENTS),
    "single": Stressed(opened("SingleDocumentStore", "data"), opened("AsyncSingleDocumentStore", "data"), SINGLE),
    "single-updated": Stressed(
        opened("SingleDocumentStore", "data"), opened("AsyncSingleDocumentStore", "data"), UPDATED_SINGLE
    ),
    "journal": Stressed(opened("JournalStore"), opened("AsyncJournalStore"), JOURNAL),
    "trading": Stressed(opened("FileDataStore", clock=clock), opened("AsyncFileDataStore", clock=clock), TRADING),
    "jobs": Stressed(opened("SyncJobStore"), opened("JobStore"), JOBS, prepare_jobs),
    "runs": Stressed(opened("RunStore"), opened("AsyncRunStore"), RUNS, prepare_runs),
}
