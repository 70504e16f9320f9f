"""Locks that do not hold between threads, between instances or against a reader; every write is whole and durable."""

import fcntl
import json
import os
import threading
from contextlib import contextmanager
from pathlib import Path

from pytest_tradestore.records import plain
from tests.broken_stores import breaks
from tests.sound_stores.files import (
    encode,
    file_name,
    key_of,
    locked,
    read_document,
    remove_durably,
    replace_durably,
    sync_directory,
    write_synced,
)
from tests.sound_stores.plain import PlainDocuments


def replace_by_own_name(path: Path, text: str) -> None:
    """Replace a file durably through a temporary file that no other thread or process uses."""
    staged = f"{path}.{os.getpid()}-{threading.get_ident()}.tmp"
    with open(staged, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(staged, path)
    sync_directory(path.parent)


class Table:
    """All keys in one JSON file; whoever derives from it says how an update is kept apart from others."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"

    @contextmanager
    def alone(self):
        yield

    def load(self):
        return read_document(self.file) or {}

    def store(self, jobs):
        replace_by_own_name(self.file, encode(jobs))

    def put(self, key, document):
        with self.alone():
            self.store(self.load() | {key: document})

    def get(self, key):
        return self.load().get(key)

    def delete(self, key):
        with self.alone():
            self.store({k: v for k, v in self.load().items() if k != key})


@breaks(
    "documents", RACE_1="put('MSFT', {version: 1}) returned, but get('MSFT') then gives nothing", RACE_2="returned, but"
)
class NoLock(Table):
    """reads the table, changes it and writes it back with nothing to keep two callers apart."""

    tradestore_disclaims = ("processes",)

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"

    load = Table.load  # so that the lines of a report are this store's


@breaks("documents", RACE_1="returned, but", RACE_2="returned, but")
class SaveLockedOnly(Table):
    """the lock covers the save only; what was read before it is old by then."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = threading.Lock()

    def put(self, key, document):
        jobs = self.load()
        jobs[key] = document
        with self._lock:
            self.store(jobs)

    def delete(self, key):
        jobs = self.load()
        jobs.pop(key, None)
        with self._lock:
            self.store(jobs)


@breaks("documents", RACE_2="returned, but")
class LockPerInstance(Table):
    """right for one instance; a second one on the same root has another lock."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = threading.Lock()

    @contextmanager
    def alone(self):
        with self._lock:
            yield


@breaks("document", RACE_1="JSONDecodeError", RACE_2="JSONDecodeError", RACE_4="JSONDecodeError")
class FixedTemporary:
    """all writers share one temporary file, and publish it while another is writing to it."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        replace_durably(self.file, encode(data))

    def load(self):
        return read_document(self.file)


@breaks("document", RACE_1="raised FileNotFoundError", RACE_2="raised FileNotFoundError")
class SharedTemporary:
    """writes its temporary file under a lock, and renames it without: another may have done so."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with locked(self.root):
            write_synced(self.root / "portfolio.tmp", encode(data))
        os.replace(self.root / "portfolio.tmp", self.file)
        sync_directory(self.root)

    def load(self):
        return read_document(self.file)


@breaks("documents", RACE_2="opening the store raised FileExistsError")
class MakesItsDirectory:
    """makes its directory if it is not there yet; of two who open the store at once, one fails."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "documents"
        if not self.directory.exists():
            self.directory.mkdir()
        sync_directory(root)

    def put(self, key, document):
        with locked(self.root):
            replace_durably(self.directory / file_name(key), encode(document))

    def get(self, key):
        return read_document(self.directory / file_name(key))


@breaks("document", RACE_4="beside save({version: 1})")
class ReadsWhileWriting:
    """writes the file in place under a lock, and reads it without."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with locked(self.root):
            with open(self.file, "w", encoding="utf-8") as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            sync_directory(self.root)

    def load(self):
        return read_document(self.file)


@breaks("documents", RACE_1="returned, but", RACE_2="returned, but", RACE_4="no order of the calls explains that")
class MemoryFirst:
    """changes a table of its own in memory, without a lock; of two changes one is forgotten."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"
        self._lock = threading.Lock()
        self._jobs = read_document(self.file) or {}

    def put(self, key, document):
        jobs = dict(self._jobs)
        jobs[key] = document
        self._jobs = jobs
        with self._lock:
            replace_by_own_name(self.file, encode(jobs))

    def get(self, key):
        return self._jobs.get(key)


@breaks("documents", RACE_5="wait for ever")
class LockOrder:
    """an update takes the lock of the table and then that of the names, a deletion the other way round."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"
        self._table, self._names = threading.Lock(), threading.Lock()

    def _all(self):
        return read_document(self.file) or {}

    def put(self, key, document):
        with self._table, self._names, locked(self.root):
            replace_durably(self.file, encode(self._all() | {key: document}))

    def get(self, key):
        return self._all().get(key)

    def delete(self, key):
        with self._names, self._table, locked(self.root):
            replace_durably(self.file, encode({k: v for k, v in self._all().items() if k != key}))


@breaks("documents", RACE_1="returned, but", RACE_2="returned, but")
class LocksTheDataFile(Table):
    """holds flock on the file that it replaces; whoever waited for it gets the lock of the old file."""

    @contextmanager
    def alone(self):
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def load(self):
        try:
            return read_document(self.file) or {}
        except ValueError:
            return {}  # just created by a lock


@breaks("documents", RACE_5="which it holds itself")
class TakesItsLockTwice(Table):
    """takes its lock again while it holds it."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = threading.Lock()

    @contextmanager
    def alone(self):
        with self._lock, locked(self.root):
            yield

    def delete(self, key):
        with self.alone():
            if self.load().get(key) is not None:
                self.put(key, None)


@breaks("documents", RACE_1="returned, but", RACE_2="returned, but")
class PosixLockBetweenThreads(Table):
    """lockf belongs to the process, and keeps no two threads of it apart."""

    @contextmanager
    def alone(self):
        descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@breaks("documents", RACE_1="returned, but", RACE_2="returned, but")
class UnlinksItsLock(Table):
    """removes the lock file when done; one waits on the old file while another makes a new one."""

    @contextmanager
    def alone(self):
        lock = self.root / ".lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
            lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


@breaks("document", RACE_4="gives nothing", RACE_6="is interrupted by KeyboardInterrupt")
class RemovesBeforeRename:
    """removes the old file before it renames the new one; a reader meets the gap."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with locked(self.root):
            staged = self.root / "portfolio.json.tmp"
            with open(staged, "w", encoding="utf-8") as file:
                file.write(encode(data))
                file.flush()
                os.fsync(file.fileno())
            remove_durably(self.file)
            os.rename(staged, self.file)
            sync_directory(self.root)

    def load(self):
        return read_document(self.file)


@breaks("journal", RACE_1="then gives 1 record", RACE_2="then gives 1 record")
class ForgetfulJournal:
    """reads the log and writes it back with one line more, without a lock."""

    def __init__(self, root: Path):
        self.root = root

    def append(self, stream, record):
        path = self.root / f"{stream}.jsonl"
        replace_by_own_name(path, "".join(f"{encode(r)}\n" for r in (*self.read(stream), record)))

    def read(self, stream):
        try:
            with open(self.root / f"{stream}.jsonl", encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []


@breaks("audit", RACE_1="the lines of decisions/*.jsonl then gives", RACE_2="the lines of decisions/*.jsonl then gives")
class RewrittenAudit:
    """adds to its audit log by writing it anew, with one line more; has no call to read it."""

    def __init__(self, root: Path):
        self.logs = {kind: root / "audit" / kind for kind in ("decisions", "orders")}
        for directory in self.logs.values():
            directory.mkdir(parents=True, exist_ok=True)

    def log_decision(self, strategy, decision):
        self._log("decisions", {"strategy": strategy, **plain(decision)})

    def log_order(self, strategy, order, result):
        self._log("orders", {"strategy": strategy, "order": plain(order), "result": plain(result)})

    def _log(self, kind, line):
        path = self.logs[kind] / "2026-01-05.jsonl"
        known = path.read_text() if path.exists() else ""
        replace_by_own_name(path, f"{known}{json.dumps(line)}\n")


@breaks("audit", RACE_1="read_orders", RACE_2="read_orders")
class UnlockedOrders(RewrittenAudit):
    """decisions are logged under a lock, orders are not."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.root = root

    def log_decision(self, strategy, decision):
        with locked(self.root):
            super().log_decision(strategy, decision)

    def read_decisions(self, day):
        return self._read("decisions")

    def read_orders(self, day):
        return self._read("orders")

    def _read(self, kind):
        path = self.logs[kind] / "2026-01-05.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@breaks(
    "documents",
    RACE_4="get('AAPL') gives nothing, and no order of the calls explains that",
    RACE_6="is interrupted by KeyboardInterrupt",
)
class RemovesBeforeRenameAndLists(PlainDocuments):
    """the same gap, in a store that can say which keys there are: those are right in the end."""

    def put(self, key, document):
        text, path = encode(document), self.directory / file_name(key)
        with locked(self.root):
            write_synced(f"{path}.tmp", text)
            remove_durably(path)
            os.replace(f"{path}.tmp", path)
            sync_directory(self.directory)


