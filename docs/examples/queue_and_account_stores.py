"""A queue and accounts, each in one JSON file that is replaced as a whole: what the kits beside this file ask about."""

import fcntl
import json
import os
import tempfile
import threading
from contextlib import contextmanager, suppress

_ACCESS_LIST = "system.posix_acl_access"
_LOCKS: dict[str, threading.Lock] = {}  # flock does not keep the threads of one process apart where they share it


class OneFile:
    """A JSON value that is changed under a lock between threads and processes, and is on the disk before that ends."""

    def __init__(self, root, nothing):
        self._root, self._nothing = root, nothing
        self._lock = _LOCKS.setdefault(str(root.resolve()), threading.Lock())
        with self.locked():
            for leftover in root.glob("*.tmp"):
                leftover.unlink()

    def load(self):
        try:
            with open(self._opened(), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return self._nothing()
        except RecursionError:
            raise ValueError("all.json is nested too deeply") from None

    @contextmanager
    def locked(self):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        with self._lock, open(os.open(self._root / "all.lock", flags, 0o600), "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def save(self, value):
        text = json.dumps(value)
        descriptor, staged = tempfile.mkstemp(".tmp", dir=self._root)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                self._keep_rights(file.fileno())
                os.fsync(file.fileno())
            os.replace(staged, self._root / "all.json")
        except BaseException:
            os.unlink(staged)
            raise
        directory = os.open(self._root, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _keep_rights(self, descriptor):
        """Whose the file was, and whom its access list lets in, stays so, as far as this process may say."""
        with suppress(OSError), open(self._opened()) as old:
            was = os.stat(old.fileno())
            os.fchown(descriptor, was.st_uid, was.st_gid)
            os.fchmod(descriptor, was.st_mode & 0o777)
            os.setxattr(descriptor, _ACCESS_LIST, os.getxattr(old.fileno(), _ACCESS_LIST))

    def _opened(self):
        return os.open(self._root / "all.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


class FileQueue(OneFile):
    def __init__(self, root):
        super().__init__(root, list)

    def put(self, item):
        with self.locked():
            self.save([*self.load(), item])

    def get(self, count):
        return self.load()[:count]

    def ack(self, item):
        with self.locked():
            self.save([waiting for waiting in self.load() if waiting != item])


class FileAccounts(OneFile):
    def __init__(self, root):
        super().__init__(root, dict)

    def deposit(self, owner, amount):
        if not isinstance(owner, str):
            raise ValueError(f"an owner is a text, not {owner!r}")
        with self.locked():
            accounts = self.load()
            accounts[owner] = accounts.get(owner, 0) + amount
            self.save(accounts)
            return accounts[owner]

    def withdraw(self, owner, amount):
        with self.locked():
            accounts = self.load()
            if accounts.get(owner, 0) < amount:
                return False
            self.save(accounts | {owner: accounts[owner] - amount})
            return True

    def balance(self, owner):
        return self.load().get(owner, 0)
