"""What somebody has to finish: the missing methods of a contract, or a kit of a store's own methods.

Both can be run as they are written, so that the suite says what comes next.
"""

import inspect
import re
from collections.abc import Iterator

from pytest_tradestore.adopting.adapter import Callee, Known, Text, begun, declared, opened_with, store_named, todo
from pytest_tradestore.adopting.methods import LIKELY_READS, LIKELY_WRITES, Method, Methods
from pytest_tradestore.adopting.openings import Opening
from pytest_tradestore.kits.kit import Kit

_READS = {*LIKELY_READS, "len", "has", "is", "show", "search", "status", "total", "values", "exists"}
_NEVER = ("close", "aclose", "open", "connect", "shutdown", "stop", "start", "setup", "init", "initialize", "backup")
_MOST = 3
_KEY = ("key", "name", "symbol", "id", "owner", "account", "user", "stream", "topic", "strategy", "queue", "table")
_NUMBER = ("amount", "count", "quantity", "size", "number", "n", "limit", "price", "timeout", "priority", "delay")


def stub_module(name: str, callee: Callee, opening: Opening, kit: Kit, lacking: list[str], known: Known) -> str:
    """Return an adapter that has the methods that are there, and one to finish for each that is ``lacking``."""
    text = begun(f"{callee.expression}, asked as {kit.name}. Begun by --tradestore-init.", callee, known)
    text.needs("typing", "Any")
    if opening.elsewhere:
        text.needs("os")
    body = [*declared(known), *([""] if list(declared(known)) else []), "    def __init__(self, root: Path) -> None:"]
    body += opened_with(callee, opening, "self._store: Any = ")
    for method in kit.required:
        names = _parameters_of(kit, method)
        signature = ", ".join(["self", *(f"{one}: Any" for one in names)])
        body += ["", f"    def {method}({signature}) -> Any:"]
        if method in lacking:
            body += [*todo(_promised(kit, method)), f'        raise NotImplementedError("{method}")']
        else:
            body += [f"        return self._store.{method}({', '.join(one.partition(' ')[0] for one in names)})"]
    text.lines = ["", f"class {name}:", *body]
    return str(text)


def _parameters_of(kit: Kit, method: str) -> list[str]:
    found = inspect.signature(getattr(kit.protocol, method)).parameters.values() if kit.protocol else ()
    return [one.name for one in found if one.name != "self" and one.kind is not one.KEYWORD_ONLY]


def _promised(kit: Kit, method: str) -> str:
    told = (inspect.getdoc(getattr(kit.protocol, method)) or "").partition("\n")[0].replace("``", "")
    return told[0].lower() + told[1:] if told else f"what {method}() does."


def kit_module(name: str, callee: Callee, opening: Opening, methods: Methods, known: Known) -> str:
    """Return a kit of a store's own methods, and the store that declares it."""
    reads, writes = _split(methods)
    text = _kit_begun(callee, opening, known)
    text.lines = ["", *_spec(name, reads, writes), "", "", *_kit(name, reads, writes, methods)]
    text.lines += ["", "", f"class {store_named(name)}:", *_declared(f"{name}Kit", known), ""]
    text.lines += ["    def __init__(self, root: Path) -> None:", *opened_with(callee, opening, "self._store: Any = ")]
    text.lines += [f"        self.{method} = self._store.{method}" for method in [*writes, *reads]]
    close = next((one for one in ("close", "aclose", "shutdown") if one in methods), "")
    if close:
        text.lines += [f"        self.{'aclose' if methods[close].awaited else 'close'} = self._store.{close}"]
    return str(text)


def queue_module(name: str, callee: Callee, opening: Opening, uses: tuple[str, str, str], known: Known) -> str:
    """Return a kit of queues, and a store that is one: ``uses`` are what puts, what takes, and what ends a taking."""
    put, take, end = uses
    text = _kit_begun(callee, opening, known)
    text.needs("shutil")
    text.needs("tempfile")
    text.lines = [
        "",
        *_QUEUE.replace("NAMEStore", store_named(name)).replace("NAME", name).splitlines(),
        *_declared(f"{name}Kit", known),
        "",
    ]
    text.lines += ["    def __init__(self, root: Path) -> None:", "        self._root = root"]
    text.lines += opened_with(callee, opening, "self._store: Any = ")
    text.lines += ["", "    def put(self, item: str) -> None:", f"        self._store.{put}(item)"]
    text.lines += ["", "    def take(self) -> None:", f"        self._store.{take}()"]
    text.lines += [f"        self._store.{end}()"] if end else []
    text.lines += ["", "    def waiting(self) -> list[str]:  # to look is to take, so a copy is looked at"]
    text.lines += ["        with tempfile.TemporaryDirectory() as copy:"]
    text.lines += ["            root = Path(shutil.copytree(self._root, copy, dirs_exist_ok=True))"]
    text.lines += [*opened_with(callee, opening, "store: Any = ", " " * 12), "            items = []"]
    text.lines += ["            with suppress(LookupError, Empty):"]
    text.lines += ["                while True:", f"                    items.append(store.{take}())"]
    text.lines += ["            return items"]
    text.needs("contextlib", "suppress")
    if not any(name == "Empty" for _, name in known.errors):
        text.needs("queue", "Empty")
    return str(text)


