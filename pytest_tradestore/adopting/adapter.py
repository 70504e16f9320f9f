"""The text of an adapter: a class that has the methods of a contract and hands each call on to somebody's store.

It is formatted as ruff does, typed, and short; what a person has to decide stands in it as a TODO.
"""

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_tradestore.adopting.methods import Guess
from pytest_tradestore.adopting.openings import Opening

_WIDTH = 88
_DOCUMENT = "dict[str, Any]"
ENGINES = ("sqlite3", "lmdb")
"""Databases that libraries are built on, and whose ``Error`` they let out."""
_OF = {"documents": "documents under keys", "document": "a single document", "journal": "logs of records"}


@dataclass(frozen=True, slots=True)
class Callee:
    """What somebody's store is called by: ``Store.open`` of the module ``acme.stores``; ``own`` if it is theirs."""

    module: str
    attribute: str
    own: bool = False

    @property
    def imported(self) -> str:
        """The line that imports it."""
        first = self.attribute.partition(".")[0]
        return f"from {self.module} import {first}" if first[0].isupper() else f"import {self.module}"

    @property
    def expression(self) -> str:
        return self.attribute if self.imported.startswith("from") else f"{self.module}.{self.attribute}"


@dataclass(frozen=True, slots=True)
class Known:
    """What was seen of a store beside its methods, as it is declared.

    ``errors`` are the exceptions of its own, each with its module; ``refused`` is why no second instance was opened.
    """

    errors: tuple[tuple[str, str], ...] = ()
    volatile: tuple[str, ...] = ()
    single: bool = False
    awaited: bool = False
    """Whether what opens the store has to be awaited."""


@dataclass(slots=True)
class Text:
    """A module in the making: imports by the module that they are from, and lines."""

    title: str
    imports: set[tuple[str, str]] = field(default_factory=set)
    """Modules, and names in them; without a name the module itself."""
    lines: list[str] = field(default_factory=list)
    own: frozenset[str] = frozenset()
    """Modules of the project."""

    def needs(self, module: str, name: str = "") -> None:
        if module not in ("", "builtins"):
            self.imports.add((module, name))

    def __str__(self) -> str:
        return "\n".join([f'"""{self.title}"""', "", *self._imported(), "", *self.lines]) + "\n"

    def _imported(self) -> Iterator[str]:
        groups: dict[int, list[str]] = {}
        for module in sorted({module for module, _ in self.imports}):
            top = module.partition(".")[0]
            group = 0 if top in sys.stdlib_module_names else 2 if top in self.own else 1
            names = sorted(name for other, name in self.imports if other == module)
            named = sorted(filter(None, names), key=_as_isort)
            if "" in names:
                groups.setdefault(group, []).append(f"import {module}")
            if named:
                groups.setdefault(group, []).append(f"from {module} import {', '.join(named)}")
        for place, group in enumerate(sorted(groups)):
            yield from [""] if place else []
            yield from sorted(groups[group], key=lambda line: (line.startswith("from"), line))


def _as_isort(name: str) -> tuple[bool, bool, str]:
    """Sort as isort does: constants, classes, the rest."""
    return not name.isupper(), not name[0].isupper(), name


def begun(title: str, callee: Callee, known: Known) -> Text:
    """Return a module that imports what opens a store."""
    text = Text(title, own=frozenset({callee.module.partition(".")[0]} if callee.own else ()))
    text.needs("pathlib", "Path")
    first = callee.attribute.partition(".")[0]
    text.needs(callee.module, first if callee.imported.startswith("from") else "")
    for module, name in known.errors:
        text.needs(module, "" if module in ENGINES else name)
    return text


def declared(known: Known) -> Iterator[str]:
    """Yield the declarations of a class."""
    if known.errors:
        names = ", ".join(f"{module}.{name}" if module in ENGINES else name for module, name in known.errors)
        yield f"    tradestore_errors = (ValueError, OSError, {names})"
    if known.volatile:
        yield f"    tradestore_volatile = ({', '.join(map(_quoted, known.volatile))},)"
    if known.single:
        yield '    tradestore_claims = ("single-instance",)  # a second one is refused, or waits'


def adapter(name: str, callee: Callee, opening: Opening, guess: Guess, known: Known) -> str:
    """Return the module of an adapter, whose class is ``name``."""
    text = begun(f"{callee.expression}, asked as {_OF[guess.contract]}. Begun by --tradestore-init.", callee, known)
    text.needs("typing", "Any")
    if guess.text:
        text.needs("json")
    text.needs(*guess.absent)
    body: list[str] = [*declared(known), *([""] if list(declared(known)) else [])]
    body += _opened(text, callee, opening, guess, known)
    for method in (_rows if guess.rows else _METHODS[guess.contract])(guess):
        body += ["", *method]
    text.lines = ["", f"class {name}:", *body]
    return str(text)


