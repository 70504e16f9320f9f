"""Stores that go by what stands beside the content of a file: its mode, its extended attributes."""

import hashlib
import os

from tests.broken_stores import NATIVE, breaks
from tests.broken_stores.bases import OneFile
from tests.sound_stores.files import encode, read_document, sync_directory, write_synced


@breaks("document", ATOM_1="is being written", ATOM_2="is being written", REC_3="is being written", recorders=NATIVE)
class LocksByTheMode(OneFile):
    """takes the old file its owner's right to write while it is replaced, and readers go by that."""

    def save(self, data):
        staged = self.root / "portfolio.tmp"
        if self.file.exists():
            os.chmod(self.file, 0o400)
        write_synced(staged, encode(data))
        os.replace(staged, self.file)
        sync_directory(self.root)

    def load(self):
        if self.file.exists() and not self.file.stat().st_mode & 0o200:
            raise ValueError("the document is being written")
        return super().load()


@breaks("document", ATOM_1="the digest is another one", ATOM_2="the digest is another one", recorders=NATIVE)
class SealsInAnAttribute(OneFile):
    """keeps a digest of the content in an extended attribute, which it sets when the file is in its place."""

    def save(self, data):
        staged, text = self.root / "portfolio.tmp", encode(data)
        write_synced(staged, text)
        os.replace(staged, self.file)
        os.setxattr(self.file, "user.digest", hashlib.sha256(text.encode()).digest())
        sync_directory(self.root)

    def load(self):
        if self.file.exists():
            found = os.getxattr(self.file, "user.digest") if os.listxattr(self.file) else b""
            if found != hashlib.sha256(self.file.read_bytes()).digest():
                raise ValueError("the digest is another one")
        return read_document(self.file)
