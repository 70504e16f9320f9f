"""A finding as a card that opens: what it is, why it matters, what to do, and how it comes about, drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_tradestore.observation import counted
from pytest_tradestore.report.comparison import Fortune
from pytest_tradestore.report.findings import BY_POSIX_ALONE, Consequence, Finding
from pytest_tradestore.report.html.differences import directory, values
from pytest_tradestore.report.html.drawings import drawing_of
from pytest_tradestore.report.html.markup import NOTHING, Markup, anchor, joined, tag
from pytest_tradestore.report.html.words import HARMS, begun_large, family_of
from pytest_tradestore.report.recipes import recipe_for
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import profile_of
from pytest_tradestore.requirements import Profile, find
from pytest_tradestore.verdict import Counterexample, Result, Sighting, Verdict

FORTUNES = {
    Fortune.NEW: "bad",
    Fortune.SAME: "off",
    Fortune.MENDED: "good",
    Fortune.HIDDEN: "unsure",
    Fortune.UNASKED: "unsure",
}
_SHOWN_WHOLE = 3
"""Consequences of one finding that stand open when its card is opened."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the page a store's findings stand: what their ids begin with; with what is known of it."""

    store: str
    profile: Profile
    record: StoreRecord

    def of(self, requirement: str) -> str:
        return anchor(self.store, requirement)

    def finding(self, number: int) -> str:
        return anchor(self.store, f"finding-{number}")


def finding_card(finding: Finding, number: int, place: Place, fortune: Fortune | None, first: dict[str, int]) -> Markup:
    """Return the card of one finding; ``first`` says which finding is the first to break a requirement."""
    outside = all(profile_of(requirement) > place.profile for requirement in finding.requirements)
    title = _title(finding)
    chips = [
        tag("li", f"can {HARMS[finding.cause.harm]}", class_="badge bad") if finding.known else NOTHING,
        tag("li", fortune.value, class_=f"badge {FORTUNES[fortune]}") if fortune else NOTHING,
        tag("li", f"outside of the {place.profile.label} profile", class_="badge unsure") if outside else NOTHING,
        tag("li", BY_POSIX_ALONE, class_="badge unsure") if finding.by_posix_alone else NOTHING,
        *(tag("li", requirement, class_="chip") for requirement in finding.requirements),
    ]
    families = dict.fromkeys(family_of(requirement) for requirement in finding.requirements)
    told: set[str] = set()
    return tag(
        "details",
        tag(
            "summary",
            tag("h3", f"{number}. {title}", class_="what"),
            tag("span", _sentence(finding.consequences[0]), class_="saying") if finding.known else NOTHING,
            tag("ul", *chips, class_="chips"),
        ),
        tag("div", *_body(finding, number, place, first, told), class_="body"),
        id=place.finding(number),
        class_=f"finding is-{'unsure' if outside else 'bad'}",
        data_verdicts="VIOLATED",
        data_families=_joined_families(families),
    )


def _joined_families(families: Sequence[str] | dict[str, None]) -> str:
    return " ".join(family.replace(" ", "_") for family in families)


def _title(finding: Finding) -> str:
    said = str(finding.cause.culprit)
    return said if said.startswith("fsync") else begun_large(said)


def _body(finding: Finding, number: int, place: Place, first: dict[str, int], told: set[str]) -> Iterator[Markup]:
    for requirement in finding.requirements:
        known = find(requirement)
        examples = (c.example for c in finding.consequences if c.requirement == requirement and c.example is not None)
        why = next(filter(None, (example.why for example in examples)), known.why if known is not None else "")
        if why and why not in told:
            told.add(why)
            yield tag("p", tag("strong", "Why it matters. "), why, class_="why")
            break
    yield _remedy(finding)
    for position, consequence in enumerate(finding.consequences):
        yield _consequence(consequence, number, position, place, first)


def _sentence(consequence: Consequence) -> str:
    said = consequence.example.headline if consequence.example is not None else consequence.requirement
    return f"{begun_large(said)}."


