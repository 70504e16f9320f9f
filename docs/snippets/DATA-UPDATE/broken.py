import json


class Store:
    def __init__(self, root):
        self.file = root / "all.json"

    def put(self, key, document):
        self._keep(self._all() | {key: document})

    def get(self, key):
        return self._all().get(key)

    def update(self, key, change):
        document = change(change(self.get(key)))
        self.put(key, document)
        return document

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def _keep(self, documents):
        self.file.write_text(json.dumps(documents))