def todo(sentence: str, indent: str = " " * 8) -> list[str]:
    """Return a comment for what a person has to decide."""
    return [f"{indent}# {line}" for line in textwrap.wrap(f"TODO: {sentence}", _WIDTH - len(indent) - 2)]


def store_named(name: str) -> str:
    """Return what the class is called that is asked in the place of the class ``name``."""
    return f"{name}Adapter" if name.endswith("Store") else f"{name}Store"


def opened_with(callee: Callee, opening: Opening, target: str, indent: str = "        ") -> Iterator[str]:
    """Yield the lines that open a store."""
    if opening.doubt:
        yield from todo(opening.doubt, indent)
    if opening.elsewhere:
        yield f"{indent}os.chdir(root)"
    yield f"{indent}{target}{callee.expression}({opening.arguments})"


def _opened(text: Text, callee: Callee, opening: Opening, guess: Guess, known: Known) -> Iterator[str]:
    if opening.elsewhere:
        text.needs("os")
    starts_later = known.awaited or (guess.awaited and bool(guess.start)) or guess.close == "__aexit__"
    yield "    def __init__(self, root: Path) -> None:"
    if known.awaited:
        yield "        self._root = root"
    else:
        yield from opened_with(callee, opening, f"self.{_holder(guess)}: Any = ")
        if guess.start and not starts_later:
            yield f"        self._store.{guess.start}()"
        if guess.close == "__exit__":
            yield f"        {_kept(guess)}self.{_holder(guess)}.__enter__()"
    if starts_later:
        text.needs("typing", "Self")
        yield from ("", "    async def __aenter__(self) -> Self:")
        if known.awaited:
            yield from ("        root = self._root",)
            yield from opened_with(callee, opening, f"self.{_holder(guess)}: Any = await ")
        if guess.start:
            yield f"        await self._store.{guess.start}()"
        if guess.close == "__aexit__":
            yield f"        {_kept(guess)}await self.{_holder(guess)}.__aenter__()"
        yield "        return self"
        yield from ("", "    async def __aexit__(self, *_: object) -> None:")
        yield f"        {_closing(guess)}"
    elif guess.close:
        plain = guess.close == "__exit__" or not guess.awaited
        yield from ("", "    def close(self) -> None:" if plain else "    async def aclose(self) -> None:")
        yield f"        {_closing(guess)}"


def _closing(guess: Guess) -> str:
    arguments = "None, None, None" if guess.close.endswith("exit__") else ""
    wait = "await " if guess.close == "__aexit__" or (guess.awaited and guess.close != "__exit__") else ""
    return f"{wait}self.{_holder(guess)}.{guess.close}({arguments})" if guess.close else "pass"


def _holder(guess: Guess) -> str:
    """Return where what was opened is kept: apart from the store, if that is what it gives when it is entered."""
    return "_manager" if guess.entered else "_store"


def _kept(guess: Guess) -> str:
    return "self._store: Any = " if guess.entered else ""


def _documents(guess: Guess) -> Iterator[list[str]]:
    key = "key.encode()" if guess.keys else "key"
    uses, wait = guess.uses, _wait(guess)
    value = _handed_over("document", guess)
    put = (
        f"self._store[{key}] = {value}" if uses["put"] == "[]=" else f"{wait}self._store.{uses['put']}({key}, {value})"
    )
    yield [
        f"    {_def(guess)} put(self, key: str, document: {_DOCUMENT}) -> None:",
        f"        {put}",
        *_committed(guess),
    ]
    got = f"self._store[{key}]" if uses["get"] == "[]" else f"{wait}self._store.{uses['get']}({key})"
    yield [f"    {_def(guess)} get(self, key: str) -> {_DOCUMENT} | None:", *_found(got, guess)]
    if delete := uses.get("delete"):
        gone = f"del self._store[{key}]" if delete == "del" else f"{wait}self._store.{delete}({key})"
        yield [f"    {_def(guess)} delete(self, key: str) -> None:", f"        {gone}", *_committed(guess)]
    if keys := uses.get("keys"):
        listed = "self._store" if keys == "iter" else f"{wait}self._store.{keys}()"
        made = f"[key.decode() for key in {listed}]" if guess.keys else f"list({listed})"
        yield [f"    {_def(guess)} keys(self) -> list[str]:", f"        return {made}"]


def _document(guess: Guess) -> Iterator[list[str]]:
    value, wait = _handed_over("data", guess), _wait(guess)
    saved = f"{wait}self._store.{guess.uses['save']}({value})"
    yield [f"    {_def(guess)} save(self, data: {_DOCUMENT}) -> None:", f"        {saved}", *_committed(guess)]
    loaded = _found(f"{wait}self._store.{guess.uses['load']}()", guess)
    yield [f"    {_def(guess)} load(self) -> {_DOCUMENT} | None:", *loaded]


