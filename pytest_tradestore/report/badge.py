"""A badge for a README: the verdict on all stores of a run, as a small SVG that needs nothing from elsewhere."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import reached, verdict_line
from pytest_tradestore.settings import Settings

_GREEN, _YELLOW, _RED = "#1a7f37", "#8a6100", "#b3261e"
"""Each has a contrast of at least 4.5 with white (WCAG 2.2, 1.4.3)."""
_LABEL = "tradestore"
_CHARACTER = 7
_MARGIN = 8


def badge_of(settings: Settings, records: Sequence[StoreRecord]) -> str:
    """Return the badge: the lowest profile that every store reached, if it is the one that was wanted."""
    said, colour = _said(settings, records)
    left, right = (_CHARACTER * len(text) + 2 * _MARGIN for text in (_LABEL, said))
    title = escape(f"{_LABEL}: {said}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<rect width="{left + right}" height="20" rx="3" fill="#3d444d"/>'
        f'<rect x="{left}" width="{right}" height="20" rx="3" fill="{colour}"/>'
        f'<rect x="{left}" width="4" height="20" fill="{colour}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14">{_LABEL}</text><text x="{left + right / 2:g}" y="14">{escape(said)}</text>'
        "</g></svg>\n"
    )


def _said(settings: Settings, records: Sequence[StoreRecord]) -> tuple[str, str]:
    lines = [verdict_line(record, settings.profile) for record in records]
    if any(line.startswith("NOT") for line in lines):
        return "not conformant", _RED
    held = [level for record in records if (level := reached(record)) is not None]
    whole = len(held) == len(records) and not any(line.startswith("INCOMPLETE") for line in lines)
    if not held or not whole or min(held) < settings.profile:
        return "incomplete", _YELLOW
    lowest = min(held)
    waived = any(" WITH WAIVERS" in line for line in lines)
    return f"{lowest.label}{' with waivers' if waived else ''}", _YELLOW if waived else _GREEN
