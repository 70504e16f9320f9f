"""What one run of the suite shares between its checks: the settings, and evidence that several checks judge."""

from pytest_tradestore.contracts import Contract
from pytest_tradestore.crash.evidence import Evidence, gather
from pytest_tradestore.crash.workloads import Workload, workload_for
from pytest_tradestore.examination import Examined, examine
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest


class Bench:
    """Makes each piece of evidence once and keeps it for the checks that come later."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._crashes: dict[tuple[str, str], Evidence] = {}
        self._examined: dict[str, Examined] = {}

    def examined(self, store: StoreUnderTest) -> Examined:
        """Return what a store offers. Raises TargetError if it cannot be opened."""
        if store.name not in self._examined:
            self._examined[store.name] = examine(store)
        return self._examined[store.name]

    def remember(self, store: StoreUnderTest, examined: Examined) -> None:
        """Take over what has been found out about a store elsewhere."""
        self._examined[store.name] = examined

    def crashes(self, store: StoreUnderTest, contract: Contract) -> Evidence:
        """Return what crashes do to one contract of a store."""
        key = (store.name, contract.name)
        if key not in self._crashes:
            self._crashes[key] = gather(store, self.workload(store, contract), self.settings)
        return self._crashes[key]

    def workload(self, store: StoreUnderTest, contract: Contract) -> Workload:
        """Return what is done to a store while it is recorded: the contract's workload with what the store offers."""
        return workload_for(contract, frozenset(self.examined(store).methods), store.records)
