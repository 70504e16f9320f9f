"""The identifiers that stores get wrong: real symbols that look hostile, hostile ones that look real, and why.

Rows are templates; ``filled`` puts the paths of a run into them. An oracle says what a store may do with a row:

- ``accept``: it has to take it; whoever refuses ordinary symbols is of no use.
- ``contain``: it refuses it by a clear error, or keeps it like any other identifier.
- ``reject``: it refuses it; keeping it is allowed only under a name in which nothing of its meaning is left.
- ``accept?`` (real symbols of some vendors): as ``contain``, because no store has to know all markets.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import PurePosixPath
from typing import Any, Literal

Oracle = Literal["accept", "accept?", "contain", "reject"]

OPAQUE_OK = frozenset(
    {"traversal", "absolute", "windows-path", "dots", "control", "windows-name", "url", "unicode", "length"}
)
"""Categories that a store which encodes any text reversibly may keep instead of refusing them."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """One row: ``value`` may hold ``{OUT}``, ``{ROOT}``, ``{NAME}`` (of the root) and ``{UP2}`` (climbs).

    ``read_only``: it names a place of the real system that a vulnerable store would write to, so it is only read.
    """

    id: str
    category: str
    value: str
    oracle: Oracle
    reason: str
    read_only: bool = False


Row = tuple[str, str, Oracle, str]


def _rows(category: str, *rows: Row) -> tuple[Identifier, ...]:
    return tuple(Identifier(f"{category}-{name}", category, *rest) for name, *rest in rows)  # type: ignore[arg-type]


ORDINARY = _rows(
    "ordinary",
    ("stock", "AAPL", "accept", "a symbol as most are"),
    ("class-dot", "BRK.B", "accept", "a class of shares after a dot"),
    ("class-dash", "BF-B", "accept", "a class of shares after a dash"),
    ("leading-zeros", "005930.KS", "accept", "not the number 5930"),
    ("digits", "600519", "accept", "text, although it looks like a number"),
    ("pair", "BTC-USD", "accept", "a pair with a dash"),
    ("option", "SPY240119C00475000", "accept", "an option without padding"),
    ("longest", "a" * 64, "accept", "ids of strategies and portfolios are as long as this"),
    ("version", "growth-us_2024.v3", "accept", "a portfolio with a version"),
    ("uuid", "3f2b8c1e-7d64-4a0e-9c55-0d2f6f1f9b11", "accept", "a generated id"),
    ("index", "^GSPC", "accept?", "an index"),
    ("future", "ES=F", "accept?", "a future"),
    ("currency", "EURUSD=X", "accept?", "a currency pair"),
)

SYMBOLS = _rows(
    "symbols",
    ("slash", "BTC/USDT", "accept?", "a spot pair: the slash belongs to it"),
    ("slash-colon", "BTC/USDT:USDT", "accept?", "a swap: a slash and a colon"),
    ("dated", "BTC/USDT:USDT-240628-70000-C", "accept?", "an option on a pair"),
    ("exchange", "NASDAQ:AAPL", "accept?", "an exchange and a symbol"),
    ("continuous", "ES1!", "accept?", "a continuous future"),
    ("ampersand", "M&M.NS", "accept?", "an ampersand, which once broke the listing of a whole library"),
    ("star", "TSLA* MM Equity", "accept?", "a star that is no pattern"),
    ("spaces", "AAPL US Equity", "accept?", "single spaces"),
    ("two-spaces", "AAPL  240119C00190000", "accept?", "an option of 21 characters: both spaces count"),
    ("leading-dot", ".SPX", "accept?", "an index that a pattern for files does not match"),
    ("trailing-equals", "EUR=", "accept?", "a currency"),
    ("case", "BRKb.N", "accept?", "upper and lower case mean different things"),
    ("chain", "0#.FTSE", "accept?", "a chain of instruments"),
    ("leading-dot-slash", "./ESU24C4500", "accept?", "begins like a relative path"),
    ("at", "@ES#", "accept?", "a continuous future of another vendor"),
    ("dollar", "$SPX.X", "accept?", "not a variable of the shell"),
    ("bond", "T 4 1/4 11/15/34 Govt", "accept?", "a bond: slashes in fractions and dates"),
    ("device", "CON", "accept?", "a company, and a device of Windows"),
    ("printer", "PRN", "accept?", "a fund, and a device of Windows"),
    ("na", "NA", "accept?", "a bank, and what readers of tables take for nothing"),
    ("nan", "NAN", "accept?", "a fund, not a missing number"),
    ("true", "TRUE", "accept?", "a company, not a truth value"),
    ("on", "ON", "accept?", "a company, not a truth value of YAML"),
    ("null", "NULL", "accept?", "not nothing"),
    ("exponent", "1E5", "accept?", "not the number 100000"),
    ("month", "MAR", "accept?", "a hotel company, not a date"),
)

TRAVERSAL = _rows(
    "traversal",
    ("parent", "..", "reject", "the directory above"),
    ("one", "../x", "reject", "climbs once"),
    ("two", "{UP2}x", "reject", "climbs twice"),
    ("twelve", "{UP12}x", "reject", "climbs far"),
    ("hidden", "a/../../x", "reject", "climbs behind a component"),
    ("cancelled", "a/b/../../../x", "reject", "climbs after two components cancel out"),
    ("inside", "a/../x", "reject", "stays inside, and is another name for x"),
    ("dot-first", "./../x", "reject", "climbs after a dot"),
    ("doubled", "..//x", "reject", "climbs through a doubled separator"),
    ("nested", "....//x", "reject", "climbs once '../' has been removed from it"),
    ("nested-dot", "..././x", "reject", "the same with another remainder"),
    ("parameter", "..;/x", "reject", "the form of servers that drop parameters"),
    ("ends-above", "x/..", "reject", "is the root itself"),
    ("sibling", "../{NAME}-evil/x", "reject", "a sibling whose path begins like that of the root"),
    ("re-enters", "../{NAME}/x", "reject", "leaves and comes back: another name for x"),
    ("trailing", "x/", "reject", "ends in a separator"),
    ("repeated-one", "a//b", "contain", "must not be another name for a/b"),
    ("nested-key", "a/b", "contain", "a separator inside"),
    ("home", "~/x", "contain", "somebody's home"),
    ("variable", "$HOME/x", "contain", "an environment variable"),
)

SYSTEM = tuple(
    replace(row, read_only=True)
    for row in (
        *_rows(
            "absolute",
            ("root", "/", "reject", "the root of the file system"),
            ("double-slash", "//x", "reject", "absolute, by two slashes"),
            ("server", "//srv/share/x", "reject", "a share, written with slashes"),
            ("cwd", "/proc/self/cwd/x", "reject", "the working directory, through a link of the system"),
            ("null", "/dev/null", "reject", "a device: what is written there is gone"),
            ("stdin", "/dev/fd/0", "reject", "what the caller reads from"),
        ),
        *_rows("traversal", ("home-of-root", "~root/x", "contain", "the home of another user")),
        *_rows("symbols", ("leading-slash", "/ES", "accept?", "a future, and an absolute path")),
    )
)
"""Rows that name places of the real system; the harness asks for them, and never writes to them."""

ABSOLUTE = _rows(
    "absolute",
    ("outside", "{OUT}/x", "reject", "joining an absolute path drops what stood before it"),
    ("outside-doubled", "/{OUT}/x", "reject", "the same with one more slash"),
    ("inside", "{ROOT}/x", "reject", "absolute and inside: another name for x"),
    ("uri", "file://{OUT}/x", "reject", "a path as a URI"),
    ("fragment", "http:///#{UP4}x", "reject", "a path behind a fragment"),
    ("query", "http:///?{UP4}x", "reject", "a path behind a query"),
)

WINDOWS_PATHS = _rows(
    "windows-path",
    ("climb", "..\\x", "reject", "climbs on Windows"),
    ("hidden", "a\\..\\..\\x", "reject", "climbs behind a component"),
    ("mixed", "..\\/x", "reject", "both separators"),
    ("mixed-nested", "..../\\x", "reject", "both, and survives a removal"),
    ("drive", "C:\\x", "reject", "absolute"),
    ("drive-relative", "C:x", "contain", "relative to a drive; looks like an exchange and a symbol"),
    ("rooted", "\\x", "reject", "absolute on the current drive"),
    ("share", "\\\\srv\\share\\x", "reject", "a share"),
    ("verbatim", "\\\\?\\C:\\x", "reject", "a path that Windows takes as it stands"),
    ("pipe", "\\\\.\\pipe\\x", "reject", "a device"),
    ("separator", "a\\b", "contain", "a separator on Windows only"),
)

WINDOWS_NAMES = _rows(
    "windows-name",
    ("device-lower", "con", "contain", "a device in lower case"),
    ("null", "NUL", "contain", "a device that swallows writes"),
    ("null-suffix", "NUL.json", "contain", "a device in spite of its suffix"),
    ("device-space", "AUX ", "contain", "a device and a space"),
    ("port", "COM1", "contain", "a serial port"),
    ("port-superscript", "COM\u00b9", "contain", "a serial port, too"),
    ("port-suffixes", "LPT9.tar.gz", "contain", "a device with two suffixes"),
    ("console", "CONIN$", "contain", "the console"),
    ("device-last", "a/NUL", "contain", "a device as the last component"),
    ("device-stream", "NUL::x", "contain", "a device with a stream"),
    ("stream", "AAPL:evil", "contain", "a stream of the file AAPL"),
    ("default-stream", "AAPL::$DATA", "contain", "another name for AAPL"),
    ("trailing-dot", "AAPL.", "contain", "another name for AAPL"),
    ("trailing-space", "AAPL ", "contain", "another name for AAPL"),
    ("trailing-mixture", "AAPL . .", "contain", "another name for AAPL"),
    ("short", "AAPL~1", "contain", "a short name of some other file"),
    ("forbidden", 'a<b>c|d?e"f', "contain", "characters that Windows has no names with"),
    ("colon", "a:b", "contain", "a stream of the file a"),
)

DOTS = _rows(
    "dots",
    ("empty", "", "reject", "nothing: becomes the suffix, or the directory"),
    ("one", ".", "reject", "the directory itself"),
    ("three", "...", "contain", "two of them and the dot of a suffix"),
    ("apart", ". .", "contain", "two dots once spaces are dropped"),
    ("hidden", ".hidden", "contain", "a pattern for files does not match it"),
    ("suffix", ".json", "contain", "has no stem"),
    ("suffix-two", "..json", "contain", "begins with two dots"),
    ("blank", " ", "reject", "nothing once spaces are dropped"),
    ("suffixes", "a.b.c.json.json", "contain", "suffixes have to come off exactly as they were put on"),
)

CONTROL = _rows(
    "control",
    ("nul-last", "AAPL\x00", "reject", "the system stops reading at NUL"),
    ("nul-cuts", "../x\x00.json", "reject", "libraries in C stop reading at NUL"),
    ("nul", "\x00", "reject", "NUL alone; once broke the listing of libraries"),
    ("newline-last", "AAPL\n", "reject", "re.match with '$' lets it pass"),
    ("newline", "AA\nPL", "reject", "two lines of an index, manifest or log"),
    ("return", "AAPL\r", "reject", "forges a line of a log"),
    ("tab", "AAPL\t", "reject", "two columns of a manifest"),
    ("escape", "\x1b[2JAAPL", "reject", "clears the terminal that shows an error"),
    ("delete", "AA\x7fPL", "reject", "a control character beyond the printable ones"),
    ("next-line", "AA\x85PL", "reject", "str.splitlines() divides it"),
    ("line-separator", "AA\u2028PL", "reject", "str.splitlines() divides it"),
)

UNICODE = _rows(
    "unicode",
    ("fullwidth", "\uff0e\uff0e\uff0fx", "contain", "normalised it climbs"),
    ("two-dot-leader", "\u2025/x", "reject", "normalised it climbs, and the slash is real"),
    ("one-dot-leaders", "\u2024\u2024\u2215x", "contain", "normalised it begins with two dots"),
    ("fraction", "..\u2044x", "contain", "a slash that is none"),
    ("fullwidth-backslash", "..\uff3cx", "contain", "a backslash that is none"),
    ("account-of", "\u2100", "contain", "normalised it holds a slash"),
    ("big-solidus", "..\u29f8x", "contain", "a slash that is none"),
    ("composed", "\u00c9t\u00e9", "contain", "some file systems give it back decomposed"),
    ("decomposed", "E\u0301te\u0301", "contain", "the same to a reader, other characters"),
    ("joiner", "AA\u200dPL", "contain", "a character without width"),
    ("mark", "\ufeffAAPL", "contain", "the byte order mark of a table"),
    ("right-to-left", "AAPL\u202egpj.", "contain", "reads in another order"),
    ("lookalike", "\u0410\u0410\u0420L", "contain", "letters of another script"),
    ("wide", "\u65e5\u7d4c225", "contain", "three bytes for each character"),
    ("astral", "\U0001f680", "contain", "beyond the first plane"),
    ("no-break", "AAPL\u00a0", "contain", "str.strip() takes the space away"),
    ("surrogate", "\ud800", "reject", "half a character, which no file name can hold"),
    ("surrogate-byte", "AA\udcffPL", "reject", "a byte that is no text"),
)

URLS = _rows(
    "url",
    ("encoded", "%2e%2e%2fx", "contain", "climbs if somebody decodes it"),
    ("twice", "%252e%252e%252fx", "contain", "climbs if somebody decodes it twice"),
    ("mixed", "..%2fx", "contain", "half encoded"),
    ("overlong", "%c0%ae%c0%ae%c0%afx", "contain", "bytes that sloppy decoders accept"),
    ("percent-u", "%uff0e%uff0e%u2215x", "contain", "an encoding of one server"),
    ("nul", "%00", "contain", "NUL if somebody decodes it"),
    ("slash", "AAPL%2Fx", "contain", "must not be another name for AAPL/x"),
    ("percent", "%", "contain", "a decoder must not fail on it"),
    ("invalid", "%zz", "contain", "nor on this"),
    ("hexadecimal", "0x2e0x2e0x2fx", "contain", "climbs in a decoder of numbers"),
)

PATTERNS = _rows(
    "pattern",
    ("star", "*", "contain", "matches every file"),
    ("stars", "**", "contain", "matches every directory"),
    ("question", "?", "contain", "matches one character"),
    ("class", "[A-Z]*", "contain", "matches a range"),
    ("braces", "A{A,B}PL", "contain", "two words to a shell"),
    ("option", "-rf", "contain", "an option to a command"),
    ("substitution", "$(id)", "contain", "a command to a shell"),
    ("backticks", "`id`", "contain", "a command to a shell"),
    ("format", "{root.__class__}", "contain", "a field to str.format()"),
    ("percent-format", "%(x)s", "contain", "a field to the % operator"),
    ("sql", "'; DROP TABLE bars;--", "contain", "a statement"),
    ("partition", "symbol=AAPL", "contain", "a column to readers of partitioned data sets"),
    ("no-partition", "__HIVE_DEFAULT_PARTITION__", "contain", "nothing to readers of partitioned data sets"),
    ("underscore", "_AAPL", "contain", "a file that readers of data sets pass over"),
)

OWN_NAMES = _rows(
    "own-name",
    ("lock", ".lock", "contain", "a lock file"),
    ("manifest", "manifest", "contain", "a manifest"),
    ("index", "index.json", "contain", "an index"),
    ("temporary", "AAPL.tmp", "contain", "swept away by a recovery"),
    ("backup", "AAPL.bak", "contain", "overwritten by a backup"),
    ("suffix", "AAPL.json", "contain", "the file of AAPL"),
    ("suffix-temporary", "AAPL.json.tmp", "contain", "the temporary file of AAPL"),
    ("numbered", "AAPL.json.1", "contain", "an old version of AAPL"),
    ("corrupt", "AAPL.corrupt", "contain", "evidence about AAPL"),
    ("checksum", "AAPL.sha256", "contain", "the checksum of AAPL"),
    ("quarantine", "quarantine", "contain", "where evidence goes"),
    ("editor-backup", "AAPL~", "contain", "what an editor leaves"),
    ("editor-swap", ".AAPL.json.swp", "contain", "what an editor leaves"),
    ("cache", "__pycache__", "contain", "what tools leave"),
)

CORPUS: tuple[Identifier, ...] = (
    *(*ORDINARY, *SYMBOLS, *TRAVERSAL, *ABSOLUTE, *WINDOWS_PATHS, *WINDOWS_NAMES, *DOTS, *CONTROL),
    *(*UNICODE, *URLS, *PATTERNS, *OWN_NAMES, *SYSTEM),
)

_LONG = (1000, 5000, 70_000)


def generated(*, every_character: bool = False) -> Iterator[Identifier]:
    """Yield the rows that are made: around the limits of lengths, all depths, letters of either case, characters."""

    def rows(name: str, category: str, values: Iterator[str] | list[str], oracle: Oracle, reason: str) -> Any:
        return (
            Identifier(f"{category}-{name}-{number}", category, value, oracle, reason, value.startswith("/"))
            for number, value in enumerate(values)
        )

    near = (128, 200, 240, *range(244, 257))
    limit = "the name of a file has at most 255 bytes, those of its backup and temporary file too"
    yield from rows("ascii", "length", ["A" * n for n in near], "contain", limit)
    yield from rows("wide", "length", ["\u65e5" * n for n in (83, 84, 85, 86, 90)], "contain", limit)
    yield from rows("far", "length", ["A" * n for n in _LONG], "reject", "no file name is that long")
    yield from rows("slashes", "length", ["/" * n + "x" for n in (28, 84, 90)], "reject", "longer once encoded")
    yield from rows("path", "length", ["a/" * 2100 + "x"], "reject", "no path is that long")
    yield from rows("letters", "case", ["".join(c) for c in product("aA", "pP")], "contain", "case matters")
    yield from rows("depth", "traversal", ["../" * n + "x" for n in range(1, 13)], "reject", "climbs")
    down = ["a/" * n + "../" * (n + 1) + "x" for n in range(1, 6)]
    yield from rows("down-up", "traversal", down, "reject", "goes down before it climbs")
    if every_character:
        alone = [chr(n) for n in range(0x180)]
        inside = ["A" + chr(n) + "B" for n in (*range(0x100), 0x200B, 0x2028, 0xFEFF, 0xFFFE, 0xFFFF)]
        yield from rows("alone", "character", alone, "contain", "a single character")
        yield from rows("inside", "character", inside, "contain", "a character between two letters")


@dataclass(frozen=True, slots=True)
class Group:
    """Different identifiers that some mapping to file names takes for one."""

    id: str
    members: tuple[str, ...]
    reason: str


GROUPS: tuple[Group, ...] = tuple(
    Group(*row)
    for row in (
        (
            "separators",
            ("BTC/USDT", "BTC_USDT", "BTC-USDT", "BTC:USDT", "BTCUSDT", "BTC USDT", "BTC\\USDT"),
            "separators replaced or dropped",
        ),
        ("case", ("AAPL", "aapl", "Aapl"), "a file system that ignores case, or upper() in the store"),
        ("case-class", ("BRKb.N", "BRKB.N"), "case is part of the symbol"),
        ("normal-forms", ("\u00c9t\u00e9", "E\u0301te\u0301"), "one text in two normal forms"),
        ("angstrom", ("\u212b", "\u00c5", "A\u030a"), "three ways to write one letter"),
        ("kelvin", ("K", "\u212a"), "in lower case both are k"),
        ("ligature", ("\ufb01x", "fix", "FIX"), "one letter for two"),
        ("sharp-s", ("stra\u00dfe", "strasse"), "case folding writes it as two letters"),
        ("dotless-i", ("\u0131", "i", "I", "\u0130"), "the letters i of Turkish"),
        ("blanks", ("AAPL", "AAPL ", "AAPL.", "AAPL\u00a0", " AAPL"), "strip(), and Windows"),
        ("normalised-paths", ("AAPL", "./AAPL", "AAPL/.", "x/../AAPL", "AAPL/"), "one path after normpath()"),
        ("repeated-separators", ("a/b", "a//b", "a/./b", "a%2Fb", "a%2fb"), "separators, real and encoded"),
        ("file-and-directory", ("A", "A/B", "A/B/C"), "a file where a directory has to be"),
        (
            "own-files",
            (
                *("AAPL", "AAPL.json", "AAPL.json.tmp", "AAPL.bak", "AAPL.json.bak", "AAPL.json.1", "AAPL.corrupt"),
                *("AAPL.sha256", "AAPL.parquet"),
            ),
            "the files that a store keeps about AAPL",
        ),
        ("numbers", ("1", "01", "1.0", "1e0", "True"), "equal as numbers"),
        ("cut", ("A" * 300 + "x", "A" * 300 + "y"), "equal once they are cut"),
        ("nothing", ("NA", "", "nan", "None", "null"), "nothing, to readers of tables"),
        ("zeros", ("005930.KS", "5930.KS"), "equal without leading zeros"),
        ("encoded-letter", ("%41APL", "AAPL"), "equal once decoded"),
        ("base64", ("AAG", "AAa"), "equal in base64 where case is ignored"),
        ("devices", ("CON", "CON_", "_CON"), "a device name made harmless by an affix"),
    )
)

COMPOSITES: tuple[tuple[str, tuple[tuple[str, ...], ...], str], ...] = (
    ("concatenated", (("usd", "trst"), ("usdt", "rst")), "parts written one after the other"),
    ("underscore", (("a_b", "c"), ("a", "b_c")), "parts joined by '_'"),
    ("dash", (("BTC-USD", "1h"), ("BTC", "USD-1h")), "parts joined by '-'"),
    ("slash", (("BTC/USDT", "1h"), ("BTC", "USDT/1h")), "parts joined by '/'"),
    ("minute-month", (("AAPL", "1m"), ("AAPL", "1M")), "a minute and a month, where case is ignored"),
    ("empty", (("a", ""), ("", "a"), ("a",)), "a part that is empty"),
    ("climbs", (("..", "x"), ("x", "..")), "one part climbs: every part is an identifier"),
    ("colons", (("2024-01-02T15:30", "x"), ("2024-01-02T15_30", "x")), "colons replaced"),
)
"""Keys of several parts that some way of joining them takes for one: name, keys, reason."""


class Disguised(str):
    """Text that prints and formats as something else than it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "../x"

    def __format__(self, _: str) -> str:
        return "../x"


