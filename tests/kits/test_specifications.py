"""What calls of jobs, runs and the audit log do one after another: programs and races share one description."""

from datetime import UTC, datetime

from pytest_tradestore.kits.audit import AuditLogKit
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.jobs import JobsKit, JobsSpec
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.kits.runs import RunsKit, RunsSpec
from pytest_tradestore.kits.spec import UNSAID
from pytest_tradestore.records import Records

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def job(name, status="pending", version=1, **fields):
    return Records().make_job(
        job_id=name, job_type="backtest", status=status, created_at=LONG_AGO, params={"version": version}, **fields
    )


def after(spec, *calls):
    state, answer = spec.initial, None
    for call in calls:
        state, answer = spec.apply(state, call)
    return state, answer


def test_a_job_is_the_one_saved_last_and_clean_up_takes_only_what_ended_long_ago():
    saves = (
        Call("save", (job("job-2", "completed", finished_at=LONG_AGO),)),
        Call("save", (job("job-1"),)),
        Call("save", (job("job-1", "running", 2),)),
    )

    assert after(JobsSpec(), *saves, Call("get", ("job-1",)))[1]["params"] == {"version": 2}
    assert after(JobsSpec(), *saves, Call("list"))[1] == ["job-1", "job-2"]
    assert after(JobsSpec(), *saves, Call("list", options={"status": "running"}))[1] == ["job-1"]
    assert after(JobsSpec(), *saves, Call("cleanup", (30,)), Call("list"))[1] == ["job-1"]
    assert after(JobsSpec(), *saves, Call("get", ("job-3",)))[1] is None


def test_progress_is_seen_at_once_and_after_reopening_nothing_is_said_of_it():
    spec = JobsSpec()
    state, _ = after(spec, Call("save", (job("job-1"),)), Call("update_progress", ("job-1", 0.5)))

    assert spec.apply(state, Call("get", ("job-1",)))[1]["progress"] == 0.5
    assert spec.apply(spec.reopened(state), Call("get", ("job-1",)))[1]["progress"] is UNSAID


def test_control_what_was_saved_again_has_no_progress_of_before():
    spec = JobsSpec()
    state, _ = after(spec, *(Call("save", (job("job-1"),)), Call("update_progress", ("job-1", 0.5))) * 1)
    state, _ = spec.apply(state, Call("save", (job("job-1", "running"),)))

    assert spec.apply(state, Call("get", ("job-1",)))[1]["progress"] != 0.5


def test_a_run_is_the_one_updated_last_and_a_deleted_one_is_gone():
    puts = [Call("create_or_update_run", ("run-1", "backtest"), options={"status": status}) for status in ("a", "b")]

    assert after(RunsSpec(), *puts, Call("get_run", ("run-1",)))[1]["status"] == "b"
    assert after(RunsSpec(), *puts, Call("list_runs", options={"kind": "other"}))[1] == []
    assert after(RunsSpec(), *puts, Call("delete_run", ("run-1",)), Call("list_runs"))[1] == []


def test_concurrent_callers_and_programs_share_one_specification():
    assert isinstance(JobsKit().spec_of("job-1"), type(JobsKit().spec))
    assert isinstance(RunsKit().spec_of("run-1"), type(RunsKit().spec))
    decided = Call("log_decision", ("momentum", Records().make_decision(symbol="A", action="BUY", reasoning="mark-1")))
    _, answer = after(AuditLogKit().spec_of("decisions"), decided, Call("read_decisions"))
    assert answer.items == ("mark-1",)


def test_what_concurrent_callers_do_is_known_to_the_specification():
    for name in ("jobs", "runs"):
        kit = kit_named(name)
        say = kit.concurrent(Records(), frozenset(kit.required))
        first, again, read = say.write(0), say.rewrite(1), say.read(0)
        spec = kit.spec_of(first.key)
        state, _ = spec.apply(spec.initial, first)
        assert spec.changes(first) and not spec.changes(read)
        before, later = (spec.told(spec.apply(s, read)[1]) for s in (state, spec.apply(state, again)[0]))
        assert before != later
