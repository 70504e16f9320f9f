"""The steps of a counterexample drawn: a crash with a lane for each fate, a race with a lane for each caller.

Each drawing is a list that can be read aloud; its marks are for the eye alone.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pytest_tradestore.observation import counted
from pytest_tradestore.report.html.markup import NOTHING, Markup, hidden, joined, tag
from pytest_tradestore.verdict import Counterexample, Step, StepKind, StepStatus

_MOST_LANES = 6

_LANES: tuple[tuple[str, str, tuple[StepStatus, ...]], ...] = (
    ("persisted", "on disk", (StepStatus.PERSISTED,)),
    ("torn", "torn", (StepStatus.PARTLY,)),
    ("lost", "lost", (StepStatus.LOST,)),
    ("failed", "failed", (StepStatus.FAILED,)),
    ("later", "never done", (StepStatus.NOT_ISSUED,)),
)
"""The lanes behind that of the program: their class, the word for them, and the fates in them."""
_HEADS = {"never done": "later"}
"""Shorter words for the heads of lanes, which are narrow."""
_CLASSES = {fate: name for name, _, fates in _LANES for fate in fates}
_READ_ALOUD = {
    StepStatus.PERSISTED: "on disk: ",
    StepStatus.PARTLY: "torn, partly lost: ",
    StepStatus.LOST: "lost: ",
    StepStatus.FAILED: "failed: ",
    StepStatus.NOT_ISSUED: "never done: ",
    StepStatus.NOTE: "",
}


def _svg(colour: str, *content: Markup) -> Markup:
    return tag("svg", *content, class_=colour, viewBox="0 0 24 24", aria_hidden="true", focusable="false")


def _dot(kind: str, radius: str = "6") -> Markup:
    return tag("circle", cx="12", cy="12", r=radius, class_=kind)


def _path(way: str, kind: str = "stroke") -> Markup:
    return tag("path", d=way, class_=kind, stroke_width="2.5", stroke_linecap="round")


_MARKS = {
    StepStatus.PERSISTED: _svg("good", _dot("fill")),
    StepStatus.PARTLY: _svg("bad", _dot("ground"), _dot("stroke"), _path("M12 6a6 6 0 0 0 0 12z", "fill")),
    StepStatus.LOST: _svg("bad", _dot("ground", "8"), _path("M6.5 6.5l11 11M17.5 6.5l-11 11")),
    StepStatus.FAILED: _svg("bad", _dot("ground", "8"), _path("M12 5v8M12 18v.5")),
    StepStatus.NOT_ISSUED: _svg("edge", _dot("ground"), _dot("stroke", "5")),
    StepStatus.NOTE: _svg("link", _dot("fill", "4")),
}
_CALLED = _svg("link", _path("M6 9h12l-6 7z", "fill"))
_RETURNED = _svg("link", _dot("fill", "8"), tag("path", d="M8 12l3 3 5-6", class_="tick", stroke_width="2"))


def drawing_of(told: Counterexample) -> Markup:
    """Return the drawing of whatever the steps show, or nothing where there are none."""
    if not told.steps:
        return NOTHING
    return _race(told) if told.actors else _crash(told)


def said_of_crash(steps: Sequence[Step]) -> str:
    """Say in a sentence what the drawing of a crash shows."""
    counts = [(sum(step.fate in fates for step in steps), word) for _, word, fates in _LANES]
    told = ", ".join(f"{counted(n, 'step')} {word}" for n, word in counts if n)
    returned = [
        step.text for step in steps if step.kind is StepKind.RETURNED and step.fate is not StepStatus.NOT_ISSUED
    ]
    before = f"; {returned[-1]} before the cut" if returned and any(s.kind is StepKind.CRASH for s in steps) else ""
    return f"{told or counted(len(steps), 'step')}{before}"


def _crash(told: Counterexample) -> Markup:
    steps = told.steps
    lanes = [lane for lane in _LANES if any(step.fate in lane[2] for step in steps if step.kind is not StepKind.CRASH)]
    cut = any(step.kind is StepKind.CRASH for step in steps)
    what = "The crash, step by step" if cut else "What was done, step by step"
    heads = (tag("span", word, class_="lane") for word in ("calls", *(_HEADS.get(word, word) for _, word, _ in lanes)))
    head = tag("li", tag("span"), *heads, tag("span"), class_="heads", aria_hidden="true")
    return tag(
        "figure",
        tag("figcaption", f"{what}: {said_of_crash(steps)}."),
        tag("ol", head, *_crash_rows(told, lanes), class_=f"lanes n-{len(lanes) + 1}"),
    )


def _crash_rows(told: Counterexample, lanes: Sequence[tuple[str, str, tuple[StepStatus, ...]]]) -> Iterator[Markup]:
    inside = False
    for step in told.steps:
        if step.kind is StepKind.CRASH:
            power = "power" in told.crash.rpartition("; then")[2]
            yield tag("li", "⚡ The power goes here" if power else "⚡ The process dies here", class_="cut")
            inside = False
            continue
        if step.kind is StepKind.LEFT_OUT:
            yield tag("li", step.text, class_="gap")
            continue
        inside = inside or step.kind is StepKind.CALLED
        cells = [_program_lane(step, inside=inside)]
        cells += [
            tag("span", _MARKS[step.fate] if step.fate in fates else NOTHING, class_="lane") for *_, fates in lanes
        ]
        yield tag(
            "li",
            tag("span", str(step.number or ""), class_="number"),
            *cells,
            tag("span", hidden(_READ_ALOUD[step.fate]), *_what(step), class_="did"),
            class_=f"is-{_CLASSES.get(step.fate, 'note')}",
        )
        inside = inside and step.kind is not StepKind.RETURNED


def _program_lane(step: Step, *, inside: bool) -> Markup:
    """Draw the lane of the program: a call from its beginning to its return, and what leaves nothing to lose."""
    mark = {StepKind.CALLED: _CALLED, StepKind.RETURNED: _RETURNED}.get(step.kind, NOTHING)
    if step.fate is StepStatus.NOT_ISSUED:
        return tag("span", class_="lane")
    if not mark and step.fate is StepStatus.NOTE:
        mark = _MARKS[StepStatus.NOTE]
    return tag("span", mark, class_="lane inside" if inside else "lane")


def _what(step: Step) -> Iterator[Markup]:
    yield tag("code", step.text)
    if step.detail:
        yield tag("small", step.detail)
    if step.location:
        yield tag("small", f"{step.location}  {step.source}".rstrip(), class_="mono")


def _race(told: Counterexample) -> Markup:
    actors = told.actors
    switches = sum(one.actor != other.actor for one, other in pairwise(s for s in told.steps if s.actor >= 0))
    steps = sum(step.actor >= 0 for step in told.steps)
    names = " and ".join((", ".join(actors[:-1]), actors[-1])) if len(actors) > 1 else actors[0]
    told_of = f"The race, step by step: {names}; {counted(steps, 'step')}, the turn goes over {switches} times."
    heads = (tag("span", name, class_="lane on") for name in actors)
    head = tag("li", tag("span"), *heads, class_="heads", aria_hidden="true")
    rows = (_race_row(step, actors) for step in told.steps)
    return tag(
        "figure",
        tag("figcaption", told_of.replace("1 times", "once")),
        tag("ol", head, *rows, class_=f"race n-{min(len(actors), _MOST_LANES)}"),
    )


def _race_row(step: Step, actors: Sequence[str]) -> Markup:
    if not 0 <= step.actor < len(actors):
        kind = "switch" if step.kind is StepKind.SWITCH else "gap"
        return tag("li", "the turn goes to another caller" if kind == "switch" else step.text, class_=kind)
    lane = min(step.actor, _MOST_LANES - 1)
    told = joined((tag("span", f"{actors[step.actor]}: ", class_="who dim"), tag("code", step.text)))
    if step.location:
        told = joined((told, tag("small", f"{step.location}  {step.source}".rstrip(), class_="mono")))
    returns = " returns" if step.kind is StepKind.RETURNED else ""
    lanes = (
        tag("span", told if place == lane else NOTHING, class_=f"lane on{returns}" if place == lane else "lane")
        for place in range(min(len(actors), _MOST_LANES))
    )
    return tag("li", tag("span", str(step.number or ""), class_="number"), *lanes)
