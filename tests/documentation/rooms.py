"""The tables of ``docs/architecture.md``: every module with what it answers, which its own docstring says.

``python -m tests.documentation.rooms`` fills each table anew; a table begins with a line that names its directory.
"""

import ast
import re
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "architecture.md"
TABLE = re.compile(
    r"(<!-- the modules of ([\w/]+), by `python -m tests\.documentation\.rooms` -->\n).*?(?=<!-- end -->)", re.DOTALL
)


def answered(module: Path) -> str:
    """Return the first paragraph of a module's docstring as one line, or nothing."""
    said = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(said.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def table(directory: str) -> str:
    """Return the modules of a directory, without those of directories in it, as a table of Markdown."""
    rows = [(f"`{path.name}`", answered(path)) for path in sorted((TOP / directory).glob("*.py"))]
    told = [f"| {name} | {said} |" for name, said in rows if name != "`__init__.py`"]
    return "\n".join(["", f"| in `{directory}/` | what it answers |", "|---|---|", *told, "", ""])


def filled(page: str) -> str:
    """Return the page with its tables as the code is now."""
    return TABLE.sub(lambda found: found[1] + table(found[2]), page)


def directories(page: str) -> list[str]:
    """Return the directories that the page has a table of, in its order."""
    return [found[2] for found in TABLE.finditer(page)]


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
