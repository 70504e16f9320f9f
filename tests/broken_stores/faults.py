"""Stores that lose data, or their own usefulness, when a call to the system fails; without a failure all is well."""

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from pathlib import Path

from tests.broken_stores import IN_MEMORY, NATIVE, breaks
from tests.broken_stores.bases import FileEach, OneFile
from tests.sound_stores.files import (
    append_synced,
    cut_torn_tail,
    encode,
    file_name,
    key_of,
    locked,
    log_line,
    make_directory,
    read_document,
    read_log,
    replace_durably,
    sync_directory,
    take_back,
    write_synced,
)


class _Document(OneFile):
    """One JSON file; whoever derives from it says how it is replaced."""

    def save(self, data):
        replace_durably(self.file, encode(data))


@breaks("document", FAULT_2="returned after fsync portfolio.json.tmp had failed, and")
class SwallowsSyncErrors(_Document):
    """takes a failed fsync for a file system that does not know fsync."""

    def save(self, data):
        staged = f"{self.file}.tmp"
        with open(staged, "w", encoding="utf-8") as file:
            file.write(encode(data))
            file.flush()
            with contextlib.suppress(OSError):
                os.fsync(file.fileno())
        os.replace(staged, self.file)
        sync_directory(self.root)


@breaks("document", FAULT_2="a failed fsync marks the pages clean")
class RetriesTheSync(_Document):
    """calls fsync again on the same descriptor until it succeeds."""

    def save(self, data):
        staged = f"{self.file}.tmp"
        with open(staged, "w", encoding="utf-8") as file:
            file.write(encode(data))
            file.flush()
            for attempts_left in (2, 1, 0):
                try:
                    os.fsync(file.fileno())
                    break
                except OSError:
                    if not attempts_left:
                        raise
        os.replace(staged, self.file)
        sync_directory(self.root)


@breaks("document", FAULT_1="fails with ENOSPC, and the document is as before it", FAULT_2="a power loss")
class LogsTheError(_Document):
    """prints what went wrong and goes on."""

    def save(self, data):
        text = encode(data)
        try:
            replace_durably(self.file, text)
        except OSError as error:
            print(f"could not save: {error}")


@breaks("document", FAULT_1="the document cannot be read")
class FullDiskInPlace(_Document):
    """empties the old file before it knows whether the new content has room."""

    def save(self, data):
        write_synced(self.file, encode(data))
        sync_directory(self.root)


@breaks("document", FAULT_1="takes half of the bytes")
class TakesShortWrites(_Document):
    """believes that os.write writes all that it is given."""

    def save(self, data):
        staged = self.root / "portfolio.tmp"
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, encode(data).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(staged, self.file)
        sync_directory(self.root)


@breaks("document", recorders=NATIVE, FAULT_2="once more returned after")
class TrustsWhatIsThere(_Document):
    """keeps contents by their digest, and takes one whose name is there for one that is on the disk."""

    def save(self, data):
        text, contents = encode(data), self.root / "contents"
        content = contents / hashlib.sha256(text.encode()).hexdigest()
        make_directory(contents)
        if not content.exists():
            replace_durably(content, text)
        replace_durably(self.file, encode({"content": content.name}))

    def load(self):
        head = read_document(self.file)
        return head and json.loads((self.root / "contents" / head["content"]).read_text())


