"""One trial as a report shows it: the requests in their order, where it happened, and what was seen after it."""

from collections.abc import Iterator

from pytest_tradestore.causes import Cause, Culprit, role_of_path
from pytest_tradestore.network.client import LOOK, Request
from pytest_tradestore.network.evidence import ClientEvidence, Found
from pytest_tradestore.verdict import Counterexample, Step, StepStatus

_SHOWN = 20
_REMEDIES = {
    "client that dies between two requests": (
        "Let one request make the whole update visible: one conditional put of what names the rest, written before; or "
        "one transaction."
    ),
    "update that is done twice when its answer is lost": (
        "Give each record a nonce or a key of its own, and before an update is made again find out whether it was done."
    ),
    "failing request that is taken for done": (
        "Return only after the server has confirmed: 409 says that nothing was done, 412 that somebody else was first."
    ),
    "failing read that is taken for an answer": ("Take only 404 for absence; let every other error out, or try again."),
    "update that is left half done when a request fails": (
        "Write what is new beside what is old, and switch by one request at the end."
    ),
    "something begun that is not given up when a request fails": (
        "Abort an upload, and roll a transaction back, in a finally clause."
    ),
    "something that is left behind by each client that dies": (
        "Name what belongs to an update after what it replaces, or remove what no manifest names when the store is "
        "opened."
    ),
}


def counterexample(evidence: ClientEvidence, found: Found) -> Counterexample:
    """Tell of one trial."""
    wrong, trial = found.wrong, found.trial
    calls = [update.rendered for update in evidence.workload.updates][: max(1, trial.window.invoked)]
    remedy = _REMEDIES.get(wrong.fault, "")
    spoilt = trial.plan.spoil is not None and trial.struck is not None
    outcome = " ".join(trial.struck.error.split()) if trial.struck is not None else ""  # libraries break lines at will
    notes = [f"{evidence.unit} are numbered from the opening of the store on"]
    if spoilt:
        notes.append(f"the caller got {outcome}" if outcome else "the caller got no error")
    if found.how_many > 1:
        notes.append(f"seen in {found.how_many} trials")
    return Counterexample(
        wrong.breach.sentence,
        crash=str(trial.plan),
        workload=tuple(calls),
        steps=tuple(_steps(trial.requests)),
        found=(wrong.breach.found,) if wrong.breach.found else (),
        allowed=wrong.breach.allowed,
        notes=tuple(notes),
        token=found.token,
        remedy=remedy,
        cause=Cause(Culprit(wrong.fault, _places(trial.requests)), wrong.breach.harm, remedy),
    )


def _places(requests: tuple[Request, ...]) -> tuple[str, ...]:
    """Return the call in which it happened: by that causes are told apart."""
    return (role_of_path(requests[-1].step.partition("(")[0]),) if requests else ()


def _steps(requests: tuple[Request, ...]) -> Iterator[Step]:
    shown = [(n, r) for n, r in enumerate(requests, 1) if r.step != LOOK or r.spoil is not None or not r.told]
    step = ""
    for number, request in shown[-_SHOWN:]:
        begins = f"{request.step}: " if request.step != step else ""
        step = request.step
        fate = (
            StepStatus.FAILED
            if request.spoil is not None
            else StepStatus.PERSISTED
            if request.told
            else StepStatus.NOT_ISSUED
        )
        told = f" -> {request.told}" if request.told else ", and the client dies"
        yield Step(
            number, fate, f"{begins}{request.asked.text}{told}", detail=request.spoil.value if request.spoil else ""
        )
