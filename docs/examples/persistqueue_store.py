import shutil
import tempfile

import persistqueue
from queue_kit import QueueKit


class PersistQueueStore:
    tradestore_contracts = (QueueKit(),)

    def __init__(self, root):
        self.path, self.queue = str(root / "queue"), persistqueue.Queue(str(root / "queue"))
        self.put = self.queue.put

    def ack(self, item):  # the oldest: it is taken, and that it is done is said
        self.queue.get_nowait(), self.queue.task_done()

    def get(self, count):  # looking takes, so it takes from a copy
        with tempfile.TemporaryDirectory() as copy:
            queue = persistqueue.Queue(shutil.copytree(self.path, copy, dirs_exist_ok=True))
            return [queue.get_nowait() for _ in range(min(count, queue.qsize()))]