@breaks("document", FAULT_1="returned although close")
class SwallowsCloseErrors(_Document):
    """a network file system says at close that there was no room, and nobody listens."""

    def save(self, data):
        descriptor = os.open(self.file.with_suffix(".tmp"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        rest = encode(data).encode()
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        os.replace(self.file.with_suffix(".tmp"), self.file)


@breaks("document", FAULT_3="reading the document gives nothing when open portfolio.json fails with EMFILE")
class ReadErrorIsAbsence(_Document):
    """every error of reading says that there is nothing yet."""

    def load(self):
        try:
            return json.loads(self.file.read_text(encoding="utf-8"))
        except OSError:
            return {}


@breaks("document", FAULT_3="gives nothing when stat portfolio.json fails with EIO")
class ExistsHidesErrors(_Document):
    """os.path.exists says no when it cannot tell."""

    def load(self):
        return read_document(self.file) if os.path.exists(self.file) else {}


@breaks("document", FAULT_3="the error was taken for damage")
class ReadErrorIsDamage(_Document):
    """moves a healthy file away because it could not be read once."""

    def load(self):
        try:
            return read_document(self.file)
        except (OSError, ValueError):
            self.file.rename(self.file.with_suffix(".corrupt"))
            raise


@breaks("document", FAULT_5="cannot be read any more until it is opened anew")
class StaysBusyOnReadErrors(_Document):
    """whoever reads says so, and one who fails never says that he is done: nothing is read by this instance again."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._reading = threading.Lock()

    def load(self):
        if not self._reading.acquire(timeout=0):
            raise RuntimeError("somebody is reading")
        found = read_document(self.file)
        self._reading.release()
        return found


@breaks("documents", FAULT_3="is gone")
class StartsAgainOnReadErrors:
    """a table that could not be read counts as an empty one, and the next save makes it one."""

    def __init__(self, root: Path):
        self.file = root / "table.json"

    def put(self, key, document):
        try:
            table = read_document(self.file) or {}
        except OSError:
            table = {}
        replace_durably(self.file, encode(table | {key: document}))

    def get(self, key):
        return (read_document(self.file) or {}).get(key)


@breaks("documents", FAULT_3="reading keys() gives something else when open the root fails with EMFILE")
class WalksOverErrors(FileEach):
    """lists its keys by os.walk, which leaves out what it cannot list."""

    def put(self, key, document):
        replace_durably(self.root / file_name(key), encode(document))

    def keys(self):
        return sorted(key_of(name) for _, _, names in os.walk(self.root) for name in names if name.endswith(".json"))


@breaks("document", FAULT_5="1 more file descriptor open")
class LeaksDescriptors(_Document):
    """closes the directory only when all went well."""

    def save(self, data):
        directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        staged = f"{self.file}.tmp"
        write_synced(staged, encode(data))
        os.replace(staged, self.file)
        os.fsync(directory)
        os.close(directory)


@breaks("document", FAULT_4="took longer than 1.5 s", FAULT_5="took longer than 1.5 s")
class LeaksItsLock(_Document):
    """gives its lock back only when all went well."""

    tradestore_deadline = 1.5

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = threading.Lock()

    def save(self, data):
        self._lock.acquire()
        super().save(data)
        self._lock.release()


@breaks("document", FAULT_4="an ordinary value is refused, too", FAULT_5="FileExistsError")
class LeavesItsLockFile(_Document):
    """a lock file that is removed only when all went well, and that a new instance respects."""

    def save(self, data):
        lock = self.root / "portfolio.lock"
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(descriptor)
        super().save(data)
        lock.unlink()


@breaks("document", FAULT_5="*.staged behind each time")
class LeavesTemporaries(_Document):
    """a temporary file with a random name for each attempt, removed only by the rename."""

    def save(self, data):
        text = encode(data)
        descriptor, staged = tempfile.mkstemp(suffix=".staged", dir=self.root)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, self.file)
        sync_directory(self.root)


@breaks("document", FAULT_5="*.staged behind each time that Ctrl-C comes after fsync")
class ForgetsCtrlC(_Document):
    """clears away after errors, and holds Ctrl-C for something else."""

    def save(self, data):
        descriptor, staged = tempfile.mkstemp(suffix=".staged", dir=self.root)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(encode(data))
                file.flush()
                os.fsync(file.fileno())
            os.replace(staged, self.file)
        except Exception:
            os.unlink(staged)
            raise
        sync_directory(self.root)


@breaks("journal", FAULT_5="the next update of orders returned but is")
class GluesAfterAFailedAppend:
    """what a failed append left behind is repaired on opening only; the next record is glued to it."""

    def __init__(self, root: Path):
        self.root, self._known = root, set()

    def append(self, stream, record):
        path = self.root / f"{stream}.log"
        if stream not in self._known:
            cut_torn_tail(path)
            self._known.add(stream)
        with open(path, "ab") as log:
            size = log.tell()
            log.write(log_line(record))
            log.flush()
            try:
                os.fsync(log.fileno())
            except OSError:
                take_back(path, size)
                raise

    def read(self, stream):
        return read_log(self.root / f"{stream}.log")


@breaks("document", FAULT_1="the document cannot be read", FAULT_4="was refused, and the value before it")
class SerialisesIntoTheFile(_Document):
    """json.dump meets the value that JSON does not have when half of the file is written."""

    def save(self, data):
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.root)


@breaks("document", FAULT_4="a set was accepted, and what is read")
class MakesTextOfIt(_Document):
    """default=str stores the look of a value instead of the value."""

    def save(self, data):
        replace_durably(self.file, json.dumps(data, default=str))


@breaks("document", FAULT_4="was accepted, and what is read")
class SkipsWhatFails(_Document):
    """leaves out what JSON does not have, without a word."""

    def save(self, data):
        kept = {}
        for key, value in data.items():
            try:
                encode({"value": value})
            except Exception:
                continue
            kept[key] = value
        replace_durably(self.file, encode(kept))


@breaks("document", FAULT_4="a number and its text as keys was accepted")
class LosesOneOfTwoKeys(_Document):
    """leaves it to json what can be stored; that writes 1 as "1", and of two alike the last one is read."""

    def save(self, data):
        replace_durably(self.file, json.dumps(data))


@breaks("document", FAULT_4="an ordinary value is refused, too", recorders=IN_MEMORY)
class RefusesFromThenOn(_Document):
    """notes what it is about to write, and whoever finds a note that is not crossed out is refused."""

    def __init__(self, root):
        super().__init__(root)
        self._begun = False

    def save(self, data):
        if self._begun:
            raise OSError("somebody is writing")
        self._begun = True
        text = encode(data)
        self._begun = False
        replace_durably(self.file, text)


class RecordEach:
    """A sealed line in a file of its own for each record; one that was written in vain is emptied again."""

    def __init__(self, root):
        self.root = root

    def append(self, stream, record):
        name = file_name(stream)
        with locked(self.root):
            path = self.root / f"{name}.{len(list(self.root.glob(f'{name}.*'))):06}"
            path.touch()
            try:
                append_synced(path, log_line(record))
                sync_directory(self.root)
            except OSError:
                self._take_back(path)
                raise

    def _take_back(self, path):
        with open(path, "r+b") as file:
            file.truncate(0)
            os.fsync(file.fileno())

    def read(self, stream):
        return [line for path in sorted(self.root.glob(f"{file_name(stream)}.*")) for line in read_log(path)]


@breaks("journal", recorders=NATIVE, FAULT_2="a power loss after the next update brings it back")
class TakesBackWithoutSync(RecordEach):
    """empties what it could not sync, and does not sync that: the refused record is there after a power loss."""

    def _take_back(self, path):
        os.truncate(path, 0)


class Log:
    """A log of sealed lines; an append that fails is cut off again, and that is synced."""

    def __init__(self, root):
        self.root = root

    def append(self, stream, record):
        path, line = self.root / file_name(stream), log_line(record)
        with locked(self.root):
            cut_torn_tail(path)
            with open(path, "ab", buffering=0) as log:
                size = os.fstat(log.fileno()).st_size
                try:
                    left = memoryview(line)
                    while left:
                        left = left[log.write(left) :]
                    self._sync(log, line)
                except OSError:
                    log.truncate(size)
                    os.fsync(log.fileno())
                    raise

    def _sync(self, log, line):
        os.fsync(log.fileno())

    def read(self, stream):
        return read_log(self.root / file_name(stream))


@breaks("journal", recorders=NATIVE, FAULT_2="and a power loss destroys what it had acknowledged")
class LosesLargeRecords(Log):
    """takes it for harmless that a large record could not be synced: the next append syncs the file again."""

    def _sync(self, log, line):
        try:
            os.fsync(log.fileno())
        except OSError:
            if len(line) < 4096:
                raise