_QUEUE = '''class NAMESpec(Spec):
    """Items that were put and not yet taken, oldest first."""

    initial: tuple[str, ...] = ()
    reads = ("waiting",)

    def apply(self, state: Any, call: Call) -> tuple[Any, Any]:
        match call:
            case Call("put", (item,)):
                return (*state, item), UNSAID
            case Call("take"):
                return state[1:], UNSAID
        return state, list(state)


class NAMEKit(Kit):
    name = "queue"
    required = ("put", "take", "waiting")
    deletes = True
    spec = NAMESpec()

    def update(self, number: int, size: int = 0) -> Call:
        return Call("put", (f"order {number} " + "x" * size,))

    def looks(self, make: Any, methods: frozenset[str]) -> tuple[Call, ...]:
        return (Call("waiting"),)

    def workload(self, make: Any, methods: frozenset[str]) -> tuple[Call, ...]:
        return (*super().workload(make, methods), Call("take"))


class NAMEStore:'''


def _kit_begun(callee: Callee, opening: Opening, known: Known) -> Text:
    text = begun(f"A contract of {callee.expression}'s own. Begun by --tradestore-init.", callee, known)
    text.needs("typing", "Any")
    for name in ("Call", "Kit", "Spec", "UNSAID"):
        text.needs("pytest_tradestore.kits", name)
    if opening.elsewhere:
        text.needs("os")
    return text


def _declared(kit: str, known: Known) -> Iterator[str]:
    yield f"    tradestore_contracts = ({kit}(),)"
    yield from declared(known)


def _spec(name: str, reads: list[str], writes: list[str]) -> Iterator[str]:
    yield f"class {name}Spec(Spec):"
    yield "    initial: tuple[Any, ...] = ()"
    yield f"    reads = {_tuple(reads)}"
    yield ""
    yield "    def apply(self, state: Any, call: Call) -> tuple[Any, Any]:"
    yield "        if call.method in self.reads:"
    yield f"            # TODO: return state, and what {call_of(reads)} shows in it."
    yield '            raise NotImplementedError(f"say what {call.method}() shows")'
    yield f"        # TODO: say what is there after {call_of(writes)}."
    yield "        return (*state, call.arguments), UNSAID"


def call_of(methods: list[str]) -> str:
    """Return the first method as a call, for a sentence."""
    return f"{methods[0]}()" if methods else "a call"


def _kit(name: str, reads: list[str], writes: list[str], methods: Methods) -> Iterator[str]:
    yield f"class {name}Kit(Kit):"
    yield f'    name = "{re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()}"'
    yield f"    required = {_tuple([*writes[:1], *reads[:1]])}"
    if more := [*writes[1:], *reads[1:]]:
        yield f"    optional = {_tuple(more)}"
    yield f"    spec = {name}Spec()"
    yield ""
    yield "    def update(self, number: int, size: int = 0) -> Call:"
    if writes:
        arguments = [_argument(one, methods[writes[0]]) for one in _needed(methods[writes[0]])]
        yield f'        return Call("{writes[0]}", {_tuple(arguments, quoted=False)})'
    else:
        yield "        # TODO: return the call that changes the store."
        yield '        raise NotImplementedError("say which call changes the store")'
    yield ""
    yield "    def looks(self, make: Any, methods: frozenset[str]) -> tuple[Call, ...]:"
    if reads:
        arguments = [_argument(one, methods[reads[0]], fixed=True) for one in _needed(methods[reads[0]])]
        yield "        # TODO: return the calls that show everything and change nothing."
        yield f'        return (Call("{reads[0]}", {_tuple(arguments, quoted=False)}),)'
    else:
        yield "        # TODO: return the calls that show what is there."
        yield '        raise NotImplementedError("say which calls show what is there")'


def _tuple(names: list[str], *, quoted: bool = True) -> str:
    told = [f'"{name}"' if quoted else name for name in names]
    return f"({told[0]},)" if len(told) == 1 else f"({', '.join(told)})"


def _split(methods: Methods) -> tuple[list[str], list[str]]:
    """Return the methods that read and those that write, by their names, the plainest first."""
    plain = [name for name in methods if not name.startswith("__") and name not in _NEVER]
    reads = [name for name in plain if set(name.split("_")) & _READS]
    writes = [name for name in plain if name not in reads and methods[name].least > 0]
    reads.sort(key=lambda name: (_place(name, LIKELY_READS), methods[name].least))
    writes.sort(key=lambda name: (_place(name, LIKELY_WRITES), methods[name].least))
    return reads[:_MOST], writes[:_MOST]


def _place(name: str, likely: tuple[str, ...]) -> int:
    """Return where a name stands among likely ones: those in full first, then those that only begin so, then others."""
    if name in likely:
        return likely.index(name)
    begun_so = name.partition("_")[0]
    return 100 + likely.index(begun_so) if begun_so in likely else 1000


def _needed(method: Method) -> tuple[str, ...]:
    return method.parameters[: method.least]


def _argument(name: str, method: Method, *, fixed: bool = False) -> str:
    words = name.lower().split("_")
    if words[-1] in _NUMBER:
        return "1000" if fixed else "number"
    if words[-1] in _KEY and (fixed or method.least > 1):
        return '"AAPL"'
    return '"AAPL"' if fixed else 'f"entry {number} " + "x" * size'
