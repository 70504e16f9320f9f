"""Which observation after a crash is allowed, and by which name a forbidden one goes."""

import pytest

from pytest_tradestore.causes import Harm
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.oracle import Earlier, Family, History, Oracle, first_of_each, judge_next_update
from pytest_tradestore.observation import Absent, Failed, Names, Observation, Records, Value

NOTHING = Absent()
V1, V2, V3, TORN = (Value(f'{{"version": {n}}}') for n in (1, 2, 3, "?"))
BROKEN = Failed("JSONDecodeError", "Expecting value", declared=True)

OPENED, FIRST, BETWEEN, SECOND, LAST, CLOSING = (
    Window(0, 0),
    Window(0, 1),
    Window(1, 1),
    Window(1, 2),
    Window(2, 2),
    Window(2, 3),
)


def history_of(place, *seen):
    """What a place showed after opening and after each update of it."""
    names = ("the opening", *(f"update {n}" for n in range(1, len(seen))))
    states = tuple(Observation(((place, s),)) for s in seen)
    return History(states, ("", *(place for _ in names[1:])), names)


DOCUMENT = history_of("AAPL", NOTHING, V1, V2)
LOG = history_of("orders", *(Records(tuple("abc"[:n])) for n in range(4)))


def families(history, window, seen, *, durable=True):
    place = history.states[0].places[0][0]
    judgement = Oracle(history, durable=durable).judge(window, Observation(((place, seen),)))
    assert not (judgement.breaches and judgement.expected)
    return [b.family for b in judgement.breaches]


ATOM, DUR = Family.ATOMICITY, Family.DURABILITY

DOCUMENT_TABLE = {
    "the state before is fine while the update is in flight": (SECOND, V1, []),
    "the state after too": (SECOND, V2, []),
    "nothing is fine before the first update": (FIRST, NOTHING, []),
    "a mixture is torn": (SECOND, TORN, [ATOM]),
    "an unreadable document is torn": (SECOND, BROKEN, [ATOM]),
    "a gap is torn: it is missing while being replaced": (SECOND, NOTHING, [ATOM]),
    "the acknowledged state is fine afterwards": (LAST, V2, []),
    "an older one is a lost update": (LAST, V1, [DUR]),
    "a missing one is a lost update": (BETWEEN, NOTHING, [DUR]),
    "an unreadable one afterwards is torn and lost": (LAST, BROKEN, [ATOM, DUR]),
    "the new state before it was asked for is no state yet": (BETWEEN, V2, [ATOM, DUR]),
    "closing changes nothing: an older state is a lost update": (CLOSING, V1, [DUR]),
    "closing changes nothing: an unreadable one is torn and lost": (CLOSING, BROKEN, [ATOM, DUR]),
}


@pytest.mark.parametrize(("window", "seen", "expected"), DOCUMENT_TABLE.values(), ids=list(DOCUMENT_TABLE))
def test_a_document_after_a_crash(window, seen, expected):
    assert families(DOCUMENT, window, seen) == expected


WITHOUT_POWER_LOSS = {
    "an older state is fine": (LAST, V1, []),
    "nothing at all too": (LAST, NOTHING, []),
    "also while an update is in flight": (SECOND, NOTHING, []),
    "but a mixture never": (LAST, TORN, [ATOM]),
    "and an unreadable one never": (SECOND, BROKEN, [ATOM]),
}


@pytest.mark.parametrize(("window", "seen", "expected"), WITHOUT_POWER_LOSS.values(), ids=list(WITHOUT_POWER_LOSS))
def test_a_document_of_a_store_that_does_not_claim_to_survive_power_loss(window, seen, expected):
    assert families(DOCUMENT, window, seen, durable=False) == expected


def settled(seen, *, durable=True, quiet=()):
    oracle = Oracle(DOCUMENT, durable=durable)
    for value in quiet:
        oracle.judge(BETWEEN, Observation((("AAPL", value),)))
    return [b.family for b in oracle.judge(SECOND, Observation((("AAPL", seen),)), settled=True).breaches]


