"""Stores that save correctly and leave something behind with every call, or do something outside of their root."""

import os
import subprocess
import tempfile
import threading

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.files import encode, locked, sync_directory, write_synced
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


@breaks("document", ROOT_1="a file in the working directory, outside of its root", recorders=IN_MEMORY)
class StagesInTheWorkingDirectory(PlainDocument):
    """writes beside wherever the program was started, and moves the file into its place."""

    def save(self, data):
        with locked(self.root):
            write_synced("portfolio.tmp", encode(data))
            os.replace("portfolio.tmp", self.file)
            sync_directory(self.root)


@breaks("document", ROOT_1="something in the home directory, outside of its root", recorders=IN_MEMORY)
class LocksAtHome(PlainDocument):
    """holds a lock in the home directory while it saves, by a path that no event names, and leaves nothing there."""

    def save(self, data):
        home = os.open(os.path.expanduser("~"), os.O_RDONLY)
        try:
            os.close(os.open(".lock", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=home))
            super().save(data)
            os.unlink(".lock", dir_fd=home)
        finally:
            os.close(home)


@breaks("document", LEAK_1="processes behind", recorders=IN_MEMORY)
class WaitsForNobody(PlainDocument):
    """lets a program know of each save, and never asks how that ended."""

    def save(self, data):
        super().save(data)
        self._told = [*getattr(self, "_told", ()), subprocess.Popen(["true"])]


@breaks(
    "document", LEAK_1="opening and closing the store succeeds and leaves file descriptors behind", recorders=IN_MEMORY
)
class ClosesHalfOfIt(PlainDocument):
    """opens its directory with itself, and closes everything else."""

    def __init__(self, root):
        super().__init__(root)
        self._directory = os.open(root, os.O_RDONLY)
        self._log = os.open(os.devnull, os.O_WRONLY)

    def close(self):
        os.close(self._log)
