"""Objects and rows that somebody has altered behind a store's back: who shows them as data, and who says so."""

import pytest

from pytest_tradestore.backends.postgres_server import unavailable
from pytest_tradestore.damage.on_servers import _nearest, _Snapshot
from pytest_tradestore.damage.trials import Unusable
from pytest_tradestore.verdict import Verdict
from tests.judging import violated
from tests.network import bucket_stores
from tests.network.judging import judged, shown

on_postgres = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")


@pytest.mark.proof
def test_an_object_that_was_damaged_is_no_document_that_was_never_there():
    zeros = "when document.json is overwritten with zeros, the document shows nothing"
    shown(bucket_stores.ReadsDamageAsNothing, "CORR-1", zeros)


@pytest.mark.proof
def test_control_who_lets_the_error_out_shows_nothing_wrong():
    results = judged(bucket_stores.BucketDocument, ("CORR-1", "CORR-6"))

    assert [result.verdict for result in results] == [Verdict.HOLDS] * 2
    assert all(result.checked["noticed"] > 10 for result in results)


@pytest.mark.proof
def test_what_cannot_be_read_and_is_replaced_all_the_same_is_no_evidence():
    shown(bucket_stores.BucketDocument, "CORR-2", "the next update destroys the damaged bytes")


@pytest.mark.proof
@on_postgres
def test_a_row_that_is_believed_because_it_is_json_shows_what_nobody_wrote():
    pytest.importorskip("psycopg", reason="psycopg (the extra postgres) is not installed")
    from tests.network import postgres_stores

    shown(postgres_stores.SealsNothing, "CORR-1", "public.document/1/data is")


@pytest.mark.proof
@on_postgres
def test_control_rows_under_a_seal_tell_of_each_alteration():
    pytest.importorskip("psycopg_pool", reason="psycopg_pool (the extra postgres) is not installed")
    from pytest_tradestore.on_servers import postgres

    results = judged(postgres.documents, "CORR-")

    assert violated(results) == {}
    held = {result.requirement for result in results if result.verdict is Verdict.HOLDS}
    assert held == {"CORR-1", "CORR-2", "CORR-4", "CORR-5", "CORR-6", "CORR-7"}


@pytest.mark.proof
@on_postgres
@pytest.mark.parametrize(
    ("name", "words"), {"EndsOnADeepRow": "ended its process", "HangsOnADeepRow": "took longer than 2 s"}.items()
)
def test_a_row_that_ends_the_process_is_told_and_the_others_are_read_in_another_one(name, words):
    pytest.importorskip("psycopg", reason="psycopg (the extra postgres) is not installed")
    from tests.network import postgres_stores

    results = judged(getattr(postgres_stores, name), ("CORR-1", "CORR-4", "CORR-6"))

    found = {result.requirement: result for result in results}
    assert {id_: result.verdict for id_, result in found.items()} == {
        "CORR-1": Verdict.HOLDS,
        "CORR-4": Verdict.VIOLATED,
        "CORR-6": Verdict.HOLDS,
    }
    assert words in found["CORR-4"].counterexample.headline
    assert found["CORR-1"].checked["noticed"] > 5


def snapshot(number, *rows):
    return _Snapshot(
        number, {f"log/{row}/{column}": f"{row}".encode() for row in rows for column in ("body", "seal")}, {}
    )


def test_a_row_is_damaged_where_it_is_there_though_less_is_different_where_it_is_not():
    wanted = {**snapshot(1, 1, 2).contents, "log/2/body": b"1", "log/2/seal": b"1"}

    assert _nearest([snapshot(0, 1), snapshot(1, 1, 2)], wanted).number == 1


def test_control_what_was_once_so_is_brought_back_as_it_was():
    before, after = snapshot(0, 1), snapshot(1, 1, 2)

    assert _nearest([before, after], before.contents).number == 0


def test_rows_that_nobody_has_saved_are_not_taken_for_none():
    with pytest.raises(Unusable, match="cannot be brought back"):
        _nearest([], snapshot(0, 1).contents)
