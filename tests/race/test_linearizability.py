"""The linearizability checker agrees with trying every order, and judges calls that gave no result fairly."""

from itertools import chain, combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.race.execution import CANCELLED, Completed
from pytest_tradestore.race.linearizability import IMPOSSIBLE, unexplained
from pytest_tradestore.race.models import models_of


def put(value, key="AAPL"):
    return Call("put", (key, {"v": value}), key, f"put({key!r}, {value})")


def get(key="AAPL"):
    return Call("get", (key,), key, f"get({key!r})")


def delete(key="AAPL"):
    return Call("delete", (key,), key, f"delete({key!r})")


def append(number):
    return Call("append", ("orders", {"order": number}), "orders", f"append({number})")


READ = Call("read", ("orders",), "orders", "read('orders')")


def happened(actor, call, invoked, returned, result=None, error=""):
    return Completed(actor, call, invoked, returned, result, error)


def fits(history, contract="documents"):
    return unexplained(tuple(history), models_of(kit_named(contract))) is None


# The reference that the checker is held to: every choice of optional calls, every order, no cleverness.


def fits_by_trying_every_order(history, model):
    def may_be_left_out(c):
        return c.returned is None or bool(c.error)

    def what_it_does(c):
        return model.effect(c.call) if may_be_left_out(c) else model.transition(c.call, c.result)

    def keeps_real_time(order):
        return not any(
            later.returned is not None and later.returned < earlier.invoked
            for i, earlier in enumerate(order)
            for later in order[i + 1 :]
        )

    def explains(order):
        state = model.initial
        for c in order:
            state = what_it_does(c)(state)
            if state is IMPOSSIBLE:
                return False
        return True

    fixed = [c for c in history if not may_be_left_out(c)]
    optional = [c for c in history if may_be_left_out(c) and model.effect(c.call)]
    choices = chain.from_iterable(combinations(optional, k) for k in range(len(optional) + 1))
    return any(
        keeps_real_time(order) and explains(order) for chosen in choices for order in permutations([*fixed, *chosen])
    )


@st.composite
def histories(draw, calls, results):
    """Up to five calls at random positions, some without a return, some with an error, results at random."""
    count = draw(st.integers(0, 5))
    positions = draw(st.permutations(range(2 * count)))
    history = []
    for i in range(count):
        invoked, returned = sorted(positions[2 * i : 2 * i + 2])
        call = draw(calls)
        ending = draw(st.sampled_from(["result", "result", "result", "raised", "pending"]))
        history.append(
            Completed(
                i,
                call,
                invoked,
                None if ending == "pending" else returned,
                draw(results) if ending == "result" else None,
                "OSError" if ending == "raised" else "",
            )
        )
    return tuple(history)


register_histories = histories(
    st.sampled_from([put(1), put(2), put(3), get(), get(), delete()]),
    st.sampled_from([None, {"v": 1}, {"v": 2}, {"v": 3}]),
)
log_histories = histories(
    st.sampled_from([append(1), append(2), READ]),
    st.lists(st.integers(1, 2), max_size=3).map(lambda numbers: [{"order": n} for n in numbers]),
)


@pytest.mark.proof
@settings(max_examples=300, deadline=None)
@given(register_histories)
def test_of_a_register_it_says_what_trying_every_order_says(history):
    model = models_of(kit_named("documents"))("AAPL")

    assert fits(history) == fits_by_trying_every_order(history, model)


@pytest.mark.proof
@settings(max_examples=300, deadline=None)
@given(log_histories)
def test_of_a_log_it_says_what_trying_every_order_says(history):
    model = models_of(kit_named("journal"))("orders")

    assert fits(history, "journal") == fits_by_trying_every_order(history, model)


@settings(max_examples=300, deadline=None)
@given(register_histories)
def test_the_order_that_it_shows_explains_the_calls_in_it(history):
    found = unexplained(history, models_of(kit_named("documents")))

    if found is not None:
        assert found.stuck in found.calls
        assert found.stuck not in found.order
        assert fits_by_trying_every_order(found.order, models_of(kit_named("documents"))("AAPL"))


# Cases with names.


def test_a_value_that_two_writers_raced_for_may_be_either():
    for seen in (1, 2):
        assert fits([happened(0, put(1), 0, 3), happened(1, put(2), 1, 2), happened(0, get(), 4, 5, {"v": seen})])


