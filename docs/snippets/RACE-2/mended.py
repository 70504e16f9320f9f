import fcntl
import json
import os


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with open(self.root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new = self.root / "portfolio.new"
            new.write_text(json.dumps(data))
            os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
