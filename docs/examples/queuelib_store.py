import sqlite3

from queue_kit import QueueKit
from queuelib.queue import FifoSQLiteQueue


class QueuelibStore:
    tradestore_contracts = (QueueKit(),)
    tradestore_errors = (sqlite3.Error, ValueError, OSError)

    def __init__(self, root):
        self.path = root / "queue.db"
        self.queue = FifoSQLiteQueue(str(self.path))
        self.close = self.queue.close

    def put(self, item):
        self.queue.push(item.encode())

    def ack(self, item):
        self.queue.pop()

    def get(self, count):
        rows = self.queue._db.execute("SELECT item FROM queue ORDER BY id LIMIT ?", (count,))
        return [item.decode() for (item,) in rows]
