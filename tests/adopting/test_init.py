"""``--tradestore-init``: for which classes it finds a way, what it writes, and what it says where there is none."""

import subprocess
import sys

import pytest

STORES = '''
import fcntl
import json
import os
from pathlib import Path


class Portfolio:
    def __init__(self, root: Path):
        self.file = root / "p.json"

    def save(self, data):
        self.file.write_text(json.dumps(data))

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}


class Other:
    """The same methods, and a file by a keyword."""

    def __init__(self, *, filename: str, cache_size=10):
        self.file = Path(filename)

    save, load = Portfolio.save, Portfolio.load


class ByUrl:
    """Asynchronous, opened late, by a URL, with text for values."""

    def __init__(self, url: str):
        self.path, self.ready = url.removeprefix("sqlite:///"), False

    async def connect(self):
        os.makedirs(self.path, exist_ok=True)
        self.ready = True

    async def set_value(self, key, value: str):
        assert self.ready and isinstance(value, str)
        Path(self.path, key).write_text(value)

    async def get_value(self, key):
        path = Path(self.path, key)
        return path.read_text() if path.exists() else None

    async def close(self):
        pass


class Mapping:
    """A mapping of bytes that raises where there is nothing, and writes when it is told to."""

    def __init__(self, path):
        self.path = path
        self.items = json.loads(Path(path).read_text()) if os.path.exists(path) else {}

    def __setitem__(self, key, value):
        self.items[key.decode()] = value.decode()

    def __getitem__(self, key):
        return self.items[key.decode()].encode()

    def sync(self):
        Path(self.path).write_text(json.dumps(self.items))


class Here:
    """Takes nothing, and writes to the working directory."""

    def append_record(self, record):
        with open("log", "a") as file:
            file.write(json.dumps(record) + "\\n")

    def read_all(self):
        with open("log") as file:
            return [json.loads(line) for line in file]


class Rows:
    """Rows of one table that are found by a function, as in TinyDB: a log too, if one likes."""

    def __init__(self, path):
        self.path = Path(path)

    def all(self):
        return json.loads(self.path.read_text()) if self.path.exists() else []

    def insert(self, row):
        self.path.write_text(json.dumps([*self.all(), row]))

    def upsert(self, row, which):
        self.path.write_text(json.dumps([*(other for other in self.all() if not which(other)), row]))

    def get(self, which=None, number=None):
        return next((row for row in self.all() if which(row)), None)

    def remove(self, which=None):
        self.path.write_text(json.dumps([row for row in self.all() if not which(row)]))


class Collection:
    """Rows that are found by an example, as in MongoDB and what is like it; what it lacks it says in its own way."""

    def __init__(self, path):
        self.path = Path(path)

    def __getattr__(self, name):
        if name.startswith("__"):
            return Collection(self.path.with_name(name))
        raise NotImplementedError(f"there is no {name} and there will be none")

    def find(self, example=None):
        rows = json.loads(self.path.read_text()) if self.path.exists() else []
        return [row for row in rows if not example or example.items() <= row.items()]

    def find_one(self, example):
        return next(iter(self.find(example)), None)

    def replace_one(self, example, row, upsert=False):
        found = self.find_one(example)
        if found or upsert:
            self.path.write_text(json.dumps([*(other for other in self.find() if other != found), row]))

    def delete_one(self, example):
        found = self.find_one(example)
        self.path.write_text(json.dumps([other for other in self.find() if other != found]))


class Environment:
    pass


class ByMethod:
    """Made of an open environment by its constructor, and of a path by another method."""

    def __init__(self, environment: Environment, growing: bool):
        assert isinstance(environment, Environment)
        self.growing = growing

    @classmethod
    def open(cls, file: str, flag: str = "r"):
        if flag != "c":
            raise FileNotFoundError(file)
        made = cls(Environment(), growing=True)
        made.file = Path(file)
        return made

    save, load = Portfolio.save, Portfolio.load


class OnlyAnEnvironment(ByMethod):
    open = None


class Entered:
    """Has its methods only once it was entered, as an asynchronous context manager; those are not awaited."""

    def __init__(self, path: str):
        self.path, self.inner = path, None

    def __getattr__(self, name):
        if self.__dict__.get("inner") is None:
            raise RuntimeError("not open yet")
        return getattr(self.inner, name)

    async def __aenter__(self):
        self.inner = Other(filename=self.path)
        return self

    async def __aexit__(self, *_):
        self.inner = None

    def close(self):
        raise TypeError("use it as an asynchronous context manager")


class EnteredPlainly(Entered):
    """The same, as a plain context manager that gives something else."""

    def __enter__(self):
        return Other(filename=self.path)

    def __exit__(self, *_):
        pass

    __aenter__ = None


class Waits(Portfolio):
    """Keeps its lock as long as it is open, so that a second one waits for ever."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.held = open(root / "lock", "w")
        fcntl.flock(self.held, fcntl.LOCK_EX)

    def close(self):
        self.held.close()

    def write(self, data):
        Portfolio.save(self, data)

    save = None


class Queue:
    def __init__(self, directory):
        self.file = Path(directory, "queue")
        self.items = json.loads(self.file.read_text()) if self.file.exists() else []

    def put(self, item):
        self.items.append(item)
        self.file.write_text(json.dumps(self.items))

    def get_nowait(self):
        item = self.items.pop(0)
        self.file.write_text(json.dumps(self.items))
        return item


class HalfBars:
    def __init__(self, data_dir):
        pass

    def write_bars(self, symbol, bars):
        pass


class Ledger:
    def __init__(self, path, currency):
        pass

    def deposit(self, owner, amount):
        pass

    def balance(self, owner):
        return 0


class Client:
    def __init__(self, path):
        pass

    def list_collection_names(self):
        return []

    def drop_collection(self, name):
        pass


class Raises:
    def __init__(self, path):
        raise RuntimeError("no licence")


class Hangs:
    def __init__(self, path):
        import threading

        threading.Event().wait()


class Bare:
    def __init__(self, path):
        pass


number = 7
'''


