import json
import os


class Store:
    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        (self.root / "new").write_text(json.dumps(document))
        os.replace(self.root / "new", self.root / f"{key}.json")

    def get(self, key):
        return {file.stem: json.loads(file.read_text()) for file in self.root.glob("*.json")}.get(key)
