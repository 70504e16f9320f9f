"""The pytest plugin: its options and the hooks that switch it on.

Every pytest run in the environment imports this module, so it imports nothing else before the suite is asked for, but
for two constants.
"""

import os
from typing import Any

import pytest

from pytest_tradestore.ids import PREFIX, PROPERTY


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tradestore", "conformance of stores (pytest-tradestore)")
    group.addoption(
        "--tradestore-conformance",
        action="store_true",
        help="Check stores for crash safety and their data contract. Alone it runs only that suite, not the project's "
        "own tests; paths given with it run too.",
    )
    group.addoption(
        "--tradestore-init",
        metavar="[NAME=]MODULE:CLASS",
        help="Make a store ready to be checked: look at it, write the configuration and, where one is needed, an "
        "adapter, use it once, and exit. Nothing that is there is overwritten.",
    )
    group.addoption(
        "--tradestore-contract",
        metavar="NAME",
        help="With --tradestore-init: ask the store as this contract, for example documents or journal, and not as the "
        "one that is nearest to its methods.",
    )
    group.addoption(
        "--tradestore-store",
        action="append",
        default=[],
        metavar="[NAME=]MODULE:CALLABLE",
        help="A store to check, instead of the configured ones: CALLABLE(root) opens it on a directory. "
        "'reference' stands for the bundled stores, 'reference-all' for those and their asynchronous faces, "
        "'reference-postgres' and 'reference-bucket' for those on a server, 'reference-async-on-servers' for their "
        "asynchronous faces. "
        "Repeatable.",
    )
    group.addoption(
        "--tradestore-profile",
        choices=("basic", "durable", "hardened"),
        help="Which requirements decide the exit status; all are reported. Default: durable.",
    )
    group.addoption(
        "--tradestore-platform",
        action="append",
        default=[],
        choices=("linux", "macos", "windows"),
        help="A platform that the stores are used on: what can only happen on others is a note. Repeatable. "
        "Default: the one that this runs on.",
    )
    group.addoption(
        "--tradestore-requirement",
        action="append",
        default=[],
        metavar="ID",
        help="Check only this requirement, for example ATOM-2. Repeatable.",
    )
    group.addoption("--tradestore-list", action="store_true", help="List the requirements and exit.")
    group.addoption(
        "--tradestore-recorder",
        choices=("auto", "strace", "fake"),
        default="auto",
        help="Who records what a store does to the disk. Default: strace where it works, else fake.",
    )
    group.addoption(
        "--tradestore-model",
        default="strict",
        metavar="NAME",
        help="The persistence model that judges: which operations a crash may lose. Default: strict.",
    )
    group.addoption(
        "--tradestore-budget",
        choices=("quick", "normal", "deep"),
        default="normal",
        help="How far to search. Default: normal.",
    )
    group.addoption(
        "--tradestore-seed",
        type=int,
        default=0,
        metavar="N",
        help="Seed of everything that is sampled. Default: 0.",
    )
    group.addoption(
        "--tradestore-workers",
        type=number_of_workers,
        metavar="N",
        help="Gather evidence in so many processes; with 0 in pytest's own. Default: one more than there are "
        "cores, and none under xdist.",
    )
    group.addoption(
        "--tradestore-shard",
        metavar="I/N",
        help="Do part I of N of the run, on a machine of its own; 'tradestore merge' puts their JSON reports together.",
    )
    group.addoption(
        "--tradestore-shard-times",
        metavar="PATH",
        help="The JSON report of an earlier run (a merged one, say): parts are balanced by what each check took there.",
    )
    group.addoption(
        "--tradestore-report",
        action="append",
        default=[],
        metavar="FORMAT:PATH",
        help="Write a report; FORMAT is json, html, sarif, markdown or badge. Repeatable.",
    )
    group.addoption(
        "--tradestore-waivers",
        metavar="PATH",
        help="A TOML file of known violations that do not fail the run.",
    )
    group.addoption(
        "--tradestore-baseline",
        metavar="PATH",
        help="The JSON report of an earlier run: fail only for what is new since then.",
    )
    group.addoption(
        "--tradestore-compare",
        metavar="PATH",
        help="The JSON report of an earlier run: the HTML report says what is new, mended and the same. Default: the "
        "baseline, if there is one.",
    )
    group.addoption(
        "--tradestore-replay",
        metavar="TOKEN",
        help="Show one crash state of an earlier failure again.",
    )
    group.addoption(
        "--tradestore-keep",
        metavar="DIR",
        help="With --tradestore-replay: leave the files of that crash state in DIR. With --tradestore-confirm: leave "
        "there the block logs of what was seen.",
    )
    group.addoption(
        "--tradestore-confirm",
        metavar="FILESYSTEMS",
        help="Look for each crash finding on these real file systems, for example ext4,xfs,btrfs. Needs root on Linux, "
        "FUSE and loop devices; it touches no disk of yours.",
    )
    parser.addini("tradestore_stores", "Stores to check: [name=]module:callable", type="linelist", default=[])
    parser.addini(
        "tradestore_profile", "Which requirements decide: basic, durable or hardened", type="string", default="durable"
    )
    parser.addini(
        "tradestore_platforms", "Platforms that the stores are used on: linux, macos, windows", type="args", default=[]
    )
    parser.addini("tradestore_waivers", "A TOML file of known violations", type="string", default="")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_tradestore import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    if _names_an_option(early_config):
        from pytest_tradestore.rootdir import give_up, to_start_again

        if to_start_again(early_config) is not None:
            give_up(early_config, args)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if _names_an_option(config):
        from pytest_tradestore.rootdir import start_again, to_start_again

        start = to_start_again(config)
        if start is not None:
            return start_again(config, start)
    if config.option.tradestore_init:
        from pytest_tradestore.adopting.command import init, said

        return init(config, config.option.tradestore_init, said)
    if not config.option.tradestore_list:
        return None
    from pytest_tradestore.report.terminal import requirement_list

    for line in requirement_list():
        print(line)  # noqa: T201 - the list is what was asked for
    return 0


