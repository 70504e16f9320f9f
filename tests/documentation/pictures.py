"""The pictures of the concepts, drawn as SVG; run this module with a directory to write them there.

They show the save of the README's store: a new file, its content, a rename. Colours follow the reader's light or dark.
"""

import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px } .code { font-family: monospace }
.box { fill: #f6f8fa; stroke: #8c959f } .safe { fill: #dafbe1; stroke: #1a7f37 }
.lost { fill: #ffebe9; stroke: #cf222e }
line, path { stroke: #57606a; fill: none } .crash { stroke: #cf222e; stroke-width: 2; stroke-dasharray: 6 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .box { fill: #161b22; stroke: #6e7681 } .safe { fill: #12261e; stroke: #3fb950 }
  .lost { fill: #2d1214; stroke: #f85149 } line, path { stroke: #8b949e } .crash { stroke: #f85149 }
}"""


@dataclass
class Drawing:
    """What has been drawn so far; ``told`` is for those who cannot see it."""

    width: int
    height: int
    told: str
    parts: list[str] = field(default_factory=list)

    def text(self, x: int, y: int, words: str, style: str = "", anchor: str = "start") -> None:
        self.parts.append(f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>')

    def box(self, x: int, y: int, width: int, words: str, style: str = "box", height: int = 30) -> None:
        self.parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" class="{style}"/>')
        self.text(x + width // 2, y + height // 2 + 5, words, "small code", "middle")

    def line(self, x: int, y: int, to_x: int, to_y: int, style: str = "") -> None:
        self.parts.append(f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" class="{style}"/>')

    def arrow(self, x: int, y: int, to_x: int) -> None:
        back = -6 if to_x > x else 6
        self.line(x, y, to_x, y)
        self.parts.append(f'<path d="M {to_x + back} {y - 4} L {to_x} {y} L {to_x + back} {y + 4}"/>')

    def svg(self) -> str:
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img">'
        return "\n".join(
            [head, f"<title>{escape(self.told)}</title>", f"<style>{_STYLE}</style>", *self.parts, "</svg>", ""]
        )


STEPS = ("create new", "write new", "rename new -> old")


def crash_states() -> str:
    """Draw one save, a cut behind it, and what each subset of losses leaves."""
    drawing = Drawing(
        720, 300, "A save of three steps, a power loss behind them, and what is left when one of them is lost"
    )
    drawing.text(10, 24, "What the store did")
    for number, step in enumerate(STEPS):
        drawing.box(170 + 150 * number, 6, 135, step)
    drawing.text(630, 25, "returned", "small")
    drawing.line(694, 0, 694, 300, "crash")
    drawing.text(690, 60, "power loss", "small", "end")
    rows = (
        ("nothing lost", (True, True, True), "the new document"),
        ("the rename lost", (True, True, False), "the old document: DUR-2"),
        ("the content lost", (True, False, True), "zeros: ATOM-2"),
        ("all lost", (False, False, False), "the old document: DUR-2"),
    )
    for row, (name, kept, found) in enumerate(rows):
        y = 90 + 52 * row
        drawing.text(10, y + 20, name)
        for number, (step, there) in enumerate(zip(STEPS, kept, strict=True)):
            drawing.box(170 + 150 * number, y, 135, step if there else "LOST", "safe" if there else "lost")
        drawing.text(170, y + 45, f"a reader finds {found}", "small")
    return drawing.svg()


def persistence_models() -> str:
    """Draw which sync makes which step durable."""
    drawing = Drawing(
        720, 190, "fsync of the file makes its content durable, fsync of the directory makes the rename durable"
    )
    drawing.text(10, 24, "A step")
    drawing.text(300, 24, "is durable once this has returned")
    drawing.text(560, 24, "else a power loss leaves")
    rows = (
        ("write to the new file", "fsync(file), before the rename", "zeros, or half of it"),
        ("rename over the old one", "fsync(directory), after it", "the old file"),
        ("a new directory", "fsync(its parent)", "no directory at all"),
    )
    for row, (step, sync, left) in enumerate(rows):
        y = 44 + 46 * row
        drawing.box(10, y, 190, step)
        drawing.arrow(204, y + 15, 292)
        drawing.box(300, y, 230, sync, "safe")
        drawing.box(560, y, 150, left, "lost")
    return drawing.svg()


def races() -> str:
    """Draw two callers that share the name of their temporary file."""
    drawing = Drawing(
        720, 250, "Two callers write to one temporary file, and one renames what the other is still writing"
    )
    drawing.text(170, 24, "caller A", anchor="middle")
    drawing.text(550, 24, "caller B", anchor="middle")
    drawing.line(360, 8, 360, 222)
    steps = (
        (1, "open new (empties it)", "box"),
        (0, "open new, write 0", "box"),
        (0, "rename new -> old: returned", "safe"),
        (1, "write 1 into what is now old", "lost"),
        (1, "rename new -> old: no such file", "lost"),
    )
    for row, (lane, step, style) in enumerate(steps):
        drawing.box(40 + 380 * lane, 40 + 38 * row, 260, step, style)
        if row and steps[row - 1][0] != lane:
            drawing.arrow(*((312, 55 + 38 * row, 408) if lane else (408, 55 + 38 * row, 312)))
    drawing.text(
        40, 243, "A reader finds the document of B with the end of that of A, which is longer, behind it.", "small"
    )
    return drawing.svg()


PICTURES = {"crash-states.svg": crash_states, "persistence-models.svg": persistence_models, "races.svg": races}


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (Path(sys.argv[1]) / name).write_text(draw(), encoding="utf-8")
