"""Shows a crash state, schedule, fault or damage again: does anew what led to it, goes there, and looks."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from pytest_tradestore.bench import Bench
from pytest_tradestore.crash.contents import described_image
from pytest_tradestore.crash.evidence import Evidence, inspected_state
from pytest_tradestore.crash.explanation import explain
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Extent, Program
from pytest_tradestore.crash.tokens import CrashToken, fingerprint, parse
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.errors import ReplayError
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.addresses import is_address
from pytest_tradestore.race.addresses import parse as parse_address
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TrialKind, TrialToken, is_of_a_try
from pytest_tradestore.tries import parse as parse_try
from pytest_tradestore.verdict import Counterexample, Sighting


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the state showed: for each requirement that it breaks a counterexample; and what was found, in any case."""

    token: str
    violations: tuple[tuple[str, Counterexample], ...]
    found: tuple[str, ...]
    image: tuple[str, ...]
    kept: str = ""


def store_of(token: str, stores: Sequence[StoreUnderTest]) -> StoreUnderTest:
    """Return the store that a token names.

    Raises ReplayError if the token is malformed or there is no such store in this run.
    """
    if is_of_a_try(token):
        wanted = parse_try(token).store
    else:
        wanted = parse_address(token).store if is_address(token) else parse(token).store
    for store in stores:
        if store.name == wanted:
            return store
    known = ", ".join(repr(store.name) for store in stores) or "none"
    raise ReplayError(
        f"the replay token is of a store {wanted!r}, and this run has {known}; name it with "
        f"--tradestore-store {wanted}=MODULE:CALLABLE"
    )


def replay(token: str, store: StoreUnderTest, bench: Bench, keep: Path | None = None) -> Replayed:
    """Go to the state that ``token`` names and look; leave the durable image in ``keep`` if it is given.

    Raises ReplayError if the token does not fit the store as it is now, or ``keep`` is in the way.
    """
    if is_of_a_try(token):
        if keep is not None:
            raise ReplayError("--tradestore-keep keeps the files of a crash state; the replay token is of another kind")
        return _try(parse_try(token), store, bench)
    if is_address(token):
        if keep is not None:
            raise ReplayError("--tradestore-keep keeps the files of a crash state; the replay token is of a schedule")
        return _schedule(token, store, bench)
    wanted = parse(token)
    kit = _kit(wanted.case, store, bench)
    if keep is not None:
        keep = _free(keep)
    state = inspected_state(store, bench.workload(store, kit), bench.settings, wanted.state, lambda p: _fits(wanted, p))
    if keep is not None:
        _keep(state.image, keep)
    seen = _sightings(store, state.evidence, bench.settings, keep)
    return Replayed(
        token,
        tuple(
            (id_, replace(explain(store.name, state.evidence, violation), sightings=seen.get((id_, number), ())))
            for id_, violations in state.evidence.violations.items()
            for number, violation in enumerate(violations)
        ),
        state.found,
        described_image(state.image),
        str(keep) if keep is not None else "",
    )


def _sightings(
    store: StoreUnderTest, evidence: Evidence, settings: Settings, keep: Path | None
) -> dict[tuple[str, int], tuple[Sighting, ...]]:
    """Look for what the state breaks on the file systems that were asked for; block logs lie beside its files."""
    if not settings.confirm:
        return {}
    from pytest_tradestore.confirm.sightings import sightings

    beside = None if keep is None else keep.with_name(f"{keep.name}-seen")
    return sightings(store, evidence, replace(settings, keep=beside))


def _kit(name: str, store: StoreUnderTest, bench: Bench) -> Kit:
    kits = {kit.name: kit for kit in bench.examined(store).contracts}
    if name not in kits:
        raise ReplayError(
            f"the replay token is of the contract {name!r}, which store {store.name!r} does not offer; "
            f"it offers {', '.join(kits)}"
        )
    return kits[name]


def _schedule(token: str, store: StoreUnderTest, bench: Bench) -> Replayed:
    """Run one schedule again."""
    from pytest_tradestore.conformance.races import requirement_of
    from pytest_tradestore.race.replaying import replay_schedule

    address = parse_address(token)
    kit = _kit(address.contract, store, bench)
    shown = replay_schedule(address, store, kit, bench.offered(store, kit))
    violations = tuple((requirement_of(address.setting, wrong), example) for wrong, example in shown.wrong)
    return Replayed(token, violations, shown.found, ())


