"""The HTML report: one file that needs nothing else, to send to somebody who was not there.

Everything that comes from a store is escaped (``html.markup``): an identifier or a document is text here and never
markup. The policy in the head lets a browser run no script and use no style but those that are written here.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence

from pytest_tradestore.observation import counted
from pytest_tradestore.report.comparison import Earlier, compared
from pytest_tradestore.report.findings import findings_of
from pytest_tradestore.report.html.cards import Place, finding_card, first_of_each, gone_list, held_list, other_cards
from pytest_tradestore.report.html.markup import NOTHING, Markup, joined, tag
from pytest_tradestore.report.html.matrix import filters, matrix
from pytest_tradestore.report.html.overview import (
    Shown,
    comparison_section,
    contents,
    in_a_line,
    made_how,
    slugs,
    store_card,
    surroundings_line,
)
from pytest_tradestore.report.html.script import SCRIPT
from pytest_tradestore.report.html.style import STYLE
from pytest_tradestore.report.html.words import COUNTED, listed
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import checked
from pytest_tradestore.report.surroundings import Surroundings
from pytest_tradestore.report.terminal import display_names
from pytest_tradestore.settings import Settings

_TITLE = "Can these stores lose data?"


def html_of(
    settings: Settings,
    recorder: str,
    records: Sequence[StoreRecord],
    around: Surroundings | None = None,
    earlier: Earlier | None = None,
) -> str:
    """Return the whole page; with ``earlier`` it says what is new, mended and as it was."""
    around = around or Surroundings()
    names = display_names(records)
    stores = [
        Shown(
            name,
            Place(slug, settings.profile, record),
            record,
            findings_of(record),
            None if earlier is None else compared(record, earlier),
        )
        for name, slug, record in zip(names, slugs(names), records, strict=True)
    ]
    body = joined((*_header(stores, settings, around, earlier), _main(stores, settings, recorder, around, earlier)))
    title = f"{in_a_line(stores, settings.profile)} {_TITLE}"
    return f"<!doctype html>\n{tag('html', _head(title), tag('body', body, Markup(_script())), lang='en')}\n"


def _head(title: str) -> Markup:
    policy = f"default-src 'none'; style-src '{_digest(STYLE)}'; script-src '{_digest(SCRIPT)}'; base-uri 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        Markup(f"<style>{STYLE}</style>"),
    )


def _script() -> str:
    return f"<script>{SCRIPT}</script>"


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _header(
    stores: Sequence[Shown], settings: Settings, around: Surroundings, earlier: Earlier | None
) -> Iterator[Markup]:
    yield tag("a", "To the findings", href="#main", class_="skip")
    sections = {"stores": "Verdicts"}
    if earlier is not None:
        sections["since"] = "Since the earlier run"
    sections["matrix"] = "Requirements"
    if any(_portability(store) for store in stores):
        sections["portability"] = "On other platforms"
    sections |= {"done": "What was done", "made": "How this was made"}
    yield tag(
        "header",
        tag("h1", _TITLE),
        tag("p", tag("strong", in_a_line(stores, settings.profile))),
        tag("p", surroundings_line(around), class_="lead") if around.began else NOTHING,
        contents(stores, sections),
    )


def _main(
    stores: Sequence[Shown], settings: Settings, recorder: str, around: Surroundings, earlier: Earlier | None
) -> Markup:
    cards = (store_card(store, settings, around) for store in stores)
    return tag(
        "main",
        tag(
            "section",
            tag("h2", "Verdicts", id="stores"),
            tag("div", *cards, class_="stores"),
            aria_labelledby="stores",
        ),
        comparison_section(stores, earlier),
        filters(stores),
        *map(_store, stores),
        matrix(stores, settings.profile),
        _other_platforms(stores),
        _what_was_done(stores),
        made_how(settings, recorder, around),
        id="main",
        tabindex="-1",
    )


def _store(store: Shown) -> Markup:
    first = first_of_each(store.findings)
    fortunes = store.compared.now if store.compared is not None else (None,) * len(store.findings)
    heading = f"{counted(len(store.findings), 'finding')}, worst first" if store.findings else "No finding"
    findings = [
        finding_card(finding, number, store.place, fortune, first)
        for number, (finding, fortune) in enumerate(zip(store.findings, fortunes, strict=True), 1)
    ]
    others = list(other_cards(store.place, first))
    return tag(
        "section",
        tag("h2", store.name, id=store.place.store),
        *_troubles(store),
        tag("p", f"{heading}."),
        *findings,
        gone_list(store.compared.gone) if store.compared is not None else NOTHING,
        joined((tag("h3", "Not decided, or waived"), *others)) if others else NOTHING,
        *held_list(store.place, first),
        aria_labelledby=store.place.store,
    )


def _troubles(store: Shown) -> Iterator[Markup]:
    for contract, sentence, remedy, trace in store.record.facts.troubles:
        said = tag("p", f"It does not work as {contract}: {sentence}. {remedy}; nothing else of it was run.")
        yield tag("div", said, tag("pre", trace) if trace else NOTHING, class_="card")


def _portability(store: Shown) -> list[tuple[str, str]]:
    results = [store.record.results[check] for check in store.record.facts.checks if check in store.record.results]
    return [(result.requirement, note) for result in results for note in result.portability]


def _other_platforms(stores: Sequence[Shown]) -> Markup:
    """Return what can only happen on platforms that a store is not used on: notes, and no findings."""
    notes = [
        tag("li", tag("strong", f"{store.name}, {requirement}: "), note)
        for store in stores
        for requirement, note in _portability(store)
    ]
    if not notes:
        return NOTHING
    return tag(
        "section",
        tag("h2", "On other platforms", id="portability"),
        tag("p", "Notes: none of this can happen where these stores are used, and none of it counts.", class_="dim"),
        tag("ul", *notes),
        aria_labelledby="portability",
    )


def _what_was_done(stores: Sequence[Shown]) -> Markup:
    """Return a table of what was counted, in words."""
    counts = [checked(store.record) for store in stores]
    names = [name for name in COUNTED if any(count.get(name) for count in counts)]
    names += sorted({name for count in counts for name in count if count[name]} - set(COUNTED))
    heads = (tag("th", word, scope="col") for word in ("What was tried", *(store.name for store in stores)))
    rows = (
        tag(
            "tr",
            tag("th", COUNTED.get(name, name.replace("_", " ")), scope="row"),
            *(tag("td", f"{count.get(name, 0):,}") for count in counts),
        )
        for name in names
    )
    bounded = [store.name for store in stores if not all(result.exhaustive for result in store.record.results.values())]
    reach = f"For {listed(bounded)} a bound cut some of the searches." if bounded else "Every search went to its end."
    table = tag("table", tag("caption", reach), tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="numbers")
    return tag(
        "section",
        tag("h2", "What was done", id="done"),
        tag("div", table, class_="scroll card", role="region", tabindex=0, aria_label="What was done"),
        aria_labelledby="done",
    )
