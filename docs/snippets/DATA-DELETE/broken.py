import json


class Store:
    def __init__(self, root):
        self.file = root / "all.json"

    def put(self, key, document):
        self._keep(self._all() | {key: document})

    def get(self, key):
        return self._all().get(key)

    def delete(self, key):
        self._keep({name: value for name, value in self._all().items() if not name.startswith(key)})

    def keys(self):
        return list(self._all())

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def _keep(self, documents):
        self.file.write_text(json.dumps(documents))
