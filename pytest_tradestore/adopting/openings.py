"""How may a store be told where its files are? Ways to call it with a directory, the likeliest first.

Which of them works is found out by trying, in ``trials``.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_DIRECTORY = {"dir", "directory", "folder", "root", "home", "base", "basedir", "dirname"}
_FILE = {"file", "filename", "filepath", "db", "database", "path", "pathname", "name", "location", "fname", "dbname"}
_URL = {"url", "uri", "dsn"}
_OTHER = {"storage", "store", "data", "where", "place", "destination", "target"}
_ORDER = (_DIRECTORY, _FILE, _URL, _OTHER)
_CREATES = (("flag", '"c"'), ("create_if_missing", "True"), ("create", "True"))
"""Options without which what is not there yet is refused, and what they have to be."""
_PLAIN = {"str": '"tradestore"', "int": "1", "float": "1.0", "bool": "False"}
"""What stands in for an argument of which only the type is known."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A way to open a store: what stands between the parentheses, and what a person has to look at in it."""

    arguments: str
    doubt: str = ""
    elsewhere: bool = False
    """Whether the store is told nothing, and takes the working directory."""


def openings(target: Callable[..., Any], stem: str) -> tuple[Opening, ...]:
    """Return the ways in which ``target`` may be opened; ``stem`` names its file where it takes one."""
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):  # written in C, and it does not say
        places = list(_places("", "", stem))
        plain = [Opening(place) for place in places]
        return (*plain, *(Opening(f"{place}, create_if_missing=True") for place in places[:2]))
    found = [
        Opening(*_rest(parameters, at, place))
        for at in _likeliest(parameters)
        for place in _places(parameters[at].name, _annotated(parameters[at]), stem)
    ]
    if not any(_is_required(one) for one in parameters):
        doubt = "it takes no directory, so it is opened in one; tell it where its files are, if it can be told."
        found.append(Opening("", doubt, elsewhere=True))
    return tuple(dict.fromkeys(found))


def _likeliest(parameters: list[inspect.Parameter]) -> list[int]:
    """Return the places of parameters that may take a path, those first that have to be given."""

    def rank(at: int) -> tuple[bool, int, int]:
        words, annotated = _words(parameters[at].name), _annotated(parameters[at])
        kind = next((n for n, known in enumerate(_ORDER) if words & known), len(_ORDER))
        return not _is_required(parameters[at]), 0 if "Path" in annotated else 1 + kind, at

    def may_be(at: int) -> bool:
        one = parameters[at]
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            return False
        return rank(at)[1] <= len(_ORDER) or (_is_required(one) and _annotated(one) in ("", "str"))

    likely = sorted(filter(may_be, range(len(parameters))), key=rank)
    if not likely and parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return [0]
    return likely[:3]


def _places(name: str, annotated: str, stem: str) -> Iterator[str]:
    words = _words(name)
    path = f'root / "{stem}"'
    if words & _URL:
        yield from (f'f"sqlite:///{{{path}}}"'.replace(f'"{stem}"', f"'{stem}'"), f"str({path})", f"({path}).as_uri()")
        return
    texts, paths = (f"str({path})", "str(root)"), (path, "root")
    if words & _DIRECTORY:
        texts, paths = texts[::-1], paths[::-1]
    path_first = "Path" in annotated and "str" not in annotated
    yield from (*paths, *texts) if path_first else (*texts, *paths)


def _rest(parameters: list[inspect.Parameter], at: int, place: str) -> tuple[str, str]:
    """Return all arguments where the one at ``at`` is the place, and what is doubtful about the others."""
    given, doubtful, in_order = [], [], True
    for number, one in enumerate(parameters):
        if number == at:
            value = place
        elif _is_required(one):
            value = _PLAIN.get(_annotated(one), '"tradestore"')
            doubtful.append(one.name)
        elif (create := dict(_CREATES).get(one.name)) is not None and one.default != "c":
            value = create
        else:
            in_order = False
            continue
        by_name = one.kind is one.KEYWORD_ONLY or not in_order
        given.append(f"{one.name}={value}" if by_name else value)
    doubt = f"say what {' and '.join(doubtful)} should be." if doubtful else ""
    return ", ".join(given), doubt


def _words(name: str) -> set[str]:
    return set(re.split(r"[_\W]+", name.lower()))


def _annotated(one: inspect.Parameter) -> str:
    if one.annotation is one.empty:
        return ""
    return one.annotation if isinstance(one.annotation, str) else getattr(one.annotation, "__name__", "")


def _is_required(one: inspect.Parameter) -> bool:
    return one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
