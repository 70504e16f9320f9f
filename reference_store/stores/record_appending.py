"""Adds a line to the log of a store of records: behind lines that are durable, and for nobody to see when it fails."""

from __future__ import annotations

import os
from dataclasses import replace

from reference_store.core.atomic import Directory, NotPinned
from reference_store.core.descriptors import read_at, sync_data, write_all
from reference_store.errors import CorruptData
from reference_store.stores import record_view
from reference_store.stores.record_log import Header
from reference_store.stores.record_reading import RecordReader
from reference_store.stores.record_view import View


class Appender:
    """Adds lines for one instance; the lock of the root is held meanwhile."""

    def __init__(self, reader: RecordReader) -> None:
        self._reader = reader
        self._distrusted = b""

    def trusts(self, header: Header) -> bool:
        """Whether no line of this instance has failed in the log: one in which that was so gets no further line."""
        return header.line != self._distrusted

    def append(self, directory: Directory, view: View, header: Header, line: bytes) -> View:
        """Add ``line``, durably, and return what the files stand for then, but for the index."""
        opened = self._reader.opened_log(directory, os.O_RDWR)
        if opened is None or opened[1] != header.size:
            raise CorruptData(self._reader.form.name, self._reader.names.log, "it was changed while its lock was held")
        descriptor, end, number = opened[0], view.end, view.number + 1
        try:
            if view.pinned < end:
                self._pin(directory, descriptor, view, header)
            os.lseek(descriptor, end, os.SEEK_SET)
            write_all(descriptor, line)  # linearization point
            sync_data(descriptor)  # durability point: the line
        except BaseException as error:
            self._distrusted = header.line
            if not self._taken_back(directory, end, len(line)) and isinstance(error, OSError):
                raise NotPinned(error) from error
            raise
        finally:
            os.close(descriptor)
        reached = end + len(line)
        return replace(view, number=number, end=reached, pinned=reached, clean=True, mark=line[-record_view.MARK :])

    def _pin(self, directory: Directory, descriptor: int, view: View, header: Header) -> None:
        """Make durable what others have written: they may have died before their syncs, or have seen them fail."""
        start = view.pinned or len(header.line)
        os.lseek(descriptor, start, os.SEEK_SET)
        write_all(descriptor, read_at(descriptor, view.end - start, start))  # once more: a failed sync forgets pages
        sync_data(descriptor)  # before anything is acknowledged behind it
        if not view.pinned:
            directory.sync()  # the log has its name, as far as the next power loss knows

    def _taken_back(self, directory: Directory, end: int, length: int) -> bool:
        """Remove a line that failed, and say whether nobody can see it any more, not even after a power loss."""
        try:
            opened = self._reader.opened_log(directory, os.O_RDWR)
            if opened is None:
                return True
            try:
                os.lseek(opened[0], end, os.SEEK_SET)
                write_all(opened[0], bytes(length))
                sync_data(opened[0])  # on a descriptor of its own: the other one has failed
            finally:
                os.close(opened[0])
        except (OSError, CorruptData):
            return False
        return True
