import json
import os


class Store:
    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        self._replace(f"{key}.json", document)
        self._replace("keys", sorted({*self.keys(), key}))

    def get(self, key):
        file = self.root / f"{key}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def keys(self):
        file = self.root / "keys"
        return json.loads(file.read_text()) if file.exists() else []

    def _replace(self, name, value):
        with open(self.root / f"{name}.new", "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.root / f"{name}.new", self.root / name)
