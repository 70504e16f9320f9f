"""Markup that cannot be forgotten to be escaped: text is text until it is made an element here."""

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

_EMPTY = frozenset({"br", "meta", "input"})


class Markup(str):
    """Text that is markup already. Everything else that becomes part of an element is escaped."""

    __slots__ = ()


NOTHING = Markup("")


def tag(name: str, /, *content: str, **attributes: str | int | bool | None) -> Markup:
    """Return an element; ``class_`` is written ``class``, ``data_x`` is ``data-x``; None and False are left out."""
    there = ((key, value) for key, value in attributes.items() if value is not None and value is not False)
    written = "".join(_attribute(key, value) for key, value in there)
    if name in _EMPTY:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{''.join(map(text, content))}</{name}>")


def text(value: str) -> Markup:
    """Return what a person reads: markup characters escaped, and what cannot be printed shown as Python writes it."""
    return value if isinstance(value, Markup) else Markup(escape(visible(value)))


def visible(value: str) -> str:
    """Return text in which nothing moves a cursor, turns the direction of writing, or is not there to be seen."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "surrogatepass").decode() for c in value
    )


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Return parts in a row, those that are no markup escaped."""
    return Markup(text(between).join(map(text, parts)))


def anchor(*parts: str) -> str:
    """Return an id that is the same in a link and in the page, whatever the parts hold: ``store/requirement``."""
    return "/".join(quote(part, safe="", errors="backslashreplace") for part in parts)


def hidden(words: str) -> Markup:
    """Return words for those who do not see a drawing."""
    return tag("span", words, class_="hidden")


def link(target: str, *content: str, **attributes: str | int | bool | None) -> Markup:
    return tag("a", *content, href=f"#{target}", **attributes)


def _attribute(name: str, value: str | int | bool) -> str:
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(visible(str(value)))}"'
