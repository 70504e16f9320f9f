"""Which schedules a strategy gives, on actors that exist only as a number of steps."""

from itertools import combinations, pairwise

import pytest

from pytest_tradestore.race.actors import Actor
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.execution import ContextSwitch
from pytest_tradestore.race.following import Turning
from pytest_tradestore.race.scheduler import Scheduler
from pytest_tradestore.race.strategies import DepthFirst, Pct, Portfolio, RandomWalk


class Counted(Actor):
    """Makes so many steps and is done."""

    def __init__(self, number, steps):
        super().__init__(number, number, f"actor {number}")
        self.left = steps
        self.pending = "step"


def asked_each_time(chooser, *lengths, waits_for=None):
    """Return the schedule as a string of actor numbers, its preemptions, and how often somebody asked: at each step."""
    scheduler = Scheduler(chooser, Clock())
    actors = [Counted(number, steps) for number, steps in enumerate(lengths)]
    for actor in actors:
        scheduler.add(actor)
    if waits_for is not None:
        actors[-1].ready = lambda: actors[0].left <= waits_for
    scheduler.exploring = True
    current = None
    while scheduler.live:
        current = scheduler.next_after(current)
        current.left -= 1
        if not current.left:
            scheduler.remove(current)
            current = None
    return "".join(str(number) for number, _ in scheduler.choices), scheduler.preemptions, scheduler.moves


def run(chooser, *lengths):
    """Return the schedule and its preemptions."""
    return asked_each_time(chooser, *lengths)[:2]


def all_of(strategy, *lengths):
    schedules = []
    while strategy.begin():
        schedules.append(run(strategy, *lengths))
    return schedules


def every_order(first, second):
    """Return all orders of the steps of two actors, with the preemptions in each."""
    for places in combinations(range(first + second), first):
        order = "".join("0" if at in places else "1" for at in range(first + second))
        switches = [(a, at) for at, (a, b) in enumerate(pairwise(order), 1) if a != b]
        yield order, sum(a in order[at:] for a, at in switches)


@pytest.mark.parametrize("lengths", [(1, 1), (2, 3), (3, 3), (4, 4)], ids=str)
@pytest.mark.parametrize("bound", [0, 1, 2, 8])
def test_depth_first_gives_exactly_the_schedules_within_the_bound_and_none_twice(lengths, bound):
    given = all_of(DepthFirst(bound), *lengths)

    assert sorted(given) == sorted((order, n) for order, n in every_order(*lengths) if n <= bound)


def test_fewer_preemptions_come_first():
    counts = [preemptions for _, preemptions in all_of(DepthFirst(2), 3, 3, 2)]

    assert counts == sorted(counts)


def test_depth_first_knows_up_to_which_bound_it_is_exhausted():
    strategy = DepthFirst(2)
    known = [strategy.exhausted]
    while strategy.begin():
        run(strategy, 3, 3)
        known.append(strategy.exhausted)

    assert (known[0], known[1], known[2], known[-1]) == (None, None, 0, 2)
    assert len(known) == 1 + sum(n <= 2 for _, n in every_order(3, 3))


def test_depth_first_says_whether_the_bound_left_anything_out():
    cut, whole = DepthFirst(1), DepthFirst(8)
    all_of(cut, 3, 3)
    all_of(whole, 3, 3)

    assert (cut.cut, whole.cut) == (True, False)


def test_depth_first_notices_that_a_store_does_not_do_the_same_again():
    strategy = DepthFirst(1)
    strategy.begin()
    run(strategy, 3, 3)
    while strategy.begin():
        run(strategy, 1, 3)

    assert strategy.diverged


def test_control_a_store_that_does_the_same_again_does_not_diverge():
    strategy = DepthFirst(1)
    all_of(strategy, 3, 3)

    assert not strategy.diverged


STRATEGIES = {
    "walk": RandomWalk,
    "pct-2": lambda seed: Pct(2, seed),
    "pct-4": lambda seed: Pct(4, seed),
    "mixture": lambda seed: Portfolio(seed, alone=3),
    "depth-first": lambda seed: DepthFirst(2, seed),
}


def some_of(strategy, count=40):
    schedules = []
    while len(schedules) < count and strategy.begin():
        schedules.append(run(strategy, 5, 5, 5))
    return schedules


@pytest.mark.parametrize("make", STRATEGIES.values(), ids=list(STRATEGIES))
def test_the_same_seed_gives_the_same_schedules(make):
    assert some_of(make(7)) == some_of(make(7))


@pytest.mark.parametrize("name", ["walk", "pct-2", "pct-4", "mixture"])
def test_control_another_seed_gives_others(name):
    assert some_of(STRATEGIES[name](7)) != some_of(STRATEGIES[name](8))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_pct_preempts_at_most_one_time_less_than_its_depth(depth):
    assert max(preemptions for _, preemptions in some_of(Pct(depth, 1), 200)) <= depth - 1


