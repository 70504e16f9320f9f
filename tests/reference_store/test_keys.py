"""The identifier codec: what it refuses, and that no two accepted identifiers ever share a file."""

import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import InvalidIdentifier
from reference_store.core import keys
from reference_store.core.listing import Listing

ORDINARY = [
    "AAPL",
    "BRK.B",
    "BF-B",
    "005930.KS",
    "600519",
    "BTC-USD",
    "^GSPC",
    "ES=F",
    "EURUSD=X",
    "SPY240119C00475000",
]
ORDINARY += ["a" * 64, "growth-us_2024.v3", "3f2b8c1e-7d64-4a0e-9c55-0d2f6f1f9b11", "2024-01-02"]

LOOKS_HOSTILE_BUT_TRADES = [
    "BTC/USDT",
    "BTC/USDT:USDT",
    "NASDAQ:AAPL",
    "ES1!",
    "M&M.NS",
    "TSLA* MM Equity",
    "AAPL US Equity",
]
LOOKS_HOSTILE_BUT_TRADES += [
    "AAPL  240119C00190000",
    ".SPX",
    "EUR=",
    "BRKb.N",
    "0#.FTSE",
    "/ES",
    "./ESU24C4500",
    "@ES#",
]
LOOKS_HOSTILE_BUT_TRADES += ["$SPX.X", "T 4 1/4 11/15/34 Govt", "CON", "PRN", "NA", "NAN", "TRUE", "ON", "NULL", "1E5"]

CONTAINED = [
    "~/x",
    "$HOME/x",
    "a/b",
    "C:x",
    "a\\b",
    "con",
    "NUL.json",
    "AUX ",
    "COM\u00b9",
    "LPT9.tar.gz",
    "a/NUL",
    "NUL::x",
]
CONTAINED += ["AAPL::$DATA", "AAPL.", "AAPL ", "AAPL~1", 'a<b>c|d?e"f', "...", ". .", ".hidden", ".json", "..json"]
CONTAINED += [
    "a.b.json.json",
    "\u2100",
    "\u00c9t\u00e9",
    "AA\u200dPL",
    "\ufeffAAPL",
    "AAPL\u202egpj.",
    "\U0001f680",
    "%00",
]
CONTAINED += [
    "%2e%2e%2fx",
    "%",
    "%zz",
    "*",
    "[A-Z]*",
    "-rf",
    "$(id)",
    "%(x)s",
    "_AAPL",
    "__pycache__",
    ".lock",
    "manifest",
]
CONTAINED += [
    "AAPL.tmp",
    "AAPL.json.bak",
    "AAPL.json.tmp",
    "quarantine",
    ".tmp-0011223344556677",
    ".damaged-0-AAPL.json",
]

REFUSED = {
    "empty": "",
    "blank": "  ",
    "no-break-blank": "\u00a0",
    "this-directory": ".",
    "parent": "..",
    "climbs": "../x",
    "climbs-far": "../" * 12 + "x",
    "climbs-behind-a-component": "a/../../x",
    "cancels-out": "a/../x",
    "dot-then-dotdot": "./../x",
    "doubled-separator": "a//b",
    "survives-one-replace": "....//x",
    "survives-one-replace-too": "..././x",
    "matrix-parameter": "..;/x",
    "ends-in-the-parent": "x/..",
    "ends-in-a-separator": "x/",
    "dot-in-the-middle": "a/./b",
    "dots-and-spaces-for-windows": "a/.. /x",
    "root-of-all": "/",
    "double-slash": "//x",
    "absolute": "/srv/data/x",
    "device": "/dev/null",
    "uri": "file:///srv/x",
    "fragment-smuggles-a-path": "http:///#../../x",
    "backslash-climb": "..\\x",
    "mixed-separators": "..\\/x",
    "drive": "C:\\x",
    "drive-with-slash": "C:/x",
    "current-drive": "\\x",
    "unc": "\\\\srv\\share\\x",
    "verbatim": "\\\\?\\C:\\x",
    "compatibility-form-climbs": "\u2025/x",
    "fullwidth-climb": "\uff0e\uff0e\uff0fx",
    "nul": "AAPL\0",
    "newline-at-the-end": "AAPL\n",
    "tab": "AA\tPL",
    "escape": "\x1b[2JAAPL",
    "delete": "AA\x7fPL",
    "c1": "AA\x85PL",
    "line-separator": "AA\u2028PL",
    "paragraph-separator": "AA\u2029PL",
    "lone-surrogate": "\ud800",
    "undecodable-byte": "AA\udcffPL",
    "too-long": "A" * 201,
    "far-too-long": "A" * 70_000,
    "too-long-when-encoded": "\u65e5" * 30,
}


