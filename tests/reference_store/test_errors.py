"""Errors carry facts, and sentences that are safe to log."""

import errno

import pytest

from reference_store import errors


def test_every_error_is_a_trading_error_and_of_the_kind_that_python_code_expects() -> None:
    assert issubclass(errors.InvalidIdentifier, ValueError)
    assert issubclass(errors.UnserialisableValue, ValueError)
    assert issubclass(errors.UnserialisableValue, TypeError)
    assert issubclass(errors.CorruptData, ValueError)
    assert issubclass(errors.LockTimeout, TimeoutError)
    assert issubclass(errors.StorageFailure, OSError)
    assert issubclass(errors.StoreClosed, ValueError)
    for name in (
        "InvalidIdentifier",
        "UnserialisableValue",
        "CorruptData",
        "LockTimeout",
        "StorageFailure",
        "StoreClosed",
    ):
        assert issubclass(getattr(errors, name), errors.StoreError)
    assert issubclass(errors.StoreError, errors.TradingError)


def test_a_storage_failure_keeps_the_errno_and_says_whether_the_update_may_be_there() -> None:
    cause = OSError(errno.ENOSPC, "No space left on device")

    kept = errors.StorageFailure("put", "AAPL", cause)
    unsure = errors.StorageFailure("put", "AAPL", cause, may_have_happened=True)

    assert (kept.errno, kept.may_have_happened, unsure.may_have_happened) == (errno.ENOSPC, False, True)
    assert "before the call is kept" in str(kept)
    assert "may not outlive a power loss" in str(unsure)


@pytest.mark.parametrize("identifier", ["a\nINFO forged line", "\x1b[2J", "AAPL\u202egpj", "\ud800", "x" * 10_000])
def test_a_message_cannot_be_forged_with_an_identifier(identifier: str) -> None:
    for error in (
        errors.InvalidIdentifier(identifier, "is bad"),
        errors.CorruptData(identifier, "f.json", "it is cut"),
        errors.StorageFailure("put", identifier, OSError(5, "Input/output error")),
    ):
        assert str(error).isprintable()
        assert len(str(error)) < 500


def test_a_damaged_line_is_named() -> None:
    assert "line 7 of file 'orders.jsonl'" in str(errors.CorruptData("orders", "orders.jsonl", "it is cut", 7))
