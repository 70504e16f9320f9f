"""A store under test: however it is made, it is opened, called and closed in one way; what it declares is checked."""

from contextlib import asynccontextmanager, contextmanager

import pytest

from pytest_tradestore.errors import ConfigurationError, TargetError
from pytest_tradestore.target import Bridge, StoreUnderTest, open_store


class Log:
    """Keeps documents in memory, and notes how it is used."""

    def __init__(self, root=None):
        self.events = ["opened"]
        self.kept = {}

    def put(self, key, document):
        self.kept[key] = document

    def get(self, key):
        return self.kept.get(key)


class Closed(Log):
    def close(self):
        self.events.append("close")


class AsyncLog(Log):
    async def put(self, key, document):
        self.kept[key] = document

    async def get(self, key):
        return self.kept.get(key)

    async def aclose(self):
        self.events.append("aclose")


class Managed(Log):
    def __enter__(self):
        self.events.append("enter")
        return self

    def __exit__(self, *details):
        self.events.append("exit")


class ManagedAndClosed(Managed):
    def close(self):
        self.events.append("close")


LAST = []


def remembered(store):
    LAST[:] = [store]
    return store


async def opened_async(root):
    return remembered(AsyncLog())


@contextmanager
def generator(root):
    store = remembered(Log())
    yield store
    store.events.append("left")


@asynccontextmanager
async def async_generator(root):
    store = remembered(AsyncLog())
    yield store
    store.events.append("left")


MAKES = {
    "a class": (lambda root: remembered(Log(root)), ["opened"]),
    "with close": (lambda root: remembered(Closed(root)), ["opened", "close"]),
    "asynchronous, with aclose": (lambda root: remembered(AsyncLog(root)), ["opened", "aclose"]),
    "a coroutine function": (opened_async, ["opened", "aclose"]),
    "a context manager": (lambda root: remembered(Managed(root)), ["opened", "enter", "exit"]),
    "a context manager with close": (lambda root: remembered(ManagedAndClosed(root)), ["opened", "close"]),
    "a generator": (generator, ["opened", "left"]),
    "an asynchronous generator": (async_generator, ["opened", "left"]),
}


@pytest.mark.parametrize(("target", "events"), MAKES.values(), ids=list(MAKES))
def test_every_make_of_store_is_opened_called_and_closed(target, events, tmp_path):
    bridge = Bridge()
    with open_store(target, tmp_path, bridge) as store:
        store.call("put", "k", {"a": 1})
        assert store.call("get", "k") == {"a": 1}
    bridge.close()

    assert LAST[0].events == events


def test_what_offers_no_contract_is_refused_with_what_it_has_and_needs(tmp_path):
    class Nothing:
        def frobnicate(self): ...

    with pytest.raises(
        TargetError, match=r"Nothing offers no contract .*frobnicate\(\).*Documents needs put\(\), get\(\)"
    ):
        open_store(lambda root: Nothing(), tmp_path, Bridge())


def test_what_a_store_raises_is_raised(tmp_path):
    class Refuses(Log):
        async def get(self, key):
            raise KeyError(key)

    bridge = Bridge()
    store = open_store(Refuses, tmp_path, bridge)
    with pytest.raises(KeyError):
        store.call("get", "k")
    bridge.close()


def test_declarations_have_defaults():
    declared = StoreUnderTest("a", Log).declarations

    assert declared.errors == (ValueError, OSError)
    assert {"process-crash", "power-loss"} <= declared.claims
    assert "checksums" not in declared.claims
    assert declared.identifiers == "strict"


class Declares(Log):
    tradestore_errors = (KeyError,)
    tradestore_claims = ("checksums",)
    tradestore_disclaims = ("power-loss",)
    tradestore_identifiers = "opaque"
    tradestore_volatile = ("*-shm",)
    tradestore_deadline = 3


def test_declarations_are_taken_from_the_target():
    declared = StoreUnderTest("a", Declares).declarations

    assert declared.errors == (KeyError,)
    assert "checksums" in declared.claims and "power-loss" not in declared.claims
    assert (declared.identifiers, declared.volatile, declared.deadline) == ("opaque", ("*-shm",), 3.0)


def test_arguments_go_before_attributes_of_the_target():
    declared = StoreUnderTest("a", Declares, errors=(OSError,), claims=(), volatile=()).declarations

    assert declared.errors == (OSError,)
    assert "checksums" not in declared.claims
    assert declared.volatile == ()


