"""The checks of identifiers: what each declaration asks for, what is told, and what is not held against a store."""

import json
import os
import time

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import names
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.names.vulnerable import AsksAnotherProgram
from tests.sound_stores.files import read_document
from tests.sound_stores.plain import PlainDocuments
from tests.sound_stores.sqlite import WriteAheadFull
from tests.sound_stores.trading import PlainEvents

CONTRACT = {kit.name: kit for kit in KITS}
STRACE = StraceRecorder().unavailable()


def judged(target, recorder="fake", contract="documents", **declared):
    """Return the results of the checks on a store by requirement."""
    store = StoreUnderTest("store", target, **declared)
    bench = Bench(Settings(budget=Budget.QUICK, recorder=recorder))
    return {check.requirement: check.judge(bench, store) for check in names.checks(CONTRACT[contract])}


def verdicts(results):
    return {id_: result.verdict for id_, result in results.items() if id_ != "NAME-2"}


HOLDS = dict.fromkeys(("NAME-1", "NAME-3", "NAME-4", "NAME-5", "NAME-6"), Verdict.HOLDS)


@pytest.mark.parametrize("identifiers", [None, "opaque"])
@pytest.mark.parametrize("target", [PlainDocuments, WriteAheadFull])
def test_a_store_that_encodes_any_text_reversibly_may_keep_it(target, identifiers):
    assert verdicts(judged(target, identifiers=identifiers)) == HOLDS


def test_a_store_that_declares_strict_has_to_refuse_what_is_hostile():
    results = judged(PlainDocuments, identifiers="strict")

    assert verdicts(results) == HOLDS | {"NAME-5": Verdict.VIOLATED}
    assert results["NAME-5"].reason == "the key '..' was accepted"


class NewlineInTheName(PlainDocuments):
    def _path(self, key):
        if type(key) is not str or not key.replace("\n", "").isalnum() or len(key) > 64:
            raise ValueError("not a key")
        return self.directory / f"{''.join(f'_{c}' if c.islower() else c for c in key)}.doc"

    def put(self, key, document):
        self._path(key).write_text(json.dumps(document))

    def get(self, key):
        return read_document(self._path(key))

    def delete(self, key):
        self._path(key).unlink(missing_ok=True)

    def keys(self):
        return [name.removesuffix(".doc").replace("_", "") for name in os.listdir(self.directory)]


def test_what_stands_in_a_file_name_as_it_is_has_to_be_refused_unless_the_store_is_opaque():
    undeclared, opaque = judged(NewlineInTheName), judged(NewlineInTheName, identifiers="opaque")

    assert undeclared["NAME-5"].verdict is Verdict.VIOLATED
    assert "'AAPL\\n' was accepted and stands in the file system as it is" in undeclared["NAME-5"].reason
    assert opaque["NAME-5"].verdict is Verdict.HOLDS


def test_the_counterexample_names_the_call_what_happened_and_what_was_allowed():
    class Trusting(NewlineInTheName):
        def _path(self, key):
            return self.directory / f"{key}.json"

    told = judged(Trusting)["NAME-1"].counterexample

    assert told.headline == "the key '../../x' led out of the root: ../x.json was removed"
    assert told.workload == ("get('../../x')", *told.workload[1:3], "delete('../../x')")
    assert told.allowed == ("nothing outside of the root is read or changed",)


class HangsOnANewline(PlainDocuments):
    tradestore_deadline = 1

    def put(self, key, document):
        if isinstance(key, str) and key == "AA\nPL":
            time.sleep(60)
        super().put(key, document)


def test_an_identifier_on_which_the_store_hangs_is_told_and_the_others_are_tried_nevertheless():
    results = judged(HangsOnANewline)

    assert verdicts(results) == HOLDS | {"NAME-5": Verdict.VIOLATED}
    assert "with the key 'AA\\nPL' the store took longer than 1 s" in results["NAME-5"].reason
    assert results["NAME-1"].checked["identifiers"] == 177


class DiesOfEverythingOdd(PlainDocuments):
    def put(self, key, document):
        if not isinstance(key, str) or not key.isascii():
            os._exit(3)
        super().put(key, document)


