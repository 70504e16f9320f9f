import json
import os
import threading


class Store:
    def __init__(self, root):
        self.root, self.file, self.lock = root, root / "portfolio.json", threading.Lock()

    def save(self, data):
        with self.lock:
            new = self.root / "portfolio.new"
            new.write_text(json.dumps(data))
            os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
