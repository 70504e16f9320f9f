import json
import os


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "all.json"

    def put(self, key, document):
        with open(self.root / "all.new", "w") as file:
            json.dump(self._all() | {key: document}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.root / "all.new", self.file)

    def get(self, key):
        return self._all().get(key)

    def keys(self):
        return list(self._all())

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
