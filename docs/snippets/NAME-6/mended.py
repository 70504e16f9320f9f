import json
import os


class Store:
    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        new, file = self.root / "new", self._file(key)
        new.write_text(json.dumps(document))
        os.replace(new, file)

    def get(self, key):
        return json.loads(self._file(key).read_text()) if self._file(key).exists() else None

    def _file(self, key):
        if not isinstance(key, str) or len(key) > 64:
            raise ValueError("a key is a text of at most 64 characters")
        name = key.encode().hex()
        return self.root / f"{name}.json"
