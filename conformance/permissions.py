"""Who may read what a store writes: the modes of its files and directories at every moment, and the umask."""

from typing import TYPE_CHECKING

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.permissions import Modes, Wide
    from pytest_tradestore.target import StoreUnderTest

CLAIM = "private-files"


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the checks of what one contract's files permit."""
    return tuple(_check(requirement, kit) for requirement in ("PERM-1", "PERM-2"))


def _check(requirement: str, kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        modes = bench.modes(store, kit)
        return Grounds(
            _too_wide(modes) if requirement == "PERM-1" else _widened(modes),
            modes.undecided,
            checked={"modes": modes.looked_at},
            shared=f"modes of {kit.name}",
        )

    return check_by(requirement, kit, grounds, CLAIM, by_sight=True)


def _too_wide(modes: "Modes") -> Counterexample | None:
    if not modes.wide:
        return None
    return _told(modes.wide, "no wider than {:04o}, at any moment and whatever the umask")


def _widened(modes: "Modes") -> Counterexample | None:
    if modes.widened:
        return _told(modes.widened, "no wider than {:04o}, which somebody had set")
    if modes.umask_changes:
        change = modes.umask_changes[0]
        sentence = f"the store changes the umask of the whole process: {change}"
        allowed = "the umask is left alone: other threads create files at the same time"
        return Counterexample(sentence, found=modes.umask_changes[:5], allowed=(allowed,))
    return None


def _told(found: "tuple[Wide, ...]", allowed: str) -> Counterexample:
    first = found[0]
    paths = list(dict.fromkeys(f"{wide.path!a} {wide.mode:04o}" for wide in found[1:]))
    notes = (f"also too wide: {', '.join(paths[:6])}",) if paths else ()
    return Counterexample(
        str(first),
        workload=first.calls,
        found=(f"{first.mode:04o}",),
        allowed=(allowed.format(first.widest),),
        notes=notes,
    )
