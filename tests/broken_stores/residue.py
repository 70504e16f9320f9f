"""Stores that save correctly and leave something behind with every call, or do something outside of their root."""

import os
import tempfile
import threading

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.plain import PlainDocument, PlainDocuments, PlainJournal


@breaks("document", LEAK_1="file descriptors behind", recorders=IN_MEMORY)
class LosesADescriptorWithEachSave(PlainDocument):
    """syncs the directory once more, and never closes it."""

    def save(self, data):
        super().save(data)
        os.fsync(os.open(self.root, os.O_RDONLY))


@breaks("documents", LEAK_1="file descriptors behind", recorders=IN_MEMORY)
class LosesADescriptorWithEachRead(PlainDocuments):
    """looks into the directory before it reads, through a descriptor that nobody closes."""

    def get(self, key):
        os.fstat(os.open(self.directory, os.O_RDONLY))
        return super().get(key)


@breaks("document", LEAK_1="threads behind", recorders=IN_MEMORY)
class StartsAWatcherWithEachSave(PlainDocument):
    """starts a thread that waits for the store to be closed, and another one with the next save."""

    def __init__(self, root):
        super().__init__(root)
        self._closed = threading.Event()

    def save(self, data):
        super().save(data)
        threading.Thread(target=self._closed.wait, daemon=True).start()


@breaks("journal", LEAK_1="temporary files behind", recorders=IN_MEMORY)
class KeepsItsDrafts(PlainJournal):
    """writes each record to a temporary file first, to see that it can be written, and leaves it there."""

    def __init__(self, root):
        super().__init__(root)
        self._drafts = 0

    def append(self, stream, record):
        super().append(stream, record)
        self._drafts += 1
        (self.root / f"draft-{self._drafts}.tmp").write_text("checked")

    def close(self):
        for draft in self.root.glob("draft-*.tmp"):
            draft.unlink()


@breaks("document", ROOT_1="outside of its root", recorders=IN_MEMORY)
class DraftsInTheTemporaryDirectory(PlainDocument):
    """sees that the document can be written in the system's temporary directory, and tidies up behind itself."""

    def save(self, data):
        with tempfile.NamedTemporaryFile("w") as draft:
            draft.write("checked")
        super().save(data)


@breaks("document", ROOT_1="something in the home directory, outside of its root", recorders=IN_MEMORY)
class RemembersTheLastStoreAtHome(PlainDocument):
    """notes in the home directory that it was used, by a path that it reaches step by step."""

    def save(self, data):
        super().save(data)
        home = os.open(os.path.expanduser("~"), os.O_RDONLY)
        os.close(os.open(".last-store", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=home))
        os.close(home)
