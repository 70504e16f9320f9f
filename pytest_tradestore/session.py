"""One run of the suite: what it was asked for, the stores it looks at, and what it found; a plugin of its own.

It is registered only when there is something to check, in each process that takes part: in the one process of a plain
run; under xdist in the controller, which examines the stores and makes the reports, and in the workers, which judge.
"""

import faulthandler
import json
import os
import sys
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tradestore import waivers
from pytest_tradestore.ahead import Ahead, Made
from pytest_tradestore.ahead import workers as workers_here
from pytest_tradestore.backends.hosts import ready
from pytest_tradestore.baseline import known_before, mended
from pytest_tradestore.configuration import (
    Selection,
    Stores,
    baseline_of,
    check_requirements,
    earlier_of,
    reports_of,
    settings_of,
    stores_of,
    take_selection,
    waivers_of,
)
from pytest_tradestore.course import Course
from pytest_tradestore.errors import ConfigurationError, TradestoreError
from pytest_tradestore.ids import PREFIX, PROPERTY
from pytest_tradestore.isolation import NotPossibleHereError, StoreRaisedError, while_waiting
from pytest_tradestore.patience import look_while_waiting
from pytest_tradestore.portions import Asked, early, key_of, portions_of
from pytest_tradestore.report import terminal
from pytest_tradestore.report.ci import tell_github
from pytest_tradestore.report.failure import FailureText, sayable, shown_whole
from pytest_tradestore.report.files import Reported, write_report
from pytest_tradestore.report.progress import ProgressLine
from pytest_tradestore.report.records import Note, StoreFacts, StoreRecord, check_id, facts_from_dict
from pytest_tradestore.report.surroundings import Surroundings, surroundings_of
from pytest_tradestore.shards import shard_of, times_of
from pytest_tradestore.takes import EVERYTHING, Takes
from pytest_tradestore.target import DEADLINE
from pytest_tradestore.termination import end_on_signals, tidy_when_terminated
from pytest_tradestore.verdict import Result, Verdict

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_tradestore.bench import Bench, Races
    from pytest_tradestore.causes import Culprit
    from pytest_tradestore.conformance import Check
    from pytest_tradestore.examination import Examined
    from pytest_tradestore.kits.kit import Kit
    from pytest_tradestore.smoke import Smoked
    from pytest_tradestore.target import StoreUnderTest

_RUN: "pytest.StashKey[ConformanceRun]" = pytest.StashKey()
_HANDED_OVER = "tradestore"


def run_of(config: pytest.Config) -> "ConformanceRun":
    """Return the run of this process, begun by the first who asks."""
    if _RUN not in config.stash:
        config.stash[_RUN] = ConformanceRun(config)
        config.pluginmanager.register(config.stash[_RUN], "tradestore-run")
        config.add_cleanup(tidy_when_terminated())
    return config.stash[_RUN]


def begin(config: pytest.Config) -> None:
    """Begin the run that was asked for with the flag: find the stores, and have a first look at each.

    Raises pytest.UsageError if anything is wrong with the configuration or a store cannot be used at all.
    """
    try:
        run = run_of(config)
        run.selection = take_selection(config)
        if not hasattr(config, "workerinput"):
            _ = run.recorder
        run.progress.begin("importing the stores")
        try:
            with _captured(config):
                run.attach(stores_of(config))
        finally:
            run.progress.over()
        check_requirements(run.selection, run.waivers)
        if config.option.tradestore_replay:
            run.begin_replay(config.option.tradestore_replay)
        elif config.option.tradestore_keep and not config.option.tradestore_confirm:
            raise ConfigurationError(
                "--tradestore-keep does nothing without --tradestore-replay or --tradestore-confirm; add one of them"
            )
        for wanted in run.selection.ids:
            if not any(run.selection.wants(i, r) and Selection(ids=(wanted,)).wants(i, r) for i, r in run.all_ids()):
                raise ConfigurationError(f"there is no check {wanted}; --collect-only -q lists those there are")
    except TradestoreError as error:
        raise pytest.UsageError(str(error)) from None