@pytest.fixture
def init(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(acme=STORES)
    pytester.makepyfile(boom="raise RuntimeError('boom')")

    def run(what, *arguments):
        return pytester.runpytest(f"--tradestore-init={what}", *arguments)

    return run


def written(pytester):
    return {path.name: path.read_text() for path in pytester.path.glob("tradestore_*.py")}


def untidy(pytester):
    """Return what ruff has to say of the files that were written, with its own settings and those for types."""
    paths = list(pytester.path.glob("tradestore_*.py"))
    said = ""
    for asked in (["format", "--diff"], ["check", "--select", "E,F,I,UP,B,RUF,ANN0,ANN2", "--output-format=concise"]):
        command = [sys.executable, "-m", "ruff", *asked, "--isolated", "--quiet", *paths]
        said += subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return said


WORKS = {
    "Other": "document: save, load",
    "ByUrl": "documents: put, get",
    "Mapping": "documents: put, get",
    "Here": "journal: append, read",
    "Rows": "documents: put, get, delete, keys",
    "Collection": "documents: put, get, delete, keys",
    "ByMethod": "document: save, load",
    "Entered": "document: save, load",
    "EnteredPlainly": "document: save, load",
    "Queue": "a queue, by a kit of its own: put, take, waiting",
}


@pytest.mark.parametrize(("name", "contract"), WORKS.items(), ids=list(WORKS))
def test_an_adapter_is_found_and_works(pytester, init, name, contract):
    result = init(f"acme:{name}")

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"  contract    {contract}", "  first use   written, read, reopened and read again*"])
    result.stdout.fnmatch_lines(["Next: pytest --tradestore-conformance tradestore/*"])
    (text,) = written(pytester).values()
    assert len(text.splitlines()) <= 70
    assert untidy(pytester) == ""


def test_a_store_of_which_a_second_one_waits_is_claimed_to_be_alone(pytester, init):
    result = init("acme:Waits")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["  contract    document: save, load"])
    (text,) = written(pytester).values()
    assert 'tradestore_claims = ("single-instance",)' in text


def test_control_one_of_which_there_may_be_two_is_not(pytester, init):
    init("acme:Other")

    (text,) = written(pytester).values()
    assert "tradestore_claims" not in text


def test_what_else_it_could_be_is_named_with_what_would_change_it(pytester, init):
    result = init("acme:Rows")

    result.stdout.fnmatch_lines(
        ["  or as       journal: insert, all (the stream stands beside each record); --tradestore-contract journal"]
    )


def test_control_with_that_it_is(pytester, init):
    result = init("acme:Rows", "--tradestore-contract=journal")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["  contract    journal: append, read"])
    result.stdout.no_fnmatch_line("  or as *")


def test_a_contract_that_nothing_works_as_is_begun_if_it_is_asked_for(pytester, init):
    result = init("acme:Ledger", "--tradestore-contract", "documents")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["  contract    documents: put, get", "*nothing that it has works as put() and get()"])
    assert untidy(pytester) == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--tradestore-init=acme:Rows", "--tradestore-contract=rows"],
            "*there is no contract 'rows'; there are document,*",
        ),
        (["--tradestore-contract=journal"], "*does nothing without --tradestore-init*"),
    ],
    ids=["unknown", "alone"],
)
def test_a_contract_that_cannot_be_meant_gets_one_sentence(pytester, init, arguments, sentence):
    result = pytester.runpytest(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])