def _remedy(finding: Finding) -> Markup:
    known = find(finding.requirements[0])
    remedies = dict.fromkeys(
        filter(
            None,
            (finding.cause.remedy, *(c.example.remedy for c in finding.consequences if c.example is not None)),
        )
    ) or ({known.remedy: None} if known else {})
    recipe = recipe_for(finding.cause)
    if not remedies and not recipe:
        return NOTHING
    written = (
        tag(
            "details",
            tag("summary", "A recipe in Python"),
            tag("pre", tag("code", recipe), class_="recipe", tabindex=0),
        )
        if recipe
        else NOTHING
    )
    return tag("div", tag("h4", "What to do"), *(tag("p", remedy) for remedy in remedies), written, class_="remedy")


def _consequence(one: Consequence, number: int, position: int, place: Place, first: dict[str, int]) -> Markup:
    known = find(one.requirement)
    ids = {"id": place.of(one.requirement)} if first.get(one.requirement) == number else {}
    if ids:
        first[one.requirement] = -1  # once: an id stands in one place only
    heading = tag("h4", f"It breaks {one.requirement} ({one.case})")
    asks = tag("p", f"A conforming store {known.sentence}.", class_="dim") if known and known.sentence else NOTHING
    said = tag("p", _sentence(one)) if position else NOTHING
    result = place.record.results.get(one.check)
    printed = _printed(result.output) if result is not None else NOTHING
    content = joined((asks, said, *shown(one.example, f"{place.finding(number)}/{position}"), printed))
    if position < _SHOWN_WHOLE:
        return tag("div", heading, content, class_="consequence", **ids)
    return tag("details", tag("summary", f"It breaks {one.requirement} ({one.case}) too"), content, **ids)


def shown(example: Counterexample | None, where: str) -> Iterator[Markup]:
    """Yield how it comes about: what was called, the drawing, what was found, on which disks, and how to replay it."""
    if example is None:
        return
    if example.workload:
        yield tag("h4", "What was called")
        calls = [tag("li", tag("code", call)) for call in example.workload]
        few = tag("ol", *calls[-_CALLS:], start=len(calls) - len(calls[-_CALLS:]) + 1, class_="calls")
        if len(calls) > _CALLS:
            earlier = tag("ol", *calls[:-_CALLS], class_="calls")
            yield tag("details", tag("summary", counted(len(calls) - _CALLS, "earlier call")), earlier)
        yield few
    if example.crash:
        yield tag("p", tag("strong", "Crash. "), example.crash)
    yield drawing_of(example)
    yield values(example)
    yield directory(example)
    yield _file_systems(example)
    for note in example.notes:
        yield tag("p", note, class_="small dim")
    if example.how_many > 1:
        yield tag("p", f"Seen in {example.how_many:,} different directories; this is the simplest.", class_="small dim")
    if example.token:
        yield _replay(example.token, f"{where}/replay")


_CALLS = 6


def _file_systems(example: Counterexample) -> Markup:
    """Return where it can happen, and where it has been seen, each with a word and not by colour alone."""
    if not example.filesystems and not example.sightings:
        return NOTHING
    marks = [
        tag("li", f"✓ can happen on {name}" if " " not in name or "(" in name else name, class_="chip")
        for name in example.filesystems
    ]
    marks += [tag("li", _sighted(sighting), class_=f"badge {_kind(sighting)}") for sighting in example.sightings]
    return joined((tag("h4", "On which file systems"), tag("ul", *marks, class_="chips")))


def _sighted(sighting: Sighting) -> str:
    return f"{'✓ ' if sighting.seen else ''}{sighting}"


def _kind(sighting: Sighting) -> str:
    return "bad" if sighting.seen else "off"


def _replay(token: str, id_: str) -> Markup:
    command = f"pytest --tradestore-conformance --tradestore-replay {token}"
    copy = tag("button", "Copy", type="button", data_copy=id_, hidden=True, aria_label="Copy the replay command")
    return joined(
        (tag("h4", "See it again"), tag("div", tag("pre", tag("code", command, id=id_)), copy, class_="command"))
    )


def _printed(output: str) -> Markup:
    if not output:
        return NOTHING
    return tag("details", tag("summary", "What the store printed"), tag("pre", output))


