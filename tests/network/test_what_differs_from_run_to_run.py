"""Two runs are compared without what a store stamps its records with; what it was given is compared all the same."""

import json

from pytest_tradestore.backends.lines import Asked
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.network import evidence
from pytest_tradestore.network.client import Request
from pytest_tradestore.network.trials import After, Plan, Trial, history_of
from pytest_tradestore.network.varying import OF_THIS_RUN, Varying, between
from pytest_tradestore.observation import Absent, Failed, Names, Observation, Records, Value, canonical
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from tests.network.bucket_stores import BucketDocument


def state(seen, place="orders"):
    return Observation(((place, seen),))


def records(*items):
    return Records(tuple(canonical(item) for item in items))


def varying(*runs, calls=()):
    """What differs between runs that have shown these, one state each."""
    first, *others = (run if isinstance(run, list) else [run] for run in runs)
    history = History(tuple(map(state, first)), ("",) * len(first), ("",) * len(first))
    return between(history, (tuple(map(state, run)) for run in others), calls)


def blanked(seen, *runs, calls=()):
    """What is compared of a state when the runs have shown these."""
    return varying(*runs, calls=calls).without(state(seen)).at("orders")


def test_a_time_that_differs_between_two_runs_is_not_compared_in_any_record():
    one, other = records({"id": 1, "at": "10:00"}), records({"id": 1, "at": "10:01"})

    later = blanked(records({"id": 1, "at": "10:07"}, {"id": 2, "at": "10:08"}), one, other)

    assert [json.loads(item) for item in later.items] == [{"at": OF_THIS_RUN, "id": 1}, {"at": OF_THIS_RUN, "id": 2}]


def test_control_what_is_equal_in_both_runs_is_compared():
    one = records({"id": 1, "at": "10:00"})

    assert blanked(records({"id": 2, "at": "10:00"}), one, one) == records({"id": 2, "at": "10:00"})


def test_a_name_that_the_server_draws_deep_inside_is_not_compared_and_its_neighbours_are():
    one, other = Value('{"by":[{"name":"a","role":"x"}],"n":1}'), Value('{"by":[{"name":"b","role":"x"}],"n":1}')

    assert json.loads(blanked(one, one, other).text) == {"by": [{"name": OF_THIS_RUN, "role": "x"}], "n": 1}


def test_numbers_and_texts_that_change_their_kind_from_run_to_run_are_not_compared():
    one, other = Value('{"a":null,"b":1}'), Value('{"a":"10:00","b":1.5}')

    assert json.loads(blanked(one, one, other).text) == {"a": OF_THIS_RUN, "b": OF_THIS_RUN}


def test_a_place_whose_shape_differs_cannot_be_compared_and_is_named():
    one, other = records({"id": 1}), records({"id": 1}, {"id": 2})

    assert varying(one, other) == Varying(frozenset({("orders", ())}))
    assert varying(one, other).as_a_whole == ("orders",)
    assert blanked(one, one, other) == blanked(other, one, other) == Value(OF_THIS_RUN)


def test_control_that_there_is_nothing_at_such_a_place_is_still_seen():
    assert blanked(Absent(), records({"id": 1}), records()) == Absent()


def test_listed_names_that_differ_cannot_be_compared():
    assert varying(Names(("a",)), Names(("b",))).as_a_whole == ("orders",)


def test_a_record_without_the_field_is_left_as_it_is():
    one, other = records({"id": 1, "at": "10:00"}), records({"id": 1, "at": "10:01"})

    assert blanked(records({"id": 1}), one, other) == records({"id": 1})


def test_of_rows_only_the_column_that_differs_is_left_out():
    one, other = records([1, {"q": 5}, "10:00"]), records([1, {"q": 5}, "10:01"])

    assert blanked(records([9, {"q": 7}, "10:02"]), one, other) == records([9, {"q": 7}, OF_THIS_RUN])


def test_records_that_only_a_stamp_tells_apart_cannot_be_compared():
    one, other = records("10:00 order 1", "10:00 order 2"), records("10:01 order 1", "10:01 order 2")

    assert varying(one, other).as_a_whole == ("orders",)


def test_what_a_call_has_given_is_no_stamp_though_it_differs():
    one, other = Value('{"version":2}'), Value('{"version":1}')
    saves = [Call("save", ({"version": 1},)), Call("save", ({"version": 2},))]

    assert varying(one, other, calls=saves).as_a_whole == ("orders",)
    assert varying(one, other).as_a_whole == ()


def test_a_key_that_is_drawn_makes_its_place_one_that_cannot_be_compared():
    assert varying(Value('{"doc":{"a1":1}}'), Value('{"doc":{"b2":1}}')).as_a_whole == ("orders",)


def test_of_an_error_what_it_says_is_not_compared_and_which_it_is():
    one, other = Failed("KeyError", "request 17", declared=True), Failed("KeyError", "request 18", declared=True)

    assert blanked(one, one, other) == blanked(other, one, other)
    assert blanked(Failed("OSError", "request 19", declared=True), one, other) != blanked(one, one, other)


def test_a_time_in_one_state_only_is_left_out_of_all():
    first, last = Value('{"at":"10:00","n":1}'), Value('{"at":"10:01","n":1}')

    assert blanked(last, [first, last], [last, last]) == blanked(first, [first, last], [last, last])


UPDATES = tuple(Call("save", ({"n": n},), "orders", f"save({n})") for n in (1, 2))
WORKLOAD = Workload(kit_named("document"), UPDATES, (Call("load", (), "orders", "load()"),), None)


def saved(n, side):
    return state(Value(canonical({"n": n, "side": side})))


def found(monkeypatch, side_seen_before):
    """What is found of a client that died in the second save, where two plain runs have drawn the same side twice.

    The one that came after it saw the other side.
    """
    request = Request("save(2)", Asked("PUT orders", writes=True))
    nothing, last = state(Absent()), saved(41, "left")
    plain = Trial(Plan(), (request,), (nothing, saved(1, "left"), saved(2, "left")), Window(2, 2))
    after = After((), saved(1, "right"), last, last)
    died = Trial(Plan(dies=1), (request,), (nothing, saved(1, side_seen_before)), Window(1, 2), "save(2)", after=after)
    wrong = evidence._wrong(died, history_of(WORKLOAD, plain.states), whole=False)

    def told(run):
        run.control, run.runs, run.made = plain, [plain.states] * 2, [evidence._Made(died, tuple(wrong), 1)]

    monkeypatch.setattr(evidence._Run, "go", told)
    return evidence.gather_deaths(StoreUnderTest("acme", BucketDocument), WORKLOAD, Settings())


def test_what_two_runs_have_drawn_alike_and_a_client_has_seen_otherwise_before_it_died_is_held_against_nothing(
    monkeypatch,
):
    told = found(monkeypatch, "right")

    assert (told.undecided, told.violations) == ("", {})


def test_control_what_only_one_that_comes_after_it_sees_otherwise_is_found(monkeypatch):
    assert list(found(monkeypatch, "left").violations) == ["ATOM-1"]