@pytest.mark.parametrize("durable", [True, False])
def test_an_update_that_takes_away_what_had_settled_is_not_excused_by_an_older_state(durable):
    assert settled(NOTHING, durable=durable) == [ATOM]


def test_nor_by_what_could_also_be_seen_before_it_when_less_was_on_disk():
    assert settled(NOTHING, quiet=[NOTHING]) == [ATOM]


def test_control_but_by_what_is_seen_before_it_when_nothing_is_lost():
    oracle = Oracle(DOCUMENT, durable=True)
    oracle.judge(BETWEEN, Observation((("AAPL", NOTHING),)), lost=False)

    assert oracle.judge(SECOND, Observation((("AAPL", NOTHING),)), settled=True).breaches == ()


def test_control_without_the_rest_before_it_both_excuse_it():
    oracle = Oracle(DOCUMENT, durable=True)
    oracle.judge(BETWEEN, Observation((("AAPL", NOTHING),)))

    assert oracle.judge(SECOND, Observation((("AAPL", NOTHING),))).breaches == ()
    assert families(DOCUMENT, SECOND, NOTHING, durable=False) == []


@pytest.mark.parametrize("seen", [V1, V2])
def test_control_before_and_after_are_right_however_much_had_settled(seen):
    assert settled(seen, durable=False) == []


def records(text):
    return Records(tuple(text))


LOG_TABLE = {
    "all records": (Window(3, 3), "abc", []),
    "the new record is there or not": (Window(2, 3), "ab", []),
    "the new record is there": (Window(2, 3), "abc", []),
    "the last record is lost": (Window(3, 3), "ab", [DUR]),
    "all are lost": (Window(3, 3), "", [DUR]),
    "an append in flight takes an acknowledged record with it": (Window(2, 3), "a", [ATOM]),
    "a hole": (Window(3, 3), "ac", [Family.LOG_ORDER]),
    "a hole while an append is in flight": (Window(2, 3), "ac", [Family.LOG_ORDER]),
    "the first is missing": (Window(2, 2), "b", [Family.LOG_ORDER]),
    "twice": (Window(3, 3), "abcc", [Family.LOG_ORDER]),
    "out of order": (Window(3, 3), "acb", [Family.LOG_ORDER]),
    "a record that nobody appended": (Window(2, 3), "abX", [ATOM]),
    "one that nobody appended, afterwards": (Window(3, 3), "abX", [ATOM, DUR]),
}


@pytest.mark.parametrize(("window", "seen", "expected"), LOG_TABLE.values(), ids=list(LOG_TABLE))
def test_a_log_after_a_crash(window, seen, expected):
    assert families(LOG, window, records(seen)) == expected


LOG_WITHOUT_POWER_LOSS = {
    "records lost from the end are fine": (Window(3, 3), "a", []),
    "also while an append is in flight": (Window(2, 3), "a", []),
    "a hole is not": (Window(3, 3), "ac", [Family.LOG_ORDER]),
    "a torn record is not": (Window(2, 3), "abX", [ATOM]),
}


@pytest.mark.parametrize(
    ("window", "seen", "expected"), LOG_WITHOUT_POWER_LOSS.values(), ids=list(LOG_WITHOUT_POWER_LOSS)
)
def test_a_log_of_a_store_that_does_not_claim_to_survive_power_loss(window, seen, expected):
    assert families(LOG, window, records(seen), durable=False) == expected


def test_a_log_that_cannot_be_read_is_torn():
    assert families(LOG, Window(2, 3), BROKEN) == [ATOM]
    assert families(LOG, Window(3, 3), BROKEN) == [ATOM, DUR]


def test_two_equal_records_that_were_both_appended_are_not_one_twice():
    log = history_of("orders", records(""), records("a"), records("aa"))

    assert families(log, Window(2, 2), records("aa")) == []


# -- several places ------------------------------------------------------------------------------------