def gone_list(gone: Sequence[tuple[Fortune, Finding]]) -> Markup:
    """Return what an earlier run found and this one did not."""
    if not gone:
        return NOTHING
    rows = (
        tag("li", tag("span", fortune.value, class_=f"badge {FORTUNES[fortune]}"), " ", str(finding))
        for fortune, finding in gone
    )
    return joined((tag("h3", "Found by the earlier run, and not by this one"), tag("ul", *rows)))


def other_cards(place: Place, first: dict[str, int]) -> Iterator[Markup]:
    """Yield a card for each result that is no finding and needs a look: undecided, waived, an error of ours."""
    record = place.record
    for check in record.facts.checks:
        result = record.results.get(check)
        if result is not None and result.verdict in (Verdict.UNDECIDED, Verdict.WAIVED):
            yield _other(check, result, place, first)
        elif check in record.errors:
            requirement = check.partition("[")[0]
            told = tag("pre", record.errors[check])
            said = "The suite itself failed here, so nothing is known about it."
            yield _card(check, "error", requirement, joined((tag("p", said, class_="said"), told)), place, first)


def _other(check: str, result: Result, place: Place, first: dict[str, int]) -> Markup:
    word = result.verdict.value.lower()
    content = [tag("p", f"{begun_large(result.reason)}.", class_="said")]
    content.append(_printed(result.output))
    for position, example in enumerate(result.examples):
        content.append(tag("p", f"{begun_large(example.headline)}."))
        content += shown(example, f"{anchor(place.store, check)}/{position}")
    return _card(check, word, result.requirement, joined(content), place, first)


def _card(check: str, word: str, requirement: str, content: Markup, place: Place, first: dict[str, int]) -> Markup:
    known = find(requirement)
    asks = (
        tag("span", f"A conforming store {known.sentence}.", class_="dim small")
        if known and known.sentence
        else NOTHING
    )
    ids = {"id": place.of(requirement)} if requirement not in first else {}
    first.setdefault(requirement, -1)
    return tag(
        "details",
        tag(
            "summary",
            tag("h3", check, " ", tag("span", word, class_="badge unsure"), class_="what"),
            asks,
        ),
        tag("div", content, class_="body"),
        class_=f"finding is-{'bad' if word == 'error' else 'unsure'}",
        data_verdicts=word.upper(),
        data_families=_joined_families([family_of(requirement)]),
        **ids,
    )


def held_list(place: Place, first: dict[str, int]) -> Iterator[Markup]:
    """Yield, folded, what holds, what was not asked and why, and what was left out of the run."""
    record = place.record
    by_word: dict[str, list[Markup]] = {"What holds": [], "What was not asked, and why": [], "What was not run": []}
    for check in record.facts.checks:
        result = record.results.get(check)
        requirement = check.partition("[")[0]
        if check in record.errors or (result is not None and result.verdict in _OWN_CARDS):
            continue
        ids = {"id": place.of(requirement)} if requirement not in first else {}
        first.setdefault(requirement, -1)
        if result is None:
            by_word["What was not run"].append(tag("li", check, **ids))
        elif result.verdict is Verdict.HOLDS:
            by_word["What holds"].append(tag("li", tag("strong", check), _amounts(result), **ids))
        else:
            by_word["What was not asked, and why"].append(tag("li", tag("strong", check), f": {result.reason}", **ids))
    for heading, items in by_word.items():
        if items:
            yield tag("details", tag("summary", f"{heading} ({len(items)})"), tag("ul", *items))


_OWN_CARDS = (Verdict.VIOLATED, Verdict.UNDECIDED, Verdict.WAIVED)


def _amounts(result: Result) -> str:
    amounts = [f"{count:,} {name.replace('_', ' ')}" for name, count in result.checked.items() if count]
    return f": {', '.join(amounts)}{'' if result.exhaustive else ' (a bound cut the search)'}" if amounts else ""


def first_of_each(findings: Sequence[Finding]) -> dict[str, int]:
    """Return, for each requirement that is broken, the number of the first finding that breaks it."""
    first: dict[str, int] = {}
    for number, finding in enumerate(findings, 1):
        for requirement in finding.requirements:
            first.setdefault(requirement, number)
    return first
