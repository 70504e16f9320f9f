"""In which order trials are made, and what they amount to.

Which verdict follows is decided in the conformance suite.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile

from pytest_tradestore.backends.hosts import lines_to
from pytest_tradestore.backends.lines import Spoil
from pytest_tradestore.causes import Harm
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.oracle import Family, History, OracleViolation
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.isolation import Channel, Died, Ending, Finished, Hung, Sent
from pytest_tradestore.network.client import CLOSE, LOOK, OPEN, Request
from pytest_tradestore.network.judging import Compared, RequestViolation, all_of_it, of_a_death, of_a_spoilt_request
from pytest_tradestore.network.lasting import telling
from pytest_tradestore.network.trials import Piled, Plan, Trial, Trials, history_of
from pytest_tradestore.network.varying import Varying, between, history_without
from pytest_tradestore.observation import Failed, Observation
from pytest_tradestore.race import interposition
from pytest_tradestore.race.in_force import Chance
from pytest_tradestore.runner import Runner
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TrialKind, TrialToken, fingerprint

_ALIKE = {Budget.QUICK: 1, Budget.NORMAL: 2, Budget.DEEP: 1000}
"""So many requests of one shape are spoilt in each way: the same call, the same verb, the same place in the call."""
_LATER = 4
"""Requests after a spoilt one, in the same call, before which the client dies, too."""
_MOST_AGAIN = 12
"""Requests of who comes next, before each of which it may die, too."""
_OFTEN = 4
"""Ends of its process after which no further trial is made: each is followed by the whole workload once more."""
_RUNS = 8
"""Whole runs in which something drawn from two values is another in one of them, all but surely."""
_NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+")


@dataclass(frozen=True, slots=True)
class Found:
    """What one trial showed broken, with the trial."""

    wrong: RequestViolation
    trial: Trial
    token: str
    how_many: int = 1


@dataclass(frozen=True)
class ClientEvidence:
    """What became of one contract of a store when its clients died, or their requests were spoilt.

    With ``undecided`` nothing is known: the sentence says why. ``requests`` were made in all trials together. ``weak``
    is a promise of the server that the store has given up.
    """

    workload: Workload
    unit: str = "requests"
    undecided: str = ""
    violations: Mapping[str, tuple[Found, ...]] = field(default_factory=dict)
    requests: int = 0
    trials: int = 0
    recoveries: int = 0
    crashed_faults: int = 0
    exhaustive: bool = True
    weak: str = ""


def gather_deaths(
    store: StoreUnderTest, workload: Workload, settings: Settings, only: TrialToken | None = None
) -> ClientEvidence:
    """Let the client of a workload die before each of its requests, and those that come after it, too."""
    return _gathered(store, workload, settings, _deaths, TrialKind.DEATH, only)


def gather_spoilt(
    store: StoreUnderTest, workload: Workload, settings: Settings, only: TrialToken | None = None
) -> ClientEvidence:
    """Spoil the requests of a workload, one in each trial."""
    return _gathered(store, workload, settings, _spoilt, TrialKind.SPOILT, only)


@dataclass(frozen=True, slots=True)
class _Repeated:
    """What the workload showed once more in the end, when all trials had been made.

    Where something is wrong it is run several times: few trials show the state after the last update.
    """

    states: tuple[Observation, ...]


Plans = Callable[[Trial, Settings], Iterator[Plan]]


@dataclass(frozen=True, slots=True)
class _Made:
    """What comes back of one trial."""

    trial: Trial
    wrong: tuple[RequestViolation, ...]
    requests: int
    """So many all clients had made by then."""

    def is_whole(self, plain: Trial) -> bool:
        """Say whether its client saw all that it sees where nobody dies: what the last update alone writes, too."""
        return len(self.trial.states) == len(plain.states)


def _gathered(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    plans: Plans,
    sort: TrialKind,
    only: TrialToken | None,
) -> ClientEvidence:
    run = _Run(store, workload, settings, plans, sort, only)
    run.go()
    control, made, undecided = run.control, run.made, run.undecided
    if control is None or control.trouble or not control.states:
        trouble = undecided if control is None else control.trouble
        return ClientEvidence(workload, run.unit, f"the workload could not be run on its server: {trouble}")
    # Until its client dies, a trial is a run like any other: what is drawn from few values shows itself in one of many.
    others = (*run.runs[1:], *(one.trial.states for one in made))
    varying = between(history_of(workload, run.runs[0]), others, workload.updates)
    history = history_without(history_of(workload, control.states), varying)
    undecided = undecided or _incomparable(varying) or _vacuous(control, history.states, workload)
    if varying.paths:
        made = [_judged_without(one, varying, history, whole=run.whole) for one in made]
    violations = _grouped(store, workload, control, made, sort)
    if run.heaps and (only is None or str(only) == run.heaps[0].token):
        violations["ATOM-4"] = (*violations.get("ATOM-4", ()), run.heaps[0])
    return ClientEvidence(
        workload,
        run.unit,
        undecided,
        violations,
        max(run.requests, len(control.requests)),
        len(made),
        sum(1 for one in made if one.trial.plan.again),
        sum(1 for one in made if one.trial.plan.dies and one.trial.plan.spoil is not None),
        exhaustive=sort is TrialKind.DEATH or settings.budget is Budget.DEEP,
        weak=control.weak,
    )


class _Run:
    """The trials of one workload, in one process as long as that lives and comes back, and what came of them so far."""

    def __init__(
        self,
        store: StoreUnderTest,
        workload: Workload,
        settings: Settings,
        plans: Plans,
        sort: TrialKind,
        only: TrialToken | None,
    ) -> None:
        self._store, self._workload, self._settings = store, workload, settings
        self._plans, self._sort, self._only = plans, sort, only
        self.whole = "atomic-batch" in store.declarations.claims
        self.control: Trial | None = None
        self.made: list[_Made] = []
        self.runs: list[tuple[Observation, ...]] = []
        """What was seen in runs in which nobody died."""
        self.heaps: list[Found] = []
        self.undecided, self.unit = "", "requests"
        self.requests = 0
        self._before = 0
        """How many of them were made by processes that have ended."""
        self._waiting: Plan | None = None
        """What was begun and has not come to its end."""
        self._at = 0
        """How many plans have been tried, or dropped with the process that they ended."""
        self._over = False

    def go(self) -> None:
        """Make all trials, or as many as the store lets be made."""
        runner = Runner(self._store.declarations.deadline)
        while not self._over and not runner.gave_up and runner.endings < _OFTEN:
            self._before = self.requests
            with Sandbox() as sandbox:  # here, so that it is removed even if the process is killed
                for event in runner.of(partial(self._task, self._at, sandbox)):
                    self._take(event)
            self._over = self._over or self.control is None

    def _task(self, first: int, sandbox: Sandbox, channel: Channel) -> None:
        store, workload, sort, only = self._store, self._workload, self._sort, self._only
        assert store.declarations.backend is not None, "it is asked of stores on a server alone"
        lines, chance = lines_to(store.declarations.backend), Chance()
        interposition.install_chance(chance)
        bench = Trials(store, workload, lines, chance, sandbox.fresh_root, lambda: channel.step(0))
        runs, found = 1, False
        try:
            channel.step(0)
            plain = bench.trial(Plan())
            channel.send((plain, lines.unit))
            if plain.trouble or not plain.states:
                return
            history = history_of(workload, plain.states)
            if sort is TrialKind.DEATH and not first:
                for where in _in_one_update(plain):
                    channel.step(0)
                    if (piled := bench.piled_up(where)) is not None:
                        channel.send((where, piled))
                        break
            for number, plan in enumerate(self._plans(plain, self._settings)):
                both = (plan, *_followed(plan))
                meant = [one for one in both if _is_meant(one, plain, sort, store, workload, only)]
                if number < first or (only is not None and not meant):
                    continue
                channel.step(number + 1)
                channel.send(plan)
                if only is None:
                    made = self._made(bench.trial(plan), history, bench)
                    meant = [*following(made.trial, plain, self._settings)]
                    channel.send(made)
                    runs, found = runs + made.is_whole(plain), found or bool(made.wrong)
                for one in meant:
                    channel.step(number + 1)
                    made = self._made(bench.trial(one), history, bench)
                    channel.send(made)
                    runs, found = runs + made.is_whole(plain), found or bool(made.wrong)
                channel.send(number + 1)
            for _ in range(max(1, _RUNS - runs if found else 0)):
                channel.step(0)
                channel.send(_Repeated(bench.trial(Plan()).states))
        finally:
            bench.close()
            lines.close()

    def _made(self, trial: Trial, history: History, bench: Trials) -> _Made:
        return _Made(trial, tuple(_wrong(trial, history, whole=self.whole)), bench.requests)

    def _take(self, event: Sent | Ending) -> None:
        match event:
            case Sent((Trial() as plain, told)):
                self.control, self.unit = plain, told
                self.runs.append(plain.states)
            case Sent(_Repeated(states)):
                self.runs.append(states)
            case Sent((int() as where, Piled() as heap)):
                self.heaps.append(_piling_up(self._store, self._workload, self.control, where, heap))
            case Sent(Plan() as plan):
                self._waiting = plan
            case Sent(_Made() as one):
                self.made.append(one)
                self.requests = self._before + one.requests
            case Sent(int() as done):
                self._waiting, self._at = None, done
            case Finished():
                self._over = True
            case Hung(_, seconds):
                self._dropped(_hung(self._waiting, seconds))
            case Died(_, how):
                self._dropped(f"the suite's own process {how} in the middle of a trial")

    def _dropped(self, why: str) -> None:
        """Go on behind the plan that has ended the process."""
        self.undecided = self.undecided or why
        self._at += 1


def _judged_without(one: _Made, varying: Varying, history: History, *, whole: bool) -> _Made:
    """Judge a trial that showed something wrong once more, without what differs from run to run."""
    if not one.wrong:
        return one
    return replace(one, wrong=tuple(_wrong(one.trial, history, whole=whole, compared=varying.without)))


def _incomparable(varying: Varying) -> str:
    """Say which place no trial says anything about."""
    for place in varying.as_a_whole:
        return f"{place} shows something else in each run, though nobody died in it: two runs cannot be compared there"
    return ""


def _hung(waiting: Plan | None, seconds: float) -> str:
    what = "" if waiting is None else f" when {waiting}"
    return f"the store did not come back within {seconds:g} s{what} (tradestore_deadline)"


def _vacuous(control: Trial, states: tuple[Observation, ...], workload: Workload) -> str:
    """Say which update its own client could not see in what is compared: a trial of it would prove nothing."""
    for number, update in enumerate(workload.updates, 1):
        state = states[number]
        for place, seen in state.places:
            if isinstance(seen, Failed):
                return f"after {update.rendered} its own caller cannot read {place}: {seen}"
        if state == states[number - 1]:
            return f"{update.rendered} returned, but its own caller does not see the change"
    return "" if control.requests else "the store made no request: its data is not on the server"


def _followed(plan: Plan) -> tuple[Plan, ...]:
    """Return the plans in which somebody dies besides: the client after a spoilt request, or who comes after it."""
    if plan.spoil is None:
        return tuple(replace(plan, again=again) for again in range(1, _MOST_AGAIN + 1))
    return tuple(replace(plan, dies=plan.spoilt + later) for later in range(1, _LATER + 1))


def following(trial: Trial, control: Trial, settings: Settings) -> Iterator[Plan]:
    """Yield those of them that show something new, now that it is known what the trial without that has done."""
    plan = trial.plan
    if plan.spoil is not None:
        places = range(plan.spoilt + 1, min(plan.spoilt + _LATER, len(trial.requests)) + 1)
        keeps_files = control.keeps_files or trial.keeps_files
        after = [*places] if keeps_files else [*telling(trial.requests, places, plan.spoilt)]
        yield from (replace(plan, dies=place) for place in after)
    elif trial.after is not None and plan.dies in _recovered(control, settings):
        opening = sum(1 for request in control.requests if request.step == OPEN)
        recovery = [*takewhile(lambda request: request.step in (OPEN, LOOK), trial.after.requests)]
        places = range(1, min(opening + 4, _MOST_AGAIN, len(recovery)) + 1)
        keeps_files = control.keeps_files or trial.keeps_files
        again = [*places] if keeps_files else [*telling(recovery, places, 1)]
        yield from (replace(plan, again=place) for place in again or places[-1:])


def _wrong(
    trial: Trial, history: History, *, whole: bool, compared: Compared = all_of_it
) -> Iterator[RequestViolation]:
    if trial.plan.spoil is not None and trial.plan.dies:
        if trial.after is not None and trial.struck is None:
            for wrong in of_a_death(trial, history, compared, whole=whole):
                yield replace(wrong, requirement="FAULT-6")
    elif trial.plan.spoil is not None:
        if trial.struck is not None:
            yield from of_a_spoilt_request(trial, history, compared, whole=whole)
    elif trial.after is not None:
        yield from of_a_death(trial, history, compared, whole=whole, in_recovery=bool(trial.plan.again))


def _deaths(control: Trial, _settings: Settings) -> Iterator[Plan]:
    """Yield each place to die: before each request of opening, of an update and of closing that shows something new."""
    yield from (Plan(dies=number) for number in _places(control))


def _places(control: Trial) -> list[int]:
    """Return the requests before which it shows something that a client dies."""
    places = [
        number for number, request in enumerate(control.requests, 1) if request.step != LOOK or request.asked.writes
    ]
    return places if control.keeps_files else [*telling(control.requests, places)]


def _recovered(control: Trial, settings: Settings) -> list[int]:
    """Return those of them after which who comes next dies, too."""
    places, recoveries = _places(control), settings.budget.value.recoveries
    return places[:: max(1, len(places) // max(1, recoveries))][:recoveries]


def _spoilt(control: Trial, settings: Settings) -> Iterator[Plan]:
    """Yield each request with each way to spoil it; of those that are alike the last ones, where most is at stake."""
    alike: dict[tuple[object, ...], list[Plan]] = {}
    step, within = "", 0
    for number, request in enumerate(control.requests, 1):
        within = within + 1 if request.step == step else 1
        step = request.step
        place = 0 if step == LOOK else within
        for spoil in telling_spoils(request) if step != CLOSE else ():
            shape = (step.partition("(")[0], place, _NUMBERS.sub("#", request.asked.text), spoil)
            alike.setdefault(shape, []).append(Plan(spoilt=number, spoil=spoil))
    most = _ALIKE[settings.budget]
    yield from sorted((plan for plans in alike.values() for plan in plans[-most:]), key=lambda plan: plan.spoilt)


def telling_spoils(request: Request) -> Iterator[Spoil]:
    """Yield what can befall a request: whether one was done that leaves nothing behind is lost with its answer."""
    for spoil in request.asked.spoils:
        if spoil is not Spoil.LOST or request.lasts or Spoil.REFUSED not in request.asked.spoils:
            yield spoil


def _is_meant(
    plan: Plan, control: Trial, sort: TrialKind, store: StoreUnderTest, workload: Workload, only: TrialToken | None
) -> bool:
    return only is None or str(only) == token_of(plan, control, sort, store, workload)


def token_of(plan: Plan, control: Trial, sort: TrialKind, store: StoreUnderTest, workload: Workload) -> str:
    """Return what replays a trial: it names the request by its number and what it asks."""
    number = plan.spoilt or plan.dies
    asked = _NUMBERS.sub("#", control.requests[number - 1].asked.text)
    return str(TrialToken(store.name, workload.kit.name, sort, fingerprint(plan, asked)))


def _grouped(
    store: StoreUnderTest, workload: Workload, control: Trial, made: list[_Made], sort: TrialKind
) -> dict[str, tuple[Found, ...]]:
    """Return the first trial of each fault by requirement, with how many show the same."""
    found: dict[str, dict[tuple[str, str], Found]] = {}
    for one in made:
        for wrong in one.wrong:
            of_it = found.setdefault(wrong.requirement, {})
            key = (wrong.fault, _step_of(one.trial))
            if key in of_it:
                of_it[key] = replace(of_it[key], how_many=of_it[key].how_many + 1)
            else:
                of_it[key] = Found(wrong, one.trial, token_of(one.trial.plan, control, sort, store, workload))
    return {id_: tuple(sorted(of.values(), key=lambda one: one.wrong.breach.harm)) for id_, of in found.items()}


def _in_one_update(control: Trial) -> list[int]:
    """Return the requests of the second update before which a client that dies may leave something."""
    steps = list(dict.fromkeys(r.step for r in control.requests if r.step not in (OPEN, LOOK, CLOSE)))
    wanted = steps[min(1, len(steps) - 1)] if steps else ""
    its = [request for request in control.requests if request.step == wanted]
    places = range(1, len(its) + 1)
    return [*places] if control.keeps_files else [*telling(its, places)]


def _piling_up(store: StoreUnderTest, workload: Workload, control: Trial | None, where: int, heap: Piled) -> Found:
    """Return the finding that leftovers pile up."""
    assert control is not None, "the workload was run first"
    told = f"each client that dies before {heap.request.asked.text!r} leaves one more thing that nothing removes"
    counts = ", ".join(map(str, heap.counts))
    found = f"{counts} things after each death; the newest: {', '.join(heap.newest[:2])}"
    breach = OracleViolation(
        Family.LEFTOVERS, told, found=found, allowed=("what is left does not grow",), harm=Harm.LEFTOVER
    )
    wrong = RequestViolation("ATOM-4", breach, "something that is left behind by each client that dies")
    trial = Trial(Plan(), (heap.request,), (), Window(0, 0), heap.request.step)
    token = TrialToken(store.name, workload.kit.name, TrialKind.DEATH, fingerprint("piling up", where))
    return Found(wrong, trial, str(token))


def _step_of(trial: Trial) -> str:
    return trial.step.partition("(")[0]
