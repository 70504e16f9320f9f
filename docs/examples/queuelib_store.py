import sqlite3

from queue_kit import QueueKit
from queuelib.queue import FifoSQLiteQueue


class QueuelibStore:
    tradestore_contracts = (QueueKit(),)
    tradestore_errors = (sqlite3.Error, ValueError, OSError)

    def __init__(self, root):
        self.queue = FifoSQLiteQueue(str(root / "queue.db"))
        self.close, self.ack = self.queue.close, lambda item: self.queue.pop()

    def put(self, item):
        self.queue.push(item.encode())

    def get(self, count):
        rows = self.queue._db.execute("SELECT item FROM queue ORDER BY id LIMIT ?", (count,))
        return [item.decode() for (item,) in rows]
