"""Turns stores and checks into test items: collectors, and one item per store, requirement and case.

The ids of items depend on nothing but these three, so they are the same in every checkout, installation and process.
"""

import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tradestore.errors import TradestoreError
from pytest_tradestore.ids import PLACE, PREFIX, PROPERTY
from pytest_tradestore.report.annotations import places_of
from pytest_tradestore.report.failure import FailureText, Told
from pytest_tradestore.report.records import Note, StoreFacts, check_id
from pytest_tradestore.report.summary import profile_of
from pytest_tradestore.session import ConformanceRun, run_of
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Result, Verdict

if TYPE_CHECKING:
    from pytest_tradestore.conformance import Check


_LINES_OF_OUTPUT = 40
"""Lines of what a store printed that are shown from its beginning, and from its end."""
_LINES_BESIDE = 10
"""The same of what pytest caught: work for other checks goes on beside each, and a store logs every refused call."""


@dataclass(frozen=True)
class ConformanceSuite:
    """What ``conformance_suite`` gives: pytest collects it like a test class, under the name it is assigned to."""

    target: Callable[[Path], Any]
    name: str | None
    declarations: dict[str, Any]


def conformance_suite(
    target: Callable[[Path], Any], *, name: str | None = None, **declarations: Any
) -> ConformanceSuite:
    """Return the suite for the store that ``target(root)`` opens, to be assigned to a name in a test module.

    ``TestAcme = conformance_suite(open_store)`` runs with the module's other tests, with or without
    ``--tradestore-conformance``. ``name`` is what reports call the store; ``declarations`` are those of
    ``StoreUnderTest``, such as ``errors=(AcmeError,)``.
    """
    return ConformanceSuite(target, name, declarations)


class RequirementFailed(Exception):  # noqa: N818 - a finding about a store, not an error of ours
    """A requirement is violated, or could not be decided, in the chosen profile."""


class StoreDoesNotWork(Exception):  # noqa: N818 - about the store, not about us
    """Not even ordinary use of a contract works; one item of it says so, and none is judged."""


class StoreCollector(pytest.Collector):
    """The items of one store."""

    store: StoreUnderTest
    facts: StoreFacts

    @classmethod
    def of(cls, session: pytest.Session, store: StoreUnderTest, facts: StoreFacts) -> "StoreCollector":
        made: StoreCollector = cls.from_parent(session, name=store.name, path=session.path, nodeid=facts.id)
        made.store, made.facts = store, facts
        return made

    def collect(self) -> Iterator[pytest.Item]:
        yield from self.items("/")

    def items(self, separator: str) -> Iterator["RequirementItem"]:
        run = run_of(self.config)
        for check in run.checks_for(self.store, self.facts):
            name = check_id(check.requirement, check.case)
            nodeid = f"{self.facts.id}{separator}{name}"
            if run.selection.wants(nodeid, check.requirement):
                yield RequirementItem.of(self, name, nodeid, check, run)


class SuiteCollector(StoreCollector):
    """The items of a store that a test module declares with ``conformance_suite``; their ids begin with the module."""

    suite: ConformanceSuite

    @classmethod
    def of(cls, parent: pytest.Collector, name: str, suite: ConformanceSuite) -> "SuiteCollector":  # type: ignore[override]
        made: SuiteCollector = cls.from_parent(parent, name=name, nodeid=f"{parent.nodeid}::{name}")
        made.suite = suite
        return made

    def collect(self) -> Iterator[pytest.Item]:
        from pytest_tradestore.configuration import checked_store

        name = self.suite.name or self.name.removeprefix("Test").strip("_") or self.name
        try:
            store = StoreUnderTest(name, self.suite.target, **({"origin": self.nodeid} | self.suite.declarations))
            self.store = checked_store(store)
            self.facts = run_of(self.config).examined(self.store, self.nodeid)
        except TypeError as error:
            raise self.CollectError(f"conformance_suite: {error}") from None
        except TradestoreError as error:
            raise self.CollectError(str(error)) from None
        yield from self.items("::")


