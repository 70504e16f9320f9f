"""The smoke stage: what a store takes, and what one who does not even work in the ordinary way is told."""

import errno
import fcntl
import json
import os
import signal
import sys
import threading
import time

import pytest

from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.smoke import smoke
from pytest_tradestore.takes import EVERYTHING, Takes
from pytest_tradestore.target import StoreUnderTest


def smoked(target, contract="documents", methods=("put", "get", "delete"), **declared):
    kit = next(kit for kit in KITS if kit.name == contract)
    return smoke(StoreUnderTest("it", target, **declared), kit, frozenset((*methods, *kit.required)))


class Files:
    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        (self.root / key).write_text(json.dumps(document))

    def get(self, key):
        path = self.root / key
        return json.loads(path.read_text()) if path.exists() else None

    def delete(self, key):
        (self.root / key).unlink(missing_ok=True)


def test_control_a_store_that_works_is_in_no_trouble_and_takes_everything():
    found = smoked(Files)

    assert (found.trouble, found.takes) == (None, EVERYTHING)
    assert found.seconds > 0


class MisspeltHelper(Files):
    def put(self, key, document):
        self.wriet(key, document)


class OneMethodUnfinished(Files):
    def delete(self, key):
        raise NotImplementedError


class WrongArguments(Files):
    def put(self, key):
        raise AssertionError


class Exits(Files):
    def put(self, key, document):
        sys.exit(3)


class CannotBeReopened(Files):
    def __init__(self, root):
        if (root / "AAPL").exists():
            raise RuntimeError("there is something here already")
        super().__init__(root)


class CannotBeRead(Files):
    def get(self, key):
        raise KeyError(key)


TROUBLES = {
    "an-attribute-that-is-not-there": (MisspeltHelper, "AttributeError", "self.wriet(key, document)"),
    "a-method-that-is-not-finished": (OneMethodUnfinished, "delete('MSFT') raised NotImplementedError", "in delete"),
    "other-arguments": (WrongArguments, "TypeError", ""),
    "it-exits": (Exits, "SystemExit: 3", "sys.exit(3)"),
    "reopening": (CannotBeReopened, "reopening the store raised RuntimeError", "in __init__"),
    "reading": (CannotBeRead, "get('AAPL') raised KeyError", "in get"),
}


@pytest.mark.parametrize(("store", "sentence", "place"), TROUBLES.values(), ids=list(TROUBLES))
def test_what_goes_wrong_is_told_with_the_traceback_of_the_store(store, sentence, place):
    trouble = smoked(store).trouble

    assert sentence in trouble.sentence
    assert place in trouble.trace
    assert "pytest_tradestore/" not in trouble.trace
    assert trouble.remedy


class StagesElsewhere(Files):
    def put(self, key, document):
        raise OSError(errno.EXDEV, "Invalid cross-device link")


class IsRefused(Files):
    def put(self, key, document):
        raise OSError(errno.EACCES, "Permission denied")


def test_who_needs_the_temporary_directory_on_its_own_file_system_is_told_so():
    assert "in the directory of the file that they will replace" in smoked(StagesElsewhere).trouble.remedy


def test_control_another_refusal_has_another_remedy():
    assert "in the directory of the file" not in smoked(IsRefused).trouble.remedy


class Hangs(Files):
    def put(self, key, document):
        threading.Event().wait()


def test_a_hang_is_told_with_the_place_where_it_hangs_and_the_deadline_to_set():
    trouble = smoked(Hangs, deadline=1.0).trouble

    assert "took longer than 1 s" in trouble.sentence
    assert "tradestore_deadline" in trouble.remedy
    assert "in put" in trouble.trace
    assert "pytest_tradestore/" not in trouble.trace


class SlowAndThenHangs(Files):
    """Its calls take longer together than one of them may, and closing it never comes back."""

    def put(self, key, document):
        time.sleep(0.2)
        super().put(key, document)

    def close(self):
        threading.Event().wait()


def test_the_place_is_that_of_the_step_that_hangs_however_long_those_before_it_took():
    assert "in close" in smoked(SlowAndThenHangs, deadline=1.0).trouble.trace


