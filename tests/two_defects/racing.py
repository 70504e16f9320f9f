"""Stores with two defects each that concurrent callers show, the worse of which a refusal hides; and sound twins."""

import json
import os
import threading
from pathlib import Path

from tests.sound_stores.files import read_document, replace_durably
from tests.two_defects import two

_TURN = threading.RLock()
"""One for all instances in a process."""


class AllInOne:
    """Documents in one file, one caller at a time."""

    def __init__(self, root: Path):
        self.file = root / "all.json"

    def put(self, key, document):
        with self._turn():
            self._replace(self._all() | {key: document})

    def delete(self, key):
        with self._turn():
            self._replace({name: document for name, document in self._all().items() if name != key})

    def get(self, key):
        with self._turn():
            return self._all().get(key)

    def _all(self):
        return read_document(self.file) or {}

    def _replace(self, documents):
        replace_durably(self.file, json.dumps(documents))

    def _turn(self):
        return _TURN


class _Nobody:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@two(
    AllInOne,
    "documents",
    ("another caller comes between the steps", "unreadable", {"RACE-1"}),
    ("another caller comes between the steps", "lost", {"RACE-1"}),
)
class LosesUpdatesAndSharesItsDraft(AllInOne):
    """nobody waits for anybody; and all use one temporary file, which is gone when the second one renames it."""

    def _turn(self):
        return _Nobody()

    def _replace(self, documents):
        staged = self.file.with_name("all.tmp")
        staged.write_text(json.dumps(documents))
        os.replace(staged, self.file)