class Disguised(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "../x"


NOT_TEXT = [None, 0, 1, True, float("nan"), b"AAPL", ["AAPL"], ("..", "x"), Disguised("AAPL")]

COLLISIONS = [
    ["BTC/USDT", "BTC_USDT", "BTC-USDT", "BTC:USDT", "BTCUSDT", "BTC USDT", "BTC\\USDT"],
    [
        "AAPL",
        "aapl",
        "Aapl",
        "aAPL",
        "AAPL ",
        "AAPL.",
        " AAPL",
        "AAPL\u00a0",
        "./AAPL",
        "%41APL",
        "\u0410\u0410\u0420L",
    ],
    ["BRKb.N", "BRKB.N", "brkb.n"],
    ["\u00c9t\u00e9", "E\u0301te\u0301", "\u212b", "\u00c5", "A\u030a", "K", "\u212a", "k"],
    ["\ufb01x", "fix", "FIX", "stra\u00dfe", "strasse", "\u0131", "i", "I", "\u0130"],
    ["A", "A/B", "A/B/C", "a/b", "a%2Fb", "a%2fb", "A%2FB"],
    ["AAPL.json", "AAPL.json.tmp", "AAPL.bak", "AAPL.json.bak", "AAPL.json.1", "AAPL.corrupt", "AAPL.jsonl"],
    ["1", "01", "1.0", "1e0", "True", "nan", "NaN", "None", "null"],
    ["CON", "CON_", "_CON", "con", "%43ON", "AAG", "AAa", "a+", "a+1", "A+", "a", "A"],
]

printable = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from("aAbB.%+-_/ iI"),
    min_size=1,
    max_size=40,
)


def accepted(identifier: str) -> bool:
    try:
        keys.encode(identifier)
    except InvalidIdentifier:
        return False
    return True


def as_seen_by_forgiving_file_systems(name: str) -> set[str]:
    return {
        name.casefold(),
        unicodedata.normalize("NFC", name).casefold(),
        unicodedata.normalize("NFKD", name).upper(),
        name.rstrip(". ").lower(),
    }


@pytest.mark.parametrize("identifier", ORDINARY + LOOKS_HOSTILE_BUT_TRADES + CONTAINED)
def test_a_tradable_or_harmless_identifier_is_accepted_and_comes_back_exactly(identifier: str) -> None:
    assert keys.decode(keys.encode(identifier)) == identifier


@pytest.mark.parametrize("identifier", REFUSED.values(), ids=list(REFUSED))
def test_an_identifier_that_means_something_to_a_file_system_is_refused(identifier: str) -> None:
    with pytest.raises(InvalidIdentifier) as refusal:
        keys.encode(identifier)

    assert refusal.value.identifier == identifier
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("value", NOT_TEXT, ids=lambda value: type(value).__name__)
def test_only_an_exact_str_is_an_identifier(value: object) -> None:
    with pytest.raises(InvalidIdentifier, match="not exactly a str"):
        keys.encode(value)  # type: ignore[arg-type]


def test_ordinary_symbols_are_their_own_file_names() -> None:
    assert [keys.encode(symbol) for symbol in ("AAPL", "BRK.B", "005930.KS", "BTC-USD")] == [
        "AAPL",
        "BRK.B",
        "005930.KS",
        "BTC-USD",
    ]


@pytest.mark.parametrize("group", COLLISIONS, ids=lambda group: group[0])
def test_identifiers_that_naive_mappings_merge_stay_apart_on_every_file_system(group: list[str]) -> None:
    seen: dict[str, str] = {}
    for identifier in filter(accepted, group):
        for name in as_seen_by_forgiving_file_systems(keys.encode(identifier)):
            assert seen.setdefault(name, identifier) == identifier


def test_control_without_the_case_marker_they_would_merge() -> None:
    assert keys.encode("AAPL").partition("+")[0].lower() == keys.encode("aapl").partition("+")[0].lower()


@pytest.mark.parametrize("name", ["CON", "con", "NUL.json", "aux.x.y", "COM1", "lpt9", "Prn"])
def test_no_file_is_called_like_a_windows_device(name: str) -> None:
    assert keys.encode(name).startswith("%")


@pytest.mark.parametrize(
    "name", ["A%2fB", "%41APL", "AAPL+", "AAPL+0", "aapl", "aapl+f", "BRKb.N+02", ".lock", "a b", "", "+"]
)
def test_a_name_that_the_codec_never_makes_is_no_identifier(name: str) -> None:
    assert keys.decode(name) is None


@given(printable)
def test_whatever_is_accepted_comes_back_exactly(identifier: str) -> None:
    if accepted(identifier):
        name = keys.encode(identifier)

        assert keys.decode(name) == identifier
        assert name.isascii()
        assert name[0] not in ".-_"
        assert not name.endswith((".", " "))
        assert len(name) <= keys.LONGEST_NAME


@given(printable, printable)
def test_two_identifiers_never_share_a_file_even_where_case_is_ignored(one: str, other: str) -> None:
    if one != other and accepted(one) and accepted(other):
        assert keys.encode(one).lower() != keys.encode(other).lower()


