import sqlite3

from diskcache import Cache, Timeout


class DiskCacheStore:
    tradestore_errors = (sqlite3.Error, Timeout, ValueError, OSError)
    tradestore_volatile = ("*-shm",)

    def __init__(self, root):
        self.cache = Cache(root)
        self.get, self.keys, self.close = self.cache.get, lambda: list(self.cache), self.cache.close

    def put(self, key, document):
        self.cache[key] = document

    def delete(self, key):
        del self.cache[key]
