import json
import os
from hashlib import sha256
from time import time


class Store:
    tradestore_contracts = ("cache",)

    def __init__(self, root):
        self.root = root

    def put(self, key, value, ttl=None):
        new = self.root / "new"
        new.write_text(json.dumps({"key": key, "value": value, "until": time() + ttl if ttl else None}))
        os.replace(new, self._file(key))

    def get(self, key):
        entry = json.loads(self._file(key).read_text()) if self._file(key).exists() else None
        over = entry is None or entry["key"] != key or (entry["until"] and entry["until"] <= time())
        return None if over else entry["value"]

    def delete(self, key):
        pass

    def _file(self, key):
        return self.root / f"{sha256(key.encode()).hexdigest()}.json"
