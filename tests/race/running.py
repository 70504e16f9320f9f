"""What the tests of schedules share: small programs, judges that say what is wrong, and a search with few words."""

from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Actors, Ending, Program
from pytest_tradestore.race.search import run_schedules
from pytest_tradestore.target import StoreUnderTest

INCREMENT = Call("increment", (), "", "increment()")
LOAD = Call("load", (), "", "load()")


def save(n):
    return Call("save", ({"n": n},), "", f"save({n})")


def kind_of(store):
    return Actors.TASKS if store.__name__.startswith("Async") else Actors.THREADS


def increments(store, callers=2, own=False):
    return Program(((INCREMENT,),) * callers, observe=(LOAD,), own_instances=own, kind=kind_of(store))


def saves_and_a_read(store, own=False):
    return Program(((save(1),), (save(2),), (LOAD,)), observe=(LOAD,), own_instances=own, kind=kind_of(store))


def cancelled_save(store, at):
    return Program(((save(1),), (save(2),)), observe=(LOAD,), kind=kind_of(store), struck=(0, at))


def judge(execution):
    """Say what is wrong: nobody goes on, an error, a number given twice, a document that nobody saved, a late write."""
    if execution.ending is Ending.DEADLOCK:
        return "deadlock: " + "; ".join(execution.waits_for)
    if execution.ending is Ending.HUNG:
        return "hung"
    history = execution.history
    for call in history:
        if call.error and not call.error.startswith("CancelledError"):
            return f"{call.call.rendered} raised {call.error}"
    numbers = [call.result for call in history if call.call.method == "increment" and not call.error]
    if len(set(numbers)) < len(numbers):
        return f"lost update: {sorted(numbers)}"
    saved = [call for call in history if call.call.method == "save"]
    last = history[-1]
    for call in saved:
        overtaken = any(not other.error and other.invoked > call.returned for other in saved)
        if call.error and overtaken and last.result == call.call.arguments[0]:
            return "late write: a cancelled save undid a newer one"
    return None


def search(store, program, budget=400, seed=0, **options):
    return run_schedules(
        StoreUnderTest(store.__name__, store), program, budget=budget, seed=seed, judge=judge, **options
    )
