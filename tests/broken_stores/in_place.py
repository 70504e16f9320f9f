"""Stores that open the real file for writing: whoever reads after a crash finds what was written so far."""

import json
import os
import pickle
import shelve
from dbm import dumb
from pathlib import Path

import aiofiles

from tests.broken_stores import NATIVE, breaks
from tests.broken_stores.bases import FileEach, FileEachAwaited, OneFile, OneFileAwaited, Rooted
from tests.sound_stores.files import encode, file_name, read_document, replace_durably, sync_directory


@breaks(
    "document",
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
)
class InPlaceDocument(OneFile):
    """open("w") empties the file before the new content is there; the fsync comes too late to help."""

    def save(self, data):
        with open(self.file, "w") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.file.parent)


@breaks(
    "document",
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
)
class InPlaceDocumentAiofiles(OneFileAwaited):
    """the same through aiofiles."""

    async def save(self, data):
        text = json.dumps(data)
        async with aiofiles.open(self.file, "w") as file:
            await file.write(text)
            await file.flush()
            os.fsync(file.fileno())
        sync_directory(self.file.parent)


@breaks(
    "documents",
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
    DUR_2="lost create AAPL.json",
)
class InPlaceDocuments(FileEach):
    """what most programs do, write_text and no sync at all."""

    def put(self, key, document):
        (self.root / file_name(key)).write_text(encode(document))


@breaks(
    "documents",
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
    DUR_2="lost create AAPL.json",
)
class InPlaceDocumentsAiofiles(FileEachAwaited):
    """the same through aiofiles."""

    async def put(self, key, document):
        text = json.dumps(document)
        async with aiofiles.open(self.root / file_name(key), "w") as file:
            await file.write(text)


@breaks(
    "document",
    ATOM_1="EOFError: Ran out of input",
    ATOM_2="UnpicklingError: pickle data was truncated",
    DUR_2="lost create state.pickle",
)
class PickledDocument:
    """a pickle in place; a torn one does not load."""

    def __init__(self, root: Path):
        self.file = root / "state.pickle"

    def save(self, data):
        with open(self.file, "wb") as file:
            pickle.dump(data, file)

    def load(self):
        if not self.file.exists():
            return None
        with open(self.file, "rb") as file:
            return pickle.load(file)


@breaks(
    "documents",
    recorders=NATIVE,
    ATOM_1="although shelf.dir is there and holds what no update left",
    ATOM_2="lost create shelf.dat",
    DUR_1="had returned and is lost",
    DUR_2="lost create shelf.dat",
    REC_1="partly lost write shelf.dir",
)
class ShelvedDocuments:
    """a shelf (dbm.dumb) writes its index only when it is closed, and in place."""

    def __init__(self, root: Path):
        self.shelf = shelve.Shelf(dumb.open(str(root / "shelf"), "c"))  # noqa: SIM115 - see close()

    def put(self, key, document):
        self.shelf[key] = document

    def get(self, key):
        return self.shelf.get(key)

    def close(self):
        self.shelf.close()


@breaks("document", ATOM_1="partly lost write portfolio.json", ATOM_2="partly lost write portfolio.json")
class StaleTailDocument(OneFile):
    """writes over the old content and cuts the rest off afterwards: a mixture until then."""

    def save(self, data):
        if not self.file.exists():
            replace_durably(self.file, encode(data))
            return
        with open(self.file, "r+") as file:
            file.write(encode(data))
            file.truncate()
            os.fsync(file.fileno())


@breaks(
    "journal",
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
)
class RewrittenJournal(Rooted):
    """a log kept as a JSON array, so that every append rewrites all of it in place."""

    def append(self, stream, record):
        records = [*self.read(stream), record]
        with open(self.root / file_name(stream), "w") as file:
            json.dump(records, file)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.root)

    def read(self, stream):
        return read_document(self.root / file_name(stream)) or []
