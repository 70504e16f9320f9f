"""An exception that a signal raises while the writer's thread begins comes out as it is, and the store goes on."""

import threading
from pathlib import Path
from typing import Any

import pytest

from reference_store import DocumentStore


class Alarm(Exception):
    """Raised by a signal's handler."""


def test_an_alarm_that_comes_when_the_thread_has_just_begun_comes_out_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DocumentStore(tmp_path)
    real = threading.Thread.start

    def begin(self: Any) -> None:
        try:
            real(self)
            raise Alarm
        except Alarm:
            raise KeyError(self)  # as Thread.start of the standard library does: it is no beginner any more  # noqa: B904

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", begin)
        with pytest.raises(Alarm):
            store.put("K", {"n": 1})

    store.put("K", {"n": 2})
    assert store.get("K") == {"n": 2}


def test_control_a_key_error_of_its_own_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(_self: Any) -> None:
        raise KeyError("odd")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", begin)
        with pytest.raises(KeyError, match="odd"):
            DocumentStore(tmp_path).put("K", {"n": 1})
