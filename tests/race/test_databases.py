"""sqlite3 under the scheduler: callers meet between statements, and whoever has to wait waits in virtual time."""

import sqlite3
import time
from contextlib import closing

import pytest

from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Actors, Ending, Program
from pytest_tradestore.race.search import run_schedules
from pytest_tradestore.target import StoreUnderTest
from tests.race.running import LOAD

INCREMENT = Call("increment", (), "", "increment()")
TWO = Program(((INCREMENT,), (INCREMENT,)), (LOAD,), (LOAD,), own_instances=True, kind=Actors.THREADS)


class Counter:
    """A number in a row, which is read and written back in one transaction."""

    begin = "BEGIN IMMEDIATE"
    timeout = 5.0

    def __init__(self, root):
        self.db = sqlite3.connect(root / "n.db", self.timeout, isolation_level=None, check_same_thread=False)
        self.db.execute("CREATE TABLE IF NOT EXISTS n (id INTEGER PRIMARY KEY, value INTEGER)")

    def save(self, data):
        self.db.execute("INSERT OR REPLACE INTO n VALUES (1, ?)", (data["n"],))

    def load(self):
        row = self.db.execute("SELECT value FROM n").fetchone()
        return row[0] if row else 0

    def increment(self):
        self.db.execute(self.begin)
        try:
            self.db.execute("INSERT OR REPLACE INTO n VALUES (1, ?)", (self.load() + 1,))
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        return "counted"

    def close(self):
        self.db.close()


class WithoutTransaction(Counter):
    def increment(self):
        self.db.execute("INSERT OR REPLACE INTO n VALUES (1, ?)", (self.load() + 1,))
        return "counted"


class Deferred(Counter):
    """Both have read when they want to write: SQLite lets one of them fail at once."""

    begin = "BEGIN"


class Impatient(Counter):
    """Does not wait for the other's transaction."""

    timeout = 0.0


class ByPragma(Counter):
    """Says by a statement how long it waits."""

    timeout = 0.0

    def __init__(self, root):
        super().__init__(root)
        assert self.db.execute("PRAGMA busy_timeout = 7000").fetchone() == (7000,)


class ByScript(Counter):
    """Counts in a script, which cannot be tried twice."""

    def increment(self):
        with self.db:
            self.db.executescript("BEGIN IMMEDIATE; INSERT OR IGNORE INTO n VALUES (1, 0); COMMIT;")
            self.db.executescript("BEGIN IMMEDIATE; UPDATE n SET value = value + 1; COMMIT;")
        return "counted"


class EndsByScript(Counter):
    """Ends its transaction by a script: what is open is committed before the first statement of one."""

    def increment(self):
        self.db.execute(self.begin)
        self.db.execute("INSERT OR REPLACE INTO n VALUES (1, ?)", (self.load() + 1,))
        self.db.executescript("SELECT 1")
        return "counted"


class KeptByAModule(EndsByScript):
    """Its connections outlive the execution in which they were made, as those in a pool of a module do."""

    place, pool, seen = None, [], None

    def __init__(self, root):
        if self.pool:
            self.db = self.pool.pop()
        else:
            super().__init__(self.place)
        if root != self.seen:
            type(self).seen = root
            self.db.execute("DELETE FROM n")

    def close(self):
        self.pool.append(self.db)


class EndsByClosing(Counter):
    """Looks at the number under the lock when it has counted, and lets go of that by closing."""

    def __init__(self, root):
        super().__init__(root)
        self.path = root / "n.db"

    def increment(self):
        counted = super().increment()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute(self.begin)
            assert db.execute("SELECT value FROM n").fetchone()
        return counted


class TakesNoTime(EndsByClosing):
    """Would tell if it had waited until its time was up."""

    def increment(self):
        began = time.monotonic()
        counted = super().increment()
        assert time.monotonic() - began < self.timeout
        return counted


def judge(execution):
    assert execution.ending is not Ending.HUNG
    for call in execution.history:
        if call.error:
            return f"{call.call.rendered} raised {call.error}"
    return None if execution.history[-1].result == 2 else f"lost: {execution.history[-1].result}"


def found(store, budget=120, program=TWO):
    return run_schedules(StoreUnderTest("sqlite", store), program, budget=budget, seed=0, judge=judge)


@pytest.mark.parametrize("store", [Counter, ByPragma, ByScript, EndsByScript, EndsByClosing, TakesNoTime])
def test_whoever_waits_for_a_transaction_gets_its_turn(store):
    result = found(store)

    assert (result.sentence, result.trouble) == ("", "")
    assert result.search.executions > 50


def test_a_connection_that_outlives_an_execution_frees_who_waits_in_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(KeptByAModule, "place", tmp_path)
    monkeypatch.setattr(KeptByAModule, "pool", [])

    result = found(KeptByAModule)

    assert (result.sentence, result.trouble) == ("", "")
    assert result.search.executions > 50


def test_control_what_lies_between_two_statements_is_found():
    result = found(WithoutTransaction)

    assert (result.sentence, result.repeated) == ("lost: 1", 10)


@pytest.mark.parametrize("store", [Deferred, Impatient])
def test_control_where_sqlite_does_not_wait_the_caller_is_told_that_the_database_is_locked(store):
    result = found(store)

    assert (result.sentence, result.repeated) == ("increment() raised OperationalError: database is locked", 10)


class Own(sqlite3.Connection):
    """A connection class of the store's own."""


class OwnConnection(Counter):
    def __init__(self, root):
        super().__init__(root)
        self.db.close()
        self.db = sqlite3.connect(root / "n.db", factory=Own, isolation_level=None, check_same_thread=False)
        assert type(self.db) is Own


def test_a_connection_class_of_the_store_is_left_alone():
    alone = Program(((INCREMENT,),), (INCREMENT,), (LOAD,), own_instances=True, kind=Actors.THREADS)

    assert found(OwnConnection, budget=4, program=alone).sentence == ""
