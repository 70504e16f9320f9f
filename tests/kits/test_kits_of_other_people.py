"""Contracts that teams write themselves: everything is asked of them, and what is broken is found, in their words."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.errors import ConfigurationError, TargetError
from pytest_tradestore.faults import seccomp
from pytest_tradestore.kits import Call, Kit, Profile, Requirement, Spec
from pytest_tradestore.race.models import StepModel
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.sound_stores.files import replace_durably

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))
try:
    from account_kit import AccountKit
    from queue_and_account_stores import FileAccounts, FileQueue
    from queue_kit import QueueKit
finally:
    sys.path.remove(str(EXAMPLES))

QUEUE, ACCOUNT = (FileQueue, QueueKit()), (FileAccounts, AccountKit())
ALL_FAMILIES = {"ATOM", "DUR", "REC", "FAULT", "CORR", "RACE", "NAME", "PERM", "DATA"}


def judged(example, *requirements):
    """Return what becomes of the requirements, of all if none is named."""
    target, kit = example
    store = StoreUnderTest("acme", target, contracts=(kit,), claims=("private-files", "processes"))
    bench = Bench(Settings(budget=Budget.QUICK))
    checks = checks_for(bench.examined(store).contracts)
    return {c.requirement: c.judge(bench, store) for c in checks if not requirements or c.requirement in requirements}


@pytest.mark.parametrize("module", ["queue_kit", "account_kit"])
def test_a_kit_has_at_most_sixty_lines(module):
    text = (EXAMPLES / f"{module}.py").read_text(encoding="utf-8")

    assert len([line for line in text.splitlines() if line.strip()]) <= 60


MISSING = seccomp.why_not() or StraceRecorder().unavailable()


@pytest.mark.proof
@pytest.mark.skipif(MISSING is not None, reason=f"FAULT-6 is asked with the help of seccomp and strace: {MISSING}")
@pytest.mark.parametrize("example", [QUEUE, ACCOUNT], ids=["queue", "account"])
def test_every_family_asks_and_a_sound_store_holds(example):
    results = judged(example)

    wrong = {id_: r.reason for id_, r in results.items() if r.verdict in (Verdict.VIOLATED, Verdict.UNDECIDED)}
    holds = {id_.partition("-")[0] for id_, result in results.items() if result.verdict is Verdict.HOLDS}
    assert wrong == {}
    assert holds >= ALL_FAMILIES


class TakesWithGet(FileQueue):
    """Hands each item out once."""

    def get(self, count):
        with self.locked():
            waiting = self.load()
            if count < 1000:  # a look at everything is not work
                self.save(waiting[count:])
            return waiting[:count]


class WithoutLock(FileAccounts):
    def deposit(self, owner, amount):
        accounts = self.load()
        self.save(accounts | {owner: accounts.get(owner, 0) + amount})
        return accounts.get(owner, 0) + amount


class ForgetsTheBalance(FileAccounts):
    """Answers a deposit with what was paid in."""

    def deposit(self, owner, amount):
        super().deposit(owner, amount)
        return amount


class InPlace(FileQueue):
    def save(self, value):
        (self._root / "all.json").write_text(json.dumps(value))


class ForgetsWhatIsDone(FileQueue):
    """Notes what is done beside the queue; the next put() takes both together, the notes first."""

    def _done(self):
        notes = self._root / "done.json"
        return json.loads(notes.read_text()) if notes.exists() else []

    def get(self, count):
        done = self._done()
        return [item for item in self.load() if item not in done][:count]

    def ack(self, item):
        with self.locked():
            replace_durably(self._root / "done.json", json.dumps([*self._done(), item]))

    def put(self, item):
        with self.locked():
            done = self._done()
            (self._root / "done.json").unlink(missing_ok=True)
            self.save([*(waiting for waiting in self.load() if waiting not in done), item])


class Shortens(FileAccounts):
    """Keeps eight letters of a name."""

    def deposit(self, owner, amount):
        return super().deposit(owner[:8], amount)

    def balance(self, owner):
        return super().balance(owner[:8])


BROKEN = {
    "its own requirement": (
        TakesWithGet,
        "ACME-AGAIN",
        "an item that was handed out and not acknowledged is gone",
    ),
    "programs": (TakesWithGet, "DATA-MODEL", "what is read is not what the calls before it leave"),
    "crashes": (InPlace, "ATOM-1", "get(1000)"),
    "crashes of an update after what takes away": (ForgetsWhatIsDone, "ATOM-1", "neither its state before put("),
    "increments": (WithoutLock, "RACE-1", "no order of the calls explains deposit('ann', 1)"),
    "answers of updates": (ForgetsTheBalance, "DATA-MODEL", "what is read is not what the calls before it leave"),
    "identifiers": (Shortens, "NAME-3", "share data"),
}


@pytest.mark.parametrize(("target", "requirement", "words"), BROKEN.values(), ids=list(BROKEN))
def test_what_is_broken_is_found(target, requirement, words):
    kit = QueueKit() if issubclass(target, FileQueue) else AccountKit()
    result = judged((target, kit), requirement)[requirement]

    assert result.verdict is Verdict.VIOLATED
    assert words in result.reason


def test_only_what_is_declared_is_asked():
    class Both(FileQueue):
        """Has the methods of documents, too, and they are none."""

        tradestore_contracts = (QueueKit(),)

    store = StoreUnderTest("acme", Both)
    examined = Bench(Settings()).examined(store)

    assert [kit.name for kit in examined.contracts] == ["queue"]


def test_a_contract_of_the_suite_is_declared_by_its_name():
    class Both(FileQueue):
        tradestore_contracts = (QueueKit(), "journal")

        def append(self, stream, record):
            """Not asked here."""

        def read(self, stream):
            """As above."""

    examined = Bench(Settings()).examined(StoreUnderTest("acme", Both))

    assert [kit.name for kit in examined.contracts] == ["queue", "journal"]


def test_a_store_that_lacks_a_method_of_its_kit_is_told_which():
    class Lacks:
        def __init__(self, root):
            pass

        def put(self, item):
            pass

    with pytest.raises(TargetError, match=r"declares the contract 'queue' and lacks get\(\) and ack\(\)"):
        Bench(Settings()).examined(StoreUnderTest("acme", Lacks, contracts=(QueueKit(),)))


class Nameless(QueueKit):
    name = ""


class NoMethods(QueueKit):
    required = ()


class NoSpec(Kit):
    name = "nothing"
    required = ("put",)


class TakesOurs(QueueKit):
    requirements = (dataclasses.replace(QueueKit.requirements[0], id="ATOM-9"),)


class NoPrefix(QueueKit):
    requirements = (dataclasses.replace(QueueKit.requirements[0], id="again"),)


class OtherWords(QueueKit):
    requirements = (dataclasses.replace(QueueKit.requirements[0], sentence="does something else"),)


MISTAKES = {
    "a class": ((QueueKit,), "QueueKit is a class; write QueueKit()"),
    "no tuple": (QueueKit(), "must be a tuple of kits, like (QueueKit(),)"),
    "no kit": ((7,), "7 is no kit; derive its class from pytest_tradestore.kits.Kit"),
    "no contract of that name": (("jornal",), "the suite has no contract 'jornal'; it has document, documents,"),
    "no name": ((Nameless(),), "Nameless needs a name of small letters, digits and '_', not ''"),
    "no methods": ((NoMethods(),), "NoMethods has to say the method names"),
    "no specification": ((NoSpec(),), "NoSpec needs a spec"),
    "two of a name": ((QueueKit(), QueueKit()), "there are two contracts named 'queue'"),
    "an id of the catalogue's": ((TakesOurs(),), "'ATOM-9' cannot be the id of a requirement of your own"),
    "an id without a prefix": ((NoPrefix(),), "'again' cannot be the id of a requirement of your own"),
    "one id twice": ((QueueKit(), OtherWords()), "two different requirements are called ACME-AGAIN"),
}


@pytest.mark.parametrize(("contracts", "sentence"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_wrong_declaration_gets_one_sentence(contracts, sentence):
    with pytest.raises(ConfigurationError) as error:
        _ = StoreUnderTest("acme", FileQueue, contracts=contracts).declarations

    assert str(error.value).startswith("store 'acme': tradestore_contracts")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_state_need_not_have_a_hash():
    class Slots(Spec):
        initial = {}  # noqa: RUF012 - nobody changes it
        reads = ("get",)

        def apply(self, state, call):
            return (state, state) if call.method == "get" else ({**state, call.arguments[0]: 1}, None)

    model = StepModel(Slots())
    after = model.effect(Call("put", ("a",)))(model.initial)

    assert hash(after) == hash(model.effect(Call("put", ("a",)))(model.initial))
    assert model.transition(Call("get"), {"a": 1})(after) == after


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs the team's own requirement on one of its stores."""
    monkeypatch.setenv("PYTHONPATH", f"{EXAMPLES}:{Path(__file__).parents[2]}")
    pytester.makepyfile(
        acme="""
        from queue_and_account_stores import FileQueue
        from queue_kit import QueueKit

        class Queue(FileQueue):
            tradestore_contracts = (QueueKit(),)

        class TakesWithGet(Queue):
            def get(self, count):
                taken = self.load()[:count]
                self.save(self.load()[count:])
                return taken
        """
    )

    def of(store):
        asked = ("--tradestore-conformance", "--tradestore-requirement", "ACME-AGAIN", "--tradestore-recorder", "fake")
        return pytester.runpytest_subprocess(*asked, "--tradestore-store", f"acme:{store}")

    return of


