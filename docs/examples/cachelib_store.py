from cachelib import FileSystemCache


class CachelibStore:
    def __init__(self, root):
        self.cache = FileSystemCache(str(root), default_timeout=0)
        self.get = self.cache.get

    def put(self, key, document):
        if not self.cache.set(key, document):  # its way of saying that it could not
            raise OSError("not stored")

    def delete(self, key):
        if not self.cache.delete(key):
            raise OSError("not deleted")
