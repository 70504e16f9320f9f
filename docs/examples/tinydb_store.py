from tinydb import TinyDB, where


class TinyDBStore:
    tradestore_disclaims = ("threads",)  # its documentation sends those elsewhere who need them

    def __init__(self, root):
        self.db = TinyDB(root / "db.json")
        self.close = self.db.close

    def put(self, key, document):
        self.db.upsert({"key": key, "document": document}, where("key") == key)

    def get(self, key):
        row = self.db.get(where("key") == key)
        return row and row["document"]
