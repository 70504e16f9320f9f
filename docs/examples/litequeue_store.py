import sqlite3

from litequeue import LiteQueue
from queue_kit import QueueKit


class LiteQueueStore:
    tradestore_contracts = (QueueKit(),)
    tradestore_errors = (sqlite3.Error, ValueError, OSError)
    tradestore_volatile = ("*-shm",)

    def __init__(self, root):
        self.queue = LiteQueue(root / "queue.db")
        self.put, self.close = self.queue.put, self.queue.close

    def ack(self, item):
        self.queue.done(self.queue.pop().message_id)

    def get(self, count):
        rows = self.queue.conn.execute("SELECT data FROM Queue WHERE status < 2 ORDER BY message_id LIMIT ?", (count,))
        return [data for (data,) in rows]
