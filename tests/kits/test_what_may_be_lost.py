"""Contracts in which nothing is always an answer: what is gone is no breach, what is old or mixed up is one."""

import pytest

from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.oracle import Family, History, Oracle, judge_next_update
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.spec import Register
from pytest_tradestore.observation import Absent, Observation, Value
from pytest_tradestore.race.execution import Completed
from pytest_tradestore.race.linearizability import unexplained
from pytest_tradestore.race.models import StepModel

OLD, NEW = Value("1"), Value("2")


def showing(value):
    return Observation((("AAPL", value),))


def judged(seen, *, loses):
    states = (showing(Absent()), showing(OLD), showing(NEW))
    history = History(states, ("", "AAPL", "AAPL"), ("the opening", "put 1", "put 2"), loses)
    return {breach.family for breach in Oracle(history, durable=True).judge(Window(2, 2), showing(seen)).breaches}


def test_after_a_crash_an_entry_may_be_gone():
    assert judged(Absent(), loses=True) == set()


def test_control_of_other_contracts_it_may_not_and_an_old_value_never():
    assert judged(Absent(), loses=False) == {Family.DURABILITY}
    assert judged(OLD, loses=True) == {Family.DURABILITY}
    assert Family.ATOMICITY in judged(Value("12"), loses=True)


@pytest.mark.parametrize(("after", "later"), [(Absent(), Absent()), (NEW, Absent())])
def test_the_next_update_may_be_gone_too(after, later):
    assert judge_next_update(showing(OLD), "AAPL", showing(after), showing(later), loses=True) is None


def test_control_of_other_contracts_it_may_not():
    assert judge_next_update(showing(OLD), "AAPL", showing(NEW), showing(Absent())) is not None


def test_control_a_next_update_that_leaves_the_old_value_is_a_breach():
    assert judge_next_update(showing(OLD), "AAPL", showing(OLD), showing(OLD), loses=True) is not None


def history(result):
    put = Call("put", ("AAPL", {"version": 1}), "AAPL")
    again = Call("put", ("AAPL", {"version": 2}), "AAPL")
    get = Call("get", ("AAPL",), "AAPL")
    return (
        Completed(0, put, 0, 1, None, ""),
        Completed(0, again, 2, 3, None, ""),
        Completed(1, get, 4, 5, result, ""),
    )


def explained(result, *, loses):
    model = StepModel(Register("put", "get"), loses=loses)
    return unexplained(history(result), lambda _: model) is None


def test_among_concurrent_callers_an_entry_may_be_gone():
    assert explained(None, loses=True)
    assert explained({"version": 2}, loses=True)


def test_control_of_other_contracts_it_may_not_and_a_replaced_value_never_comes_back():
    assert not explained(None, loses=False)
    assert not explained({"version": 1}, loses=True)
