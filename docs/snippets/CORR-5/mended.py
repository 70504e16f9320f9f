import json
import os


class Store:
    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        (self.root / "new").write_text(json.dumps(document))
        os.replace(self.root / "new", self.root / f"{key}.json")

    def get(self, key):
        file = self.root / f"{key}.json"
        return json.loads(file.read_text()) if file.exists() else None
