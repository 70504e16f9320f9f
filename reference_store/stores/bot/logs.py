"""The log of a component of a bot, ``logs/{component}.log``: rotating, readable by all, without secrets.

A handler for ``logging``. A log is no data: it is written as the program goes, and nothing in it is acknowledged.
"""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from reference_store.core.atomic import LOG_MODE, Directory
from reference_store.core.sanitising import Sanitising
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord, StorageFailure
from reference_store.stores.bot.file_names import log_name

LARGEST = 10 << 20
"""Bytes of a log before it is rotated."""
KEPT = 5
"""Rotated logs that stay: ``supervisor.log.1`` is the newest."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class ComponentLog(RotatingFileHandler):
    """Writes to ``<root>/<component>.log``, mode 644 whatever the umask, and never through a link.

    When it would grow over ``largest`` bytes it becomes ``.log.1``, the one before ``.log.2``, up to ``kept`` of them.
    Secrets that ``Sanitising`` knows are taken out. One process writes the log of one component.

    Raises InvalidIdentifier for what is no component, InvalidRecord, and StorageFailure.
    """

    def __init__(self, root: str | Path, component: str, *, largest: int = LARGEST, kept: int = KEPT) -> None:
        name = log_name(component)
        for field, count in (("largest", largest), ("kept", kept)):
            if type(count) is not int or count < 1:
                raise InvalidRecord(field, "is no whole number from 1 on")
        try:
            directory = Directory.open(os.fspath(root))
            file = Path(directory.path) / name
            super().__init__(file, maxBytes=largest, backupCount=kept, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            let_out(error)
            raise StorageFailure("open", name, error) from error
        self.setFormatter(logging.Formatter(_FORMAT))
        self.addFilter(Sanitising())

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, LOG_MODE)
        try:
            os.fchmod(descriptor, LOG_MODE)
            return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)
        except BaseException:
            os.close(descriptor)
            raise
