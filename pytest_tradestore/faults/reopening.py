"""What another process shows that opens the files which a trial left, and whether it can go on with them.

Each different set of files is opened once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_tradestore.causes import role_of_path
from pytest_tradestore.crash.client import Client
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import CallKind, Fault
from pytest_tradestore.faults.trials import NEXT_VERSION, Trial
from pytest_tradestore.isolation import Channel, Died, Hung, Sent
from pytest_tradestore.observation import Failed, Observation
from pytest_tradestore.runner import Runner, ended_how
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import OpenStore, StoreUnderTest


@dataclass(frozen=True, slots=True)
class Left:
    """Files that a trial left; with a ``key`` the next update of that is made there, too."""

    image: DurableImage
    key: str = ""
    beside: tuple[object, ...] = field(init=False)
    """What stands beside the content of the files, which a store may go by too."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "beside", self.image.beside)


@dataclass(frozen=True, slots=True)
class Reopened:
    """What a set of files shows; ``opening`` is what opening them raised, ``ended`` how the process ended instead.

    ``refused`` is what the next update raised there, ``after`` what is seen after it, ``later`` after reopening.
    """

    seen: Observation
    opening: Failed | None = None
    ended: str = ""
    refused: str = ""
    after: Observation | None = None
    later: Observation | None = None


def reopened(client: Client, left: Left) -> Reopened:
    """Open a copy of the files, look at every place, make the next update if there is to be one, and close."""
    root = client.fresh_root(left.image)
    try:
        opened = client.open(root)
        try:
            found = Reopened(client.observe(opened))
            return found if not left.key else replace(found, **_gone_on(client, left.key, root, opened))
        finally:
            with suppress(Exception):
                opened.close()
    except Exception as error:
        failed = client.failed(error, root)
        return Reopened(Observation(tuple((place, failed) for place in client.workload.place_names)), failed)
    finally:
        client.discard(root)


def _gone_on(client: Client, key: str, root: Path, opened: OpenStore) -> dict[str, Any]:
    """Make the next update, reopen and look; return what is known then."""
    try:
        client.step()
        client.workload.next_update(key, NEXT_VERSION).make(opened)
        after = client.observe(opened)
        client.step()
        opened.close()
        with closing(client.open(root)) as again:
            return {"after": after, "later": client.observe(again)}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {opened.told(error)}"}


def completed(trial: Trial, show: Callable[[Left], Reopened]) -> Trial:
    """Return the trial with what the files that it left show to another process."""
    fresh, later, stuck, without = trial.fresh, trial.later, trial.stuck, trial.without
    if trial.left is not None:
        found = show(Left(trial.left, trial.key))
        if found.ended:
            return replace(trial, left=None, last=None, ended=found.ended, afterwards=True)
        fresh = found.seen
        trial = replace(trial, next_refused=found.refused, next_after=found.after, next_later=found.later)
        if (emptied := emptied_by(trial)) is not None:
            without = show(Left(emptied)).seen
    if trial.last is not None and not stuck:
        found = show(Left(trial.last))
        if found.ended:
            return replace(trial, left=None, last=None, ended=found.ended, afterwards=True)
        if found.opening is not None:
            stuck = f"{found.opening.error}: {found.opening.message}"
        else:
            later = found.seen
    return replace(trial, left=None, last=None, fresh=fresh, later=later, stuck=stuck, without=without)


def left_by(trial: Trial) -> tuple[Left, ...]:
    """Return all that ``completed`` has to be shown."""
    left = () if trial.left is None else (Left(trial.left, trial.key),)
    others = (image for image in (trial.last, emptied_by(trial)) if image is not None)
    return (*left, *map(Left, others))


def emptied_by(trial: Trial) -> DurableImage | None:
    """Return the files as they are where a close that failed has lost what was written; None where it was no close."""
    fault, left = trial.refusal, trial.left
    if left is None or not trial.struck or not isinstance(fault, Fault) or fault.kind is not CallKind.CLOSE:
        return None
    if not any(file.kind is Kind.FILE and role_of_path(file.path) == fault.role for file in left.files):
        return None
    return DurableImage(
        tuple(
            replace(file, content=b"") if file.kind is Kind.FILE and role_of_path(file.path) == fault.role else file
            for file in left.files
        )
    )


def reopen_all(
    store: StoreUnderTest, workload: Workload, images: Sequence[Left], sandbox: Sandbox
) -> Mapping[Left, Reopened]:
    """Reopen all in processes whose calls nobody decides about; where those end too often some are missing."""
    answers: dict[int, Reopened] = {}

    def left() -> list[int]:
        return [number for number in range(len(images)) if number not in answers]

    def task(channel: Channel) -> None:
        steps = iter(range(1, 1 << 62))
        client = Client(store, workload, sandbox.path, lambda: channel.step(next(steps)))
        try:
            for number in left():
                channel.send((number, reopened(client, images[number])))
        finally:
            client.close()

    for event in Runner(store.declarations.deadline).through(lambda: task if left() else None):
        match event:
            case Sent((number, found)):
                answers[number] = found
            case Hung() | Died():
                if numbers := left():
                    answers[numbers[0]] = Reopened(Observation(()), ended=ended_how(event))
    return {images[number]: found for number, found in answers.items()}