KEYS = "keys()"


def seen_of(aapl, msft, *names):
    return Observation((("AAPL", aapl), ("MSFT", msft), (KEYS, Names(names))))


TWO = History(
    (
        seen_of(NOTHING, NOTHING),
        seen_of(V1, NOTHING, "AAPL"),
        seen_of(V1, V2, "AAPL", "MSFT"),
        seen_of(NOTHING, V2, "MSFT"),
        seen_of(NOTHING, V3, "MSFT"),
    ),
    ("", "AAPL", "MSFT", "AAPL", "MSFT"),
    ("the opening", "put AAPL", "put MSFT", "delete AAPL", "put MSFT again"),
)


def judged(window, observed, *, durable=True):
    return Oracle(TWO, durable=durable).judge(window, observed).breaches


def test_deleted_data_that_is_back_has_a_name_of_its_own():
    breaches = judged(Window(3, 3), seen_of(V1, V2, "AAPL", "MSFT"))

    assert {b.family for b in breaches} == {Family.DELETED_DATA}
    assert "put AAPL" in breaches[0].sentence


def test_it_is_back_also_when_another_update_is_in_flight():
    assert first_of_each(judged(Window(3, 4), seen_of(V1, V2, "MSFT"))).keys() == {Family.DELETED_DATA}


def test_control_while_it_is_being_deleted_it_may_still_be_there():
    assert judged(Window(2, 3), seen_of(V1, V2, "AAPL", "MSFT")) == ()


def test_control_without_a_claim_of_power_loss_it_may_be_back():
    assert judged(Window(3, 3), seen_of(V1, V2, "AAPL", "MSFT"), durable=False) == ()


def test_a_leftover_that_is_listed_is_named():
    (breach,) = judged(Window(1, 2), seen_of(V1, NOTHING, "AAPL", "MSFT.tmp"))

    assert breach.family is Family.LEFTOVERS
    assert "'MSFT.tmp'" in breach.sentence


def test_a_listing_that_misses_an_acknowledged_key_is_a_loss():
    assert [b.family for b in judged(Window(2, 2), seen_of(V1, V2, "AAPL"))] == [DUR]


def test_a_listing_may_show_what_single_keys_show_where_losses_are_no_breach():
    """AAPL's file is lost and MSFT's is not: no state had that list, but each key is as it was once."""
    assert judged(Window(2, 2), seen_of(NOTHING, V2, "MSFT"), durable=False) == ()


def test_control_one_that_contradicts_them_may_not():
    assert [b.family for b in judged(Window(2, 2), seen_of(NOTHING, NOTHING, "MSFT"), durable=False)] == [ATOM]


def test_control_nor_where_losses_are_a_breach():
    assert DUR in {b.family for b in judged(Window(2, 2), seen_of(NOTHING, V2, "MSFT"))}


def test_the_other_key_may_not_be_touched_by_an_update_in_flight():
    assert [(b.family, b.place) for b in judged(Window(3, 4), seen_of(NOTHING, BROKEN, "MSFT"))] == [(ATOM, "MSFT")]
    assert judged(Window(1, 2), seen_of(BROKEN, V2, "AAPL", "MSFT"))[0].place == "AAPL"


def test_an_update_of_several_places_is_seen_at_all_of_them_or_at_none():
    (breach,) = judged(Window(1, 2), seen_of(V1, V2, "AAPL"))

    assert breach.family is Family.BATCH


def test_control_a_store_that_does_not_claim_it_may_show_it_at_some():
    oracle = Oracle(TWO, durable=True, whole_batches=False)

    assert oracle.judge(Window(1, 2), seen_of(V1, V2, "AAPL")).expected


# -- who is to blame -------------------------------------------------------------------------------------


def test_what_a_crash_could_show_while_nothing_was_in_flight_is_not_blamed_on_the_next_update():
    oracle = Oracle(DOCUMENT, durable=True)
    lost = Observation((("AAPL", NOTHING),))

    assert [b.family for b in oracle.judge(BETWEEN, lost).breaches] == [DUR]
    in_flight = oracle.judge(SECOND, lost)
    assert (in_flight.breaches, in_flight.expected) == ((), False)