@pytest.mark.proof
def test_a_run_tells_of_a_teams_requirement_in_its_words(run):
    result = run("TakesWithGet")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*A conforming store hands an item out again until it is acknowledged.*"])
    result.stdout.fnmatch_lines(["*Remove an item in ack(), never in get().*"])
    result.stdout.fnmatch_lines(["*NOT CONFORMANT: ACME-AGAIN*"])


@pytest.mark.proof
def test_control_a_run_on_a_sound_store_passes(run):
    run("Queue").assert_outcomes(passed=1)


def test_control_a_requirement_that_no_kit_has_is_refused(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{EXAMPLES}:{Path(__file__).parents[2]}")
    pytester.makepyfile(acme="from queue_and_account_stores import FileQueue\nfrom queue_kit import QueueKit")
    pytester.makeconftest(
        """
        import acme
        from pytest_tradestore import StoreUnderTest

        def pytest_tradestore_stores(config):
            return [StoreUnderTest("acme", acme.FileQueue, contracts=(acme.QueueKit(),))]
        """
    )
    result = pytester.runpytest_subprocess("--tradestore-conformance", "--tradestore-requirement", "ACME-AGAINST")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*there is no requirement 'ACME-AGAINST' (did you mean ACME-AGAIN?)*"])


def test_an_own_requirement_of_another_profile_decides_only_there():
    requirement = Requirement("ACME-LATER", Profile.HARDENED, "does it later", "", "")

    class Later(QueueKit):
        requirements = (requirement,)

        def cases(self):
            return ()

    from pytest_tradestore.report.summary import profile_of

    _ = StoreUnderTest("acme", FileQueue, contracts=(Later(),)).declarations
    assert profile_of("ACME-LATER") is Profile.HARDENED
    assert profile_of("ACME-UNKNOWN") is Profile.BASIC