class FlushesByItself(Files):
    """Whoever puts waits until the store's own alarm has come twice, as it does again and again."""

    def __init__(self, root):
        super().__init__(root)
        self.left = 0
        signal.signal(signal.SIGALRM, self.rings)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)

    def rings(self, *_):
        self.left -= 1

    def put(self, key, document):
        self.left = 2
        while self.left > 0:
            time.sleep(0.01)
        super().put(key, document)

    def close(self):
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_control_the_alarm_of_a_store_stays_its_own():
    assert smoked(FlushesByItself, deadline=1.0).trouble is None


class NeverClosed(Files):
    """One instance a directory, by a lock that only close() gives back; the adapter has none."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = os.open(root / "LOCK", os.O_RDWR | os.O_CREAT, 0o600)
        OPENED.append(self.lock)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError("it is in use") from None


class Closed(NeverClosed):
    def close(self):
        os.close(self.lock)


class WaitsForItself(NeverClosed):
    def __init__(self, root):
        Files.__init__(self, root)
        self.lock = os.open(root / "LOCK", os.O_RDWR | os.O_CREAT, 0o600)
        OPENED.append(self.lock)
        fcntl.flock(self.lock, fcntl.LOCK_EX)


OPENED = []


@pytest.mark.parametrize("store", [NeverClosed, WaitsForItself])
def test_a_store_that_closing_leaves_open_is_told_so(store):
    trouble = smoked(store, deadline=1.0).trouble

    assert "reopening the store" in trouble.sentence
    assert "closing it here has left it open: give the store, or its adapter, a close()" in trouble.remedy


def test_control_one_that_is_closed_is_in_no_trouble_and_one_that_cannot_be_opened_at_all_is_told_otherwise():
    assert smoked(Closed).trouble is None
    assert "close()" not in smoked(CannotBeReopened).trouble.remedy


class Bars:
    """A sound catalogue; who derives from it says what it refuses."""

    def __init__(self, root):
        self.path = root / "bars.json"

    def refuse(self, bar, there):
        """Raise ValueError for what is not taken."""

    def write_bars(self, symbol, bars):
        rows = self._rows()
        there = rows.setdefault(symbol, {})
        for bar in bars:
            self.refuse(bar, there)
        for bar in bars:
            there[bar.date.isoformat()] = [bar.open, bar.high, bar.low, bar.close, bar.volume]
        self.path.write_text(json.dumps(rows))

    def read_bars(self, symbol, start, end):
        return []

    def _rows(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}


class AwareOnly(Bars):
    def refuse(self, bar, there):
        if bar.date.tzinfo is None:
            raise ValueError("a time needs a zone")


class NeverOver(Bars):
    def refuse(self, bar, there):
        if bar.date.isoformat() in there:
            raise ValueError("there is a bar already")


class NeverOverAndAwareOnly(AwareOnly):
    def refuse(self, bar, there):
        AwareOnly.refuse(self, bar, there)
        NeverOver.refuse(self, bar, there)


class Ticks(Bars):
    def refuse(self, bar, there):
        if round(bar.close * 100, 6) % 1:
            raise ValueError("finer than a tick")


class Floats(Bars):
    def refuse(self, bar, there):
        if not isinstance(bar.volume, float):
            raise ValueError("a volume is a float")


FOUND_OUT = {
    "all": (Bars, EVERYTHING),
    "times-with-a-zone": (AwareOnly, Takes(aware=True)),
    "no-bars-over-others": (NeverOver, Takes(bars="apart")),
    "neither": (NeverOverAndAwareOnly, Takes(aware=True, bars="apart")),
    "ticks": (Ticks, Takes(tick=0.01)),
    "float-volumes": (Floats, Takes(float_volume=True)),
}


@pytest.mark.parametrize(("store", "takes"), FOUND_OUT.values(), ids=list(FOUND_OUT))
def test_what_a_store_takes_is_found_out(store, takes):
    found = smoked(store, "bars")

    assert (found.trouble, found.takes) == (None, takes)


def test_what_is_declared_is_not_found_out():
    assert smoked(Bars, "bars", takes=Takes(aware=True)).takes == Takes(aware=True)


class TakesNothing(Bars):
    def refuse(self, bar, there):
        raise ValueError("no")


def test_who_takes_nothing_is_told_what_it_refused_and_how_to_declare_what_it_takes():
    trouble = smoked(TakesNothing, "bars").trouble

    assert "raised ValueError: no" in trouble.sentence
    assert "tradestore_takes" in trouble.remedy
