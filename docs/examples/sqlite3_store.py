import json
import sqlite3


class SQLiteStore:
    tradestore_errors = (sqlite3.Error, ValueError, OSError)
    tradestore_disclaims = ("threads",)  # a connection is for the thread that opened it

    def __init__(self, root):
        self.db = sqlite3.connect(root / "store.db")
        self.db.execute("CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value TEXT)")

    def put(self, key, document):
        with self.db:
            self.db.execute("REPLACE INTO documents VALUES (?, ?)", (key, json.dumps(document)))

    def get(self, key):
        row = self.db.execute("SELECT value FROM documents WHERE key = ?", (key,)).fetchone()
        return row and json.loads(row[0])