def test_a_store_that_is_opened_as_the_suite_does_needs_no_adapter(pytester, init):
    result = init("acme:Portfolio")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["  adapter     none is needed"])
    assert written(pytester) == {}
    assert (pytester.path / "pytest.toml").read_text() == '[pytest]\ntradestore_stores = ["portfolio=acme:Portfolio"]\n'


def test_the_command_that_is_named_next_asks_that_store(pytester, init):
    init("acme:Portfolio")
    named = init("acme:Other").outlines[-1].removeprefix("Next: pytest ").split()

    collected = pytester.runpytest(*named, "--tradestore-recorder=fake", "--collect-only", "-q")

    ids = [line for line in collected.outlines if "[" in line]
    assert ids and all(one.startswith("tradestore/other/") for one in ids)


def test_a_contract_that_is_half_there_is_named_with_what_is_missing(pytester, init):
    result = init("acme:HalfBars")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["*nearest is bars, for which it lacks read_bars()"])
    result.stdout.fnmatch_lines(["  TODO        tradestore_half_bars.py:*return the bars from start to end*"])
    assert untidy(pytester) == ""


def test_where_nothing_fits_a_kit_of_its_own_methods_is_begun_and_asks_nothing_before_it_is_finished(pytester, init):
    result = init("acme:Ledger")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["  contract    a kit, LedgerKit", "*say what balance() shows*"])
    (text,) = written(pytester).values()
    assert 'required = ("deposit", "balance")' in text and 'Call("deposit", ("AAPL", number))' in text
    assert "TODO: say what currency should be." in text
    assert untidy(pytester) == ""


def test_of_a_client_of_collections_it_is_said_that_one_of_these_may_be_meant(pytester, init):
    init("acme:Client").stdout.fnmatch_lines(["*name a function that opens one of these, def open_store(root: Path)"])


def test_control_of_what_holds_no_others_it_is_not(pytester, init):
    assert "name a function" not in init("acme:Ledger").stdout.str()


SENTENCES = {
    "acme:Raises": "*could not be opened on a directory: *RuntimeError: no licence*def open_store(root: Path)*",
    "acme:OnlyAnEnvironment": "*OnlyAnEnvironment(environment, growing) has no parameter that may be a path*",
    "acme:Bare": "*has no public methods to be asked by*",
    "acme:Nope": "*acme has no 'Nope'*",
    "acme:number": "*acme:number is not callable*",
    "nope:X": "*there is no module named 'nope'*",
    "boom:X": "*importing boom raised RuntimeError: boom (*boom.py:1)",
    "acme": "*'acme' is not of the form*",
    "../x:Y": "*is not of the form*",
}


@pytest.mark.parametrize(("what", "sentence"), SENTENCES.items(), ids=list(SENTENCES))
def test_what_cannot_be_adopted_gets_one_sentence_and_leaves_nothing(pytester, init, what, sentence):
    before = sorted(path.name for path in pytester.path.iterdir())

    result = init(what)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len([line for line in result.errlines if line]) == 1
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    assert [name for name in sorted(path.name for path in pytester.path.iterdir()) if name != "__pycache__"] == before


def test_a_file_that_is_there_is_not_overwritten(pytester, init):
    pytester.makepyfile(tradestore_other="# mine\n")

    result = init("acme:Other")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *tradestore_other.py is there already*NAME=MODULE:CLASS"])
    assert written(pytester) == {"tradestore_other.py": "# mine"}


def test_a_store_is_not_named_twice(pytester, init):
    init("acme:Portfolio")

    result = init("acme:Portfolio")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *has a store named 'portfolio' already*"])


def test_control_under_another_name_it_is(pytester, init):
    init("acme:Portfolio")

    assert init("again=acme:Portfolio").ret == 0
    assert '"again=acme:Portfolio"' in (pytester.path / "pytest.toml").read_text()


def test_a_library_on_a_database_lets_out_the_errors_of_the_database(pytester, init):
    pytester.makepyfile(lmdb="class Error(Exception):\n    pass\n")  # one that there need not be
    pytester.makepyfile(on_lmdb="import lmdb\n\nfrom acme import Other\n\n\nclass Values(Other):\n    pass\n")

    result = init("on_lmdb:Values")

    assert result.ret == 0
    (text,) = written(pytester).values()
    assert "import lmdb\n" in text
    assert "tradestore_errors = (ValueError, OSError, lmdb.Error)" in text


def test_a_store_of_a_library_gets_the_errors_of_the_library(pytester, init):
    result = init("sqlite=dbm.dumb:open")

    assert result.ret == 0
    (text,) = written(pytester).values()
    assert "import dbm.dumb" in text and "self._store.sync()" in text
    assert "def keys(self)" in text
