"""The protocols of the contracts that a store may offer, for annotations; each is told in its kit (``kits``).

Sync and async methods are both accepted everywhere; a missing key reads as ``None``, ``{}`` or ``[]``.
"""

from typing import Protocol, runtime_checkable

from pytest_tradestore.kits.audit import AuditLog
from pytest_tradestore.kits.bars import Bars
from pytest_tradestore.kits.document import SingleDocument
from pytest_tradestore.kits.documents import Documents
from pytest_tradestore.kits.events import Events
from pytest_tradestore.kits.fundamentals import Fundamentals
from pytest_tradestore.kits.jobs import Jobs
from pytest_tradestore.kits.journal import Journal
from pytest_tradestore.kits.protocol import Document, Now
from pytest_tradestore.kits.runs import Runs
from pytest_tradestore.kits.state import StrategyState

__all__ = [
    "AuditLog",
    "Bars",
    "DataStore",
    "Document",
    "Documents",
    "Events",
    "Fundamentals",
    "Jobs",
    "Journal",
    "Now",
    "Runs",
    "SingleDocument",
    "StrategyState",
]


@runtime_checkable
class DataStore(Bars, Fundamentals, Events, StrategyState, AuditLog, Protocol):
    """Everything that a trading system keeps in files: the sum of five contracts."""
