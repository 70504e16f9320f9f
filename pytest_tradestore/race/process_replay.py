"""Runs one schedule again of several processes, or of callers that share a client in a process of its own."""

from pytest_tradestore.crash.recorders.fake_patches import look_around
from pytest_tradestore.errors import ReplayError
from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.race.execution import Actors, Execution, Program
from pytest_tradestore.race.following import Repeating, Replaying
from pytest_tradestore.race.one_client import OneClientHarness
from pytest_tradestore.race.processes import ProcessHarness
from pytest_tradestore.race.search import Harness
from pytest_tradestore.race.tokens import Choices, parse
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest


def replay_in_processes(store: StoreUnderTest, program: Program, schedule: Choices | str) -> Execution:
    """Run one schedule again, given by its choices or by its token.

    Raises ReplayError if the code does not do the same any more, or the execution does not come to an end.
    """
    look_around()

    def task(channel: Channel) -> Execution | str:
        channel.step(1)
        with Sandbox() as sandbox:
            shared = program.kind is not Actors.PROCESSES
            harness = OneClientHarness(sandbox, store) if shared else ProcessHarness(sandbox, store)
            said = ""
            try:
                for _ in range(2):  # what is done once in a process, late imports say, has been done the second time
                    try:
                        return _again(harness, store, program, schedule)
                    except ReplayError as error:
                        said = str(error)
                return said
            finally:
                harness.end()

    ending = run_isolated(task, store.declarations.deadline)
    if isinstance(ending, Finished) and isinstance(ending.value, Execution):
        return ending.value
    raise ReplayError(ending.value if isinstance(ending, Finished) else "the schedule did not come to an end")


def _again(harness: Harness, store: StoreUnderTest, program: Program, schedule: Choices | str) -> Execution:
    chooser = Replaying(parse(schedule)) if isinstance(schedule, str) else Repeating(schedule)
    execution = harness.run(store, program, chooser, detailed=True)
    chooser.check()
    return execution
