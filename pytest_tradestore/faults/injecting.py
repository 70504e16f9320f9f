"""Who refuses calls here: the system itself where it can be asked to, else stand-ins for Python's functions.

Done once per process, which is a child that ends with the trials.
"""

from pytest_tradestore.faults import seccomp
from pytest_tradestore.faults.workbench import Injecting

SYSTEM_CALLS = "system calls"


def who_refuses() -> tuple[Injecting, str]:
    """Return whoever can refuse calls of this process, and what it is that is refused, in words."""
    if seccomp.why_not() is None:
        from pytest_tradestore.faults.supervisor import Injector

        try:
            return Injector(), SYSTEM_CALLS
        except OSError:
            pass  # a container that forbids it, for example
    from pytest_tradestore.faults.standins import StandIns

    return StandIns(), "Python's functions"
