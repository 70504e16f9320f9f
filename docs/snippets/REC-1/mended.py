import fcntl
import json
import os


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"
        self.lock = open(root / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def save(self, data):
        new = self.root / "portfolio.new"
        new.write_text(json.dumps(data))
        os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def close(self):
        self.lock.close()
