"""Where pytest meets the items of a run: they are added to what it collects, and have the last word on their reports.

The other hooks are those of the run itself, in ``session``, which knows no items.
"""

from collections.abc import Generator

import pytest

from pytest_tradestore import session
from pytest_tradestore.collection import RequirementItem, StoreCollector, choose_who_tells
from pytest_tradestore.ids import PREFIX
from pytest_tradestore.portions import Asked, key_of
from pytest_tradestore.replaying import ReplayItem
from pytest_tradestore.session import ConformanceRun, run_of
from pytest_tradestore.shards import chosen

_NAME = "tradestore-items"


def begin(config: pytest.Config) -> None:
    """Begin the run that was asked for with the flag. Raises pytest.UsageError as ``session.begin`` does."""
    session.begin(config)
    expect_items(config)


def expect_items(config: pytest.Config) -> None:
    """Be ready for items of the suite in this process, with or without the flag."""
    if not config.pluginmanager.hasplugin(_NAME):
        config.pluginmanager.register(ItemHooks(run_of(config)), _NAME)


class ItemHooks:
    """The hooks about items of one run."""

    def __init__(self, run: ConformanceRun) -> None:
        self._run = run
        self._by_key: dict[tuple[str, str], RequirementItem] = {}
        self._sooner: RequirementItem | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            report.result += self._items(collector)
        return report

    def _items(self, collector: pytest.Session) -> list[pytest.Item | pytest.Collector]:
        run = self._run
        if run.replaying:
            token, store = run.replaying
            return [ReplayItem.of(collector, run, token, store, run.records[PREFIX + store.name].facts)]
        return [
            StoreCollector.of(collector, store, run.records[PREFIX + store.name].facts)
            for store in run.stores.stores
            if run.selection.wants_store(PREFIX + store.name)
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Begin with the work that the items will ask for, now that it is known which they are."""
        if not session.config.option.collectonly:
            items = [item for item in session.items if isinstance(item, RequirementItem) and item.works]
            self._by_key = {key_of(item.facts, item.check): item for item in items}
            asked = [Asked(item.check, item.store, item.facts) for item in items]
            self._run.work_ahead(asked, [one for one, item in zip(asked, items, strict=True) if item.decides])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Where the run ends with the first failure, tell one before its turn that is known sooner than this item."""
        if not isinstance(item, RequirementItem) or item is self._sooner:
            return None
        key = self._run.fails_before(key_of(item.facts, item.check))
        self._sooner = self._by_key.get(key) if key is not None else None
        if self._sooner is None or self._sooner is item:
            return None
        item.config.hook.pytest_runtest_protocol(item=self._sooner, nextitem=item)
        return True if item.session.shouldfail else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self._run.shard is not None:
            ours = {
                item: Asked(item.check, item.store, item.facts) for item in items if isinstance(item, RequirementItem)
            }
            mine = chosen(list(ours.values()), self._run.shard, self._run.shard_times)
            others = [item for item, one in ours.items() if key_of(one.facts, one.check) not in mine]
            self._run.in_other_parts = len(others)
            if others:
                config.hook.pytest_deselected(items=others)
                items[:] = [item for item in items if item not in set(others)]
        choose_who_tells(items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, RequirementItem) and call.when == "call":
            item.finish(report)
        return report
