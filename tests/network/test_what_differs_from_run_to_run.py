"""Two runs are compared without what a store stamps its records with; what it was given is compared all the same."""

import json

from pytest_tradestore.crash.oracle import History
from pytest_tradestore.network.varying import OF_THIS_RUN, Varying, between, history_without
from pytest_tradestore.observation import Absent, Names, Observation, Records, Value, canonical


def state(seen, place="orders"):
    return Observation(((place, seen),))


def records(*items):
    return Records(tuple(canonical(item) for item in items))


def blanked(seen, *runs):
    """What is compared of a state when the runs have shown these."""
    varying = between((state(runs[0]),), ((state(run),) for run in runs[1:]))
    (only,) = history_without(History((state(seen),), ("",), ("",)), varying).states
    return only.at("orders")


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

    varying = between((state(one),), [(state(other),)])

    assert varying == Varying(frozenset({("orders", ())}))
    assert varying.as_a_whole == ("orders",)
    assert blanked(one, one, other) == blanked(other, one, other) == Value(OF_THIS_RUN)


def test_control_that_there_is_nothing_at_such_a_place_is_still_seen():
    assert blanked(Absent(), records({"id": 1}), records()) == Absent()


def test_listed_names_that_differ_cannot_be_compared():
    assert between((state(Names(("a",))),), [(state(Names(("b",))),)]).as_a_whole == ("orders",)


def test_a_record_without_the_field_is_left_as_it_is():
    one, other = records({"id": 1, "at": "10:00"}), records({"id": 1, "at": "10:01"})

    assert blanked(records({"id": 1}), one, other) == records({"id": 1})