@dataclass(frozen=True, slots=True)
class Other:
    """A value that is no text: what it is called, what makes it, and the text it must not be confused with."""

    id: str
    make: Callable[[], Any]
    spelled: str


NO_TEXT: tuple[Other, ...] = (
    Other("None", lambda: None, "None"),
    Other("0", lambda: 0, "0"),
    Other("1", lambda: 1, "1"),
    Other("True", lambda: True, "True"),
    Other("nan", lambda: float("nan"), "nan"),
    Other("b'AAPL'", lambda: b"AAPL", "AAPL"),
    Other("PurePosixPath('../x')", lambda: PurePosixPath("../x"), "../x"),
    Other("['AAPL']", lambda: ["AAPL"], "['AAPL']"),
    Other("('..', 'x')", lambda: ("..", "x"), "('..', 'x')"),
    Other("a str that prints as '../x'", lambda: Disguised("AAPL"), "AAPL"),
)


def filled(template: str, root: str, out: str) -> str:
    """Return a row's value with the paths of a run in it: ``out`` is a directory outside of ``root``."""
    if "{" not in template:
        return template
    value = template.replace("{OUT}", out).replace("{ROOT}", root).replace("{NAME}", root.rpartition("/")[2])
    for count in (2, 4, 12):
        value = value.replace("{UP%d}" % count, "../" * count)  # noqa: UP031 - braces
    return value
