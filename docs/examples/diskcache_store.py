from diskcache import Cache


class DiskCacheStore:
    tradestore_volatile = ("*-shm",)

    def __init__(self, root):
        self.cache = Cache(root)
        self.get, self.keys, self.close = self.cache.get, lambda: list(self.cache), self.cache.close

    def put(self, key, document):
        self.cache[key] = document

    def delete(self, key):
        del self.cache[key]
