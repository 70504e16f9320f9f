"""After which faults a crash can show something new: those after which a store goes on changing files.

One that raises at once leaves what a crash at that moment leaves, which crashes without a fault are asked about. One
that only takes away what it has made in the same call leaves no more.
"""

from collections.abc import Sequence

from pytest_tradestore.faults.calls import Call, CallKind, Fault, failing_calls
from pytest_tradestore.faults.trials import Trial

_CHANGING = frozenset(
    {
        CallKind.CREATE,
        CallKind.WRITE,
        CallKind.RENAME,
        CallKind.LINK,
        CallKind.UNLINK,
        CallKind.MKDIR,
        CallKind.TRUNCATE,
    }
)

Deeds = tuple[tuple[CallKind, str], ...]


def deeds_after(trial: Trial) -> Deeds:
    """Return what a store changed after the first call that failed; nothing where it only tidied up."""
    if not isinstance(trial.refusal, Fault) or not trial.struck:
        return ()
    calls = trial.watched.calls
    failing = failing_calls(calls, trial.refusal)
    first = min(failing, default=len(calls))
    made = {call.role for call in calls[: first - 1] if call.kind in (CallKind.CREATE, CallKind.LINK)}
    deeds = tuple(
        (call.kind, call.role)
        for number, call in enumerate(calls[first:], first + 1)
        if call.kind in _CHANGING and number not in failing
    )
    return () if _only_tidies_up(deeds, made) else deeds


def _only_tidies_up(deeds: Sequence[tuple[CallKind, str]], made: set[str]) -> bool:
    return all(kind is CallKind.UNLINK and role in made for kind, role in deeds)


def goes_on_as_ever(trial: Trial, undisturbed: Sequence[Call]) -> bool:
    """Say whether a store does after the fault just what it does without: what failed did not matter to it."""
    assert isinstance(trial.refusal, Fault)
    failing = failing_calls(trial.watched.calls, trial.refusal)
    done = [(c.kind, c.role) for n, c in enumerate(trial.watched.calls, 1) if c.kind in _CHANGING and n not in failing]
    return done == [(c.kind, c.role) for c in undisturbed if c.kind in _CHANGING]
