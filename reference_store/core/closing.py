"""Stores in ``with`` and ``async with`` statements: they are closed at the end, whatever has happened inside."""

from __future__ import annotations

from typing import Any, TypeVar

S = TypeVar("S")


class Closing:
    """Base of the stores that have ``close``."""

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_error: object) -> None:
        closing: Any = self
        closing.close()


class AsyncClosing:
    """Base of the stores that have ``aclose``."""

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(self, *_error: object) -> None:
        closing: Any = self
        await closing.aclose()
