"""Who may read what a store writes: modes at every moment, the umask, and the owner of a file after it is replaced."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_tradestore.causes import Cause, Culprit, Harm, role_of_path
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by, each_cause
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.permissions import Modes, Wide
    from pytest_tradestore.rights import Kept
    from pytest_tradestore.target import StoreUnderTest

CLAIM = "private-files"


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the checks of what one contract's files permit."""
    return (*(_check(requirement, kit) for requirement in ("PERM-1", "PERM-2")), _of_rights(kit))


def _check(requirement: str, kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        modes = bench.modes(store, kit)
        examples = each_cause(_too_wide(modes) if requirement == "PERM-1" else _widened(modes))
        return Grounds(
            examples[0] if examples else None,
            modes.undecided,
            checked={"modes": modes.looked_at},
            shared=f"modes of {kit.name}",
            others=examples[1:],
        )

    return check_by(requirement, kit, grounds, CLAIM, by_sight=True)


def _of_rights(kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        kept = bench.rights(store, kit)
        examples = each_cause(_not_kept(kept))
        return Grounds(
            examples[0] if examples else None,
            kept.undecided,
            remark=f"not asked here: {'; '.join(kept.unasked)}" if kept.unasked else "",
            checked={"files": kept.looked_at},
            others=examples[1:],
        )

    return check_by("PERM-3", kit, grounds, CLAIM, by_sight=True)


def _not_kept(kept: "Kept") -> Iterator[Counterexample]:
    for lost in kept.lost:
        what = lost.what.removeprefix("the ").partition(",")[0].removesuffix(" that lets").removeprefix("an ")
        yield Counterexample(
            str(lost),
            workload=("(give its files to another owner and group, and let one more account read them)", *lost.calls),
            found=(f"{what}: {lost.now}",),
            allowed=(f"{what}: {lost.was}, as somebody had set it",),
            cause=Cause(Culprit(f"{what} not kept by a replacement", (role_of_path(lost.path),)), Harm.WRONG),
        )


def _too_wide(modes: "Modes") -> Iterator[Counterexample]:
    for wide in modes.wide:
        yield _told(wide, "made with a mode too wide", "no wider than {:04o}, at any moment and whatever the umask")


def _widened(modes: "Modes") -> Iterator[Counterexample]:
    for wide in modes.widened:
        yield _told(wide, "mode widened by a replacement", "no wider than {:04o}, which somebody had set")
    for change in modes.umask_changes[:1]:
        yield Counterexample(
            f"the store changes the umask of the whole process: {change}",
            found=modes.umask_changes[:5],
            allowed=("the umask is left alone: other threads create files at the same time",),
            cause=Cause(Culprit("umask of the whole process changed"), Harm.WRONG),
        )


def _told(wide: "Wide", fault: str, allowed: str) -> Counterexample:
    place = wide.place or role_of_path(wide.path)
    return Counterexample(
        str(wide),
        workload=wide.calls,
        found=(f"{wide.mode:04o}",),
        allowed=(allowed.format(wide.widest),),
        cause=Cause(Culprit(fault, (place,)), Harm.WRONG),
    )
