"""Whether a trace leads to what is on the disk: the net under everything that a recorder does not know how to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.crash.trace import Snapshot, Trace, Tree, replay

_MOST_SENTENCES = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that the trace and the disk do not agree about, and what about it."""

    path: str
    about: str
    content: bytes | None = None
    """What is really there, for a file."""

    @property
    def sentence(self) -> str:
        return f"{self.path} was changed in a way that the recorder did not see ({self.about})"


def differences(trace: Trace, disk: Snapshot, volatile: Sequence[str]) -> tuple[Difference, ...]:
    """Compare the tree that a trace leads to with the real one; of volatile files the content is not compared."""
    found: list[Difference] = []
    modelled, real = replay(trace), Tree(disk)
    expected, actual = dict(modelled.walk()), dict(real.walk())
    for path in sorted(expected.keys() | actual.keys()):
        if path not in actual:
            found.append(Difference(path, "by the calls seen it should exist, but it does not"))
            continue
        there = real.nodes[actual[path]]
        content = bytes(there.content)
        if path not in expected:
            found.append(Difference(path, "it exists, but no call that was seen made it", content))
            continue
        known = modelled.nodes[expected[path]]
        if known.kind is not there.kind:
            found.append(
                Difference(path, f"by the calls seen it is a {known.kind.value}, but it is a {there.kind.value}")
            )
        elif known.kind is Kind.SYMLINK and known.target != there.target:
            found.append(Difference(path, "the symlink points elsewhere"))
        elif known.kind is Kind.FILE and known.content != there.content and not is_volatile(path, volatile):
            found.append(Difference(path, _contents(known.content, there.content), content))
    return tuple(found)


def _contents(known: bytearray, there: bytearray) -> str:
    if len(known) != len(there):
        return f"by the calls seen it holds {len(known)} bytes, but it holds {len(there)}"
    first = next(i for i, (a, b) in enumerate(zip(known, there, strict=True)) if a != b)
    return f"its content differs from byte {first} on"


def is_volatile(path: str, volatile: Sequence[str]) -> bool:
    """Say whether a path relative to the root matches one of the globs."""
    return any(fnmatchcase(path, pattern) for pattern in volatile)


def sentences(found: Sequence[Difference]) -> tuple[str, ...]:
    """Return one sentence each for the first differences, and one for how many more there are."""
    said = tuple(difference.sentence for difference in found[:_MOST_SENTENCES])
    if len(found) > _MOST_SENTENCES:
        said += (f"{len(found) - _MOST_SENTENCES} more files were changed in a way that the recorder did not see",)
    return said