class ConformanceRun:
    """The state of a run, and the hooks through which pytest and it meet; those about items are in ``hooks``."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.began = datetime.now(UTC)
        self.settings = settings_of(config)
        self.reports = reports_of(config)
        self.waivers = waivers_of(config)
        self.baseline = baseline_of(config)
        self.earlier = earlier_of(config)
        self.shard = shard_of(config.option.tradestore_shard) if config.option.tradestore_shard else None
        times = config.option.tradestore_shard_times
        self.shard_times = times_of(times) if times else None
        self.today = waivers.today()
        self.selection = Selection()
        self.stores = Stores((), self_check=False)
        self.records: dict[str, StoreRecord] = {}
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self.written: list[str] = []
        self.replaying: tuple[str, StoreUnderTest] | None = None
        self.in_other_parts = 0
        """How many checks are left to other parts of the run."""
        self.replayed: list[str] = []
        self._benches: dict[str, Bench] = {}
        self.printed: dict[tuple[str, str], str] = {}
        """Which item has shown what a store printed: evidence that is shared brings it along for each requirement."""
        self._told: dict[str, dict[Culprit, str]] = {}
        self._ahead: Ahead | None = None
        self._early: dict[Hashable, tuple[tuple[str, str], str]] = {}
        """What may be found before its turn and then fails the run: by early keys, its own and the store's name."""
        self._first: tuple[str, str] | None = None
        self.progress = ProgressLine(config)
        self._course = Course()

    # What the collectors and items ask.

    def attach(self, stores: Stores) -> None:
        """Look at each store, unless the controller of this worker has done so."""
        self.stores = stores
        known = {
            facts.id: facts
            for facts in map(
                facts_from_dict, json.loads(getattr(self.config, "workerinput", {}).get(_HANDED_OVER, "[]"))
            )
        }
        for store in stores.stores:
            ready(store.declarations.backend)
            facts = known.get(PREFIX + store.name) or self.examined(store, PREFIX + store.name)
            self.records[facts.id] = StoreRecord(facts)

    def begin_replay(self, token: str) -> None:
        """Make this a run of nothing but one replay; raises ReplayError if the token is of no store here."""
        from pytest_tradestore.replay import store_of

        store = store_of(token, self.stores.stores)
        self.replaying = token, fitted(store, self.records[PREFIX + store.name].facts)
        self.config.args = []

    def examined(self, store: "StoreUnderTest", store_id: str) -> StoreFacts:
        """Open ``store`` once and return what it is; raises TargetError or ConfigurationError."""
        from pytest_tradestore import conformance
        from pytest_tradestore.examination import examine

        with while_waiting(lambda: self.progress.name(f"opening {store.name}")):
            found = examine(store)
        if found.unread:
            self.progress.say(f"store {store.name!r}: {found.unread}")
        checks = conformance.checks_for(found.contracts)
        smoked = {} if self.config.option.collectonly else self._smoked(store, found)
        slowest = max((one.seconds for one in smoked.values()), default=0.0)
        return StoreFacts(
            store_id,
            store.name,
            tuple(kit.name for kit in found.contracts),
            tuple(sorted(store.declarations.claims)),
            tuple(check_id(check.requirement, check.case) for check in checks),
            found.methods,
            found.output,
            tuple(astuple(requirement) for kit in found.contracts for requirement in kit.requirements),
            tuple((name, *astuple(one.trouble)) for name, one in smoked.items() if one.trouble is not None),
            _taken(store, smoked.values()),
            0.0 if store.declared("deadline") is not None else deadline_for(slowest),
            tuple(dict.fromkeys(name for one in smoked.values() for name in one.imports)),
        )

    def _smoked(self, store: "StoreUnderTest", found: "Examined") -> "dict[str, Smoked]":
        """Use each contract that anything is asked of in the ordinary way."""
        from pytest_tradestore.examination import offered
        from pytest_tradestore.smoke import smoke

        smoked = {}
        for kit in found.contracts:
            with while_waiting(lambda kit=kit: self.progress.name(f"trying {kit.name} of {store.name}")):  # type: ignore[misc]
                smoked[kit.name] = smoke(store, kit, offered(store, kit, frozenset(found.methods)))
        return smoked

    def checks_for(self, store: "StoreUnderTest", facts: StoreFacts) -> "tuple[Check, ...]":
        """Return every check there is for a store."""
        from pytest_tradestore import conformance

        return conformance.checks_for(_kits(store, facts))

    def judge(self, check: "Check", store: "StoreUnderTest", facts: StoreFacts) -> Result:
        """Judge one check; the evidence is shared with the store's other checks in this process."""
        # A project's own faulthandler_timeout is not for this: evidence takes minutes, and what hangs has a deadline.
        faulthandler.cancel_dump_traceback_later()
        key = key_of(facts, check)
        made = None if self._ahead is None else self._taken_ahead(self._ahead, key)
        if made is None:
            self._course.begins(key)
            try:
                with while_waiting(lambda: self.progress.show(self._course.progress)):
                    result = self._decided(check, store, facts)
            finally:
                self._course.ends(key)
        else:
            result, races = made.value
            self.bench_for(store, facts).adopt_races(races)
            sys.stdout.write(made.output)
        self.progress.over()
        return self._as_known(result, store.name)

    def _as_known(self, result: Result, store: str) -> Result:
        """Return a result as what is known before makes it: waived, or as ever."""
        return known_before(waivers.waived(result, store, self.waivers, self.today), store, self.baseline)

    def _taken_ahead(self, ahead: Ahead, key: tuple[str, str]) -> Made | None:
        """Return what others have made of a check, waiting for it; what is found first of all is said at once."""
        if key == self._first:
            return ahead.take(early(key), self.progress.show)
        found = self._found_early(ahead, key)
        if found is not None:
            _, name = self._early[early(found)]
            self._early.clear()  # one is enough: somebody who waits may begin to mend
            result, _ = ahead.seen(early(found)).value
            self.progress.say(
                sayable(f"found: {found[1]} of {name}, {result.reason}", self.config.get_terminal_writer())
            )
        return ahead.take(key, self.progress.show)

    def fails_before(self, key: tuple[str, str]) -> tuple[str, str] | None:
        """Return which check is known to fail before that of this key is judged, where the run ends with the first.

        Its result is then what is known of it.
        """
        if self._ahead is None or self.config.getoption("maxfail") != 1:
            return None
        self._first = self._found_early(self._ahead, key)
        return self._first

    def _found_early(self, ahead: Ahead, key: tuple[str, str]) -> tuple[str, str] | None:
        """Return the check that is the first to be known to fail the run, if there is one before that of ``key``."""
        while (there := ahead.first_of(key, self._early, self.progress.show)) in self._early:
            found, name = self._early[there]
            result, _ = ahead.seen(there).value
            if self._as_known(result, name).verdict is Verdict.VIOLATED:
                return found
            del self._early[there]
        return None

    def _decided(self, check: "Check", store: "StoreUnderTest", facts: StoreFacts) -> Result:
        store = fitted(store, facts)
        if self.settings.platforms and store.declared("platforms") is None:
            store = replace(store, platforms=self.settings.platforms)
        began = perf_counter()
        try:
            result = check.judge(self.bench_for(store, facts), store)
            return replace(result, seconds=round(perf_counter() - began, 3))
        except NotPossibleHereError as error:
            return Result(check.requirement, check.case, Verdict.UNDECIDED, f"not checked: {error}")
        except StoreRaisedError as error:
            reason = f"the store raised {error.told} where it was not being judged; what it printed shows where"
            return Result(check.requirement, check.case, Verdict.UNDECIDED, reason, output=error.trace)

    def work_ahead(self, asked: "Sequence[Asked]", deciding: Collection[Asked] = ()) -> None:
        """Begin to judge these checks in other processes, so that ``judge`` finds their results made.

        What is violated of the ``deciding`` ones fails the run.
        """
        option = self.config.option.tradestore_workers
        workers = workers_here() if option is None else option
        if hasattr(self.config, "workerinput"):
            return

        def judge(one: Asked) -> "tuple[Result, Races]":
            result = self._decided(one.check, one.store, one.facts)
            return result, self.bench_for(one.store, one.facts).known_races()

        def look(one: Asked) -> "Iterator[tuple[tuple[str, str], tuple[Result, Races]]]":
            store = fitted(one.store, one.facts)
            with suppress(NotPossibleHereError, StoreRaisedError):  # it is said where that is judged
                for result in one.check.early(self.bench_for(store, one.facts), store) if one.check.early else ():
                    yield (one.facts.id, check_id(result.requirement, result.case)), (result, {})

        keys = ((key_of(one.facts, one.check), one.store.name) for one in deciding)
        self._early = {early(key): (key, name) for key, name in keys}
        portions = portions_of(asked, judge, look)
        self._course = Course(portions)
        if not asked or not workers or not hasattr(os, "fork"):
            return
        self._ahead = Ahead(portions, workers, end_on_signals)
        self.config.add_cleanup(self._ahead.close)

    def bench_for(self, store: "StoreUnderTest", facts: StoreFacts) -> "Bench":
        """Return the bench of a store: one each, because two test modules may each have a store of the same name."""
        if facts.id not in self._benches:
            from pytest_tradestore.bench import Bench
            from pytest_tradestore.examination import Examined

            self._benches[facts.id] = Bench(self.settings)
            self._benches[facts.id].remember(store, Examined(_kits(store, facts), facts.methods, facts.output))
        return self._benches[facts.id]

    @cached_property
    def recorder(self) -> tuple[str, str]:
        """Return the name of the recorder that works here, and a sentence if it is not the best one.

        Raises ConfigurationError if the one that was asked for does not work here.
        """
        from pytest_tradestore.crash.recording import choose_recorder

        try:
            chosen, remark = choose_recorder(self.settings.recorder)
        except RuntimeError as error:
            raise ConfigurationError(
                f"--tradestore-recorder {self.settings.recorder} cannot be used: {error}"
            ) from None
        return chosen.name, remark

    def all_ids(self) -> Iterator[tuple[str, str]]:
        """Yield the id and the requirement of every item there could be."""
        for record in self.records.values():
            for check in record.facts.checks:
                yield f"{record.facts.id}/{check}", check.partition("[")[0]

    # What happened.

    def note(self, report: pytest.TestReport) -> None:
        """Take in the report of one of our items, from this process or from a worker."""
        note = Note.from_json(str(dict(report.user_properties)[PROPERTY]))
        if note.store not in self.records and note.facts is not None:
            self.records[note.store] = StoreRecord(note.facts)
        if note.store not in self.records:
            return
        record = self.records[note.store]
        if note.result is None:
            record.errors[note.check] = note.error
        else:
            record.results[note.check] = note.result
            if report.failed:
                told = self._told.setdefault(note.store, {})
                report.longrepr = FailureText(note.result, dict(told))  # type: ignore[assignment]
                whole = shown_whole(note.result, told)
                if whole is not None and whole.cause is not None:
                    told[whole.cause.culprit] = note.check

    # Hooks.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand over to a worker of xdist what is known of the stores."""
        node.workerinput[_HANDED_OVER] = json.dumps([asdict(record.facts) for record in self.records.values()])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep the checks that share evidence on one worker, or each worker would make it anew."""
        look_while_waiting(config, self._say_how_far_workers_are)
        if config.option.dist not in ("load", "loadgroup"):
            return None
        from xdist.scheduler import LoadScopeScheduling

        class ByEvidence(LoadScopeScheduling):  # type: ignore[misc]
            def _split_scope(self, nodeid: str) -> str:
                return evidence_of(nodeid)

        return ByEvidence(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note in the controller what the workers have to do; each of them has found the same."""
        keys = set(map(key_in, ids))
        asked = [
            Asked(check, store, self.records[PREFIX + store.name].facts)
            for store in self.stores.stores
            for check in self.checks_for(store, self.records[PREFIX + store.name].facts)
        ]
        self._course = Course(portions_of([one for one in asked if key_of(one.facts, one.check) in keys]))

    def _say_how_far_workers_are(self) -> None:
        if self._course.empty:
            self.progress.name("waiting for the workers to begin")
        else:
            self.progress.show(self._course.progress)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.config.pluginmanager.hasplugin("dsession"):
            self._course.begins(key_in(nodeid))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        if self.config.pluginmanager.hasplugin("dsession"):
            self._course.ends(key_in(nodeid))
            self.progress.over()

    def pytest_report_header(self) -> list[str]:
        if not self.stores.stores:
            return []
        stores = [f"{r.facts.name} ({', '.join(r.facts.contracts)})" for r in self.records.values()]
        width = self.config.get_terminal_writer().fullwidth
        return terminal.header(self.settings, self.recorder, stores, width, self_check=self.stores.self_check)

    @pytest.hookimpl(tryfirst=True)  # before the JUnit file takes the report in
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.config.getoption("xmlpath", None):
            from pytest_tradestore.report.junit import name_in_junit

            name_in_junit(self.config, report)
        if report.when == "call":
            self.replayed += [str(value) for name, value in report.user_properties if name == "tradestore_replay"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
        """Count a check that the suite could not judge as an error, not as a failure of the store."""
        if report.when == "call" and report.failed and ("tradestore_verdict", "ERROR") in report.user_properties:
            return "error", "E", "ERROR"
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._ahead is not None:
            self._ahead.close()
        if hasattr(self.config, "workerinput") or self.config.option.collectonly or not self.records or self.replaying:
            return
        every_store = bool(self.stores.stores) and not self.config.option.tradestore_store
        stale = waivers.stale(self.waivers, list(self.records.values()), self.today, all_stores=every_store)
        self.problems += stale
        if not every_store and (unused := waivers.unused(self.waivers, list(self.records.values()))):
            self.remarks.append(unused)
        if stale and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.baseline is not None and (gone := mended(self.baseline, list(self.records.values()))):
            self.remarks.append(f"mended since the baseline, which can be written anew: {', '.join(gone)}")
        made = self._reported()
        for report in self.reports:
            try:
                write_report(report.format, report.path, made)
            except (OSError, TradestoreError) as error:
                self.problems.append(f"could not write {report.path}: {getattr(error, 'strerror', None) or error}")
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
            else:
                self.written.append(f"report written to {report.path}")
        if self.in_other_parts and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK  # there is less to do than there are parts
        if self.stores.self_check and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def _reported(self) -> Reported:
        records = list(self.records.values())
        return Reported(self.settings, self.recorder[0], records, self.config.rootpath, self._around, self.earlier)

    @cached_property
    def _around(self) -> Surroundings:
        return surroundings_of(self.began, datetime.now(UTC), self.config.rootpath)

    def pytest_terminal_summary(self, terminalreporter: "TerminalReporter") -> None:
        if self.config.option.collectonly or not self.records:
            return
        writer = self.config.get_terminal_writer()
        if self.replaying:
            terminalreporter.section("tradestore replay")
            for text in self.replayed:
                writer.line(sayable(text, writer))
            return
        terminalreporter.section("tradestore conformance")
        records, profile, whole = list(self.records.values()), self.settings.profile, self.config.option.verbose > 0
        for line in terminal.summary(records, profile, writer.fullwidth, whole=whole):
            for span in line:
                writer.write(sayable(span.text, writer), **dict.fromkeys(span.markup, True))
            writer.line()
        for text in self.written:
            writer.line(sayable(text, writer))
        for remark in self.remarks:
            writer.line(sayable(f"note: {remark}", writer), yellow=True)
        for problem in self.problems:
            writer.line(sayable(f"ERROR: {problem}", writer), red=True)
        if self.stores.self_check:
            writer.line("SELF-CHECK: no store of yours was tested; name one with --tradestore-store", yellow=True)
        made = self._reported()
        for text in tell_github(made, os.environ):
            writer.line(text)


def fitted(store: "StoreUnderTest", facts: StoreFacts) -> "StoreUnderTest":
    """Return the store with the values, the deadline and the imports that were found out for it."""
    store = replace(store, imports=facts.imports)
    if facts.takes:
        store = replace(store, takes=Takes(*facts.takes))
    return replace(store, deadline=facts.deadline) if facts.deadline else store


def _taken(store: "StoreUnderTest", smoked: "Iterable[Smoked]") -> tuple[Any, ...]:
    """Return what all contracts of a store take together, where that was found out and is not everything."""
    if store.declared("takes") is not None:
        return ()
    worked = [astuple(one.takes) for one in smoked if one.trouble is None]
    everything = astuple(EVERYTHING)
    strictest = tuple(
        next((value for value in values if value != usual), usual)
        for usual, values in zip(everything, zip(*worked, strict=True), strict=bool(worked))
    )
    return strictest if worked and strictest != everything else ()


_SLOWEST = 20
"""How many times longer than the slowest ordinary step any other may take."""
_BUSIEST = 3.0


def deadline_for(slowest: float) -> float:
    """Return the seconds for one step of a store that declares none: more for a slow one, and on a busy machine."""
    try:
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
    except (OSError, AttributeError):  # Windows has no such thing
        load = 1.0
    return round(max(DEADLINE * min(max(load, 1.0), _BUSIEST), _SLOWEST * slowest), 1)


def _kits(store: "StoreUnderTest", facts: StoreFacts) -> "tuple[Kit, ...]":
    return tuple(kit for kit in store.kits if kit.name in facts.contracts)


def key_in(nodeid: str) -> tuple[str, str]:
    """Return what ``key_of`` returns for the item of this id."""
    store, _, check = nodeid.rpartition("/" if nodeid.startswith(PREFIX) else "::")
    return store, check


def evidence_of(nodeid: str) -> str:
    """Return what the items that are judged from the same evidence have in common: the store and the case."""
    if not nodeid.startswith(PREFIX):
        return nodeid.rpartition("@")[2]  # xdist marks its own groups so
    store, _, check = nodeid.rpartition("/")
    return f"{store}[{check.partition('[')[2]}"


@contextmanager
def _captured(config: pytest.Config) -> Iterator[None]:
    """Keep what a project's modules print while they are imported out of the header."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    capture.resume_global_capture()
    try:
        yield
    finally:
        capture.suspend_global_capture()
        capture.read_global_capture()
