"""Every sort of damage to every file that a store wrote, found by looking; and what the store makes of each."""

import gc
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle

from pytest_tradestore.crash.images import DurableImage, matches
from pytest_tradestore.crash.observation import Absent, Failed, Names, Observation, Records
from pytest_tradestore.crash.operations import Kind as FileKind
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.damage.formats import format_damages, mentions
from pytest_tradestore.damage.judging import Case, DamageBreach, breaches, is_asked
from pytest_tradestore.damage.operators import Damage, Kind, drawn_damages, plain_damages
from pytest_tradestore.damage.trials import Reading, Ward, bounded_memory, read_damaged
from pytest_tradestore.faults.timeless import timeless
from pytest_tradestore.faults.workbench import image_below
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, stream_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TryToken

IMAGES = {Budget.QUICK: 150, Budget.NORMAL: 300, Budget.DEEP: 20_000}
"""Damaged images that are read for one contract of one store."""
ENDINGS_BEFORE_GIVING_UP = 3


@dataclass(frozen=True, slots=True)
class DamageViolation:
    """The first damage that breaks a requirement, and how many do."""

    breach: DamageBreach
    damage: Damage
    reading: Reading
    how_many: int


@dataclass(frozen=True)
class DamageEvidence:
    """What was found out; with ``undecided`` nothing was, and the sentence says why.

    ``told`` counts damaged images that changed what the store showed, ``updates`` those that were updated afterwards.
    """

    undecided: str = ""
    violations: Mapping[str, DamageViolation] = field(default_factory=dict)
    images: int = 0
    told: int = 0
    updates: int = 0
    foreign: int = 0
    with_backup: int = 0
    of_one_of_several: int = 0
    files: tuple[str, ...] = ()
    workload: tuple[str, ...] = ()
    given_up: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known before any damage, and the damages to try: each with the place to update, thorough or not."""

    image: DurableImage
    cases: Mapping[str, Case]
    tries: tuple[tuple[Damage, str, bool], ...]


def gather(
    store: StoreUnderTest, workload: Workload, settings: Settings, only: TryToken | None = None
) -> DamageEvidence:
    """Damage what ``store`` writes under ``workload``, and look at what it makes of that.

    With ``only`` just the damage that a token names.
    """
    with Sandbox() as sandbox:
        run = _Run(store, workload, settings, sandbox, only)
        run.go()
    if run.plan is None:
        return DamageEvidence(undecided=run.trouble or "the workload could not be run")
    return _evidence(run, run.plan, workload)


class _Run:
    def __init__(
        self, store: StoreUnderTest, workload: Workload, settings: Settings, sandbox: Sandbox, only: TryToken | None
    ) -> None:
        self.store, self.workload, self.sandbox, self.only = store, workload, sandbox, only
        self.settings = settings if only is None else replace(settings, budget=Budget.DEEP)
        self.plan: Plan | None = None
        self.readings: dict[int, Reading] = {}
        self.trouble = self.gave_up = ""

    def go(self) -> None:
        for _ in range(ENDINGS_BEFORE_GIVING_UP):
            ended = self._one_process()
            if self.plan is None or not ended:
                return
            number = next((n for n in range(len(self.plan.tries)) if n not in self.readings), None)
            if number is None:
                return
            self.readings[number] = Reading(Observation(()), ended=ended)
        assert self.plan is not None
        if left := len(self.plan.tries) - len(self.readings):
            self.gave_up = f"the store hung or ended its process so often that {left:,} damaged files were not read"

    def _one_process(self) -> str:
        plan, done = self.plan, frozenset(self.readings)

        def task(channel: Channel) -> str:
            gc.freeze()
            steps = iter(range(1, 1 << 62))
            ward = Ward(self.store, self.workload, self.sandbox.path, lambda: channel.step(next(steps)))
            todo = plan
            if todo is None:
                try:
                    todo = _narrowed(planned(ward, self.settings), self.only)
                except _Unusable as reason:
                    return str(reason)
                channel.send(todo)
            with bounded_memory():
                batch = []
                for number, (damage, place, thorough) in enumerate(todo.tries):
                    if number not in done:
                        batch.append((number, read_damaged(ward, todo.image, damage, place, thorough=thorough)))
                        channel.send(batch.pop())
            ward.bridge.close()
            return ""

        for event in stream_isolated(task, self.store.declarations.deadline):
            match event:
                case Sent(Plan() as made):
                    self.plan = made
                case Sent((number, reading)):
                    self.readings[number] = reading
                case Finished(trouble):
                    self.trouble = trouble
                    return ""
                case Hung(_, seconds):
                    self.trouble = f"the workload took longer than {seconds:g} s"
                    return f"takes longer than {seconds:g} s"
                case Died(_, how):
                    self.trouble = f"the store ended its process: {how}"
                    return f"ends the process: {how}"
        return ""


class _Unusable(Exception):  # noqa: N818 - says what is the case
    """The workload does not run even when nothing is damaged."""


def planned(ward: Ward, settings: Settings) -> Plan:
    """Run the workload, look at the files that it leaves, and say what is to be done to them."""
    declared = ward.store.declarations
    grown = _grown(ward)
    with ward.root(grown.image) as root:
        intact, opening = ward.look(root)
    if opening is not None or any(isinstance(seen, Failed) for _, seen in intact.places):
        raise _Unusable("after reopening the store cannot be read although nothing is damaged")
    files = {
        f.path: f.content
        for f in grown.image.files
        if f.kind is FileKind.FILE and f.content and not matches(f.path, declared.volatile)
    }
    cases = {path: _case(ward.workload, declared.claims, intact, grown, path, files[path]) for path in files}
    tries = []
    for path, content in files.items():
        others = {p: c for p, c in files.items() if _is_alike(p, path) and cases[p].owners != cases[path].owners}
        place = next(iter(grown.changed.get(path, {})), ward.workload.updates[-1].place)
        tries += [(damage, place, True) for damage in plain_damages(path, content, others)]
        tries += [(damage, "", False) for damage in format_damages(path, content)]
        tries += [(damage, "", False) for damage in _out_of_date(path, content, grown, files)]
    draw = random.Random(settings.seed)  # noqa: S311 - chance, not secrecy
    streams = {path: drawn_damages(path, content, draw) for path, content in files.items()}
    tries = [row for row in tries if is_asked(row[0], declared.claims)]
    most = max(IMAGES[settings.budget], len(tries) + IMAGES[settings.budget] // 3)
    for path in cycle(streams):
        if len(tries) >= most:
            break
        tries.append((next(streams[path]), "", False))
    return Plan(grown.image, cases, tuple(row for row in tries if is_asked(row[0], declared.claims)))


def _narrowed(plan: Plan, only: TryToken | None) -> Plan:
    """Return the plan with nothing to try but what a token names."""
    if only is None:
        return plan
    return replace(plan, tries=tuple(row for row in plan.tries if only.is_of(row[0]))[:1])


def _out_of_date(path: str, content: bytes, grown: "_Grown", files: Mapping[str, bytes]) -> Iterator[Damage]:
    """Yield a file that is gone; and one that is older than another file says, where one has its digest."""
    mentioned = next((p for p, other in files.items() if p != path and mentions(other, content)), "")
    yield Damage(path, Kind.GONE, "gone", b"", mentioned=mentioned)
    older = grown.older.get(path)
    if mentioned and older and older != content:
        yield Damage(path, Kind.OLDER, "replaced by an older version of itself", older, mentioned=mentioned)


@dataclass(frozen=True, slots=True)
class _Grown:
    """The files that the workload leaves, and what led to them.

    ``changed``: which update places changed each file, and how often; ``replaced``: how often each was written since it
    was last missing; ``older``: what it held before that; ``appended``: how long that was, where the last update only
    added to it (0: it made the file); ``history``: all that was ever seen.
    """

    image: DurableImage
    changed: Mapping[str, Mapping[str, int]]
    replaced: Mapping[str, int]
    older: Mapping[str, bytes]
    appended: Mapping[str, int]
    history: tuple[Observation, ...]


def _grown(ward: Ward) -> _Grown:
    image = DurableImage(())
    volatile = ward.store.declarations.volatile
    changed: dict[str, dict[str, int]] = {}
    replaced: dict[str, int] = {}
    older: dict[str, bytes] = {}
    appended: dict[str, int] = {}
    with ward.root(image) as root:
        seen = [ward.look(root)[0]]
    errors = ward.store.declarations.errors
    for update in ward.workload.updates:
        with ward.root(image) as root:
            try:
                opened = ward.open(root)
                ward.step()
                update.apply(opened)
                observed = timeless(ward.workload.observe(opened, errors))
                opened.close()
            except Exception as error:
                raise _Unusable(f"{update.shown} raised {type(error).__name__}: {error}") from error
            grown = image_below(root, volatile)
        before = {f.path: f.content for f in image.files if f.kind is FileKind.FILE}
        for file in grown.files:
            if file.kind is FileKind.FILE and (old := before.get(file.path)) != file.content:
                places = changed.setdefault(file.path, {})
                places[update.place] = places.get(update.place, 0) + 1
                replaced[file.path] = replaced.get(file.path, 0) + 1
                older[file.path] = old or b""
                appended.pop(file.path, None)
                if old is None or file.content.startswith(old):
                    appended[file.path] = len(old or b"")
        there = set(grown.paths())
        replaced = {path: count for path, count in replaced.items() if path in there}
        seen.append(observed)
        image = grown
    return _Grown(image, changed, replaced, older, appended, tuple(seen))


def _case(
    workload: Workload, claims: frozenset[str], intact: Observation, grown: _Grown, path: str, content: bytes
) -> Case:
    name = workload.contract.name
    keys = {_key(name, place) for place in grown.changed.get(path, {})}
    owners = frozenset(
        place for place, seen in intact.places if not isinstance(seen, Names) and _key(name, place) in keys
    )
    several = len({_key(name, update.place) for update in workload.updates}) > 1
    listings = frozenset(place for place, seen in intact.places if isinstance(seen, Names))
    apart = len(keys) == 1 and several and name in _BY_KEY
    return Case(
        name,
        claims,
        intact,
        grown.history,
        owners if apart else owners | listings,
        has_backup=grown.replaced.get(path, 0) > 1 and _once_told(owners, intact),
        content=content,
        appended=grown.appended.get(path),
    )


def _key(contract: str, place: str) -> str:
    """Return what the place is kept under: months of one symbol belong together."""
    return place.partition(" ")[0] if contract in ("bars", "fundamentals") else place


_BY_KEY = ("documents", "journal", "state", "bars", "fundamentals")
"""Contracts under which what belongs to one key can be kept apart from what belongs to another."""


def _once_told(places: frozenset[str], intact: Observation) -> bool:
    return any(not isinstance(intact.at(place), Absent) and intact.at(place) != Records(()) for place in places)


def _is_alike(one: str, other: str) -> bool:
    (one_in, _, one_is), (other_in, _, other_is) = one.rpartition("/"), other.rpartition("/")
    return one != other and (one_is == other_is or (one_in == other_in and _suffix(one) == _suffix(other)))


def _suffix(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[2]


def _evidence(run: _Run, plan: Plan, workload: Workload) -> DamageEvidence:
    first: dict[str, DamageViolation] = {}
    told = 0
    for number, reading in sorted(run.readings.items()):
        damage, _, _ = plan.tries[number]
        case = plan.cases[damage.path]
        told += bool(reading.ended) or reading.seen != case.intact
        for breach in _first_of_each(breaches(damage, reading, case)):
            known = first.get(breach.requirement)
            first[breach.requirement] = (
                DamageViolation(breach, damage, reading, 1)
                if known is None
                else DamageViolation(known.breach, known.damage, known.reading, known.how_many + 1)
            )
    kinds = [plan.tries[number][0] for number in run.readings]
    return DamageEvidence(
        violations=first,
        images=len(run.readings),
        told=told,
        updates=sum(reading.kept_later is not None for reading in run.readings.values()),
        foreign=sum(damage.kind.name == "FOREIGN" for damage in kinds),
        with_backup=sum(plan.cases[damage.path].has_backup for damage in kinds),
        of_one_of_several=sum(0 < len(plan.cases[damage.path].owners) < len(workload.place_names) for damage in kinds),
        files=tuple(plan.cases),
        workload=tuple(update.shown for update in workload.updates),
        given_up=run.gave_up,
    )


def _first_of_each(found: Iterator[DamageBreach]) -> Iterator[DamageBreach]:
    met: set[str] = set()
    for breach in found:
        if breach.requirement not in met:
            met.add(breach.requirement)
            yield breach
