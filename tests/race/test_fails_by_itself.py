"""A call that fails in the same way without the others is no race, whoever had begun when it failed."""

import json
import os
import threading

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest


class Deleting:
    """One file for all keys under a lock; a key that is not there cannot be deleted."""

    lock = threading.Lock()

    def __init__(self, root):
        self.file = root / "all.json"

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def _write(self, documents):
        staged = self.file.with_suffix(f".{threading.get_ident()}")
        staged.write_text(json.dumps(documents))
        os.replace(staged, self.file)

    def put(self, key, document):
        with self.lock:
            self._write({**self._all(), key: document})

    def get(self, key):
        return self._all().get(key)

    def delete(self, key):
        with self.lock:
            documents = self._all()
            del documents[key]
            self._write(documents)


class LooksBeforeItLocks(Deleting):
    """Makes the file anew for each update, and deletes only what is there when it looks: for a moment nothing is."""

    def put(self, key, document):
        with self.lock:
            documents = {**self._all(), key: document}
            self.file.unlink(missing_ok=True)
            self._write(documents)

    def delete(self, key):
        if key not in self._all():
            raise KeyError(key)
        with self.lock:
            documents = self._all()
            documents.pop(key, None)
            self._write(documents)


def examples_of_updates(target):
    bench, kit = Bench(Settings(budget=Budget.QUICK)), kit_named("documents")
    check = next(check for check in races.checks(kit) if check.requirement == "RACE-1")
    return check.judge(bench, StoreUnderTest("it", target)).examples


def test_a_call_that_fails_without_the_others_too_is_no_race():
    assert not any("another caller" in str(example.cause) for example in examples_of_updates(Deleting))


def test_control_where_others_make_it_fail_it_is_one_and_what_makes_it_fail_alone_too_is_not_left_out():
    examples = [one for one in examples_of_updates(LooksBeforeItLocks) if one.headline.endswith("another caller")]

    assert [example.cause.culprit.fault for example in examples] == ["another caller comes between the steps"]
    assert "before: put('AAPL'" in str(examples[0].workload)
