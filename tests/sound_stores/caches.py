"""Caches that may forget, and give nothing rather than what is wrong: one file per entry, and one that keeps few."""

import json
import os
from pathlib import Path
from time import time

from tests.sound_stores.files import encode, file_name, locked, make_directory, remove_durably, replace_durably


class PlainCache:
    """One file per key, with the key and the time when the entry is over; what is wrong with it reads as nothing."""

    tradestore_contracts = ("cache",)

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "cache"
        make_directory(self.directory)

    def put(self, key, value, ttl=None):
        now = time()
        text = self._encoded({"key": key, "put": now, "until": now + ttl if ttl is not None else None, "value": value})
        with locked(self.root):
            replace_durably(self.directory / file_name(key), text)

    def get(self, key):
        try:
            entry = json.loads((self.directory / file_name(key)).read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        whole = isinstance(entry, dict) and entry.keys() == {"key", "put", "until", "value"}
        return entry["value"] if whole and entry["key"] == key and not self._is_over(entry) else None

    def delete(self, key):
        with locked(self.root):
            remove_durably(self.directory / file_name(key))

    def _encoded(self, entry):
        return encode(entry)

    def _is_over(self, entry):
        return entry["until"] is not None and entry["until"] <= time()


class SmallCache(PlainCache):
    """Keeps two entries: whoever puts a third one takes the oldest away."""

    def put(self, key, value, ttl=None):
        super().put(key, value, ttl)
        with locked(self.root):
            entries = sorted((path for path in self.directory.iterdir()), key=os.path.getmtime)
            for path in entries[:-2]:
                remove_durably(path)
