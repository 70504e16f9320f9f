import sqlite3

from sqlitedict import SqliteDict


class SqliteDictStore:
    tradestore_errors = (sqlite3.Error, ValueError, OSError)

    def __init__(self, root):
        self.db = SqliteDict(str(root / "db.sqlite"))
        self.get, self.keys, self.close = self.db.get, lambda: list(self.db), self.db.close

    def put(self, key, document):
        self.db[key] = document
        self.db.commit()

    def delete(self, key):
        del self.db[key]
        self.db.commit()
