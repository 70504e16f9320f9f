"""A kit that cannot work is refused in one sentence before anything is asked: what is wrong, and where."""

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.kits import UNSAID, Call, Case, Kit, Profile, Requirement, Spec


class ShelfSpec(Spec):
    initial = ()
    reads = ("every",)

    def apply(self, state, call):
        return ((*state, call.arguments[0]), UNSAID) if call.method == "put" else (state, list(state))


class ShelfKit(Kit):
    name = "shelf"
    required = ("put", "every")
    spec = ShelfSpec()

    def update(self, number, size=0):
        return Call("put", (f"{number}" + "x" * size,))

    def looks(self, make, methods):
        return (Call("every"),)


def requirement(id_):
    return Requirement(id_, Profile.BASIC, "does", "Because.", "Do.")


class RaisingSpec(ShelfSpec):
    def apply(self, state, call):
        return {"put": (state, UNSAID)}[call.method]


class ForgetfulSpec(ShelfSpec):
    def apply(self, state, call):
        return super().apply(state, call) if call.method == "put" else None


def kit(**attributes):
    return type("MyKit", (ShelfKit,), attributes)()


WRONG = {
    "a-spec-that-raises": (kit(spec=RaisingSpec()), r"MyKit: its specification raised KeyError: 'every' for every\(\)"),
    "a-spec-without-an-answer": (
        kit(spec=ForgetfulSpec()),
        r"has to answer every\(\) with \(state, answer\), not",
    ),
    "methods-that-are-no-names": (kit(required=("put", 3)), r"required has to be a tuple of method names.*'put', 3"),
    "optional-in-one-text": (kit(optional="clear"), r"optional has to be a tuple of method names.*'clear'"),
    "no-looks": (kit(looks=lambda *_: ()), r"looks\(make, methods\) gives no calls"),
    "looks-that-are-no-calls": (kit(looks=lambda *_: ("every",)), r"has to give calls, like Call.*not 'every'"),
    "looks-unsaid": (
        kit(looks=Kit.looks),
        r"looks\(make, methods\) raised NotImplementedError: MyKit",
    ),
    "an-update-that-raises": (kit(update=lambda *_: 1 / 0), r"workload\(make, methods\) raised ZeroDivisionError"),
    "a-method-not-named": (
        kit(looks=lambda *_: (Call("all"),)),
        r"all\(\) calls none of its methods; 'all' has",
    ),
    "a-requirement-twice": (
        kit(requirements=(requirement("ACME-TWICE"),) * 2),
        r"two of its requirements are called",
    ),
    "a-requirement-of-ours": (kit(requirements=(requirement("DUR-9"),)), r"'DUR-9' cannot be the id of a requirement"),
    "no-requirement": (kit(requirements=("ACME-2",)), r"requirements has to hold Requirement\(.*not 'ACME-2'"),
    "a-case-of-nothing": (
        kit(cases=lambda _: [Case("ACME-3", print)]),
        r"it has a case of ACME-3, and no requirement of that id",
    ),
}


@pytest.mark.parametrize(("wrong", "sentence"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_one_sentence(wrong, sentence):
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        _ = StoreUnderTest("acme", object, contracts=(wrong,)).declarations

    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("store 'acme': tradestore_contracts: ")


def test_records_of_whatever_type_can_be_made_up():
    def update(_, number, size=0):
        return Call("put", (number,))

    def workload(self, make, methods):
        return (Call("put", (make.make_job(ticket=1).ticket,)), Call("put", (make.make_job(ticket=2)["ticket"],)))

    assert StoreUnderTest("acme", object, contracts=(kit(update=update, workload=workload),)).declarations.contracts


def test_control_a_whole_one_is_taken():
    whole = kit(requirements=(requirement("ACME-WHOLE"),), cases=lambda _: [Case("ACME-WHOLE", print)])

    assert StoreUnderTest("acme", object, contracts=(whole,)).declarations.contracts == (whole,)
