"""A contract of one's own, told to the suite: a queue of work, kept in files."""

from pytest_tradestore.kits import REOPEN, UNSAID, Call, Case, Kit, OneOf, Profile, Requirement, Spec, StepKind


class QueueSpec(Spec):
    """Items that were put and not yet acknowledged, oldest first."""

    initial = ()
    reads = ("get",)

    def apply(self, state, call):
        match call:
            case Call("put", (item,)):
                return (*state, item), UNSAID
            case Call("get", (count,)):
                return state, list(state[:count])
            case Call("ack", (item,)):
                return tuple(waiting for waiting in state if waiting != item), UNSAID


class QueueKit(Kit):
    """``put(item)``, ``get(count)`` the oldest that nobody has acknowledged, ``ack(item)``."""

    name = "queue"
    required = ("put", "get", "ack")
    deletes = True
    spec = QueueSpec()
    requirements = (
        Requirement(
            "ACME-AGAIN",
            Profile.BASIC,
            "hands an item out again until it is acknowledged",
            "A worker that dies with an item in its hands must not take the item with it.",
            "Remove an item in ack(), never in get().",
        ),
    )
    grammar = (
        StepKind("put", (OneOf(("a", "b", "c")),), often=3),
        StepKind("get", (OneOf((1, 2)),)),
        StepKind("ack", (OneOf(("a", "b", "c")),)),
        StepKind(REOPEN),
    )

    def update(self, number, size=0):
        return Call("put", (f"order {number} " + "x" * size,))

    def looks(self, make, methods):
        return (Call("get", (1000,)),)

    def workload(self, make, methods):
        return (*super().workload(make, methods), Call("ack", ("order 1 ",)), self.update(6))

    def cases(self):
        yield Case("ACME-AGAIN", handed_out_again)


def handed_out_again(visit):
    visit.must("put", "a")
    visit.call("get", 1)
    visit.reopen()
    return visit.expect("an item that was handed out and not acknowledged is gone", visit.call("get", 1), ["a"])
