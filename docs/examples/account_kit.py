"""A contract of one's own, told to the suite: accounts, which must not lose a cent whoever pays in beside whom."""

from pytest_tradestore.kits import REOPEN, Call, Concurrent, Kit, OneOf, Spec, StepKind, slot_of_calls


class AccountSpec(Spec):
    """One account: what was paid in less what was taken out; nobody takes out more than there is."""

    initial = 0
    reads = ("balance",)

    def apply(self, state, call):
        match call:
            case Call("deposit", (_, amount)):
                return state + amount, state + amount
            case Call("withdraw", (_, amount)):
                return (state - amount, True) if amount <= state else (state, False)
            case Call("balance", (_,)):
                return state, state


def deposit(owner, amount):
    return Call("deposit", (owner, amount), key=owner)


def balance(owner):
    return Call("balance", (owner,), key=owner)


class AccountKit(Kit):
    """``deposit(owner, amount)`` gives the new balance, ``withdraw(owner, amount)`` whether there was enough."""

    name = "account"
    required = ("deposit", "withdraw", "balance")
    keyed = True
    spec = AccountSpec()
    grammar = (
        StepKind("deposit", (OneOf(("ann", "bob")), OneOf((1, 2, 5)))),
        StepKind("withdraw", (OneOf(("ann", "bob")), OneOf((1, 3)))),
        StepKind("balance", (OneOf(("ann", "bob")),)),
        StepKind(REOPEN),
    )

    def looks(self, make, methods):
        return (balance("ann"), balance("bob"))

    def workload(self, make, methods):
        yield from (deposit("ann", 100), deposit("ann", 20), deposit("bob", 3))
        yield Call("withdraw", ("ann", 50), key="ann")

    def next_update(self, make, key, version):
        return deposit(key, version)

    def concurrent(self, make, methods):
        ann = balance("ann")
        return Concurrent(
            lambda i: deposit("ann", 1 + i), lambda i: deposit("ann", 10 + i), lambda _: ann, lambda _: (ann,)
        )

    def call(self, visit, step):
        return Call(step[0], step[1:], key=step[1])

    def slots(self):
        return (slot_of_calls("owner", deposit, balance, lambda found: (found,) if found else ()),)
