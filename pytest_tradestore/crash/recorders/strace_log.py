"""What a strace log says: its text as completed system calls, in the order in which they began.

The log is expected as ``strace -f -yy -xx --timestamps=unix,ns`` writes it. What a call means is not said here.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE = re.compile(r"(\d+) +(\d+)\.(\d{9}) (.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_SUPERSEDED = re.compile(r"\+\+\+ superseded by execve in pid (\d+) \+\+\+")
_COMPLETED = re.compile(r"(\w+)\((.*)\)\s+= (0x[0-9a-f]+|-?\d+|\?)(.*)", re.DOTALL)
_BEGUN = re.compile(r"(\w+)\((.*)", re.DOTALL)
_ERROR = re.compile(r" (E[A-Z0-9]+) ")
_TOKEN = re.compile(r'"[^"]*"|[\[{(]|[\]})]|, ')
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)(?:<(.*)>)?(\(deleted\))?$", re.DOTALL)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_UNFINISHED = "<unfinished ...>"
_DETACHED = "<detached ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: who made it, with what, what came back, and where it began and returned in the log.

    ``result`` is None and ``end`` lies after the last line when the log ends before the call does.
    ``error`` is the name of the errno of a call that failed.
    """

    task: int
    name: str
    arguments: tuple[str, ...]
    result: int | None
    error: str | None
    start: int
    end: int
    time: int

    @property
    def failed(self) -> bool:
        return self.error is not None


@dataclass(frozen=True, slots=True)
class DescriptorArgument:
    """A file descriptor as strace prints it: its number (None is the working directory) and the path that it had."""

    number: int | None
    path: str | None
    deleted: bool


@dataclass(slots=True)
class _Begun:
    text: str
    start: int
    time: int


def calls_in(log: str) -> tuple[Call, ...]:
    """Return the calls of a log, ordered by where they began; the halves of an interrupted line are put together."""
    calls: list[Call] = []
    begun: dict[int, _Begun] = {}
    lines = log.split("\n")
    for index, line in enumerate(lines):
        parsed = _LINE.fullmatch(line)
        if parsed is None:
            continue
        task, time, text = int(parsed[1]), int(parsed[2]) * 10**9 + int(parsed[3]), parsed[4]
        if text.startswith("+++"):
            if superseded := _SUPERSEDED.match(text):  # a thread that calls execve goes on under its leader's number
                moved = begun.pop(int(superseded[1]), None)
                if moved is not None:
                    begun[task] = moved
            continue
        if text.startswith("---"):
            continue
        if resumed := _RESUMED.match(text):
            first = begun.pop(task, None)
            if first is None:
                continue  # began before strace was there
            text, start, time = first.text + resumed[1], first.start, first.time
        else:
            start = 2 * index
        for stop in (_UNFINISHED, _DETACHED):
            if text.endswith(stop):
                # One space belongs to the note; one before it, after a comma, belongs to the call.
                begun[task] = _Begun(text[: -len(stop)].removesuffix(" "), start, time)
                break
        else:
            completed = _COMPLETED.fullmatch(text)
            if completed is not None:
                calls.append(_completed(completed, task, start, 2 * index + 1, time))
    for task, first in begun.items():
        if opened := _BEGUN.match(first.text):
            arguments = tuple(_split(opened[2]))
            calls.append(Call(task, opened[1], arguments, None, None, first.start, 2 * len(lines) + 1, first.time))
    calls.sort(key=lambda call: call.start)
    return tuple(calls)


def _completed(parts: re.Match[str], task: int, start: int, end: int, time: int) -> Call:
    name, arguments, value, rest = parts.groups()
    error = _ERROR.match(rest)
    result = None if value == "?" else number_in(value)
    failed = error[1] if error and (result is None or result < 0) else None
    return Call(task, name, tuple(_split(arguments)), result, failed, start, end, time)


def _split(arguments: str) -> Iterable[str]:
    """Split at the commas of the outermost level; strings are hexadecimal and thus hold neither quotes nor brackets."""
    if not ("[" in arguments or "{" in arguments or "(" in arguments):
        return arguments.split(", ") if arguments else ()
    return _split_between_brackets(arguments)


def _split_between_brackets(arguments: str) -> Iterator[str]:
    depth = begin = 0
    for token in _TOKEN.finditer(arguments):
        match token[0][0]:
            case "[" | "{" | "(":
                depth += 1
            case "]" | "}" | ")":
                depth -= 1
            case "," if depth == 0:
                yield arguments[begin : token.start()]
                begin = token.end()
    if arguments[begin:]:
        yield arguments[begin:]


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def string_in(argument: str) -> bytes | None:
    """Return the bytes of a string argument; None for anything else, and for a string that strace cut short."""
    parsed = _STRING.fullmatch(argument)
    return None if parsed is None or parsed[2] else _unhex(parsed[1])


def path_in(argument: str) -> str | None:
    """Return a path argument as Python spells paths, whatever bytes it holds."""
    raw = string_in(argument)
    return None if raw is None else os.fsdecode(raw)


def vector_in(argument: str) -> bytes | None:
    """Return the bytes of an iovec argument, its parts joined; None when strace cut one short."""
    parts = []
    for string in _STRING.finditer(argument):
        if string[2]:
            return None
        parts.append(_unhex(string[1]))
    if not parts and "iov_base" in argument and 'iov_base="' not in argument and "iov_len=0" not in argument:
        return None
    return b"".join(parts)


def descriptor_in(argument: str) -> DescriptorArgument | None:
    """Return what an argument like ``3<path>`` or ``AT_FDCWD<path>`` says; None when it is no descriptor."""
    parsed = _DESCRIPTOR.fullmatch(argument) if len(argument) < 50_000 else None
    if parsed is None:
        return None
    number = None if parsed[1] == "AT_FDCWD" else int(parsed[1])
    decoration = parsed[2]
    path = None
    if decoration is not None and re.fullmatch(r"(?:\\x[0-9a-f]{2})+", decoration):
        path = os.fsdecode(_unhex(decoration))
    return DescriptorArgument(number, path, parsed[3] is not None)


def number_in(argument: str) -> int | None:
    """Return an integer argument: decimal, octal (a mode), hexadecimal, or ``[5]`` behind a pointer."""
    text = argument.strip("[]").split(" => ")[0].strip("[]")
    try:
        if len(text) > 1 and text[0] == "0" and text.isdigit():
            return int(text, 8)
        return int(text, 0)
    except ValueError:
        return None


def flags_in(argument: str) -> frozenset[str]:
    return frozenset(argument.split("|"))
