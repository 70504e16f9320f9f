"""What was found beside what was allowed: values, directories and bytes, with what differs marked."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from pytest_tradestore.report.html.markup import NOTHING, Markup, joined, tag
from pytest_tradestore.verdict import Change, Counterexample, PathSeen

_ROW = 8
_LONGEST = 2_000
"""Characters of a value that are compared; what is longer is shown as it is."""
_ALIKE = 0.3
"""Values that have less in common are shown beside each other without marks."""


def values(told: Counterexample) -> Markup:
    """Return what a reader found, beside what it could have found."""
    if not told.found and not told.allowed:
        return NOTHING
    found = "\n".join(told.found)
    nearest = max(told.allowed, key=lambda one: _likeness(found, one), default="")
    left, right = _marked(found, nearest)
    others = [one for one in told.allowed if one != nearest]
    return joined(
        (
            tag("h4", "Found, and what was allowed"),
            tag(
                "div",
                tag("div", tag("span", "Found", class_="badge bad"), tag("pre", left)),
                tag(
                    "div",
                    tag("span", "Allowed", class_="badge good"),
                    tag("pre", right),
                    *(tag("pre", joined((tag("span", "or ", class_="dim"), one))) for one in others),
                )
                if told.allowed
                else NOTHING,
                class_="sides",
            ),
        )
    )


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one[:_LONGEST], other[:_LONGEST], autojunk=False).quick_ratio()


def _marked(found: str, allowed: str) -> tuple[Markup, Markup]:
    """Return two texts; what is only in one of them is marked, where they have enough in common to tell."""
    if max(len(found), len(allowed)) > _LONGEST:
        return tag("code", found), tag("code", allowed)
    same = SequenceMatcher(None, found, allowed, autojunk=False)
    if same.ratio() < _ALIKE:
        return tag("code", found), tag("code", allowed)
    left: list[Markup] = []
    right: list[Markup] = []
    for what, a, b, c, d in same.get_opcodes():
        mine, yours = found[a:b], allowed[c:d]
        left.append(joined((mine,)) if what == "equal" else tag("del", mine) if mine else NOTHING)
        right.append(joined((yours,)) if what == "equal" else tag("ins", yours) if yours else NOTHING)
    return tag("code", *left), tag("code", *right)


def directory(told: Counterexample) -> Markup:
    """Return the directory before and after, and the bytes of what differs."""
    if not told.changes:
        if not told.image:
            return NOTHING
        return joined((tag("h4", "On disk"), tag("pre", tag("code", "\n".join(told.image)))))
    rows = (
        tag(
            "tr",
            tag("th", tag("code", change.path), scope="row"),
            tag("td", _seen(change.before)),
            tag("td", _seen(change.after)),
            tag("td", _became(change)),
        )
        for change in told.changes
    )
    head = tag("tr", *(tag("th", word, scope="col") for word in ("Path", "Before", "After", "")))
    caption = tag("caption", f"Before is when {told.since}." if told.since else "Before and after.")
    return joined(
        (
            tag("h4", "The directory before and after"),
            tag(
                "div",
                tag("table", caption, tag("thead", head), tag("tbody", *rows)),
                class_="scroll",
                role="region",
                tabindex=0,
                aria_label="The directory before and after",
            ),
            *_bytes(told.changes),
        )
    )


def _seen(path: PathSeen | None) -> Markup:
    if path is None:
        return tag("span", "not there", class_="dim")
    return tag("span", path.kind, class_="dim") if path.kind == "directory" else tag("code", path.told)


def _became(change: Change) -> Markup:
    if not change.differs:
        return tag("span", "same", class_="badge off")
    word = "new" if change.before is None else "gone" if change.after is None else "differs"
    return tag("span", word, class_="badge unsure" if word == "new" else "badge bad")


def _bytes(changes: Sequence[Change]) -> Iterator[Markup]:
    for change in changes:
        before, after = bytes.fromhex(change.bytes_before), bytes.fromhex(change.bytes_after)
        if not change.differs or change.before is None or change.after is None or before == after:
            continue
        where = f"{change.path}, bytes {change.offset:,} to {change.offset + max(len(before), len(after)) - 1:,}"
        yield tag(
            "figure",
            tag(
                "figcaption",
                f"{where}: what differs is marked. Before: {change.before.told}. After: {change.after.told}.",
            ),
            tag(
                "div",
                tag("pre", *_dump(before, after, change.offset), class_="bytes", aria_label=f"{where}, before"),
                tag("pre", *_dump(after, before, change.offset), class_="bytes", aria_label=f"{where}, after"),
                class_="sides",
            ),
        )


def _dump(content: bytes, other: bytes, offset: int) -> Iterator[str]:
    """Yield rows of bytes as numbers and as characters, those marked that the other side does not have there."""
    if not content:
        yield tag("span", "no bytes", class_="dim")
    for start in range(0, len(content), _ROW):
        row = content[start : start + _ROW]
        differs = [content[i : i + 1] != other[i : i + 1] for i in range(start, start + len(row))]
        numbers = [_marks(f"{byte:02x}", marked=d) for byte, d in zip(row, differs, strict=True)]
        characters = [
            _marks(chr(byte) if 32 <= byte < 127 else "·", marked=d) for byte, d in zip(row, differs, strict=True)
        ]
        gap = "   " * (_ROW - len(row)) + "  "
        place = tag("span", f"{offset + start:>6}  ", class_="dim")
        yield joined((place, joined(numbers, " "), gap, joined(characters), "\n"))


def _marks(word: str, *, marked: bool) -> str:
    return tag("mark", word) if marked else word