@breaks("documents", RACE_4="keys() gives []")
class ListsThroughOneDescriptor(PlainDocuments):
    """all who list read on in one directory that was opened once: what one reads, another does not find any more."""

    def __init__(self, root):
        super().__init__(root)
        self._listed = os.open(self.directory, os.O_RDONLY)

    def keys(self):
        return [key_of(name) for name in sorted(os.listdir(self._listed)) if name.endswith(".json")]

    def close(self):
        os.close(self._listed)


@breaks("documents", RACE_4="get('AAPL') gives nothing, and no order")
class RemembersWhatIsNotThere(PlainDocuments):
    """does not look again for a key that it has not found once, however many others write."""

    def __init__(self, root):
        super().__init__(root)
        self._absent = set()
        self._mine = threading.Lock()

    def put(self, key, document):
        with self._mine:
            super().put(key, document)
            self._absent.discard(key)

    def get(self, key):
        with self._mine:
            found = None if key in self._absent else super().get(key)
            if found is None:
                self._absent.add(key)
            return found


@breaks("documents", RACE_4="passes over AAPL.json")
class ListsWhileOthersReplace(PlainDocuments):
    """lists without the lock that writers take: the name of a file that is replaced meanwhile may be in no piece."""

    def keys(self):
        return [key_of(name) for name in sorted(os.listdir(self.directory)) if name.endswith(".json")]


@breaks("documents", RACE_4="keys() gives")
class ScansThroughOneDescriptor(ListsThroughOneDescriptor):
    """the same through scandir, for the sizes of the files."""

    def keys(self):
        with os.scandir(self._listed) as entries:
            sizes = {entry.name: entry.stat().st_size for entry in entries}
        return [key_of(name) for name, size in sorted(sizes.items()) if name.endswith(".json") and size]
