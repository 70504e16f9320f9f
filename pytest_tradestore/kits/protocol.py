"""The words in which contracts are written as protocols.

Sync and async methods are both accepted everywhere; a missing key reads as ``None``, ``{}`` or ``[]``.
"""

from collections.abc import Awaitable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Now: TypeAlias = T | Awaitable[T]
"""The value itself from a synchronous store, something to await from an asynchronous one."""

Document: TypeAlias = dict[str, Any]
"""A JSON object: string keys, and values that JSON has."""
