"""Kits: contracts, each told once. A team writes a kit for a contract of its own in the same words."""

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.grammar import OneOf, Several, StepKind
from pytest_tradestore.kits.kit import REOPEN, Case, Concurrent, Kit, Unstorable
from pytest_tradestore.kits.slots import Slot, slot_of_calls
from pytest_tradestore.kits.spec import UNSAID, Listing, Log, Register, Spec, Table
from pytest_tradestore.requirements import Profile, Requirement

__all__ = [
    "REOPEN",
    "UNSAID",
    "Call",
    "Case",
    "Concurrent",
    "Kit",
    "Listing",
    "Log",
    "OneOf",
    "Profile",
    "Register",
    "Requirement",
    "Several",
    "Slot",
    "Spec",
    "StepKind",
    "Table",
    "Unstorable",
    "slot_of_calls",
]
