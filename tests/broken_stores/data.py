"""Stores that are durable, and wrong without any crash: one for each sentence of the data contract."""

import json
from pathlib import Path

from tests.broken_stores import breaks
from tests.sound_stores import plain
from tests.sound_stores.files import (
    append_synced,
    cut_torn_tail,
    encode,
    file_name,
    locked,
    log_line,
    read_log,
    remove_durably,
    replace_durably,
)


@breaks("document", DATA_ROUNDTRIP="what is read is not what was written")
class RoundedFloats(plain.PlainDocument):
    """six digits are enough for any price, it is said."""

    def save(self, data):
        super().save(self._rounded(data))

    def _rounded(self, value):
        match value:
            case dict():
                return {key: self._rounded(item) for key, item in value.items()}
            case list():
                return [self._rounded(item) for item in value]
            case float():
                return round(value, 6)
        return value


@breaks("document", DATA_ROUNDTRIP="what is read is not what was written")
class FloatNumbers(plain.PlainDocument):
    """every number comes back as a float, which cannot hold 2**53 + 1."""

    def load(self):
        return json.loads(self.file.read_text(), parse_int=float) if self.file.exists() else None


@breaks("documents", DATA_ROUNDTRIP="what is read is not what was written")
class LatinText(plain.PlainDocuments):
    """characters that the encoding of the file does not have become question marks."""

    def put(self, key, document):
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        readable = text.encode("latin-1", errors="replace").decode("latin-1")
        replace_durably(self.directory / file_name(key), readable)


@breaks("documents", DATA_ROUNDTRIP="what is read is not what was written")
class DropsEmptyFields(plain.PlainDocuments):
    """leaves out what is empty, to keep the files small."""

    def put(self, key, document):
        super().put(key, {name: value for name, value in document.items() if value not in (None, "", [], {})})


@breaks("document", DATA_MISSING="reads as something")
class InventsDefault(plain.PlainDocument):
    """gives a default document for one that was never saved."""

    def load(self):
        return super().load() if self.file.exists() else {"version": 1, "positions": []}


@breaks("documents", DATA_DELETE="raised KeyError", DATA_MISSING="raised KeyError")
class RaisesKeyError(plain.PlainDocuments):
    """a key that was never stored is an error."""

    def get(self, key):
        if (document := super().get(key)) is None:
            raise KeyError(key)
        return document


@breaks("documents", DATA_OVERWRITE="after an overwrite the new document is not what is read")
class MergesDocuments(plain.PlainDocuments):
    """updates the fields of the old document instead of replacing it."""

    def put(self, key, document):
        super().put(key, (self.get(key) or {}) | document)


@breaks(
    "document",
    DATA_OVERWRITE="after an overwrite the new document is not what is read",
    DATA_ROUNDTRIP="what is read is not what was written",
)
class MergesDocument(plain.PlainDocument):
    """the same for a single document."""

    def save(self, data):
        super().save((self.load() or {}) | data)


@breaks("documents", DATA_OVERWRITE="after an overwrite the new document is not what is read")
class FirstWins(plain.PlainDocuments):
    """does not write what is already there, and finds that out by the key alone."""

    def put(self, key, document):
        if self.get(key) is None:
            super().put(key, document)


@breaks("documents", DATA_DELETE="deleting one key changed 'AAPL2'", NAME_3="deleting other keys has changed")
class DeletesByPrefix(plain.PlainDocuments):
    """removes every file whose name begins with the key."""

    def delete(self, key):
        prefix = file_name(key).removesuffix(".json")
        for path in sorted(self.directory.glob("*.json"), reverse=True):
            if path.name.startswith(prefix):
                remove_durably(path)


@breaks(
    "documents",
    DATA_DELETE="a deleted key is still read",
    DATA_KEYS="the keys listed after a deletion are not the ones left",
)
class DeletesByEmptying(plain.PlainDocuments):
    """an empty document stands for a deleted one, and its key stays in the list."""

    def delete(self, key):
        if self.get(key) is not None:
            self.put(key, {"deleted": True})


@breaks("documents", DATA_KEYS="the keys listed are not the keys written")
class FoldsKeys(plain.PlainDocuments):
    """lists keys in lower case."""

    def keys(self):
        return [key.lower() for key in super().keys()]  # noqa: SIM118 - a store is no dict


@breaks("documents", DATA_KEYS="the keys listed are not the keys written", NAME_4="is not listed as it was given")
class HidesDottedKeys(plain.PlainDocuments):
    """takes the stem of the file name for the key, so that what follows a dot is lost."""

    def keys(self):
        return [key.split(".")[0] for key in super().keys()]  # noqa: SIM118 - a store is no dict


@breaks("journal", DATA_ORDER="the log is not the records appended")
class NewestFirst(plain.PlainJournal):
    """returns the records in the order in which a screen shows them."""

    def read(self, stream):
        return super().read(stream)[::-1]


@breaks("journal", DATA_ORDER="the log is not the records appended")
class DropsDuplicates(plain.PlainJournal):
    """two equal records are two events, not one."""

    def read(self, stream):
        return list({encode(record): record for record in super().read(stream)}.values())


@breaks("journal", DATA_MISSING="reads as something", DATA_ORDER="the log is not the records appended")
class SharesOneFile:
    """all streams in one log, and a reader that does not tell them apart."""

    def __init__(self, root: Path):
        self.root, self.log = root, root / "all.log"

    def append(self, stream, record):
        with locked(self.root):
            cut_torn_tail(self.log)
            append_synced(self.log, log_line(record))

    def read(self, stream):
        return read_log(self.log)


@breaks(
    "journal", DATA_ORDER="the log is not the records appended", REC_3="the next append to orders has destroyed records"
)
class KeepsTheLastFew(plain.PlainJournal):
    """returns only the newest records."""

    def read(self, stream):
        return super().read(stream)[-3:]


@breaks(
    "document",
    DATA_REOPEN="after reopening the store shows something else",
    DATA_ROUNDTRIP="what is read after reopening is not what was written",
    DUR_1="had returned and is lost",
    DUR_2="had returned and is lost",
    REC_2="after a crash while it recovered, the next update of the document returned but is lost",
    REC_3="the next update of the document returned but is lost",
)
class StartsAfresh(plain.PlainDocument):
    """opening starts with an empty document, always."""

    def __init__(self, root: Path):
        super().__init__(root)
        replace_durably(self.file, "{}")


@breaks(
    "documents",
    ATOM_3="is half done: AAPL as after it, keys() as before it",
    DATA_KEYS="the keys listed after reopening are not the keys written",
    DUR_1="had returned and is lost",
    DUR_2="had returned and is lost",
    REC_2="after a crash while it recovered, the next update of AAPL returned but is lost after reopening",
    REC_3="the next update of AAPL returned but is lost after reopening",
)
class CachesKeys(plain.PlainDocuments):
    """remembers the keys of this run only."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._keys = []

    def put(self, key, document):
        super().put(key, document)
        self._keys = [*(k for k in self._keys if k != key), key]

    def delete(self, key):
        super().delete(key)
        self._keys = [k for k in self._keys if k != key]

    def keys(self):
        return list(self._keys)
