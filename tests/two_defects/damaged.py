"""A store with two defects that damaged files show, the worse of which a plainer one hides; and its sound twin."""

import json
from pathlib import Path

from tests.sound_stores.files import replace_durably
from tests.two_defects import two


class Keeping:
    """A document; one that cannot be read is put aside before it is replaced, and told."""

    def __init__(self, root: Path):
        self.file = root / "state.json"

    def load(self):
        return self._read() if self.file.exists() else {}

    def save(self, data):
        if self.file.exists():
            try:
                self._read()
            except ValueError:
                self._put_aside()
        replace_durably(self.file, json.dumps(data))

    def _read(self):
        try:
            found = json.loads(self.file.read_bytes())
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(found, dict):
            raise ValueError("it is no document")
        return found

    def _put_aside(self):
        number = len(list(self.file.parent.glob("state.json.damaged-*")))
        self.file.rename(f"{self.file}.damaged-{number}")


@two(
    Keeping,
    "document",
    ("damaged bytes thrown away", "destroyed", {"CORR-2"}),
    ("damage told by an error that nobody expects: RecursionError", "wrong", {"CORR-4"}),
)
class ThrowsAwayAndRecurses(Keeping):
    """the next save destroys what could not be read; and deep nesting ends in a RecursionError."""

    def _read(self):
        found = json.loads(self.file.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("it is no document")
        return found

    def save(self, data):
        replace_durably(self.file, json.dumps(data))
