"""Says in the log what is done to data: which operation, of what, in which directory, how it ended, how long it took.

Reads are told at DEBUG and changes at INFO, by the logger ``reference_store.data``, failed ones too: whoever made the
call has the error. Each record has these facts as a dictionary, ``record.tradestore``. Nothing that a document holds is
among them, and identifiers are escaped and sanitised. Where nobody listens it costs one question.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from reference_store.core.sanitising import Sanitising, sanitize_for_logging
from reference_store.core.signals import let_out
from reference_store.errors import shown

READ, CHANGE = logging.DEBUG, logging.INFO
_log = logging.getLogger("reference_store.data")


def begun(level: int) -> float | None:
    """Return when an operation began, for ``ended``; None if nobody listens to what is told at this level."""
    return time.perf_counter() if _log.isEnabledFor(level) else None


def ended(
    level: int, began: float | None, root: str, operation: str, identifier: object, error: BaseException | None
) -> None:
    """Tell of an operation that is over; what stands in the way of that is no matter of the operation."""
    if began is None:
        return
    try:
        outcome = "done" if error is None else type(error).__name__
        of = sanitize_for_logging(shown(identifier))
        facts = {
            "operation": operation, "identifier": of, "root": root, "outcome": outcome,
            "seconds": round(time.perf_counter() - began, 6),
        }  # fmt: skip
        _log.log(level, "%s of %s: %s", operation, of, outcome, extra={"tradestore": facts})
    except Exception as failed:
        let_out(failed)  # what a signal's handler raises here is for the caller


class JsonLines(logging.Formatter):
    """Formats records as one line of JSON each, sanitised, with the facts of a store's operation if it has such."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        Sanitising().filter(record)
        told: dict[str, Any] = {
            "at": self.formatTime(record), "level": record.levelname, "logger": record.name,
            "message": record.getMessage(), **getattr(record, "tradestore", {}),
        }  # fmt: skip
        if record.exc_text:
            told["error"] = record.exc_text
        return json.dumps(told, ensure_ascii=False, default=str)
