"""First contact with a store: which contracts it offers, or one sentence about why it cannot be used."""

import os
import signal
import sys
import threading
from functools import partial

import pytest

from pytest_tradestore.errors import ConfigurationError, TargetError
from pytest_tradestore.examination import examine
from pytest_tradestore.target import StoreUnderTest


class Keyed:
    def __init__(self, root):
        self.root = root

    def put(self, key, document): ...

    def get(self, key): ...


class KeyedAndLog(Keyed):
    def delete(self, key): ...

    async def append(self, stream, record): ...

    async def read(self, stream): ...


def examined(target, **declarations):
    return examine(StoreUnderTest("acme", target, **declarations))


def names(found):
    return tuple(contract.name for contract in found.contracts)


def test_contracts_are_recognised_by_the_methods():
    assert names(examined(Keyed)) == ("documents",)


def test_several_contracts_and_optional_methods_are_seen():
    found = examined(KeyedAndLog)

    assert names(found) == ("documents", "journal")
    assert found.methods == ("append", "delete", "get", "put", "read")


def test_what_is_printed_while_opening_is_kept(capfd):
    def chatty(root):
        print("hello")
        return Keyed(root)

    assert examined(chatty).output == "hello\n"
    assert capfd.readouterr() == ("", "")


class Claiming(Keyed):
    tradestore_claims = ("processes",)


class ClaimingLater(Keyed):
    def __init__(self, root):
        super().__init__(root)
        self.tradestore_errors = (KeyError,)


def opening(root):
    return Claiming(root)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (opening, "the Claiming that it returns declares tradestore_claims, which nobody reads"),
        (opening, "function that is the target (opening.tradestore_claims = ...)"),
        (partial(Claiming), "declares tradestore_claims, which nobody reads"),
    ],
    ids=["by the class that a function returns", "where it is read", "by a class with arguments bound"],
)
def test_what_a_class_declares_that_a_function_returns_is_said_to_be_read_by_nobody(target, sentence):
    found = examined(target)

    assert names(found) == ("documents",)
    assert sentence in found.unread


def test_what_an_instance_declares_is_refused():
    with pytest.raises(TargetError, match="the ClaimingLater that it returns declares tradestore_errors, which nobody"):
        examined(ClaimingLater)


def test_control_what_the_target_declares_or_an_argument_says_is_read():
    def claiming(root):
        return Claiming(root)

    claiming.tradestore_claims = Claiming.tradestore_claims

    found = [examined(Claiming), examined(claiming), examined(opening, claims=("processes",))]

    assert [(names(one), one.unread) for one in found] == [(("documents",), "")] * 3


def test_what_is_claimed_and_disclaimed_is_refused():
    with pytest.raises(ConfigurationError, match="claims and disclaims 'processes'"):
        examined(Keyed, claims=("processes",), disclaims=("threads", "processes"))


def test_the_root_is_an_empty_directory_that_is_gone_afterwards():
    def careful(root):
        assert root.is_dir() and not list(root.iterdir())
        print(root)
        return Keyed(root)

    assert not os.path.exists(examined(careful).output.strip())


def raises(root):
    raise RuntimeError(f"cannot open\n  {root}/x")


class RaisesOnClose(Keyed):
    def close(self):
        raise OSError("busy")


class HangsOnClose(Keyed):
    def close(self):
        threading.Event().wait()


def explains_and_exits(root):
    print("the licence has expired")
    sys.exit(2)


UNUSABLE = {
    "raises": (
        raises,
        r"raised RuntimeError when it was opened on an empty directory: cannot open <root>/x \(.*:\d+\)$",
    ),
    "raises on close": (RaisesOnClose, r"raised OSError when it was closed right after opening: busy \(.*:\d+\)$"),
    "exits": (
        explains_and_exits,
        r"its process exited with status 2 while it was opened on an empty directory "
        r"\(it printed 'the licence has expired'\); a store must raise an exception instead$",
    ),
    "crashes": (
        lambda root: os.kill(os.getpid(), signal.SIGKILL),
        r"its process killed by SIGKILL while it was opened",
    ),
    "hangs": (lambda root: threading.Event().wait(), r"opening it on an empty directory took longer than 0\.3 s\."),
    "hangs on close": (HangsOnClose, r"closing it took longer than 0\.3 s\. If that is right for it, set"),
    "offers nothing": (
        lambda root: {},
        r"dict offers no contract that the suite knows: the nearest is Documents, for which it lacks put\(\)\. ",
    ),
    "gives nothing": (lambda root: None, r"NoneType offers no contract"),
    "needs more arguments": (
        lambda root, more: None,
        r"raised TypeError when it was opened .* missing 1 required .*; "
        r"it is called with one argument, the directory of the store$",
    ),
    "takes no argument": (lambda: None, r"takes 0 positional .*; it is called with one argument, the directory"),
    "raises TypeError itself": (lambda root: root + 1, r"unsupported operand[^;]* \(.*:\d+\)$"),
}


@pytest.mark.parametrize(("target", "sentence"), UNUSABLE.values(), ids=list(UNUSABLE))
def test_a_store_that_cannot_be_used_gets_one_sentence(target, sentence):
    deadline = 0.3 if "0\\.3" in sentence else 30

    with pytest.raises(TargetError, match=sentence) as caught:
        examined(target, deadline=deadline)

    message = str(caught.value)
    assert message.startswith("store 'acme': ")
    assert "\n" not in message


def test_wrong_declarations_are_told_before_the_store_is_opened():
    def never(root):
        raise AssertionError("opened")

    with pytest.raises(ConfigurationError, match="there is no capability 'flight'"):
        examined(never, claims=("flight",))
