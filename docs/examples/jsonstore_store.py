from json_store import JSONStore


class JsonStoreStore:
    def __init__(self, root):
        self.db = JSONStore(str(root / "store.json"))
        self.get, self.keys = self.db.get, lambda: list(self.db)

    def put(self, key, document):
        self.db[key] = document
        self.db.sync()

    def delete(self, key):
        del self.db[key]
        self.db.sync()
