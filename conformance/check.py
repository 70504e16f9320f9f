"""One check: a requirement in a case, and the function that judges a store by it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_tradestore.verdict import Result

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.target import StoreUnderTest


@dataclass(frozen=True)
class Check:
    """One test item: judge ``requirement`` for a store in ``case``."""

    requirement: str
    case: str
    judge: "Callable[[Bench, StoreUnderTest], Result]"
    early: "Callable[[Bench, StoreUnderTest], Iterator[Result]] | None" = None
    """What is known to be violated before all of the evidence is there that it shares with others: results of those."""
