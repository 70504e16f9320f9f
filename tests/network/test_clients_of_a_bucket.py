"""Stores on a bucket: each broken one dies for its reason, shown as requests; the sound ones raise no alarm."""

import pytest

from pytest_tradestore.network import evidence
from pytest_tradestore.verdict import Verdict
from tests.judging import violated
from tests.network import bucket_stores as stores
from tests.network.judging import judged, shown

DEATHS = ("ATOM-", "DUR-", "REC-")
SPOILT = ("FAULT-1", "FAULT-3", "FAULT-5", "FAULT-6")
SOUND = (stores.BucketDocument, stores.BucketJournal)


@pytest.mark.proof
@pytest.mark.parametrize("target", SOUND, ids=lambda target: target.__name__)
def test_a_client_that_dies_between_any_two_requests_harms_no_sound_store(target):
    results = judged(target, DEATHS)

    assert violated(results) == {}
    decided = {result.requirement: result.verdict for result in results}
    assert decided["ATOM-1"] is decided["DUR-1"] is decided["REC-1"] is decided["REC-3"] is Verdict.HOLDS
    assert decided["ATOM-2"] is decided["DUR-2"] is Verdict.NOT_APPLICABLE
    assert all("the server's affair" in r.reason for r in results if r.requirement in ("ATOM-2", "DUR-2"))
    assert all(r.checked["requests"] > 10 and r.checked["trials"] > 5 for r in results if r.requirement == "ATOM-1")


@pytest.mark.proof
@pytest.mark.parametrize("target", SOUND, ids=lambda target: target.__name__)
def test_requests_that_fail_in_any_way_harm_no_sound_store(target):
    results = judged(target, SPOILT)

    assert violated(results) == {}
    assert [r.requirement for r in results if r.verdict is Verdict.HOLDS] == list(SPOILT)


LOSES = {
    stores.HasNoNonce: ("FAULT-1", "holds one record twice", "412 PreconditionFailed"),
    stores.TakesConflictForExists: ("FAULT-1", "has lost 1 acknowledged record", "409 ConditionalRequestConflict"),
    stores.TakesNoAnswerForNothing: ("FAULT-3", "shows nothing", "no answer"),
    stores.CountsTwice: ("FAULT-1", "the request was done twice", "412 PreconditionFailed"),
}


@pytest.mark.proof
@pytest.mark.parametrize("target", LOSES, ids=lambda target: target.__name__)
def test_a_store_that_misreads_an_answer_is_told_by_the_requests_it_made_and_replayed(target):
    shown(target, *LOSES[target])


@pytest.mark.proof
def test_what_is_found_where_two_runs_cannot_be_compared_comes_again_when_it_is_replayed():
    shown(stores.NamesAFieldByTheClock, *LOSES[stores.TakesNoAnswerForNothing])


@pytest.mark.proof
def test_what_is_found_is_held_against_several_whole_runs_also_when_it_is_replayed(monkeypatch):
    """A trial ends before its last update is seen, and some places are written by that alone."""
    held, between = [], evidence.between

    def noted(first, others, calls):
        held.append(sum(len(states) == len(first.states) for states in others))
        return between(first, others, calls)

    monkeypatch.setattr(evidence, "between", noted)
    shown(stores.TakesNoAnswerForNothing, *LOSES[stores.TakesNoAnswerForNothing])

    assert len(held) == 2
    assert min(held) >= 7


PILES = {
    stores.LeavesUploads: "an unfinished upload of document.json",
    stores.LeavesContents: "contents/",
}


@pytest.mark.proof
@pytest.mark.parametrize("target", PILES, ids=lambda target: target.__name__)
def test_what_clients_that_die_leave_behind_may_not_pile_up(target):
    example = shown(target, "ATOM-4", "leaves one more thing that nothing removes")

    assert PILES[target] in example.found[0]


@pytest.mark.proof
@pytest.mark.parametrize("target", [stores.AbortsUploads, stores.RemovesContents], ids=lambda target: target.__name__)
def test_control_what_is_given_up_or_removed_by_the_next_one_piles_up_nowhere(target):
    (result,) = judged(target, "ATOM-4")

    assert result.verdict is Verdict.HOLDS


@pytest.mark.proof
def test_an_upload_that_fails_is_given_up():
    shown(stores.LeavesUploads, "FAULT-5", "1 thing is left: an unfinished upload of document.json", "PUT part 1")


@pytest.mark.proof
def test_control_one_whose_name_was_lost_with_the_answer_nobody_can_give_up():
    (result,) = judged(stores.AbortsWhatFails, "FAULT-5")

    assert result.verdict is Verdict.HOLDS


@pytest.mark.proof
def test_a_file_that_is_there_during_a_call_alone_is_left_by_who_dies_in_it():
    shown(stores.LeavesAMark, "REC-1", "cannot open the store: Conflict: somebody is at work", "GET document.json")


RACES = {
    stores.PutsBlindly: "update(count 1) returned, but load() then gives",
    stores.ListsThenPuts: "returned, but read('orders') then gives 1 record",
}


@pytest.mark.proof
@pytest.mark.parametrize("target", RACES, ids=lambda target: target.__name__)
def test_two_clients_stepped_request_by_request_show_what_no_condition_guards(target):
    example = shown(target, "RACE-3", RACES[target])

    assert any("replayed 10/10" in note for note in example.notes)
    assert "If-Match" in example.remedy and "flock" not in example.why + example.remedy
    assert [step.text.partition(" ")[0] for step in example.steps if "PUT" in step.text] == ["PUT", "PUT"]


@pytest.mark.deep
@pytest.mark.parametrize("target", SOUND, ids=lambda target: target.__name__)
def test_no_schedule_of_two_clients_harms_a_sound_store(target):
    (result,) = judged(target, "RACE-3")

    assert result.verdict is Verdict.HOLDS
    assert result.checked["schedules"] > 40
