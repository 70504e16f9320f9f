"""What a case makes of a store that refuses, raises, hangs, keeps records of its own, or cannot be asked."""

import json
import os
import sqlite3
import threading
from collections import namedtuple
from contextlib import suppress
from datetime import datetime
from time import monotonic

import pytest

from pytest_tradestore.verdict import Verdict
from tests.sound_stores import trading
from tests.sound_stores.caches import PlainCache
from tests.sound_stores.plain import PlainJournal
from tests.sound_stores.trading_sqlite import Data


class OnlyWithZone(trading.PlainBars):
    """Refuses times without a zone."""

    def write_bars(self, symbol, bars):
        if any(bar.date.tzinfo is None for bar in bars):
            raise ValueError("a time without a zone")
        super().write_bars(symbol, bars)


def test_a_store_that_refuses_times_without_a_zone_is_asked_with_times_in_utc(judged):
    for requirement, case in (("DATA-BARS-RANGE", "bars"), ("DATA-MODEL", "bars-generated")):
        assert judged(OnlyWithZone, requirement, case).verdict is Verdict.HOLDS


def test_refusing_one_kind_of_timestamp_is_no_violation_and_is_counted(judged):
    result = judged(OnlyWithZone, "DATA-BARS-TIMESTAMPS", "bars")

    assert result.verdict is Verdict.HOLDS
    assert result.checked["refused"] >= 2


def test_control_a_store_that_refuses_both_kinds_violates(judged):
    class Refuses(trading.PlainBars):
        def write_bars(self, symbol, bars):
            raise ValueError("never")

    assert judged(Refuses, "DATA-BARS-TIMESTAMPS", "bars").counterexample.headline == (
        "neither times without a zone nor times in UTC are taken"
    )
    assert judged(Refuses, "DATA-BARS-RANGE", "bars").counterexample.found == ("ValueError: never",)


def test_control_an_undeclared_error_is_no_refusal(judged):
    class Fails(trading.PlainBars):
        def write_bars(self, symbol, bars):
            raise KeyError("negative price")

    assert "raised KeyError" in judged(Fails, "DATA-BARS-EXACT", "bars").counterexample.headline


class SmallNumbers(PlainJournal):
    """Refuses large numbers by an error that is neither declared nor a ValueError, as msgpack does."""

    def append(self, stream, record):
        if any(isinstance(value, int) and abs(value) >= 2**64 for value in record.values()):
            raise OverflowError("Integer value out of range")
        super().append(stream, record)


def test_an_undeclared_refusal_is_one_cause_whatever_value_shows_it_and_says_what_to_declare(judged):
    cases = ("integers", "generated")
    examples = [judged(SmallNumbers, "DATA-ROUNDTRIP", f"journal-{case}").counterexample for case in cases]

    (cause,) = {example.cause.culprit for example in examples}
    assert cause.fault == "append() refuses a value by an error that is not declared: OverflowError"
    assert "tradestore_errors" in examples[0].remedy == examples[0].cause.remedy
    assert "refuses the value by an error that the store declares" in examples[0].allowed[0]


def test_control_what_is_declared_is_a_refusal(judged):
    result = judged(SmallNumbers, "DATA-ROUNDTRIP", "journal-integers", errors=(ValueError, OSError, OverflowError))

    assert (result.verdict, result.checked["refused"]) == (Verdict.HOLDS, 1)


def test_a_record_that_is_not_there_is_not_said_to_come_back_as_something_else(judged):
    class TakesAndDrops(SmallNumbers):
        def append(self, stream, record):
            with suppress(OverflowError):
                super().append(stream, record)

    example = judged(TakesAndDrops, "DATA-ROUNDTRIP", "journal-integers").counterexample

    assert example.cause.culprit.fault == "what was written is not there"


def test_a_volume_that_is_refused_is_no_violation(judged):
    class SmallVolumes(trading.PlainBars):
        def write_bars(self, symbol, bars):
            if any(bar.volume > 2**53 for bar in bars):
                raise ValueError("too many")
            super().write_bars(symbol, bars)

    result = judged(SmallVolumes, "DATA-BARS-EXACT", "bars")

    assert (result.verdict, result.checked["refused"]) == (Verdict.HOLDS, 2)


def test_control_a_volume_that_goes_through_a_float_is_one(judged):
    class FloatVolumes(trading.PlainBars):
        def write_bars(self, symbol, bars):
            for bar in bars:
                bar.volume = float(bar.volume)
            super().write_bars(symbol, bars)

    result = judged(FloatVolumes, "DATA-BARS-EXACT", "bars")

    assert "9007199254740992.0" in result.counterexample.found[0]
    assert "9007199254740993" in result.counterexample.allowed[0]


Tick = namedtuple("Tick", "symbol date open high low close volume")


class OwnBars(trading.PlainBars):
    """Bars as tuples of its own."""

    make_bar = staticmethod(Tick)

    def read_bars(self, symbol, start, end):
        return [
            Tick(b.symbol, b.date, b.open, b.high, b.low, b.close, b.volume)
            for b in super().read_bars(symbol, start, end)
        ]

    def _read(self, directory, name):
        return [trading.PriceBar(**vars_of(bar)) for bar in super()._read(directory, name)]


def vars_of(bar):
    return {name: getattr(bar, name) for name in Tick._fields}


def test_a_store_is_asked_with_records_of_its_own(judged):
    for requirement, case in (("DATA-BARS-EXACT", "bars"), ("DATA-MODEL", "bars-generated")):
        assert judged(OwnBars, requirement, case).verdict is Verdict.HOLDS