@pytest.hookimpl(trylast=True)  # conftest files have had their say, and xdist has not started its workers
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "tradestore(store, requirement, case, profile): a check of the conformance suite (added by pytest-tradestore)",
    )
    config.pluginmanager.register(_Watch(config), "tradestore-watch")
    if config.option.tradestore_conformance or any(_names_an_item(argument) for argument in config.args):
        from pytest_tradestore.hooks import begin

        begin(config)
        return
    if config.option.tradestore_contract:
        raise pytest.UsageError("--tradestore-contract does nothing without --tradestore-init; add that option")
    for option in ("store", "replay", "confirm"):
        if getattr(config.option, f"tradestore_{option}"):
            raise pytest.UsageError(
                f"--tradestore-{option} does nothing without --tradestore-conformance; add that flag"
            )


def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> Any:
    if type(obj).__name__ != "ConformanceSuite":
        return None
    from pytest_tradestore.collection import ConformanceSuite, SuiteCollector
    from pytest_tradestore.hooks import expect_items

    if not isinstance(obj, ConformanceSuite):
        return None
    expect_items(collector.config)
    return SuiteCollector.of(collector, name, obj)


class _Watch:
    """Waits for the first report of a check: then, and only then, there is something to count and to print.

    Checks that a test module declares run without the flag, and under xdist they run in other processes.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and any(name == PROPERTY for name, _ in report.user_properties):
            from pytest_tradestore.session import run_of

            run_of(self._config).note(report)


@pytest.fixture(scope="session")  # it keeps nothing, so that tests with generated arguments may use it
def tradestore_crash() -> Any:
    """Crash an object of yours at each point of what it does: ``tradestore_crash(target).check(...)``.

    ``target(root)`` makes the object on an empty directory. See ``pytest_tradestore.fixtures.crashes.Crashes``.
    """
    from pytest_tradestore.fixtures.crashes import Crashes

    return Crashes


@pytest.fixture(scope="session")
def tradestore_race() -> Any:
    """Run callers of an object of yours under many schedules: ``tradestore_race(target).check(...)``.

    ``target(root)`` makes the object on an empty directory. See ``pytest_tradestore.fixtures.races.Race``.
    """
    from pytest_tradestore.fixtures.races import Race

    return Race


@pytest.fixture(scope="session")
def tradestore_faults() -> Any:
    """Make calls to the system fail that an object of yours makes: ``tradestore_faults(target).check(...)``.

    ``target(root)`` makes the object on an empty directory. See ``pytest_tradestore.fixtures.faults.Faults``.
    """
    from pytest_tradestore.fixtures.faults import Faults

    return Faults


@pytest.fixture(scope="session")
def tradestore_damage() -> Any:
    """Damage the files that an object of yours has written: ``tradestore_damage(target).check(...)``.

    ``target(root)`` makes the object on an empty directory. See ``pytest_tradestore.fixtures.damage.DamagedFiles``.
    """
    from pytest_tradestore.fixtures.damage import DamagedFiles

    return DamagedFiles


@pytest.fixture(scope="session")
def tradestore_names() -> Any:
    """Identifiers that stores get wrong, a root with canaries around it, and strategies that draw more of them.

    ``tradestore_names(target).check(...)`` hands them to an object of yours, which ``target(root)`` makes.
    ``with tradestore_names.surroundings() as around:`` gives ``around.root``; ``around.check(identifier)`` says whether
    anything outside was touched. See ``pytest_tradestore.fixtures.names.Names``.
    """
    from pytest_tradestore.fixtures.names import Names

    return Names()


def number_of_workers(text: str) -> int:
    """Return a number that is zero or more; raises ValueError, of which argparse makes a sentence."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _names_an_option(config: pytest.Config) -> bool:
    """Say whether an option of ours was given, as far as it can be told without work."""
    given = (os.environ.get("PYTEST_ADDOPTS", ""), *config.invocation_params.args)
    return any(str(argument).startswith("@") or "--tradestore-" in str(argument) for argument in given)


def _names_an_item(argument: str) -> bool:
    """Say whether an argument is the id of one of our items, as a failure prints it, and not a path of the project."""
    return argument.lstrip("./").startswith(PREFIX) and "[" in argument and "::" not in argument
