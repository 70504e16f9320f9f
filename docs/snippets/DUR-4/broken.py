import json
import os
from urllib.parse import quote


class Store:
    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        with open(self.root / "new", "w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.root / "new", self._file(key))

    def get(self, key):
        return json.loads(self._file(key).read_text()) if self._file(key).exists() else None

    def delete(self, key):
        self._file(key).unlink(missing_ok=True)

    def _file(self, key):
        return self.root / f"{quote(key, safe='')}.json"
