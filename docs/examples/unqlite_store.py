import json

from unqlite import UnQLite


class UnQLiteStore:
    def __init__(self, root):
        self.db = UnQLite(str(root / "store.db"))
        self.close = self.db.close

    def put(self, key, document):
        with self.db.transaction():
            self.db[key] = json.dumps(document)

    def get(self, key):
        return json.loads(self.db[key]) if key in self.db else None