def _try(token: TrialToken, store: StoreUnderTest, bench: Bench) -> Replayed:
    """Try one fault or one damage again."""
    kit = _kit(token.contract, store, bench)
    workload = bench.workload(store, kit)
    if token.sort in (TrialKind.DEATH, TrialKind.SPOILT):
        return _client(token, store, workload, bench)
    if token.sort is TrialKind.DAMAGE:
        from pytest_tradestore.conformance.damage import counterexample as damaged
        from pytest_tradestore.damage.evidence import gather

        harm = gather(store, workload, bench.settings, token)
        _was_tried(token, harm.images, harm.undecided)
        told = [(id_, damaged(store.name, kit, harm, one)) for id_, of in harm.violations.items() for one in of]
        seen = "the store shows something else than before" if harm.told else "the store shows what it showed before"
        return Replayed(str(token), tuple(told), (seen,), ())
    from pytest_tradestore.conformance.faults import after_failed_sync, counterexample
    from pytest_tradestore.faults.evidence import gather as gather_faults

    faults = gather_faults(store, workload, bench.settings, token if token.sort is not TrialKind.MEANWHILE else None)
    if token.sort is TrialKind.FAULT:
        _was_tried(token, faults.trials, faults.undecided)
        told = [(id_, counterexample(store.name, kit, one)) for id_, of in faults.violations.items() for one in of]
        struck = "the fault struck" if faults.struck else "the call was not made"
        return Replayed(str(token), tuple(told), (struck,), ())
    if token.sort is TrialKind.MEANWHILE:
        from pytest_tradestore.conformance.faults import of_meanwhile
        from pytest_tradestore.faults.meanwhile import gather_meanwhile

        both = gather_meanwhile(store, workload, bench.settings, faults, token)
        _was_tried(token, both.crashes.recordings + both.recoveries.struck, both.undecided)
        wrong = tuple(("FAULT-6", example) for example in of_meanwhile(store.name, kit, both))
        return Replayed(str(token), wrong, (f"{both.crashes.images:,} images of crashes while the call failed",), ())
    from pytest_tradestore.faults.syncs import gather_syncs

    syncs = gather_syncs(store, workload, bench.settings, faults, token)
    _was_tried(token, syncs.recordings, syncs.undecided)
    broken = (("FAULT-2", after_failed_sync(store.name, kit, syncs)),) if syncs.breach is not None else ()
    return Replayed(str(token), broken, (f"{syncs.images:,} images after the sync had failed",), ())


def _client(token: TrialToken, store: StoreUnderTest, workload: Workload, bench: Bench) -> Replayed:
    """Let a client of a server die again, or spoil its request."""
    from pytest_tradestore.network.evidence import gather_deaths, gather_spoilt
    from pytest_tradestore.network.telling import counterexample

    gathered = gather_deaths if token.sort is TrialKind.DEATH else gather_spoilt
    evidence = gathered(store, workload, bench.settings, token)
    _was_tried(token, evidence.trials + len(evidence.violations), "" if evidence.violations else evidence.undecided)
    told = [(id_, counterexample(evidence, one)) for id_, of in evidence.violations.items() for one in of]
    return Replayed(str(token), tuple(told), (f"{evidence.requests} {evidence.unit} in the whole workload",), ())


def _was_tried(token: TrialToken, number: int, undecided: str) -> None:
    if undecided:
        raise ReplayError(f"{token}: {undecided}")
    if not number:
        raise ReplayError(
            f"nothing that is tried on the store now is what {token} names: its files or calls, or the seed, have "
            "changed; run the suite again for a new token"
        )


def _fits(wanted: CrashToken, program: Program) -> None:
    now = fingerprint(program)
    if now != wanted.fingerprint:
        raise ReplayError(
            f"the store no longer does what it did when the token was made (then {wanted.fingerprint}, now {now}): "
            "its code, a library or the recorder has changed; run the suite again for a new token"
        )
    state = wanted.state
    possible = state.cut <= len(program.steps) and all(m < program.starts[state.cut] for m in state.lost)
    if possible and state.partial is not None:
        possible = state.cut > 0 and isinstance(program.steps[state.cut - 1], Extent)
    if not possible:
        raise ReplayError(f"the token {wanted} names steps that the workload does not have; copy it again, whole")


def _free(keep: Path) -> Path:
    """Return the directory itself, or where something lies in it the first free one of ``keep-2``, ``keep-3``, ..."""
    if keep.exists() and not keep.is_dir():
        raise ReplayError(f"--tradestore-keep {keep}: it exists and is no directory; name another one")
    names = (keep if number == 1 else keep.with_name(f"{keep.name}-{number}") for number in count(1))
    return next(path for path in names if not path.exists() or (path.is_dir() and not any(path.iterdir())))


def _keep(image: DurableImage, directory: Path) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
        image.write(directory)
    except OSError as error:
        raise ReplayError(
            f"--tradestore-keep {directory}: {error.strerror}; name a directory that can be made"
        ) from None
