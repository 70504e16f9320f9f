"""What stands on top: the run in a line, a card for each store, and what has changed since an earlier run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from pytest_tradestore.observation import counted
from pytest_tradestore.report.comparison import Compared, Earlier, Fortune
from pytest_tradestore.report.findings import Finding
from pytest_tradestore.report.html.cards import FORTUNES, Place
from pytest_tradestore.report.html.markup import NOTHING, Markup, anchor, joined, link, tag
from pytest_tradestore.report.html.words import (
    asked_and_not,
    day_and_time,
    duration,
    harms_of,
    kind_of_verdict,
    verdict_in_a_sentence,
    word_of_verdict,
)
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import verdict_line
from pytest_tradestore.report.surroundings import Surroundings
from pytest_tradestore.requirements import SPEC, Profile
from pytest_tradestore.settings import Settings


@dataclass(frozen=True, slots=True)
class Shown:
    """A store as the page shows it: its name and where it stands, what is known of it, and what that amounts to."""

    name: str
    place: Place
    record: StoreRecord
    findings: tuple[Finding, ...]
    compared: Compared | None


def in_a_line(stores: Sequence[Shown], profile: Profile) -> str:
    """Say how the run ended, in a sentence."""
    kinds = [kind_of_verdict(store.record, profile) for store in stores]
    parts = [
        f"{kinds.count(kind)} {words}"
        for kind, words in (("bad", "not conformant"), ("unsure", "without a full verdict"), ("good", "conformant"))
        if kind in kinds
    ]
    findings = sum(len(store.findings) for store in stores)
    found = counted(findings, "finding") if findings else "No finding"
    return f"{counted(len(stores), 'store')}: {', '.join(parts)}. {found}."


def surroundings_line(around: Surroundings) -> str:
    """Say when and where it was made, as far as it is known."""
    parts = [
        day_and_time(around.began),
        f"took {duration(around.seconds)}" if around.seconds else "",
        f"in {around.parts} parts" if around.parts > 1 else "",
        f"on {around.host}" if around.host else "",
        f"commit {_commit(around)}" if around.commit else "",
    ]
    return " · ".join(filter(None, parts))


def _commit(around: Surroundings) -> str:
    return f"{around.commit[:12]}{', with changes that are not committed' if around.changed else ''}"


def store_card(store: Shown, settings: Settings, around: Surroundings) -> Markup:
    """Return the card of one store."""
    profile = settings.profile
    kind = kind_of_verdict(store.record, profile)
    head = tag(
        "div",
        tag("h3", link(store.place.store, store.name)),
        tag("span", word_of_verdict(store.record, profile), class_=f"badge {kind}"),
        class_="head",
    )
    sentence = tag("p", verdict_in_a_sentence(store.record, profile, store.findings), class_="sentence")
    harms = [
        tag(
            "li",
            tag("span", str(count), class_="count"),
            " ",
            tag(
                "span",
                "can ",
                link(store.place.finding(store.findings.index(first) + 1), does),
            ),
        )
        for does, count, first in harms_of(store.findings)
    ]
    findings = joined((tag("h4", "Findings, worst first"), tag("ul", *harms, class_="harms"))) if harms else NOTHING
    line = tag("p", tag("code", verdict_line(store.record, profile)), class_="small")
    facts = tag("dl", *_facts(store, settings, around), class_="facts")
    parts = (head, sentence, _since(store.compared), findings, _asked(store), tag("div", line, facts, class_="foot"))
    return tag("article", *parts, class_=f"card store is-{kind}", aria_label=f"Store {store.name}")


def _since(compared: Compared | None) -> Markup:
    if compared is None:
        return NOTHING
    if not compared.known:
        return tag("p", "The earlier run did not know this store.", class_="small dim")
    chips = [
        tag("li", f"{compared.count(fortune)} {fortune.value}", class_=f"badge {FORTUNES[fortune]}")
        for fortune in Fortune
        if compared.count(fortune)
    ]
    return tag("ul", *(chips or [tag("li", "nothing found then, nothing now", class_="badge good")]), class_="chips")


def _asked(store: Shown) -> Markup:
    asked, there, not_asked = asked_and_not(store.record)
    rows = [
        tag("li", f"{reason}: ", joined((_to(store, requirement) for requirement in requirements), " "))
        for reason, requirements in not_asked.items()
    ]
    troubles = [
        tag("li", tag("strong", f"{contract} does not work: "), f"{sentence}. {remedy}.")
        for contract, sentence, remedy, _ in store.record.facts.troubles
    ]
    more = tag("details", tag("summary", "What was not asked"), tag("ul", *rows, class_="small")) if rows else NOTHING
    return joined(
        (
            tag("h4", "What was asked"),
            tag("ul", *troubles) if troubles else NOTHING,
            tag("p", f"{asked} of {there} requirements."),
            more,
        )
    )


def _to(store: Shown, requirement: str) -> Markup:
    return link(store.place.of(requirement), requirement)


def _facts(store: Shown, settings: Settings, around: Surroundings) -> Iterator[Markup]:
    facts = store.record.facts
    rows = {
        "When": day_and_time(around.began),
        "Checks took": duration(sum(result.seconds for result in store.record.results.values())),
        "Host": around.host,
        "Versions": ", ".join(filter(None, (f"pytest-tradestore {version('pytest-tradestore')}", around.python))),
        "Commit": _commit(around) if around.commit else "",
        "Contracts": ", ".join(facts.contracts),
        "Claims": ", ".join(facts.claims),
        "Profile": settings.profile.label,
    }
    for name, value in rows.items():
        if value:
            yield tag("dt", name)
            yield tag("dd", value)


def comparison_section(stores: Sequence[Shown], earlier: Earlier | None) -> Markup:
    """Return what has become of the findings of the earlier run, in a table."""
    if earlier is None:
        return NOTHING
    known: Mapping[str, Compared] = {s.name: s.compared for s in stores if s.compared is not None and s.compared.known}
    columns = [f for f in Fortune if any(each.count(f) for each in known.values())]
    when = f", of {day_and_time(earlier.began)}" if earlier.began else ""
    heads = (tag("th", word, scope="col") for word in ("Store", *(fortune.value for fortune in columns)))
    rows = (
        tag(
            "tr",
            tag("th", link(store.place.store, store.name), scope="row"),
            *(tag("td", str(store.compared.count(fortune))) for fortune in columns),
        )
        for store in stores
        if store.compared is not None and store.compared.known
    )
    missing = sorted(set(earlier.records) - {store.record.facts.name for store in stores})
    left = tag("p", f"Not among the stores of this run: {', '.join(missing)}.") if missing else NOTHING
    caption = tag("caption", f"Beside {earlier.name}{when}. Mended is only what was asked again and holds.")
    table = tag("table", caption, tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    return tag(
        "section",
        tag("h2", "Since the earlier run", id="since"),
        tag("div", table, class_="scroll card", role="region", tabindex=0, aria_label="Since the earlier run")
        if known
        else tag("p", "It knew none of these stores."),
        left,
        aria_labelledby="since",
    )


def made_how(settings: Settings, recorder: str, around: Surroundings) -> Markup:
    """Return with what the report was made, for somebody who wants to make it again."""
    rows = {
        "Tool": f"pytest-tradestore {version('pytest-tradestore')}, requirements of {SPEC}",
        "Python": around.python,
        "pytest": around.pytest,
        "System": around.system,
        "Host": around.host,
        "Began": day_and_time(around.began),
        "Took": duration(around.seconds) if around.seconds else "",
        "Commit": _commit(around) if around.commit else "",
        "Profile": settings.profile.label,
        "Recorder": recorder,
        "Persistence model": settings.model,
        "Budget": settings.budget.name.lower(),
        "Seed": str(settings.seed),
    }
    told = [part for name, value in rows.items() if value for part in (tag("dt", name), tag("dd", value))]
    return tag(
        "section",
        tag("h2", "How this was made", id="made"),
        tag("div", tag("dl", *told, class_="facts"), class_="card"),
        aria_labelledby="made",
    )


def contents(stores: Sequence[Shown], sections: Mapping[str, str]) -> Markup:
    """Return the links to the parts of the page."""
    links: list[Markup] = []
    for id_, word in sections.items():
        if id_ == "matrix":  # the findings stand before it
            links += [link(store.place.store, store.name) for store in stores]
        links.append(link(id_, word))
    return tag("nav", tag("ul", *(tag("li", one) for one in links)), aria_label="Contents")


def slugs(names: Sequence[str]) -> list[str]:
    """Return what the ids of each store begin with: its name, with a number where two would have the same."""
    made: list[str] = []
    for name in map(anchor, names):
        slug, number = name or "store", 2
        while slug in made or slug in _OF_THE_PAGE:
            slug, number = f"{name}-{number}", number + 1
        made.append(slug)
    return made


_OF_THE_PAGE = frozenset({"stores", "since", "matrix", "portability", "done", "made", "main", "filtered"})