def test_a_store_that_dies_again_and_again_is_not_called_conforming():
    results = judged(DiesOfEverythingOdd)

    assert results["NAME-5"].verdict is Verdict.VIOLATED
    assert results["NAME-3"].verdict is Verdict.UNDECIDED
    assert "not all identifiers were tried" in results["NAME-3"].reason


class UndeclaredError(PlainDocuments):
    def put(self, key, document):
        if isinstance(key, str) and "/" in key:
            raise RuntimeError("no slashes please")
        super().put(key, document)


def test_an_error_that_is_not_declared_is_no_clear_refusal():
    results = judged(UndeclaredError)

    assert results["NAME-5"].verdict is Verdict.VIOLATED
    assert "raised RuntimeError, which is none of the errors that the store declares" in results["NAME-5"].reason


def test_control_the_same_error_declared_is_one():
    assert verdicts(judged(UndeclaredError, errors=(RuntimeError, ValueError, OSError))) == HOLDS


class KeepsInMemory(PlainDocuments):
    def __init__(self, root):
        super().__init__(root)
        self._kept = {}

    def put(self, key, document):
        self._kept[key] = document

    def get(self, key):
        return self._kept.get(key)

    def delete(self, key):
        self._kept.pop(key, None)

    def keys(self):
        return list(self._kept)


def test_what_a_store_forgets_of_ordinary_identifiers_is_no_matter_of_names():
    assert {id_: v for id_, v in verdicts(judged(KeepsInMemory)).items() if v is Verdict.VIOLATED} == {}


def test_numbers_that_share_data_with_their_text_are_told():
    class Formats(PlainDocuments):
        def put(self, key, document):
            super().put(f"{key}", document)

    assert "the keys None and 'None' share data" in judged(Formats)["NAME-3"].reason


@pytest.mark.proof
@pytest.mark.skipif(STRACE is not None, reason=f"the strace recorder cannot be used here: {STRACE}")
def test_a_read_outside_by_another_program_is_seen_by_strace():
    assert judged(AsksAnotherProgram, "strace")["NAME-1"].verdict is Verdict.VIOLATED


def test_a_contract_without_identifiers_is_only_asked_about_planted_links():
    assert [check.requirement for check in names.checks(CONTRACT["document"])] == ["NAME-2"]


def test_planted_links_are_asked_about_only_where_private_files_are_claimed():
    result = judged(PlainDocuments)["NAME-2"]

    assert (result.verdict, "private-files" in result.reason) == (Verdict.NOT_APPLICABLE, True)


class TakesOneForTheOther(PlainEvents):
    """Takes some types for one, although their records keep them apart."""

    one: tuple[str, ...]

    def _asked_for(self, kind, types):
        return types is None or kind in types or (kind in self.one and any(known in types for known in self.one))


@pytest.mark.parametrize("pair", [("AAPL", "Aapl"), ("TRUE", "ON"), ("TRUE", "NULL")], ids=" ".join)
def test_types_that_are_taken_for_one_are_told_whichever_are_asked_for_together(pair):
    target = type("Target", (TakesOneForTheOther,), {"one": pair})

    told = judged(target, contract="events")["NAME-3"]

    assert told.verdict is Verdict.VIOLATED
    assert all(f"{kind!r}" in told.reason for kind in pair) and "share data" in told.reason


def test_control_types_that_are_kept_apart_are():
    assert judged(PlainEvents, contract="events")["NAME-3"].verdict is Verdict.HOLDS


class OneBadKeySpoilsAll(PlainDocuments):
    def get(self, key):
        if "spoiled" in os.listdir(self.root):
            raise ValueError("the index cannot be read")
        return super().get(key)

    def put(self, key, document):
        if key == "gr\u00fcn" or "\u202e" in key:
            (self.root / "spoiled").touch()
        super().put(key, document)


def test_the_identifier_that_keeps_others_from_being_read_is_named():
    told = judged(OneBadKeySpoilsAll)["NAME-4"]

    assert told.reason == "the key 'AAPL\\u202egpj.' was accepted, and others cannot be read since then"
