"""What the runs on one file system come to, and how it is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from pytest_tradestore.confirm.rig import Times
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.models import PersistenceModel
from pytest_tradestore.crash.operations import Kind
from tests.kernel.judging import Forbidden, Judged

_SHARED = 40
_SHOWN = 5
_UNMOUNTABLE = 20
"""One state in so many may be one that the file system cannot recover from; more, and it is the rig that fails."""


@dataclass
class Findings:
    """Counts, and everything that a model forbids; ``seen`` and ``allowed`` are of ``shared`` programs."""

    programs: int = 0
    observations: int = 0
    unsure: int = 0
    unreadable: int = 0
    unmountable: int = 0
    seen: int = 0
    allowed: int = 0
    shared: int = 0
    busy: float = 0.0
    forbidden: list[Forbidden] = field(default_factory=list)
    times: Times = field(default_factory=Times)

    def add(self, judged: Iterable[Judged], model: PersistenceModel) -> None:
        """Count what was seen of some programs."""
        for judge in judged:
            self.programs += 1
            self.observations += len(judge.seen)
            self.unsure += judge.unsure
            if self.shared < _SHARED and not judge.unsure:
                seen, allowed = judge.share(model)
                self.seen, self.allowed, self.shared = (
                    self.seen + seen,
                    self.allowed + allowed,
                    self.shared + (allowed > 0),
                )

    @staticmethod
    def joined(found: Sequence["Findings"]) -> "Findings":
        """Return the findings of all workers as one."""
        whole = Findings()
        for part in found:
            for one in fields(Findings):
                if one.name == "times":
                    whole.times.add(part.times)
                else:
                    setattr(whole, one.name, getattr(whole, one.name) + getattr(part, one.name))
        return whole


def report(filesystem: str, found: Findings, seconds: float) -> bool:
    """Print what was found; say whether the models hold and the wrong one was caught."""
    states = found.times.states
    split = ", ".join(
        f"{part} {_each(clock, states)} ({_each(found.times.processor[part], states)})"
        for part, clock in found.times.clock.items()
    )
    print(f"\n{filesystem}: {found.programs:,} programs, {states:,} states, {found.observations:,} trees in a window")
    print(f"  {states / seconds:.0f} states/s; {_each(found.busy, states)} ms of processor time a state, all included")
    print(f"  milliseconds of a worker a state (of processor time): {split}")
    if found.allowed:
        share = 100 * found.seen / found.allowed
        print(f"  of what the model allows {share:.0f} % was seen ({found.shared} programs, {found.allowed:,} trees)")
    if found.unmountable:
        print(f"  {found.unmountable} states could not be mounted: the file system failed to recover from them")
    if found.unreadable:
        print(f"  {found.unreadable} trees could not be read")
    if found.unsure:
        print(f"  {found.unsure} programs have too many outcomes for a certain no")
    real = [f for f in found.forbidden if f.model != "wrong"]
    caught = len({f.program.name for f in found.forbidden if f.model == "wrong"})
    print(f"  forbidden by the models: {len(real)}; by one that is wrong on purpose: {caught} programs")
    for number, forbidden in enumerate(real):
        if number == _SHOWN:
            print(f"  … and {len(real) - number} more")
            break
        _show(forbidden)
    return not real and caught > 0 and found.unmountable * _UNMOUNTABLE <= states


def _each(seconds: float, states: int) -> str:
    return f"{1000 * seconds / max(1, states):.1f}"


def _show(forbidden: Forbidden) -> None:
    where = f"after call {forbidden.window.acknowledged} (of {forbidden.window.invoked})"
    print(f"\n  {forbidden.model} forbids, of {forbidden.program.name}, {where}:")
    print(f"    {described(forbidden.image)}")
    for line in forbidden.program.listing():
        print(f"      {line}")


def described(image: DurableImage) -> str:
    """Return an image on one line, its bytes as runs."""
    return ", ".join(
        f"{f.path}/" if f.kind is Kind.DIRECTORY else f"{f.path} = [{_runs(f.content)}]" for f in image.files
    )


def _runs(content: bytes) -> str:
    told: list[str] = []
    at = 0
    while at < len(content) and len(told) < 8:
        byte = content[at : at + 1]
        length = len(content) - at - len(content[at:].lstrip(byte))
        told.append(f"{byte.decode('latin-1') if byte.isalnum() else f'{byte[0]:#04x}'}*{length:,}")
        at += length
    return " ".join(told) + (" …" if at < len(content) else "")