def test_a_log_in_a_database_cannot_be_asked_whether_its_lines_are_rewritten(judged):
    for requirement in ("DATA-AUDIT-APPEND-ONLY", "DATA-AUDIT-DAYS"):
        result = judged(Data, requirement, "audit", recorder="strace")

        assert result.verdict is Verdict.NOT_APPLICABLE
        assert "file of lines" in result.reason or "files of lines" in result.reason


class UnseenAudit(trading.PlainAudit):
    """Opens a database beside its log, which the fake recorder cannot see."""

    def __init__(self, root):
        super().__init__(root)
        sqlite3.connect(root / "beside.sqlite").close()


class UnseenRewriting(UnseenAudit):
    """Keeps count of its lines in the first one."""

    def _log(self, kind, record):
        path = self._path(kind, datetime.now())  # noqa: DTZ005 - the day is the local one
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        path.write_text("\n".join([f"{len(lines) + 1} lines", *lines, json.dumps(record)]) + "\n")


def test_an_audit_log_that_cannot_be_recorded_is_compared_and_that_is_said(judged):
    result = judged(UnseenAudit, "DATA-AUDIT-APPEND-ONLY", "audit")

    assert result.verdict is Verdict.HOLDS
    assert result.checked["compared_files"] > 0
    assert "recorded" not in result.checked


def test_control_what_is_compared_finds_a_line_that_was_rewritten(judged):
    result = judged(UnseenRewriting, "DATA-AUDIT-APPEND-ONLY", "audit")

    assert result.verdict is Verdict.VIOLATED
    assert "no longer begins with" in result.counterexample.found[0]


class UnseenJobs(trading.PlainJobs):
    """The same for jobs."""

    def __init__(self, root):
        super().__init__(root)
        sqlite3.connect(root / "beside.sqlite").close()


class UnseenProgress(UnseenJobs):
    def update_progress(self, job_id, progress):
        super().update_progress(job_id, progress)
        (self.root / "progress").write_text(str(progress))


def test_progress_that_cannot_be_recorded_is_found_in_the_files(judged):
    holds, violates = (judged(s, "DATA-JOBS-PROGRESS-IN-MEMORY", "jobs") for s in (UnseenJobs, UnseenProgress))

    assert (holds.verdict, "compared_files" in holds.checked) == (Verdict.HOLDS, True)
    assert violates.counterexample.found == ("files changed by 1,000 calls: progress",)


@pytest.mark.proof
def test_a_batch_that_is_disclaimed_is_not_judged_and_that_is_said(judged):
    result = judged(trading.MonthByMonth, "ATOM-3", "bars")

    assert (result.verdict, result.unclaimed) == (Verdict.NOT_APPLICABLE, "atomic-batch")


@pytest.mark.proof
def test_control_the_same_store_without_the_disclaimer_is_judged(judged):
    result = judged(trading.MonthByMonth, "ATOM-3", "bars", disclaims=())

    assert result.verdict is Verdict.VIOLATED
    assert "is half done" in result.counterexample.headline


class EndsInReading(trading.PlainBars):
    """Ends its process, with a word, when it is read."""

    def read_bars(self, symbol, start, end):
        print("no licence for", symbol, flush=True)
        os._exit(3)


class HangsInReading(trading.PlainBars):
    def read_bars(self, symbol, start, end):
        threading.Event().wait()


class EndsInOpening(trading.PlainBars):
    def __init__(self, root):
        os._exit(3)


def test_the_call_that_ended_the_process_is_named_with_those_before_it_and_what_was_printed(judged):
    result = judged(EndsInReading, "DATA-BARS-RANGE", "bars")

    told = result.counterexample
    assert told.headline.startswith("read_bars('")
    assert told.headline.endswith(" ended the whole process: exited with status 3")
    assert [call.partition("(")[0] for call in told.workload][-2:] == ["write_bars", "read_bars"]
    assert told.headline.startswith(told.workload[-1])
    assert result.output.startswith("no licence for ")


def test_the_call_that_hung_is_named(judged):
    told = judged(HangsInReading, "DATA-BARS-RANGE", "bars", deadline=1).counterexample

    assert told.headline.startswith("read_bars('")
    assert told.headline.endswith(" took longer than 1 s")


class AnswersLate(PlainCache):
    """It has looked whether the value's time is over; that was long ago when it gets its turn to say what it found."""

    stalled = False

    def _is_over(self, entry):
        first, AnswersLate.stalled = not AnswersLate.stalled, True
        return not first and super()._is_over(entry)


class NeverOver(AnswersLate):
    def _is_over(self, entry):
        AnswersLate.stalled = True
        return False


@pytest.mark.parametrize(("store", "verdict"), [(AnswersLate, Verdict.HOLDS), (NeverOver, Verdict.VIOLATED)])
def test_a_value_is_read_after_its_time_if_it_was_asked_for_after_it_and_not_if_the_answer_came_late(
    judged, monkeypatch, store, verdict
):
    monkeypatch.setattr("pytest_tradestore.kits.cache.monotonic", lambda: monotonic() + 3600 * AnswersLate.stalled)

    assert judged(store, "DATA-CACHE-EXPIRED", "cache").verdict is verdict


def test_control_a_process_that_ends_before_any_call_ends_in_the_opening(judged):
    told = judged(EndsInOpening, "DATA-BARS-RANGE", "bars").counterexample

    assert told.headline == "opening the store ended the whole process: exited with status 3"
    assert told.workload == ()
