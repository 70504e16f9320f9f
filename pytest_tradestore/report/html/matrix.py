"""The matrix of requirements and stores, whose cells lead to what they stand for; and the filters of the page."""

from collections.abc import Iterator, Sequence

from pytest_tradestore.report.html.markup import NOTHING, Markup, hidden, tag
from pytest_tradestore.report.html.overview import Shown
from pytest_tradestore.report.html.words import FAMILIES, KINDS, family_of
from pytest_tradestore.report.summary import Cell, cell, profile_of, rows
from pytest_tradestore.requirements import Profile, find


def matrix(stores: Sequence[Shown], profile: Profile) -> Markup:
    """Return the section with the matrix."""
    requirements = rows([store.record for store in stores])
    heads = (tag("th", word, scope="col", role="columnheader") for word in ("Requirement", *(s.name for s in stores)))
    head = tag("tr", *heads, tag("th", "A conforming store ...", scope="col", role="columnheader"), role="row")
    outside = any(profile_of(requirement) > profile for requirement in requirements)
    note = f" With a star: not part of the {profile.label} profile, so it does not decide." if outside else ""
    table = tag(
        "table",
        tag("caption", f"Each result leads to what was found.{note}"),
        tag("thead", head, role="rowgroup"),
        tag("tbody", *(_row(r, stores, profile) for r in requirements), role="rowgroup"),
        class_="matrix",
        role="table",  # rows become blocks on a narrow screen, and a table all the same
    )
    return tag(
        "section",
        tag("h2", "Requirements and stores", id="matrix"),
        tag("div", table, class_="scroll", role="region", tabindex=0, aria_label="Requirements and stores"),
        aria_labelledby="matrix",
    )


def _row(requirement: str, stores: Sequence[Shown], profile: Profile) -> Markup:
    cells = [cell(store.record, requirement) for store in stores]
    level = profile_of(requirement)
    known = find(requirement)
    outside = level > profile
    head = (requirement, hidden(", outside of the profile") if outside else NOTHING)
    return tag(
        "tr",
        tag("th", *head, " ", tag("span", level.label, class_="profile"), scope="row", role="rowheader"),
        *(_cell(found, requirement, store) for found, store in zip(cells, stores, strict=True)),
        tag("td", known.sentence if known else "", class_="asks", role="cell"),
        class_="outside" if outside else None,
        data_verdicts=" ".join(dict.fromkeys(c.name for c in cells)),
        data_families=family_of(requirement).replace(" ", "_"),
    )


def _cell(found: Cell, requirement: str, store: Shown) -> Markup:
    name = tag("span", store.name, class_="name")
    if found is Cell.NO_CHECK:
        return tag("td", name, tag("span", "—", class_="dim"), hidden("no check"), class_="result", role="cell")
    word = found.word.lower()
    to = tag(
        "a",
        word,
        class_=f"badge {KINDS[found]}",
        href=f"#{store.place.of(requirement)}",
        aria_label=f"{requirement} of {store.name}: {word}",
    )
    return tag("td", name, to, class_="result", role="cell")


def filters(stores: Sequence[Shown]) -> Markup:
    """Return the form that leaves of the findings and of the matrix what fits."""
    requirements = rows([store.record for store in stores])
    there = {cell(store.record, requirement) for store in stores for requirement in requirements}
    families = dict.fromkeys(family_of(requirement) for requirement in requirements)
    order = [*dict.fromkeys(FAMILIES.values()), family_of("")]
    return tag(
        "form",
        _choice(
            "verdict", "Verdict", ((c.name, c.word.lower()) for c in Cell if c in there and c is not Cell.NO_CHECK)
        ),
        _choice("family", "Family", ((f.replace(" ", "_"), f) for f in order if f in families)),
        tag("label", "Words", tag("input", name="words", type="search", autocomplete="off")),
        tag("button", "Show all", type="reset"),
        tag("span", id="filtered", class_="small dim", role="status"),
        class_="filters",
        aria_label="Filter requirements and findings",
        hidden=True,
    )


def _choice(name: str, label: str, options: Iterator[tuple[str, str]]) -> Markup:
    written = (tag("option", word, value=value) for value, word in options)
    return tag("label", label, tag("select", tag("option", "all", value=""), *written, name=name))
