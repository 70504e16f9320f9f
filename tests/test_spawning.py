"""Where nothing can be forked a new interpreter runs the task, and tells of it what a forked process tells."""

import os
import sys
import threading

import pytest

from pytest_tradestore.beats import NotPossibleHereError
from pytest_tradestore.isolation import Died, Finished, Hung, Sent, StoreRaisedError, stream_isolated
from pytest_tradestore.spawning import stream_spawned

pytest.importorskip("cloudpickle", reason="what is handed to another interpreter is pickled with cloudpickle")

DEADLINE = 60.0
WAYS = {"forked": stream_isolated, "spawned": stream_spawned}


def returns(channel):
    channel.step(1)
    return {"cash": 1}


def prints(channel):
    print("said by the store")
    print("and on the other stream", file=sys.stderr)
    return 2


def sends(channel):
    for number in range(3):
        channel.step(number)
        channel.send(number)
        channel.rest()


def dies(channel):
    channel.step(7)
    channel.send("before")
    os._exit(3)


def raises(channel):
    raise KeyError("AAPL")


def leaves_a_thread(channel):
    threading.Thread(target=threading.Event().wait, daemon=False).start()
    return "done"


SAME = {
    "returns": (returns, [Finished({"cash": 1})]),
    "sends": (sends, [Sent(0), Sent(1), Sent(2), Finished(None)]),
    "dies": (dies, [Sent("before"), Died(7, "exited with status 3")]),
    "leaves a thread": (leaves_a_thread, [Finished("done")]),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize(("task", "events"), SAME.values(), ids=list(SAME))
def test_what_is_told_is_the_same(way, task, events):
    assert list(way(task, DEADLINE)) == events


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_what_is_printed_is_kept_and_reaches_no_terminal(way, capfd):
    (ending,) = way(prints, DEADLINE)

    assert sorted(ending.output.splitlines()) == ["and on the other stream", "said by the store"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_an_exception_of_a_store_is_told_with_its_line(way):
    with pytest.raises(StoreRaisedError) as caught:
        list(way(raises, DEADLINE))

    assert caught.value.told == "KeyError: 'AAPL'"
    assert 'raise KeyError("AAPL")' in caught.value.trace


def test_one_that_hangs_is_ended_by_its_deadline():
    def hangs(channel):
        channel.step(4)
        channel.send("begun")
        threading.Event().wait()

    *sent, ending = stream_spawned(hangs, 0.2)

    assert (sent, ending) == ([Sent("begun")], Hung(4, 0.2))


def test_what_it_closes_over_goes_along():
    kept = {"AAPL": [1, 2]}

    def of(number):
        return lambda channel: (kept["AAPL"][number], os.getpid())

    (ending,) = stream_spawned(of(1), DEADLINE)

    assert ending.value[0] == 2 and ending.value[1] != os.getpid()


def test_what_cannot_be_handed_over_is_not_asked_and_it_is_said_why():
    running = (number for number in range(3))

    with pytest.raises(NotPossibleHereError, match="cannot fork, and what is to be asked cannot be handed"):
        list(stream_spawned(lambda channel: next(running), DEADLINE))


def test_without_cloudpickle_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)

    with pytest.raises(NotPossibleHereError, match="pip install cloudpickle"):
        list(stream_spawned(returns, DEADLINE))