@given(printable, st.data())
def test_a_change_of_case_is_another_file(identifier: str, data: st.DataObject) -> None:
    flips = data.draw(st.lists(st.booleans(), min_size=len(identifier), max_size=len(identifier)))
    changed = "".join(char.swapcase() if flip else char for char, flip in zip(identifier, flips, strict=True))
    if changed != identifier and accepted(identifier) and accepted(changed):
        assert keys.encode(identifier).casefold() != keys.encode(changed).casefold()


@given(st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9._%+-]{1,12}", fullmatch=True))
def test_only_names_that_encode_to_themselves_are_listed(name: str) -> None:
    identifier = keys.decode(name)

    assert identifier is None or keys.encode(identifier) == name


@given(st.text(max_size=60))
def test_any_text_is_accepted_or_refused_in_order(text: str) -> None:
    accepted(text)


@given(st.text(alphabet="aAbB0.-_+%C/O N1\u00e9", min_size=1, max_size=12))
def test_only_the_name_of_an_identifier_is_read_as_one(text: str) -> None:
    """Whatever stands in a directory: names without anything escaped take a shorter way."""
    identifier = keys.decode(text)

    assert identifier is None or keys.encode(identifier) == text
    try:
        name = keys.encode(text)
    except InvalidIdentifier:
        return
    assert keys.decode(name) == text


@pytest.mark.parametrize(
    "name", ["CON", "con+", "NUL.txt+", "A.", "A" * 201, "a", "A+", "Aa+", "Aa+3", "Aa+01", "aA+02"]
)
def test_a_plain_name_that_no_identifier_has_is_none(name: str) -> None:
    assert keys.decode(name) is None


PIECES = st.sampled_from([*"Ab_.-+/é\n\r", "Z9", "%2F", "%2f", "%41", "%25", "+2", "+a", "CON", "nul", "COM1", ".bak"])
FILES = st.lists(
    st.tuples(st.lists(PIECES, max_size=6), st.sampled_from(["", ".json", ".json.bak", ".jsonl", ".JSON"])).map(
        lambda parts: "".join(parts[0]) + parts[1]
    ),
    max_size=12,
)


@given(FILES, st.sampled_from([("",), (".json", ".json.bak"), (".jsonl",)]))
def test_many_names_are_decoded_as_each_of_them_is(files: list[str], suffixes: tuple[str, ...]) -> None:
    one_by_one = {
        keys.decode(name[: len(name) - len(suffix)]) for name in files for suffix in suffixes if name.endswith(suffix)
    }
    assert keys.decode_all(files, suffixes) == one_by_one - {None}


@given(st.lists(st.text("AZaz09._-/%+ é", min_size=1, max_size=8), max_size=8))
def test_all_identifiers_that_are_accepted_are_found_among_the_names(identifiers: list[str]) -> None:
    names = {}
    for identifier in identifiers:
        with suppress(InvalidIdentifier):
            names[identifier] = keys.encode(identifier) + ".json"
    assert keys.decode_all([*names.values(), "README.md", ".lock"], (".json",)) == set(names)


def test_names_as_long_as_they_may_be_are_found_too() -> None:
    for identifier in ("A" * 200, "a" * 199, "A" * 193 + "/" + "B" * 4, "A" * 201):
        with suppress(InvalidIdentifier):
            assert keys.decode_all([keys.encode(identifier)]) == {identifier}
    assert keys.decode_all(["A" * 201, "a" * 200 + "+"]) == set()


@given(st.lists(st.lists(st.sampled_from("ABCDEFabcdé"), max_size=9, unique=True), max_size=5), st.booleans())
def test_each_listing_has_what_is_there_then_whatever_was_there_before(
    listings: list[list[str]], with_backups: bool
) -> None:
    listing = Listing((".json", ".json.bak"))
    for identifiers in listings:
        files = [".lock", "README", *(keys.encode(each) + ".json" for each in identifiers)]
        files += [keys.encode(each) + ".json.bak" for each in identifiers[::2]] if with_backups else []
        assert listing.identifiers(files) == sorted(identifiers)


def test_of_many_names_only_the_new_ones_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Listing()
    listing.identifiers([f"K{number}" for number in range(1000)])
    decoded: list[str] = []
    real = keys.decode_all
    monkeypatch.setattr(keys, "decode_all", lambda files, suffixes: decoded.extend(files) or real(files, suffixes))

    found = listing.identifiers(["J", *(f"K{number}" for number in range(1, 1000))])

    assert found == sorted(["J", *(f"K{number}" for number in range(1, 1000))])
    assert sorted(decoded) == ["J", "K0"]


def test_what_a_caller_does_to_a_listing_changes_no_other_one() -> None:
    listing = Listing()
    listing.identifiers(["A", "B"]).clear()
    assert listing.identifiers(["A", "B"]) == ["A", "B"]
