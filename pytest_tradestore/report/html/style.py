"""How the page looks: one palette for light, one for dark, and no width that a telephone does not have."""

from importlib.resources import files

LIGHT = {
    "page": "#f5f6f8",
    "card": "#ffffff",
    "sunk": "#eef0f3",
    "line": "#d5d9e0",
    "edge": "#737b87",
    "ink": "#1b1f24",
    "dim": "#545b66",
    "link": "#0b57b0",
    "bad": "#a8151c",
    "bad-soft": "#fdecec",
    "unsure": "#7a4a00",
    "unsure-soft": "#fff2d9",
    "good": "#17652b",
    "good-soft": "#e5f4e8",
    "off": "#4d5561",
    "off-soft": "#e9ebef",
    "mark": "#ffe08a",
}
DARK = {
    "page": "#12151a",
    "card": "#1b2027",
    "sunk": "#242a33",
    "line": "#39414d",
    "edge": "#8b95a5",
    "ink": "#e8ebf0",
    "dim": "#a9b2bf",
    "link": "#86b9ff",
    "bad": "#ff9a98",
    "bad-soft": "#431d20",
    "unsure": "#f4c06a",
    "unsure-soft": "#3b2c10",
    "good": "#86d99b",
    "good-soft": "#16331f",
    "off": "#b4bcc8",
    "off-soft": "#2c333d",
    "mark": "#6b5410",
}
TEXT_ON = (
    *((ink, ground) for ink in ("ink", "dim", "link") for ground in ("page", "card", "sunk")),
    *((kind, ground) for kind in ("bad", "unsure", "good", "off") for ground in ("card", "sunk", f"{kind}-soft")),
    *(("ink", f"{kind}-soft") for kind in ("bad", "unsure", "good", "off")),
    ("ink", "mark"),
)
"""Which colours are read on which: each pair has a contrast of at least 4.5 (WCAG 2.2, 1.4.3)."""
SHAPES_ON = (("edge", "page"), ("edge", "card"), ("edge", "sunk"), ("link", "page"), ("link", "card"))
"""What has to be seen and is no text, such as the edge of a field and the mark of the focus: at least 3 (1.4.11)."""


def _variables(palette: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in palette.items())


STYLE = (
    f":root {{ color-scheme: light dark; {_variables(LIGHT)} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}\n"
    f"{files(__package__).joinpath('page.css').read_text(encoding='utf-8')}"
)
"""What the page holds between its ``style`` tags."""
