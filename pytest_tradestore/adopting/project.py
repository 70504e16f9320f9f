"""Names a store in a project's configuration, wherever that is, and changes nothing else in it.

The text is edited, so that comments and order stay; what comes out is read again, and if anything but the new store
differs, it is not written.
"""

import configparser
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tradestore.errors import ConfigurationError

_KEY = "tradestore_stores"
_INI_SECTIONS = {"setup.cfg": "tool:pytest"}


@dataclass(frozen=True, slots=True)
class Change:
    """A file and what is to stand in it; ``new`` if there is none yet."""

    path: Path
    text: str
    new: bool

    def write(self) -> None:
        """Write it. Raises ConfigurationError if that cannot be, or if a new file is there by now."""
        try:
            with open(self.path, "x" if self.new else "w", encoding="utf-8", newline="") as file:
                file.write(self.text)
        except FileExistsError:
            raise ConfigurationError(
                f"{self.path.name} is there already; move it away, or name the store otherwise"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}; make it writable") from None


def named_in(inipath: Path | None, root: Path, store: str) -> tuple[Change, str]:
    """Return the change that adds ``store``, as ``name=module:callable``, and where in the file it stands.

    Raises ConfigurationError, with what to write by hand, if the file is of a make that cannot be edited safely.
    """
    path = inipath or root / "pytest.toml"
    if not path.exists():
        return Change(path, f"[pytest]\n{_KEY} = [{_quoted(store)}]\n", new=True), "[pytest]"
    with open(path, encoding="utf-8", newline="") as file:
        before = file.read()
    line_end = "\r\n" if "\r\n" in before else "\n"
    text = before.replace("\r\n", "\n")
    if path.suffix == ".toml":
        section = _toml_section(path, text)
        after = _in_toml(text, section, store)
        safe = after is not None and _same_but(tomllib.loads(text), _read_toml(after), section.split("."), store)
    else:
        section = _INI_SECTIONS.get(path.name, "pytest")
        after = _in_ini(text, section, store)
        safe = after is not None and _same_ini_but(text, after, section, store)
    if after is None or not safe:
        raise ConfigurationError(
            f"{path} was left as it is, because it is written in a way that is not edited here; add "
            f"{_quoted(store)} to {_KEY} in its [{section}]"
        )
    return Change(path, after.replace("\n", line_end), new=False), f"[{section}]"


def _toml_section(path: Path, text: str) -> str:
    if path.name != "pyproject.toml":
        return "pytest"
    tool = tomllib.loads(text).get("tool", {})
    return "tool.pytest.ini_options" if "ini_options" in tool.get("pytest", {}) else "tool.pytest"


def _in_toml(text: str, section: str, store: str) -> str | None:
    """Return the text with one more store, None where it cannot be told where that stands."""
    header = re.search(rf"^[ \t]*\[[ \t]*{re.escape(section)}[ \t]*\][ \t]*(#.*)?$", text, re.M)
    if header is None:
        if section == "tool.pytest.ini_options":
            return None  # written as an inline table, or with dots
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{section}]\n{_KEY} = [{_quoted(store)}]\n"
    end = re.compile(r"^[ \t]*\[", re.M).search(text, header.end())
    table = text[header.end() : _end_of_table(text, end)]
    known = re.search(rf"^[ \t]*{_KEY}[ \t]*=[ \t]*\[", table, re.M)
    if known is None:
        if re.search(rf"^[ \t]*{_KEY}\b", table, re.M):
            return None
        return f"{text[: header.end()]}\n{_KEY} = [{_quoted(store)}]{text[header.end() :]}"
    place = header.end() + known.end()
    if (simple := _PLAIN_ARRAY.match(text, place)) is not None:
        listed = [*_STRING.findall(simple[0]), _quoted(store)]
        many = "".join(f"\n  {one}," for one in listed) + "\n]"
        return f"{text[:place]}{many if len(listed) > 1 else _quoted(store) + ']'}{text[simple.end() :]}"
    return f"{text[:place]}{_quoted(store)}, {text[place:].lstrip(' ')}"


_STRING = re.compile(r"""(?:"[^"\\\n]*"|'[^'\n]*')""")
_PLAIN_ARRAY = re.compile(rf"\s*(?:{_STRING.pattern}\s*,?\s*)*\]")
"""An array of strings without comments, from behind its bracket on."""


def _end_of_table(text: str, found: re.Match[str] | None) -> int:
    """Return where a table ends: a line that begins with a bracket may also be a row of an array."""
    while found is not None and not re.match(
        r"[ \t]*\[\[?[\w.\"' -]+\]\]?[ \t]*(#.*)?$", _line_at(text, found.start())
    ):
        found = re.compile(r"^[ \t]*\[", re.M).search(text, found.end())
    return len(text) if found is None else found.start()


def _line_at(text: str, place: int) -> str:
    end = text.find("\n", place)
    return text[place : len(text) if end < 0 else end]


def _read_toml(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _same_but(before: dict[str, Any], after: dict[str, Any] | None, section: list[str], store: str) -> bool:
    """Say whether nothing has changed but that the store is there."""
    if after is None:
        return False
    table: dict[str, Any] = before
    for name in section:
        table = table.setdefault(name, {})
    known = table.get(_KEY, [])
    table[_KEY] = [*known, store]
    if before == after:
        return True
    table[_KEY] = [store, *known]
    return before == after


def _in_ini(text: str, section: str, store: str) -> str | None:
    header = re.search(rf"^\[{re.escape(section)}\][ \t]*([#;].*)?$", text, re.M)
    if header is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{section}]\n{_KEY} =\n    {store}\n"
    following = re.compile(r"^\[", re.M).search(text, header.end())
    table = text[header.end() : following.start() if following else len(text)]
    known = re.search(rf"^{_KEY}[ \t]*[=:]", table, re.M)
    if known is None:
        return f"{text[: header.end()]}\n{_KEY} =\n    {store}{text[header.end() :]}"
    place = header.end() + known.end()
    first = _line_at(text, place).strip()
    more = f"\n    {first}" if first else ""
    rest = text[place + len(_line_at(text, place)) :]
    return f"{text[:place]}\n    {store}{more}{rest}"


def _same_ini_but(before: str, after: str, section: str, store: str) -> bool:
    old, new = _read_ini(before), _read_ini(after)
    if old is None or new is None:
        return False
    table = old.setdefault(section, {})
    table[_KEY] = [store, *table.get(_KEY, [])]
    return old == new


def _read_ini(text: str) -> dict[str, dict[str, list[str]]] | None:
    parser = configparser.RawConfigParser(strict=True, allow_no_value=True, delimiters=("=", ":"))
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names of options are told by their letters
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {name: _lines(dict(parser[name])) for name in parser.sections()}


def _lines(table: Mapping[str, str | None]) -> dict[str, list[str]]:
    return {
        name: [line.strip() for line in (value or "").splitlines() if line.strip()] for name, value in table.items()
    }


def _quoted(store: str) -> str:
    return f'"{store}"'