def test_control_what_only_the_update_in_flight_makes_possible_is():
    oracle = Oracle(DOCUMENT, durable=True)

    assert [b.family for b in oracle.judge(SECOND, Observation((("AAPL", NOTHING),))).breaches] == [ATOM]


def test_it_is_said_at_every_acknowledgement_anew():
    oracle = Oracle(DOCUMENT, durable=True)
    oracle.judge(BETWEEN, Observation((("AAPL", BROKEN),)))

    assert [b.family for b in oracle.judge(LAST, Observation((("AAPL", BROKEN),))).breaches] == [ATOM, DUR]


def test_a_crash_before_the_store_was_open_may_show_only_what_an_empty_store_shows():
    assert families(DOCUMENT, Window(-1, -1), NOTHING) == []
    assert families(DOCUMENT, Window(-1, 0), NOTHING) == []
    assert ATOM in families(DOCUMENT, Window(-1, 0), BROKEN)


def test_a_lost_update_is_named():
    (breach,) = Oracle(DOCUMENT, durable=True).judge(LAST, Observation((("AAPL", V1),))).breaches

    assert "update 2 had returned and is lost" in breach.sentence
    assert (breach.found, breach.allowed) == (str(V1), (str(V2),))


def test_of_several_lost_updates_the_first_is_named():
    (breach,) = Oracle(DOCUMENT, durable=True).judge(LAST, Observation((("AAPL", NOTHING),))).breaches

    assert "update 1 had returned and is lost" in breach.sentence


# -- the update after a recovery ---------------------------------------------------------------------------


def at(**places):
    return Observation(tuple(places.items()))


NEXT_TABLE = {
    "it is shown and kept": (at(AAPL=V1), at(AAPL=V2), at(AAPL=V2), None),
    "it is not shown": (at(AAPL=V1), at(AAPL=V1), at(AAPL=V1), "is not shown"),
    "it cannot be read": (at(AAPL=V1), at(AAPL=BROKEN), at(AAPL=BROKEN), "is not shown"),
    "it is lost after reopening": (at(AAPL=V1), at(AAPL=V2), at(AAPL=V1), "lost after reopening"),
    "it breaks the store for the next reader": (at(AAPL=V1), at(AAPL=V2), at(AAPL=BROKEN), "lost after reopening"),
    "it takes another place along": (
        at(AAPL=V1, MSFT=V2),
        at(AAPL=V3, MSFT=V2),
        at(AAPL=V3, MSFT=NOTHING),
        "MSFT was there after the recovery and is gone",
    ),
    "an append is added": (at(AAPL=records("ab")), at(AAPL=records("abz")), at(AAPL=records("abz")), None),
    "an append is glued to a torn record": (
        at(AAPL=records("ab")),
        at(AAPL=records("ab")),
        at(AAPL=records("ab")),
        "is not shown",
    ),
    "an append destroys what was there": (
        at(AAPL=records("ab")),
        at(AAPL=records("bz")),
        at(AAPL=records("bz")),
        "destroyed records",
    ),
}


@pytest.mark.parametrize(("seen", "after", "later", "expected"), NEXT_TABLE.values(), ids=list(NEXT_TABLE))
def test_the_next_update_after_a_recovery(seen, after, later, expected):
    breach = judge_next_update(seen, "AAPL", after, later)

    assert (breach is None) == (expected is None)
    if breach is not None:
        assert breach.family is Family.NEXT_UPDATE
        assert expected in breach.sentence


def test_a_listing_that_shows_the_new_key_is_no_loss():
    seen, after = seen_of(NOTHING, V2, "MSFT"), seen_of(V3, V2, "AAPL", "MSFT")

    assert judge_next_update(seen, "AAPL", after, after) is None


