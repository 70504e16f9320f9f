"""Stores that make of a damaged file what they should not; of whole files they make what everybody does."""

import json
import logging
import os
from zlib import crc32

from tests.broken_stores import breaks
from tests.broken_stores.bases import Rooted
from tests.sound_stores.files import (
    append_synced,
    encode,
    file_name,
    key_of,
    read_document,
    replace_durably,
    sync_directory,
)

_log = logging.getLogger(__name__)


class SetsAside(Rooted):
    """One JSON file per key; a file that cannot be read is kept beside before an update takes its place."""

    def path(self, key):
        return self.root / file_name(key)

    def read(self, path, key):
        return read_document(path)

    def text(self, key, document):
        return encode(document)

    def put(self, key, document):
        path, text = self.path(key), self.text(key, document)
        try:
            self.read(path, key)
        except ValueError:
            os.replace(path, f"{path}.damaged-{crc32(path.read_bytes()):08x}")
        replace_durably(path, text)

    def get(self, key):
        return self.read(self.path(key), key)


@breaks(
    "documents",
    CORR_1="shows nothing without an error",
    CORR_2="the next update destroys the damaged bytes",
    CORR_6="AAPL.json is emptied, AAPL reads as if nothing had ever been stored",
)
class DefaultOnDamage(SetsAside):
    """what cannot be parsed counts as nothing, and the next save makes that so."""

    def put(self, key, document):
        replace_durably(self.path(key), encode(document))

    def get(self, key):
        try:
            return super().get(key)
        except ValueError:
            return None


@breaks("documents", CORR_6="is emptied, AAPL reads as if nothing had ever been stored")
class EmptyIsNew(SetsAside):
    """takes a file of no bytes for a key that has not been saved yet."""

    def read(self, path, key):
        if path.exists() and path.stat().st_size == 0:
            return None
        return super().read(path, key)


@breaks("documents", CORR_2="the next update destroys the damaged bytes")
class OverwritesEvidence(SetsAside):
    """raises on a damaged file, and replaces it with the next save all the same."""

    def put(self, key, document):
        replace_durably(self.path(key), encode(document))


@breaks("documents", CORR_2="a mere look destroys the damaged bytes")
class DeletesDamage(SetsAside):
    """clears a file away that cannot be parsed."""

    def get(self, key):
        try:
            return super().get(key)
        except ValueError:
            self.path(key).unlink()
            raise


@breaks("documents", CORR_1="edited: a digit")
class ClaimsChecksums(SetsAside):
    """claims checksums because JSON would not parse otherwise; mostly it would."""

    tradestore_claims = ("checksums",)

    def read(self, path, key):
        found = super().read(path, key)
        if found is None and not path.exists():
            return None
        if not isinstance(found, dict) or found.get("key") != key or not isinstance(found.get("document"), dict):
            raise ValueError("not a document of this key")
        return found["document"]

    def text(self, key, document):
        return encode({"key": key, "document": document})


@breaks("documents", CORR_7="shows what belongs to another key")
class KeyNotBound(SetsAside):
    """the checksum covers the document, but not whose it is."""

    tradestore_claims = ("checksums",)

    def read(self, path, key):
        try:
            line = path.read_bytes()
        except FileNotFoundError:
            return None
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % crc32(text):
            raise ValueError("the checksum does not fit")
        return json.loads(text)

    def text(self, key, document):
        text = encode(document)
        return f"{crc32(text.encode()):08x} {text}"


class StoreError(Exception):
    """What the store raises, and does not declare."""


@breaks("documents", CORR_4="raises StoreError, which is none")
class UndeclaredError(SetsAside):
    """raises an error of its own that it has told nobody about."""

    def get(self, key):
        try:
            return super().get(key)
        except ValueError as error:
            raise StoreError(f"{key} is damaged") from error


@breaks("documents", CORR_4="raises RecursionError")
class NestedTooDeep(SetsAside):
    """knows that JSON can be malformed, but not that it can be too deep."""

    def read(self, path, key):
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None


@breaks("documents", CORR_5="though nothing of it is damaged")
class SpoiledByOne(SetsAside):
    """reads all files to find one key, and trips over any of them."""

    def get(self, key):
        names = [name for name in os.listdir(self.root) if name.endswith(".json")]
        return {key_of(name): read_document(self.root / name) for name in names}.get(key)


class _BackedUp(SetsAside):
    """Keeps the version before, and reads it with a warning when the new one cannot be read."""

    tradestore_claims = ("backup",)

    def backup(self, key):
        return self.path(key).with_suffix(".bak")

    def put(self, key, document):
        path, backup, text = self.path(key), self.backup(key), encode(document)
        link = backup.with_suffix(".link")
        link.unlink(missing_ok=True)
        try:
            if self.read(path, key) is not None:
                os.link(path, link)
                os.replace(link, backup)
        except ValueError:
            os.replace(path, f"{path}.damaged-{crc32(path.read_bytes()):08x}")
        replace_durably(path, text)

    def get(self, key):
        try:
            found = super().get(key)
        except ValueError:
            found = self.read(self.backup(key), key)
            if found is None:
                raise
            self.say(f"{key} is answered from the backup")
        return found

    def say(self, text):
        _log.warning(text)


@breaks("documents", CORR_3="an older version without a word")
class SilentBackup(_BackedUp):
    """answers from the backup as if it were the file."""

    def say(self, text):
        pass


@breaks("documents", CORR_3="cannot be read, though an older version of it is kept")
class NeverReadsItsBackup(_BackedUp):
    """keeps a backup for somebody who will know what to do with it."""

    def get(self, key):
        return self.read(self.path(key), key)


@breaks("documents", CORR_7="is emptied, and AAPL.bak is replaced by MSFT.json, AAPL shows what belongs to another key")
class TrustsItsBackup(_BackedUp):
    """binds what is in a file to its key, and what is in a backup to nothing."""

    tradestore_claims = ("backup", "checksums")

    def text(self, key, document):
        text = encode(document)
        return f"{crc32((key + text).encode()):08x} {text}"

    def put(self, key, document):
        path, backup = self.path(key), self.backup(key)
        try:
            if self.read(path, key) is not None:
                replace_durably(backup, path.read_text(encoding="utf-8"))
        except ValueError:
            os.replace(path, f"{path}.damaged-{crc32(path.read_bytes()):08x}")
        replace_durably(path, self.text(key, document))

    def read(self, path, key):
        try:
            checksum, _, text = path.read_bytes().partition(b" ")
        except FileNotFoundError:
            return None
        if path.suffix != ".bak" and checksum != b"%08x" % crc32(key.encode() + text):
            raise ValueError("the checksum does not fit")
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None


@breaks("documents", CORR_3="the next update makes that the backup")
class RotatesDamage(_BackedUp):
    """makes whatever is there the backup, good or not."""

    def put(self, key, document):
        path, text = self.path(key), encode(document)
        link = self.backup(key).with_suffix(".link")
        link.unlink(missing_ok=True)
        if path.exists():
            os.link(path, link)
            os.replace(link, self.backup(key))
        replace_durably(path, text)


@breaks("journal", CORR_1="overwritten with garbage")
class SkipsBadLines(Rooted):
    """leaves out the lines of a log that cannot be parsed, wherever they stand."""

    def append(self, stream, record):
        path = self.root / f"{stream}.jsonl"
        path.touch()
        sync_directory(self.root)
        append_synced(path, encode(record).encode() + b"\n")

    def read(self, stream):
        records = []
        try:
            lines = (self.root / f"{stream}.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                continue
        return records