def test_pct_comes_to_every_schedule_of_its_depth():
    seen = {order for order, _ in (run(s, 3, 3) for s in [Pct(2, 1)] for _ in range(400) if s.begin())}

    assert seen >= {order for order, n in every_order(3, 3) if n <= 1}


def test_the_mixture_ends_when_depth_first_has_run_everything():
    strategy = Portfolio(1, bound=2, alone=5)
    given = some_of(strategy, 10_000)
    within = 3 * 2 + 1

    assert strategy.depth_first.exhausted == 2
    assert len(given) > within


def test_the_mixture_is_exhausted_exactly_when_every_schedule_was_run():
    strategy = Portfolio(1, bound=2, alone=100)

    assert sorted(all_of(strategy, 2, 2)) == sorted((order, n) for order, n in every_order(2, 2) if n <= 2)


def without_asking(chooser, *lengths):
    """Return the schedule where who goes on does at once whatever it would have been let do; and how often it asked."""
    scheduler = Scheduler(chooser, Clock())
    for number, steps in enumerate(lengths):
        scheduler.add(Counted(number, steps))
    scheduler.exploring = True
    current, asked = None, 0
    while scheduler.live:
        current, asked = scheduler.next_after(current), asked + 1
        current.left -= 1
        for _ in range(min(scheduler.ahead(current), current.left)):
            scheduler.went_on(current, ["step"])
            current.left -= 1
        if not current.left:
            scheduler.remove(current)
            current = None
    return ("".join(str(number) for number, _ in scheduler.choices), scheduler.preemptions), asked


@pytest.mark.parametrize("make", STRATEGIES.values(), ids=list(STRATEGIES))
def test_going_on_without_asking_changes_no_schedule(make):
    asking, silent = make(3), make(3)
    rarely = 0
    for _ in range(60):
        if not asking.begin():
            break
        assert silent.begin()
        schedule, asked = without_asking(silent, 5, 5, 5)
        rarely += asked < 15
        assert schedule == run(asking, 5, 5, 5)

    assert rarely, "nobody ever went on without asking"


def test_turns_are_taken_although_nobody_asks():
    turns = (ContextSwitch(0, 2, "step", 1), ContextSwitch(1, 1, "step", 0))
    schedule, asked = without_asking(Turning(turns), 5, 5)

    assert schedule == run(Turning(turns), 5, 5)
    assert schedule[0].startswith("0010")
    assert asked < 10


def test_where_steps_are_kept_everything_is_asked_for():
    scheduler = Scheduler(RandomWalk(1), Clock(), keep_steps=True)
    scheduler.add(Counted(0, 3))
    scheduler.exploring = True

    assert scheduler.ahead(scheduler.next_after(None)) == 0


def granted(chooser, *lengths, waits_for=None):
    """Return the schedule where who is chosen goes on for as long as it may, and how often anybody asked.

    The last actor waits, with ``waits_for``, until the first has only so many steps left.
    """
    scheduler = Scheduler(chooser, Clock())
    scheduler.grants = True
    actors = [Counted(number, steps) for number, steps in enumerate(lengths)]
    for actor in actors:
        scheduler.add(actor)
    if waits_for is not None:
        actors[-1].ready = lambda: actors[0].left <= waits_for
    scheduler.exploring = True
    current, asked = None, 0
    while scheduler.live:
        current, asked = scheduler.next_after(current), asked + 1
        current.left -= 1
        while current.left and current.ready is None and scheduler.goes_on("step"):
            current.left -= 1
        if not current.left:
            scheduler.remove(current)
            current = None
    scheduler.catch_up()
    return ("".join(str(number) for number, _ in scheduler.choices), scheduler.preemptions, scheduler.moves), asked


@pytest.mark.parametrize("waits_for", [None, 2], ids=["nobody-waits", "one-waits"])
@pytest.mark.parametrize("make", STRATEGIES.values(), ids=list(STRATEGIES))
def test_a_grant_changes_no_schedule_and_ends_when_somebody_else_comes_to_be_able(make, waits_for):
    asking, silent = make(3), make(3)
    for _ in range(60):
        if not asking.begin():
            break
        assert silent.begin()
        schedule, _ = granted(silent, 5, 5, 5, waits_for=waits_for)
        assert schedule == asked_each_time(asking, 5, 5, 5, waits_for=waits_for)


def test_control_with_a_grant_it_is_asked_less_often():
    strategy = DepthFirst(1)
    strategy.begin()

    assert granted(strategy, 5, 5)[1] == 2
