"""Group commit: waiting updates go together, each gets its own result, and a failure is everybody's."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reference_store.core.group_commit import GroupCommit, Ticket
from reference_store.errors import LockTimeout, StorageFailure


class Writer:
    """Writes what it takes into a list; the first write waits until ``waiting`` others have come."""

    def __init__(self, failing: Callable[[], None] = lambda: None) -> None:
        self.batches: list[list[Any]] = []
        self.began, self.go_on = threading.Event(), threading.Event()
        self.failing = failing

    def __call__(self, _first: Any, take: Callable[[], Sequence[Ticket[Any]]]) -> None:
        tickets = take()
        if not self.began.is_set():
            self.began.set()
            assert self.go_on.wait(100)
        self.batches.append([ticket.change for ticket in tickets])
        self.failing()
        for ticket in tickets:
            if ticket.change == "bad":
                ticket.error = ValueError("bad")
            else:
                ticket.result = f"did {ticket.change}"


def together(writer: Writer, commits: GroupCommit[Any], changes: list[str]) -> dict[str, Any]:
    """Commit one change, and the others while it is being written."""
    outcomes: dict[str, Any] = {}

    def commit(change: str) -> None:
        try:
            outcomes[change] = commits.commit(change)
        except Exception as error:
            outcomes[change] = error

    threads = [threading.Thread(target=commit, args=(change,)) for change in changes]
    threads[0].start()
    assert writer.began.wait(100)
    for thread in threads[1:]:
        thread.start()
    while len(commits._waiting) < len(changes) - 1:
        pass
    writer.go_on.set()
    for thread in threads:
        thread.join()
    return outcomes


def test_updates_that_wait_are_written_in_one_go_and_each_gets_its_own_result() -> None:
    writer = Writer()
    outcomes = together(writer, GroupCommit(writer, 100, "root"), ["a", "b", "bad", "c"])

    assert [len(batch) for batch in writer.batches] == [1, 3]
    assert isinstance(outcomes.pop("bad"), ValueError)
    assert outcomes == {"a": "did a", "b": "did b", "c": "did c"}


def test_a_failed_write_fails_all_of_its_updates_each_with_an_error_of_its_own() -> None:
    def fail() -> None:
        raise StorageFailure("save", "jobs", OSError(5, "Input/output error"), may_have_happened=True)

    writer = Writer(fail)
    outcomes = together(writer, GroupCommit(writer, 100, "root"), ["a", "b", "c"])

    assert len({id(error) for error in outcomes.values()}) == 3
    for error in outcomes.values():
        assert isinstance(error, StorageFailure)
        assert (error.errno, error.may_have_happened, error.operation) == (5, True, "save")
        assert "may not outlive a power loss" in str(error)


def test_a_change_that_waited_too_long_is_withdrawn_and_never_made() -> None:
    writer = Writer()
    commits: GroupCommit[Any] = GroupCommit(writer, 0.0, "root")
    first = threading.Thread(target=commits.commit, args=("a",))
    first.start()
    assert writer.began.wait(100)
    with pytest.raises(LockTimeout):
        commits.commit("late")
    writer.go_on.set()
    first.join()

    assert commits.commit("b") == "did b"
    assert writer.batches == [["a"], ["b"]]
