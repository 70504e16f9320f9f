"""A store is named in whatever configuration a project has, and nothing else of it changes."""

import configparser
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tradestore.adopting.project import named_in
from pytest_tradestore.errors import ConfigurationError

STORE = "new=acme:Store"
TOML = {
    "no-table": ('[project]\nname = "acme"  # ours\n', ("tool", "pytest")),
    "a-table": ('[tool.pytest]\nminversion = "9.0"\n[tool.other]\nx = 1\n', ("tool", "pytest")),
    "the-older-table": ('[tool.pytest.ini_options]\naddopts = "-q"\n', ("tool", "pytest", "ini_options")),
    "other-stores": ('[tool.pytest]\ntradestore_stores = ["a=b:C"]\nx = [\n  "[y]",\n]\n', ("tool", "pytest")),
    "in-lines-with-comments": (
        '[tool.pytest]\ntradestore_stores = [\n  "a=b:C",  # the oldest\n  # "d=e:F",\n]\n',
        ("tool", "pytest"),
    ),
    "an-empty-list": ("[tool.pytest]\ntradestore_stores = []\n", ("tool", "pytest")),
    "no-last-line-end": ("[tool.black]\nline-length = 100", ("tool", "pytest")),
    "windows-line-ends": ("[tool.black]\r\nx = 1\r\n", ("tool", "pytest")),
    "a-key-in-a-text": ('[tool.x]\ny = """\n[tool.pytest]\n"""\n', None),
    "an-inline-table": ('[tool]\npytest = {minversion = "9.0"}\n', None),
}


def table_of(read, names):
    for name in names:
        read = read.setdefault(name, {})
    return read


@pytest.mark.parametrize(("before", "names"), TOML.values(), ids=list(TOML))
def test_in_a_pyproject(tmp_path, before, names):
    path = tmp_path / "pyproject.toml"
    path.write_bytes(before.encode())

    if names is None:
        with pytest.raises(ConfigurationError, match=r"left as it is.*add \"new=acme:Store\" to tradestore_stores"):
            named_in(path, tmp_path, STORE)
        return
    change, _ = named_in(path, tmp_path, STORE)
    change.write()

    after, wanted = tomllib.loads(path.read_text()), tomllib.loads(before.replace("\r\n", "\n"))
    assert sorted(table_of(after, names).pop("tradestore_stores")) == sorted(
        [*table_of(wanted, names).pop("tradestore_stores", []), STORE]
    )
    assert after == wanted
    assert [line for line in before.split("\n") if "#" in line and line not in path.read_bytes().decode()] == []
    assert ("\r\n" in before) == (b"\r\n" in path.read_bytes())


INI = {
    "pytest.ini": "[pytest]\naddopts = -q\n",
    "tox.ini": "[tox]\nenvlist = py\n\n[pytest]\ntradestore_stores =\n    a=b:C\nminversion = 9\n",
    "setup.cfg": "[metadata]\nname = acme\n\n[tool:pytest]\ntradestore_stores = a=b:C\n[x]\ny = 1\n",
}


@pytest.mark.parametrize(("name", "before"), INI.items(), ids=list(INI))
def test_in_an_ini_file(tmp_path, name, before):
    path = tmp_path / name
    path.write_text(before)
    section = "tool:pytest" if name == "setup.cfg" else "pytest"

    change, where = named_in(path, tmp_path, STORE)
    change.write()

    after, old = configparser.RawConfigParser(), configparser.RawConfigParser()
    after.read_string(path.read_text())
    old.read_string(before)
    stores = after[section].pop("tradestore_stores").split()
    assert (where, stores) == (f"[{section}]", [STORE, *old[section].pop("tradestore_stores", "").split()])
    assert {name: dict(after[name]) for name in after} == {name: dict(old[name]) for name in old}


VALUES = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.text(st.sampled_from("ab[]#\"'= \n"), max_size=6)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
TABLES = st.dictionaries(
    st.sampled_from(["tool.pytest", "tool.x", "project", "tool.pytest.ini_options"]), st.lists(VALUES)
)


def as_toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, list):
        return "[\n" + "".join(f"  {as_toml(one)},\n" for one in value) + "]"
    return str(value)


@given(TABLES)
def test_whatever_else_stands_there_is_the_same_afterwards(tmp_path_factory, tables):
    lines = [
        line
        for name, values in tables.items()
        for line in (f"[{name}]", *(f"key{number} = {as_toml(value)}" for number, value in enumerate(values)))
    ]
    path = tmp_path_factory.mktemp("project") / "pyproject.toml"
    path.write_text("\n".join(lines))

    try:
        change, _ = named_in(path, path.parent, STORE)
    except ConfigurationError:
        return  # told to do it by hand
    names = ("tool", "pytest", "ini_options") if "tool.pytest.ini_options" in tables else ("tool", "pytest")
    after = tomllib.loads(change.text)
    assert table_of(after, names).pop("tradestore_stores") == [STORE]
    wanted = tomllib.loads("\n".join(lines))
    table_of(wanted, names)
    assert after == wanted
