"""First contact with a store: can it be opened at all, and which contracts does it offer?"""

from dataclasses import dataclass

from pytest_tradestore.contracts import CONTRACTS, Contract
from pytest_tradestore.errors import TargetError
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, run_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest, open_store


@dataclass(frozen=True, slots=True)
class Examined:
    """What a store offers: its contracts, the optional methods it has, and what it printed while it was opened."""

    contracts: tuple[Contract, ...]
    methods: tuple[str, ...]
    output: str = ""


def examine(store: StoreUnderTest) -> Examined:
    """Open ``store`` on an empty root in a process of its own, look at it, and close it.

    Raises TargetError, with one sentence, if it cannot be imported or opened, offers no contract, hangs or exits;
    ConfigurationError if its declarations are wrong.
    """
    deadline = store.declarations.deadline

    with Sandbox() as sandbox:
        root = sandbox.fresh_root()

        def look(channel: Channel) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
            channel.step(0)
            bridge = Bridge()
            try:
                opened = open_store(store.target, root, bridge)
                names = tuple(contract.name for contract in opened.contracts)
                wanted = {m for c in CONTRACTS for m in (*c.required, *c.optional)}
                methods = tuple(sorted(m for m in wanted if opened.has(m)))
            except TargetError as error:
                return str(error), (), ()
            except Exception as error:
                return f"raised {type(error).__name__} when it was opened on an empty directory: {error}", (), ()
            channel.step(1)
            try:
                opened.close()
            except Exception as error:
                return f"raised {type(error).__name__} when it was closed right after opening: {error}", (), ()
            bridge.close()
            return "", names, methods

        ending = run_isolated(look, deadline)
    where = f"store {store.name!r}" + (f" ({store.origin})" if store.origin else "")
    match ending:
        case Finished((problem, names, methods), output):
            if problem:
                raise TargetError(f"{where}: {problem}")
            return Examined(tuple(c for c in CONTRACTS if c.name in names), methods, output)
        case Hung(step, seconds):
            what = "opening it on an empty directory" if step == 0 else "closing it"
            raise TargetError(
                f"{where}: {what} took longer than {seconds:g} s. If that is right for it, set tradestore_deadline"
            )
        case Died(step, how):
            what = "while it was opened on an empty directory" if step == 0 else "while it was closed"
            raise TargetError(f"{where}: its process {how} {what}; a store must raise an exception instead")
    raise AssertionError("every ending is matched")