def test_without_a_next_update_there_is_nothing_to_say():
    assert judge_next_update(at(AAPL=V1), "AAPL", None, at(AAPL=V1)) is None


# -- what a reader makes of what it cannot read -----------------------------------------------------------


def breaches_of(seen, window=LAST, **told):
    return Oracle(DOCUMENT, durable=True).judge(window, Observation((("AAPL", seen),)), **told).breaches


def test_who_takes_a_torn_file_for_an_empty_store_shows_what_is_torn():
    found = breaches_of(NOTHING, torn=lambda: ("f.json",))

    assert [b.family for b in found] == [ATOM, DUR]
    assert all("reads as nothing, although f.json is there" in b.sentence for b in found)


def test_control_where_no_file_is_torn_it_is_missing():
    (breach,) = breaches_of(NOTHING)

    assert (breach.family, "is missing" in breach.sentence) == (DUR, True)


def test_control_where_the_earlier_ones_are_lost_too_an_empty_store_is_an_older_state():
    """A log whose end is torn shows what was in it before, and that was nothing."""
    (breach,) = breaches_of(NOTHING, torn=lambda: ("store.wal",), earlier=Earlier.SOMETHING)

    assert breach.family is DUR


THREE = history_of("AAPL", NOTHING, V1, V2, V3)


def older_in_flight(earlier):
    return Oracle(THREE, durable=True).judge(Window(2, 3), Observation((("AAPL", V1),)), earlier=earlier).breaches


def test_an_older_version_is_no_mixture():
    (breach,) = older_in_flight(Earlier.NOTHING)

    assert breach.family is ATOM
    assert "is as it was after update 1, an older version: neither its state before update 3" in breach.sentence


def test_one_that_is_back_because_an_acknowledged_update_was_lost_is_no_fault_of_the_one_in_flight():
    (breach,) = older_in_flight(Earlier.SOMETHING)

    assert breach.family is DUR
    assert "update 2 had returned and is lost" in breach.sentence


HARMS = {
    "what was there before is gone with the new": (LAST, BROKEN, Earlier.NOTHING, Harm.DESTROYED),
    "an update in flight empties what was there": (SECOND, NOTHING, Earlier.NOTHING, Harm.DESTROYED),
    "both were never safe": (LAST, BROKEN, Earlier.SOMETHING, Harm.LOST),
    "the last one is lost": (LAST, V1, Earlier.NOTHING, Harm.LOST),
    "the only one is lost": (BETWEEN, NOTHING, Earlier.NOTHING, Harm.LOST),
    "there was nothing yet, and it cannot be read": (FIRST, BROKEN, Earlier.NOTHING, Harm.UNREADABLE),
    "there was nothing yet, and a mixture is": (FIRST, TORN, Earlier.NOTHING, Harm.WRONG),
}


@pytest.mark.parametrize(("window", "seen", "earlier", "expected"), HARMS.values(), ids=list(HARMS))
def test_the_harm_is_what_is_gone_in_the_end(window, seen, earlier, expected):
    assert {b.harm for b in breaches_of(seen, window, earlier=earlier)} == {expected}


LOG_HARMS = {
    "the last record": (Window(3, 3), "ab", Harm.LOST),
    "more than that": (Window(3, 3), "a", Harm.DESTROYED),
    "none, and one is shown twice": (Window(3, 3), "abcc", Harm.WRONG),
}


@pytest.mark.parametrize(("window", "seen", "expected"), LOG_HARMS.values(), ids=list(LOG_HARMS))
def test_the_harm_to_a_log_is_counted_in_records(window, seen, expected):
    found = Oracle(LOG, durable=True).judge(window, Observation((("orders", records(seen)),))).breaches

    assert {b.harm for b in found} == {expected}


def test_a_leftover_that_is_listed_does_least():
    (breach,) = judged(Window(1, 2), seen_of(V1, NOTHING, "AAPL", "MSFT.tmp"))

    assert breach.harm is Harm.LEFTOVER
