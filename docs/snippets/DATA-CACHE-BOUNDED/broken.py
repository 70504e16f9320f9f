import json
import os
from hashlib import sha256
from time import time, time_ns


class Store:
    tradestore_contracts = ("cache",)

    def __init__(self, root):
        self.root = root

    def put(self, key, value, ttl=None):
        new = self.root / "new"
        new.write_text(json.dumps({"key": key, "value": value, "until": time() + ttl if ttl else None}))
        os.replace(new, self.root / f"{self._file(key).stem}.{time_ns()}.json")

    def get(self, key):
        files = sorted(self.root.glob(f"{self._file(key).stem}.*.json"))
        entry = json.loads(files[-1].read_text()) if files else None
        over = entry is None or entry["key"] != key or (entry["until"] and entry["until"] <= time())
        return None if over else entry["value"]

    def delete(self, key):
        self.put(key, None)

    def _file(self, key):
        return self.root / f"{sha256(key.encode()).hexdigest()}.json"
