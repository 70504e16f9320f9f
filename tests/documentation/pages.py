"""The blocks of the pages, and how a page is followed: its blocks in order, in an empty directory, as a reader would.

A block of a file (``title="portfolio.py"``) is written, a block of a shell is run, a program without a title is run by
Python, and a text is what the command before it prints: each part of it between lines of ``...``, in that order.
``<!-- exits 1 -->`` before a block says how its command ends, ``<!-- sketch: why -->`` that it is not run, and why,
``<!-- from FILE -->`` that its lines stand in a file that is run, in that order.

``python -m tests.documentation.pages PAGE`` follows a page and puts into its texts what was printed.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?"
    r"^(?P<fence>`{3,})(?P<language>[\w-]*)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=fence)$",
    re.M | re.S,
)
CUT = "...\n"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page; ``line`` is where it begins, ``at`` where its text does."""

    page: Path
    line: int
    at: int
    language: str
    title: str
    mark: str
    text: str

    @property
    def sketch(self) -> str:
        """Why it is not run; empty where nothing is said of that."""
        return self.mark.removeprefix("sketch: ") if self.mark.startswith("sketch: ") else ""

    @property
    def source(self) -> str:
        """The file of which it is a part."""
        return self.mark.removeprefix("from ") if self.mark.startswith("from ") else ""

    def is_part(self) -> bool:
        """Whether its lines, without remarks at their ends, are lines of ``source``, in that order."""
        there = iter((ROOT / self.source).read_text(encoding="utf-8").splitlines())
        lines = [line.partition("  #")[0].strip() for line in self.text.splitlines()]
        return all(any(known.strip() == line for known in there) for line in lines if line)

    @property
    def status(self) -> int:
        return int(self.mark.removeprefix("exits ")) if self.mark.startswith("exits ") else 0

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line} ({self.language or 'no language'})"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    content = page.read_text(encoding="utf-8")
    of_all = re.search(r"^<!-- all blocks are sketches: (.*) -->$", content, re.M)
    for found in _BLOCK.finditer(content):
        title = re.search(r'title="([^"]+)"', found["info"])
        yield Block(
            page,
            content.count("\n", 0, found.start("fence")) + 1,
            found.start("text"),
            found["language"],
            title[1] if title else "",
            f"sketch: {of_all[1]}" if of_all else found["mark"] or "",
            found["text"],
        )


@dataclass(frozen=True, slots=True)
class Differing:
    """A text that is not what was printed, or a command that ended otherwise than the page says."""

    block: Block
    printed: str
    why: str


def follow(page: Path, directory: Path) -> Iterator[Differing]:
    """Do what a page says, in an empty directory, and yield what comes out otherwise."""
    printed = ""
    for block in blocks(page):
        if block.sketch:
            continue
        if block.title:
            (directory / block.title).parent.mkdir(parents=True, exist_ok=True)
            (directory / block.title).write_text(block.text, encoding="utf-8")
        elif block.language in ("sh", "python"):
            command = ["bash", "-ec"] if block.language == "sh" else [sys.executable, "-W", "error", "-c"]
            ended, printed = _ran([*command, block.text], directory)
            if ended != block.status:
                yield Differing(block, printed, f"ends with status {ended}")
        elif block.language == "text":
            rest = printed
            for part in block.text.split(CUT):
                before, found, rest = rest.partition(part.rstrip("\n"))
                if not found:
                    yield Differing(block, printed, f"prints something else than\n{part}")
                    rest = before
        else:
            yield Differing(block, "", "is neither run, nor written, nor printed")


def _ran(command: list[str], directory: Path) -> tuple[int, str]:
    here = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    said = {"COLUMNS": "80", "PYTEST_ADDOPTS": "-p no:cacheprovider", "PYTHONDONTWRITEBYTECODE": "1"}
    left_out = ("PYTEST_XDIST_WORKER", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        command,
        cwd=directory,
        env=kept | here | said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def renewed(page: Path, directory: Path) -> str:
    """Return the page with what is printed now, as far as first and last line of a part are printed still."""
    content = page.read_text(encoding="utf-8")
    for differing in follow(page, directory):
        new = CUT.join(_part(part, differing.printed) for part in differing.block.text.split(CUT))
        if differing.block.language == "text":
            content = content.replace(differing.block.text, new)
        print(f"{differing.block} {differing.why}\n--- printed\n{differing.printed}---")
    return content


def _part(part: str, printed: str) -> str:
    lines = part.splitlines(keepends=True)
    begin = printed.find(lines[0]) if lines else -1
    end = printed.find(lines[-1], begin) if lines else -1
    return part if begin < 0 or end < 0 else printed[begin : end + len(lines[-1])]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            Path(name).write_text(renewed(Path(name).resolve(), Path(scratch)), encoding="utf-8")
