import json

from simplekv.fs import FilesystemStore


class SimpleKVStore:
    def __init__(self, root):
        self.files = FilesystemStore(str(root))
        self.keys, self.delete = self.files.keys, self.files.delete

    def put(self, key, document):
        self.files.put(key, json.dumps(document).encode())

    def get(self, key):
        return json.loads(self.files.get(key)) if key in self.files else None