def _journal(guess: Guess) -> Iterator[list[str]]:
    wait, uses = _wait(guess), guess.uses
    row = '{"stream": stream, "record": record}' if guess.one_log else "record"
    arguments = _handed_over(row, guess) if guess.one_log else f"stream, {_handed_over(row, guess)}"
    signature = f"append(self, stream: str, record: {_DOCUMENT})"
    yield [
        f"    {_def(guess)} {signature} -> None:",
        f"        {wait}self._store.{uses['append']}({arguments})",
        *_committed(guess),
    ]
    read = f"{wait}self._store.{uses['read']}({'' if guess.one_log else 'stream'})"
    rows = f"[json.loads(row) for row in {read}]" if guess.text else read
    body = [f"        rows = {rows}"]
    body += (
        ['        return [row["record"] for row in rows if row["stream"] == stream]']
        if guess.one_log
        else ["        return list(rows)"]
    )
    if guess.absent[1]:
        body = [
            "        try:",
            f"    {body[0]}",
            f"        except {guess.absent[1]}:",
            "            return []",
            *body[1:],
        ]
    yield [f"    {_def(guess)} read(self, stream: str) -> list[{_DOCUMENT}]:", *body]


def _rows(guess: Guess) -> Iterator[list[str]]:
    uses, wait = guess.uses, _wait(guess)
    which, given = {
        "function": ('lambda row: row["key"] == key', "made, WHICH"),
        "example": ('{"key": key}', "WHICH, made, upsert=True"),
    }[guess.rows]
    yield [
        f"    {_def(guess)} put(self, key: str, document: {_DOCUMENT}) -> None:",
        '        made = {"key": key, "document": document}',
        f"        {wait}self._store.{uses['put']}({given.replace('WHICH', which)})",
        *_committed(guess),
    ]
    got = [f"        row = {wait}self._store.{uses['get']}({which})"]
    if guess.absent[1]:
        got = ["        try:", f"    {got[0]}", f"        except {guess.absent[1]}:", "            return None"]
    yield [
        f"    {_def(guess)} get(self, key: str) -> {_DOCUMENT} | None:",
        *got,
        f'        found: {_DOCUMENT} | None = None if row is None else row["document"]',
        "        return found",
    ]
    if delete := uses.get("delete"):
        yield [
            f"    {_def(guess)} delete(self, key: str) -> None:",
            f"        {wait}self._store.{delete}({which})",
            *_committed(guess),
        ]
    if keys := uses.get("keys"):
        listed = "self._store" if keys == "__iter__" else f"{wait}self._store.{keys}()"
        yield [f"    {_def(guess)} keys(self) -> list[str]:", f'        return [row["key"] for row in {listed}]']


_METHODS = {"documents": _documents, "document": _document, "journal": _journal}


def _found(expression: str, guess: Guess) -> list[str]:
    """Return the body of what reads one document."""
    told = f"        found: {_DOCUMENT} | None = " if not guess.text else "        found = "
    result = "None if found is None else json.loads(found)" if guess.text else "found"
    body = [f"{told}{expression}"]
    if guess.absent[1]:
        body = ["        try:", f"    {body[0]}", f"        except {guess.absent[1]}:", "            return None"]
    if guess.text:
        return [*body, f"        document: {_DOCUMENT} | None = {result}", "        return document"]
    return [*body, f"        return {result}"]


def _handed_over(what: str, guess: Guess) -> str:
    return {"": what, "text": f"json.dumps({what})", "bytes": f"json.dumps({what}).encode()"}[guess.text]


def _committed(guess: Guess) -> list[str]:
    if not guess.commit:
        return []
    return [f"        {_wait(guess)}self._store.{guess.commit}()  # from here on it has to be there"]


def _wait(guess: Guess) -> str:
    return "await " if guess.awaited else ""


def _def(guess: Guess) -> str:
    return "async def" if guess.awaited else "def"


def _quoted(text: str) -> str:
    return f'"{text}"'


def opener(name: str, callee: Callee, opening: Opening, known: Known) -> str:
    """Return the module of a store that has all methods of a contract, and whose constructor takes something else."""
    text = begun(f"{callee.expression}, opened on a directory. Begun by --tradestore-init.", callee, known)
    text.needs("typing", "Any")
    if opening.elsewhere:
        text.needs("os")
    declarations = list(declared(known))
    text.lines = ["", f"class {name}:", *declarations, *([""] if declarations else [])]
    text.lines += ["    def __new__(cls, root: Path) -> Any:", *opened_with(callee, opening, "return ")]
    return str(text)
