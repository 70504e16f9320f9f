"""The page of options, made of the plugin's own definitions of them while the site is built."""

from collections.abc import Iterator
from typing import Any

from pytest_tradestore import plugin


class _Noted:
    """Takes the definitions that pytest would take, and keeps them."""

    def __init__(self) -> None:
        self.options: list[tuple[str, dict[str, Any]]] = []
        self.settings: list[tuple[str, str, Any]] = []

    def getgroup(self, *_: str) -> "_Noted":
        return self

    def addoption(self, name: str, **how: Any) -> None:
        self.options.append((name, how))

    def addini(self, name: str, help: str, default: Any = None, **_: Any) -> None:  # noqa: A002 - pytest's word
        self.settings.append((name, help, default))


def definitions() -> "_Noted":
    """Return what the plugin defines: options with how they are defined, and settings with meaning and default."""
    noted = _Noted()
    plugin.pytest_addoption(noted)  # type: ignore[arg-type]  # it has all of a parser that is used there
    return noted


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    noted = definitions()
    yield from ("# Options", "")
    yield "This page is made of the options themselves; `pytest --help` prints the same."
    yield from ("", "## On the command line", "", "| option | says |", "|---|---|")
    for name, how in noted.options:
        value = how.get("metavar") or "\\|".join(how.get("choices", ())) or ""
        yield f"| `{name}{' ' if value else ''}{value}` | {_cell(how['help'])} |"
    yield from ("", "## In the configuration file", "", "In `[tool.pytest]` of `pyproject.toml`, or in `pytest.ini`.")
    yield from ("", "| setting | says | default |", "|---|---|---|")
    for name, meaning, default in noted.settings:
        yield f"| `{name}` | {_cell(meaning)} | {f'`{default}`' if default else 'none'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