WRONG = {
    "errors": ({"errors": ("ValueError",)}, "tradestore_errors must be a tuple of exception types"),
    "no errors at all": ({"errors": ()}, "tradestore_errors is empty"),
    "errors that end programs": ({"errors": (BaseException,)}, "tradestore_errors lists BaseException, which is no"),
    "one of them among others": ({"errors": (ValueError, SystemExit)}, "tradestore_errors lists SystemExit"),
    "no platform at all": ({"platforms": ()}, "tradestore_platforms names none; name those .* linux, macos, windows"),
    "a maker that is none": ({"make_bar": {"open": 1}}, "make_bar must be a type or function that makes one record"),
    "a capability": ({"claims": ("flight",)}, "there is no capability 'flight'; choose from process-crash"),
    "a bare string": ({"claims": "checksums"}, "tradestore_claims must be a set or tuple of strings"),
    "not a collection": ({"claims": 5}, "tradestore_claims must be a set or tuple of strings"),
    "identifiers": ({"identifiers": "loose"}, "tradestore_identifiers must be strict or opaque, not 'loose'"),
    "volatile": ({"volatile": (1,)}, "tradestore_volatile must be a set or tuple of strings"),
    "a deadline of nothing": ({"deadline": 0}, "tradestore_deadline must be a positive number of seconds, not 0"),
    "a deadline in words": ({"deadline": "long"}, "tradestore_deadline must be a positive number of seconds"),
}


@pytest.mark.parametrize(("declarations", "sentence"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_declaration_is_named_with_its_store(declarations, sentence):
    with pytest.raises(ConfigurationError, match=f"^store 'a': {sentence}"):
        _ = StoreUnderTest("a", Log, **declarations).declarations


def test_control_every_exception_and_one_platform_may_be_listed():
    declared = StoreUnderTest("a", Log, errors=(Exception,), platforms=("macos",)).declarations

    assert (declared.errors, declared.platforms) == ((Exception,), frozenset({"macos"}))


MISSPELLED = {"make_bars": "make_bar", "makeEvent": "make_event", "make_jobs": "make_job", "make_oder": "make_order"}


@pytest.mark.parametrize(("name", "meant"), MISSPELLED.items())
def test_a_maker_by_a_name_that_nobody_reads_is_refused_before_anything_is_run(name, meant):
    adapter = type("Adapter", (Log,), {name: staticmethod(dict)})

    with pytest.raises(ConfigurationError, match=f"^store 'a': nobody reads {name}; did you mean {meant}\\? It is "):
        _ = StoreUnderTest("a", adapter).declarations


def trades(self, symbol):
    """What a store does of its own accord."""


def days_of(symbol, days):
    """A helper that a module has, and a class takes over."""


def one_bar(symbol, date, open, high, low, close, volume):  # noqa: A002 - the fields of a bar
    """What makes one record, by a name that nobody reads."""


def test_a_function_of_the_fields_of_a_record_by_a_name_that_nobody_reads_is_refused_too():
    with pytest.raises(ConfigurationError, match="did you mean make_bar"):
        _ = StoreUnderTest("a", type("Adapter", (Log,), {"make_bars": staticmethod(one_bar)})).declarations


@pytest.mark.parametrize(
    "own",
    [
        {"make_bars": trades},
        {"make_bars": staticmethod(days_of)},
        {"make_bars": staticmethod(list)},
        {"make_order_id": staticmethod(dict)},
        {"make_bars": staticmethod(dict), "make_bar": staticmethod(dict)},
        {"make_base": staticmethod(dict), "market_orders": trades},
    ],
    ids=["a method", "a helper", "one without arguments", "another word", "beside the maker itself", "something near"],
)
def test_control_what_a_store_has_of_its_own_is_left_alone(own):
    assert StoreUnderTest("a", type("Adapter", (Log,), own)).declarations.deadline


class Factory:
    """Opens stores, and has methods of its own."""

    def __call__(self, root):
        return Log(root)

    def make_bars(self):
        """What it does of its own accord."""


def test_control_what_an_object_that_opens_stores_does_of_its_own_accord_is_left_alone():
    assert StoreUnderTest("a", Factory()).declarations.deadline


class MakingFactory(Factory):
    """Has a method that makes a record of any fields, as a maker does."""

    def make_bars(self, **fields):
        return fields


def test_a_method_of_such_an_object_that_makes_a_record_by_a_name_that_nobody_reads_is_refused():
    with pytest.raises(ConfigurationError, match="nobody reads make_bars; did you mean make_bar"):
        _ = StoreUnderTest("a", MakingFactory()).declarations


def test_control_beside_the_maker_itself_it_is_left_alone():
    opening = MakingFactory()
    opening.make_bar = opening.make_bars

    assert StoreUnderTest("a", opening).declarations.deadline


def test_a_maker_of_such_an_object_by_a_name_that_nobody_reads_is_refused_too():
    opening = Factory()
    opening.make_jobs = dict

    with pytest.raises(ConfigurationError, match="nobody reads make_jobs; did you mean make_job"):
        _ = StoreUnderTest("a", opening).declarations
