"""CPython's own buffered and text classes over a raw file, put together as ``open`` does it."""

import io
from typing import Any


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
    """Return what ``open`` returns for these arguments, which are known to be good; closes the file if it cannot."""
    result: Any = raw
    binary = "b" in mode
    try:
        line_buffering = buffering == 1 or (buffering < 0 and not binary and raw.isatty())
        if buffering < 0 or line_buffering:
            buffering = max(getattr(raw, "_blksize", io.DEFAULT_BUFFER_SIZE), 1)
        if buffering == 0:
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
