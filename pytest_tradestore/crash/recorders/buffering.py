"""What ``open`` makes of its arguments, for whatever stands in for it: what it refuses, and CPython's own classes."""

import io
import os
import warnings
from operator import index
from typing import Any

_open = io.open
_LARGEST = (1 << 31) - 1


def checked(
    file: Any, mode: Any, buffering: Any, encoding: Any, errors: Any, newline: Any, closefd: Any, *, stack: int = 3
) -> Any:
    """Return ``file`` as errors name it; refuse what ``open`` refuses before it touches a file, and warn where it does.

    ``stack``: how far above is who called what stands in.
    """
    if not _is_taken(mode, buffering, encoding, errors, newline):
        _refused(mode, buffering, encoding, errors, newline)
    if not isinstance(file, int):
        file = os.fspath(file)
        if not closefd:
            _refused("rb", -1, None, None, None, closefd)
    if buffering == 1 and "b" in mode:
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used",
            RuntimeWarning,
            stacklevel=stack,
        )
    return file


def _refused(*arguments: Any) -> None:
    """Let ``open`` say itself what is wrong, of a file where nothing comes of it."""
    _open(os.devnull, *arguments).close()


def _is_taken(mode: Any, buffering: Any, encoding: Any, errors: Any, newline: Any) -> bool:
    if not is_mode(mode) or not all(map(_is_a_word, (encoding, errors, newline))):
        return False
    if "b" in mode and not encoding is errors is newline is None:
        return False
    try:
        return -_LARGEST <= index(buffering) <= _LARGEST
    except TypeError:
        return False


def is_mode(mode: Any) -> bool:
    """Say whether ``open`` takes it for a mode."""
    if not isinstance(mode, str) or len(set(mode)) != len(mode) or not set(mode) <= set("rwaxbt+"):
        return False
    return len(set(mode) & set("rwax")) == 1 and not {"b", "t"} <= set(mode)


def _is_a_word(value: Any) -> bool:
    """Say whether it is text that can be handed to C, or nothing."""
    try:
        return value is None or (isinstance(value, str) and b"\0" not in value.encode())
    except UnicodeEncodeError:
        return False


def over(
    raw: Any,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    *,
    reader: type[io.BufferedReader] = io.BufferedReader,
    writer: type[io.BufferedWriter] = io.BufferedWriter,
    random: type[io.BufferedRandom] = io.BufferedRandom,
) -> Any:
    """Return what ``open`` returns for these arguments, which are checked; closes the file if it refuses them now."""
    result: Any = raw
    binary = "b" in mode
    try:
        line_buffering = buffering == 1 or (buffering < 0 and not binary and raw.isatty())
        if buffering < 0 or line_buffering:
            buffering = max(getattr(raw, "_blksize", io.DEFAULT_BUFFER_SIZE), 1)
        if buffering == 0:
            if not binary:
                raise ValueError("can't have unbuffered text I/O")
            return raw
        kind: Any = random if "+" in mode else reader if "r" in mode else writer
        result = kind(raw, buffering)
        if binary:
            return result
        result = io.TextIOWrapper(result, io.text_encoding(encoding), errors, newline, line_buffering)
        result.mode = mode
        return result
    except BaseException:
        result.close()
        raise