def test_control_a_value_that_was_replaced_before_the_read_began_may_not_be_seen():
    assert not fits([happened(0, put(1), 0, 1), happened(0, put(2), 2, 3), happened(1, get(), 4, 5, {"v": 1})])


def test_two_readers_agree_on_the_order_of_two_racing_writes():
    writes = [happened(0, put(1), 0, 9), happened(1, put(2), 1, 8)]
    same = [happened(2, get(), 2, 3, {"v": 1}), happened(2, get(), 4, 5, {"v": 2})]
    back = [*same, happened(2, get(), 6, 7, {"v": 1})]

    assert fits([*writes, *same])
    assert not fits([*writes, *back])


def test_a_call_that_never_returned_may_show_late_or_never():
    pending = happened(0, put(1), 0, None)
    assert fits([pending, happened(1, get(), 1, 2, None), happened(1, get(), 3, 4, {"v": 1})])
    assert fits([pending, happened(1, get(), 1, 2, None)])


def test_control_what_showed_once_does_not_vanish_again():
    seen = [happened(1, get(), 1, 2, {"v": 1}), happened(1, get(), 3, 4, None)]
    assert not fits([happened(0, put(1), 0, None), *seen])


def test_a_call_that_raised_has_happened_by_then_or_not_at_all():
    raised = happened(0, put(1), 0, 1, error="OSError")
    assert fits([raised, happened(1, get(), 2, 3, {"v": 1})])
    assert fits([raised, happened(1, get(), 2, 3, None)])


def test_control_a_call_that_raised_does_not_happen_after_its_error():
    raised = happened(0, put(1), 0, 1, error="OSError")
    assert not fits([raised, happened(1, get(), 2, 3, None), happened(1, get(), 4, 5, {"v": 1})])


def test_a_cancelled_call_may_land_late_where_it_undoes_nothing():
    cancelled = happened(0, put(1), 0, 1, error=CANCELLED)
    assert fits([cancelled, happened(1, get(), 2, 3, None), happened(1, get(), 4, 5, {"v": 1})])


def test_a_cancelled_call_does_not_land_on_top_of_a_newer_acknowledged_update():
    cancelled, newer = happened(0, put(1), 0, 1, error=CANCELLED), happened(1, put(2), 2, 3)
    assert fits([cancelled, newer, happened(1, get(), 4, 5, {"v": 2})])
    assert not fits([cancelled, newer, happened(1, get(), 4, 5, {"v": 1})])


def test_a_cancelled_append_may_land_behind_a_newer_one():
    late = [{"order": 2}, {"order": 1}]
    history = [happened(0, append(1), 0, 1, error=CANCELLED), happened(1, append(2), 2, 3)]
    assert fits([*history, happened(1, READ, 4, 5, late)], "journal")


def test_control_a_cancelled_append_shows_only_once():
    twice = [{"order": 1}, {"order": 1}]
    assert not fits([happened(0, append(1), 0, 1, error=CANCELLED), happened(1, READ, 4, 5, twice)], "journal")


def test_keys_are_judged_each_by_itself():
    history = [happened(0, put(1, "AAPL"), 0, 1), happened(1, get("MSFT"), 2, 3, None)]
    assert fits(history)


def test_a_listing_is_judged_over_all_keys():
    def everywhere(call):
        return Call(call.method, call.arguments, "keys()", call.rendered)

    keys = Call("keys", (), "keys()", "keys()")
    writes = [happened(0, everywhere(put(1, "AAPL")), 0, 1), happened(1, everywhere(put(2, "MSFT")), 2, 3)]

    assert fits([*writes, happened(0, keys, 4, 5, ["MSFT", "AAPL"])])
    assert not fits([*writes, happened(0, keys, 4, 5, ["MSFT"])])


@pytest.mark.parametrize("read", [[{"order": 2}], [{"order": 1}], [{"order": 1}, {"order": 2}, {"order": 1}], []])
def test_a_log_that_lost_or_repeated_a_racing_append_is_not_explained(read):
    history = [happened(0, append(1), 0, 3), happened(1, append(2), 1, 2), happened(0, READ, 4, 5, read)]
    assert not fits(history, "journal")


def test_control_a_log_has_racing_appends_in_either_order():
    for read in ([{"order": 1}, {"order": 2}], [{"order": 2}, {"order": 1}]):
        history = [happened(0, append(1), 0, 3), happened(1, append(2), 1, 2), happened(0, READ, 4, 5, read)]
        assert fits(history, "journal")


def test_no_calls_need_no_explanation():
    assert fits([])