class RequirementItem(pytest.Item):
    """One requirement, one store, one case."""

    check: "Check"
    run: ConformanceRun
    store: StoreUnderTest
    facts: StoreFacts
    result: Result | None = None
    trouble: str = ""
    printed: str = ""
    """What the store printed, as it is shown."""
    tells: bool = False
    """Whether this is the item that says for all of its contract that ordinary use does not work."""

    @classmethod
    def of(
        cls, parent: StoreCollector, name: str, nodeid: str, check: "Check", run: ConformanceRun
    ) -> "RequirementItem":
        made: RequirementItem = cls.from_parent(parent, name=name, nodeid=nodeid)
        made.check, made.run, made.store, made.facts = check, run, parent.store, parent.facts
        profile = profile_of(check.requirement).label
        made.add_marker(
            pytest.mark.tradestore(
                store=made.store.name, requirement=check.requirement, case=check.case, profile=profile
            )
        )
        if made.config.pluginmanager.hasplugin("xdist"):
            made.add_marker(pytest.mark.xdist_group(parent.facts.id))
        return made

    def runtest(self) -> None:
        """Judge, and end as pytest expects a test to end."""
        if self.facts.output:
            self.add_report_section("opening", "stdout", printable(self.facts.output))
        if (trouble := self.facts.trouble_of(self.check.case)) is not None:
            contract, sentence, *_ = trouble
            if not self.tells:
                raise pytest.skip.Exception(f"not run: {sentence}")
            self._hand_over(error=f"{contract}: {sentence}")
            raise StoreDoesNotWork(sentence)
        try:
            result = self.run.judge(self.check, self.store, self.facts)
        except Exception as error:
            self._hand_over(error=f"{type(error).__name__}: {error}")
            self.trouble = "".join(traceback.format_exception(error))
            raise
        self.result = result
        self._hand_over(result=result)
        if result.output:
            first = self.run.printed.setdefault((self.facts.id, result.output), self.name)
            text = in_short(result.output) if first == self.name else f"the same as at {first}\n"
            self.printed = printable(text)
            self.add_report_section("call", "stdout", self.printed)
        if result.verdict in (Verdict.VIOLATED, Verdict.UNDECIDED):
            raise RequirementFailed(headline(result))
        if result.verdict is Verdict.NOT_APPLICABLE:
            raise pytest.skip.Exception(result.reason)

    def _hand_over(self, result: Result | None = None, error: str = "") -> None:
        """Put what was found where it reaches the process that makes the reports."""
        facts = self.parent.facts if isinstance(self.parent, SuiteCollector) else None
        note = Note(self.facts.id, self.name, result, error, facts)
        self.user_properties[:] = [
            *(p for p in self.user_properties if not p[0].startswith(PROPERTY)),  # from a rerun
            ("tradestore_store", self.store.name),
            ("tradestore_requirement", self.check.requirement),
            ("tradestore_verdict", result.verdict.value if result else "ERROR"),
            *((PLACE, place) for place in self._places(result)),
            (PROPERTY, note.to_json()),
        ]

    def _places(self, result: Result | None) -> Iterator[str]:
        """Yield the first line of the project at which the worst cause lies, if there is one."""
        cause = result.counterexample.cause if result and result.counterexample else None
        if cause is not None:
            yield from (f"{p.file}:{p.line}" for p in islice(places_of(cause.culprit, self.config.rootpath), 1))

    def finish(self, report: pytest.TestReport) -> None:
        """Say in pytest's terms what the verdict means: what does not decide does not fail."""
        report.sections = [
            (title, text if text == self.printed else in_short(text, _LINES_BESIDE)) for title, text in report.sections
        ]
        result = self.result
        if result is None:
            return
        nodeid, _, _ = self.location
        match result.verdict:
            case Verdict.NOT_APPLICABLE:
                report.longrepr = (nodeid, None, f"not applicable: {result.reason}")  # type: ignore[assignment]
            case Verdict.WAIVED:
                report.outcome = "skipped"
                report.wasxfail = f"WAIVED: {result.reason}"
                report.longrepr = None
            case Verdict.VIOLATED | Verdict.UNDECIDED if not self.decides:
                report.outcome = "skipped"
                level = profile_of(result.requirement).label
                report.wasxfail = (
                    f"{headline(result)} (not part of the {self.run.settings.profile.label} profile: {level})"
                )
                report.longrepr = None
            case _:
                pass

    @property
    def works(self) -> bool:
        """Whether ordinary use of its contract works, so that there is something to judge."""
        return self.facts.trouble_of(self.check.case) is None

    @property
    def decides(self) -> bool:
        """Whether the chosen profile contains this requirement."""
        return profile_of(self.check.requirement) <= self.run.settings.profile

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, RequirementFailed) and self.result is not None:
            return FailureText(self.result)
        if isinstance(excinfo.value, StoreDoesNotWork):
            return Told(self._does_not_work())
        if not self.trouble:
            return super().repr_failure(excinfo, style)
        return Told(
            f"The suite itself failed while it judged {self.check.requirement} ({self.check.case}), so nothing is "
            f"known about {self.store.name}. Please report this with the text below.\n\n{self.trouble.rstrip()}"
        )

    def _does_not_work(self) -> str:
        trouble = self.facts.trouble_of(self.check.case)
        assert trouble is not None
        contract, sentence, remedy, trace = trouble
        told = f"{self.store.name} does not work as {contract}: {sentence}. {remedy}; nothing else of it was run."
        return printable(f"{told}\n\n{trace}" if trace else told)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        if self.facts.id.startswith(PREFIX):
            return self.config.rootpath / self.nodeid, None, f"{self.name} of {self.store.name}"
        return self.path, None, f"{self.name} of {self.store.name}"


def in_short(text: str, most: int = _LINES_OF_OUTPUT) -> str:
    """Return what a store printed without the middle of it where that is long: a panic prints a thousand lines."""
    lines = text.splitlines(keepends=True)
    if len(lines) <= 2 * most:
        return text
    return "".join((*lines[:most], f"... {len(lines) - 2 * most:,} more lines ...\n", *lines[-most:]))


def choose_who_tells(items: list[pytest.Item]) -> None:
    """Let the first item of each contract that does not work say so for all of them."""
    told = set()
    for item in items:
        if isinstance(item, RequirementItem) and (trouble := item.facts.trouble_of(item.check.case)) is not None:
            item.tells = (item.facts.id, trouble[0]) not in told
            told.add((item.facts.id, trouble[0]))


def printable(text: str) -> str:
    """Return what a store printed so that it cannot move the cursor or change colours of whoever reads the report."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def headline(result: Result) -> str:
    """Return the verdict and its reason in one line."""
    text = result.counterexample.headline if result.counterexample else result.reason
    return f"{result.verdict.value}: {text}"
