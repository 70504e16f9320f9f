"""The HTML report: one file that needs nothing else, to send to somebody who was not there.

Everything that comes from a store is escaped: an identifier or a document is text here and never markup.
"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.metadata import version

from pytest_tradestore.observation import counted
from pytest_tradestore.report.failure import all_of
from pytest_tradestore.report.findings import findings_of
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import Cell, cell, details, profile_of, rows, verdict_line
from pytest_tradestore.report.terminal import display_names
from pytest_tradestore.requirements import SPEC, find
from pytest_tradestore.settings import Settings
from pytest_tradestore.verdict import Result, Verdict

_WIDTH = 110
_TITLE = "Conformance of stores"
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --unsure: #b26a00; --good: #2e7d32; --dim: #888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; } .dim { color: var(--dim); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .6rem; text-align: left; white-space: nowrap; }
td.sentence { white-space: normal; min-width: 16rem; }
.violated, .error { color: var(--bad); font-weight: 600; } .undecided, .waived, .not-run { color: var(--unsure); }
.holds, .in-part { color: var(--good); } .na, .outside { color: var(--dim); font-weight: 400; }
pre { border: 1px solid var(--line); border-radius: 4px; overflow-x: auto; padding: .8rem; font-size: 13px; }
summary { cursor: pointer; }
"""
_SHOWN = {
    Verdict.VIOLATED: "Violated",
    Verdict.UNDECIDED: "Undecided",
    Verdict.WAIVED: "Waived",
}


def html_of(settings: Settings, recorder: str, records: Sequence[StoreRecord]) -> str:
    """Return the whole page."""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_TITLE}</title><style>{_STYLE}</style></head><body>",
            *_opening(settings, recorder),
            *_verdicts(settings, records),
            *_matrix(settings, records),
            *(line for place, record in enumerate(records, 1) for line in _store(settings, records, place, record)),
            "</body></html>\n",
        )
    )


def _opening(settings: Settings, recorder: str) -> Iterator[str]:
    facts = (
        f"pytest-tradestore {version('pytest-tradestore')}",
        f"spec {SPEC}",
        f"profile {settings.profile.label}",
        f"recorder {recorder}",
        f"model {settings.model}",
        f"budget {settings.budget.name.lower()}",
        f"seed {settings.seed}",
    )
    yield f"<h1>{_TITLE}</h1>"
    yield f'<p class="dim">{escape(", ".join(facts))}</p>'


def _verdicts(settings: Settings, records: Sequence[StoreRecord]) -> Iterator[str]:
    for place, (record, name) in enumerate(zip(records, display_names(records), strict=True), 1):
        line = verdict_line(record, settings.profile)
        kind = "holds" if line.startswith("CONFORMANT") else "undecided" if line.startswith("INC") else "violated"
        yield f'<p><a href="#store-{place}">{escape(name)}</a>: <strong class="{kind}">{escape(line)}</strong><br>'
        yield f"{'<br>'.join(map(escape, details(record, settings.profile)))}</p>"


def _matrix(settings: Settings, records: Sequence[StoreRecord]) -> Iterator[str]:
    names = "".join(f"<th>{escape(name)}</th>" for name in display_names(records))
    yield f"<h2>Requirements</h2><table><thead><tr><th></th><th></th>{names}<th></th></tr></thead><tbody>"
    for requirement in rows(records):
        profile = profile_of(requirement)
        outside = profile > settings.profile
        cells = "".join(_cell(cell(record, requirement), outside=outside) for record in records)
        known = find(requirement)
        yield (
            f'<tr><th>{escape(requirement)}</th><td class="dim">{escape(profile.label)}</td>{cells}'
            f'<td class="sentence">{escape(known.sentence) if known else ""}</td></tr>'
        )
    yield "</tbody></table>"
    label = escape(settings.profile.label)
    yield f'<p class="dim">What is not part of the {label} profile is grey and does not decide.</p>'


def _cell(found: Cell, *, outside: bool) -> str:
    kind = "outside" if outside else found.name.lower().replace("_", "-").replace("not-applicable", "na")
    return f'<td class="{kind}">{escape(found.word.lower() if outside else found.word)}</td>'


def _store(settings: Settings, records: Sequence[StoreRecord], place: int, record: StoreRecord) -> Iterator[str]:
    facts = record.facts
    yield f'<h2 id="store-{place}">{escape(display_names(records)[place - 1])}</h2>'
    yield f"<p>{escape(f'Contracts: {_listed(facts.contracts)}. Claims: {_listed(facts.claims)}.')}</p>"
    if findings := findings_of(record):
        yield f"<h3>{counted(len(findings), 'finding')}, worst first</h3><ol>"
        yield from (f"<li>{escape(str(finding))}</li>" for finding in findings)
        yield "</ol>"
    if notes := [f"{check}: {note}" for check, r in _noted(record) for note in r.portability]:
        yield "<h3>On other platforms</h3><ul>"
        yield from (f"<li>{escape(note)}</li>" for note in notes)
        yield "</ul>"
    for verdict, heading in _SHOWN.items():
        for check, result in _with(record, verdict):
            outside = profile_of(result.requirement) > settings.profile
            note = f", not part of the {settings.profile.label} profile" if outside else ""
            yield f"<h3>{escape(f'{heading}: {check}{note}')}</h3>"
            yield f"<pre>{escape(_told(result))}</pre>"
    for check, error in record.errors.items():
        yield f"<h3>{escape(f'The suite failed: {check}')}</h3><pre>{escape(error)}</pre>"
    yield from _folded("Not applicable", [f"{check}: {r.reason}" for check, r in _with(record, Verdict.NOT_APPLICABLE)])
    yield from _folded("Held", [f"{check}{_amount(r)}" for check, r in _with(record, Verdict.HOLDS)])
    done = {*record.results, *record.errors}
    yield from _folded("Not run", [check for check in facts.checks if check not in done])


def _told(result: Result) -> str:
    if result.verdict is Verdict.WAIVED:
        return result.reason
    known = find(result.requirement)
    why = f"\n\nWhy it matters: {known.why}" if known and result.counterexample else ""
    return all_of(result, _WIDTH) + why


def _with(record: StoreRecord, verdict: Verdict) -> list[tuple[str, Result]]:
    """Return what has this verdict, in the order of the store's checks."""
    found = [(check, record.results[check]) for check in record.facts.checks if check in record.results]
    return [(check, result) for check, result in found if result.verdict is verdict]


def _noted(record: StoreRecord) -> list[tuple[str, Result]]:
    """Return what can happen on platforms that the store is not used on, in the order of the store's checks."""
    found = [(check, record.results[check]) for check in record.facts.checks if check in record.results]
    return [(check, result) for check, result in found if result.portability]


def _amount(result: Result) -> str:
    amounts = [f"{count:,} {name.replace('_', ' ')}" for name, count in result.checked.items() if count]
    return f": {', '.join(amounts)}{'' if result.exhaustive else ' (bounded)'}" if amounts else ""


def _folded(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"<details><summary>{escape(heading)} ({len(lines)})</summary><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in lines)
        yield "</ul></details>"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"
