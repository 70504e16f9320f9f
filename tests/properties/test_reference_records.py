"""Fundamentals, events, states, jobs and runs against simple models in memory."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from reference_store import FileDataStore, JobStore, RunStore
from reference_store.models import Event, FundamentalData, Job, Status
from tests.reference_store.values import documents, text

pytestmark = pytest.mark.proof

START = datetime(2026, 1, 25, tzinfo=UTC)
moments = st.integers(0, 30).map(lambda n: START + n * timedelta(days=1, hours=7, microseconds=1))
names = st.sampled_from(["a", "b", "c-1", "D"])
statuses = st.sampled_from(list(Status))
FEW = settings(max_examples=25, stateful_step_count=15, deadline=None, database=None)


class Machine(RuleBasedStateMachine):
    root: Path
    count = 0

    def next_root(self) -> Path:
        Machine.count += 1
        return self.root / str(Machine.count)


class Data(Machine):
    """Versions, events and states as lists and dictionaries."""

    @initialize()
    def open(self) -> None:
        self.path = self.next_root()
        self.store = FileDataStore(self.path)
        self.versions: list[FundamentalData] = []
        self.events: list[Event] = []
        self.states: dict[str, Any] = {}

    @rule(timestamp=moments, employees=st.integers(), xml=text)
    def write_fundamental(self, timestamp: datetime, employees: int, xml: str) -> None:
        data = FundamentalData(symbol="AAPL", timestamp=timestamp, employees=employees, raw_xml=xml)
        self.store.write_fundamental("AAPL", data)
        self.versions.append(data)

    @rule(as_of=moments | st.none())
    def read_fundamental(self, as_of: datetime | None) -> None:
        known = [data for data in self.versions if as_of is None or data.timestamp <= as_of]
        latest = max((data.timestamp for data in known), default=None)
        expected = next((data for data in reversed(known) if data.timestamp == latest), None)
        assert self.store.read_fundamental("AAPL", as_of) == expected

    @rule(timestamp=moments, kind=names, data=documents)
    def write_event(self, timestamp: datetime, kind: str, data: Any) -> None:
        event = Event(type=kind, timestamp=timestamp, data=data)
        self.store.write_event(event)
        self.events.append(event)

    @rule(start=moments, end=moments, types=st.none() | st.lists(names))
    def read_events(self, start: datetime, end: datetime, types: list[str] | None) -> None:
        expected = [e for e in self.events if start <= e.timestamp <= end and (types is None or e.type in types)]
        assert self.store.read_events(start, end, types) == sorted(expected, key=lambda e: e.timestamp)

    @rule(name=names, state=documents)
    def save_state(self, name: str, state: Any) -> None:
        self.store.save_strategy_state(name, state)
        self.states[name] = state

    @rule(name=names)
    def load_state(self, name: str) -> None:
        assert self.store.load_strategy_state(name) == self.states.get(name)

    @rule()
    def reopen(self) -> None:
        self.store = FileDataStore(self.path)


class Jobs(Machine):
    """Jobs as a dictionary in the order of their first save, and two instances on the same file."""

    @initialize()
    def open(self) -> None:
        self.path = self.next_root()
        self.now = START
        self.stores = [JobStore(self.path, clock=lambda: self.now) for _ in range(2)]
        self.saved: dict[str, Job] = {}

    @rule(which=st.integers(0, 1), name=names, kind=names, status=statuses, created=moments, params=documents)
    def save(self, which: int, name: str, kind: str, status: Status, created: datetime, params: Any) -> None:
        job = Job(job_id=name, job_type=kind, status=status, created_at=created, params=params)
        asyncio.run(self.stores[which].save(job))
        self.saved[name] = job

    @rule(which=st.integers(0, 1), status=st.none() | statuses, kind=st.none() | names, limit=st.integers(0, 5))
    def read(self, which: int, status: Status | None, kind: str | None, limit: int) -> None:
        expected = [
            job
            for job in self.saved.values()
            if (status is None or job.status == status) and (kind is None or job.job_type == kind)
        ]
        store = self.stores[which]
        assert asyncio.run(store.list(status, kind, limit)) == expected[:limit]
        assert asyncio.run(store.list(status, kind, offset=limit)) == expected[limit:]

    @rule(which=st.integers(0, 1), now=moments, days=st.integers(0, 20))
    def cleanup(self, which: int, now: datetime, days: int) -> None:
        self.now = now
        end = now - timedelta(days=days)
        old = [name for name, job in self.saved.items() if job.status.terminal and job.created_at < end]
        assert asyncio.run(self.stores[which].cleanup(days)) == len(old)
        for name in old:
            del self.saved[name]

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.stores[which] = JobStore(self.path, clock=lambda: self.now)


class Runs(Machine):
    """Runs as a list, the one updated last at its end."""

    @initialize()
    def open(self) -> None:
        self.path = self.next_root()
        self.store = RunStore(self.path, clock=lambda: START)
        self.runs: list[tuple[str, Status, Any]] = []

    @rule(name=names, status=statuses, metrics=documents)
    def write(self, name: str, status: Status, metrics: Any) -> None:
        run = self.store.create_or_update_run(name, "kind", status=status, metrics=metrics)
        assert (run.started_at is None) <= (status is Status.PENDING)
        assert (run.finished_at is not None) == status.terminal
        self.runs = [*(run for run in self.runs if run[0] != name), (name, status, metrics)]

    @rule(name=names)
    def delete(self, name: str) -> None:
        assert self.store.delete_run(name) == any(run[0] == name for run in self.runs)
        self.runs = [run for run in self.runs if run[0] != name]

    @rule(status=st.none() | statuses, limit=st.integers(0, 5))
    def read(self, status: Status | None, limit: int) -> None:
        expected = [run for run in reversed(self.runs) if status is None or run[1] == status]
        found = self.store.list_runs(status=status, limit=limit) + self.store.list_runs(status=status, offset=limit)
        assert [(run.run_id, run.status, run.metrics) for run in found] == expected

    @rule()
    def reopen(self) -> None:
        self.store = RunStore(self.path, clock=lambda: START)


def test_fundamentals_events_and_states_behave_like_lists_and_dictionaries(tmp_path: Path) -> None:
    Machine.root = tmp_path
    run_state_machine_as_test(Data, settings=FEW)


def test_jobs_behave_like_a_dictionary(tmp_path: Path) -> None:
    Machine.root = tmp_path
    run_state_machine_as_test(Jobs, settings=FEW)


def test_runs_behave_like_a_list(tmp_path: Path) -> None:
    Machine.root = tmp_path
    run_state_machine_as_test(Runs, settings=FEW)
