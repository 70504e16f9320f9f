import json
import os


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"
        os.close(os.open(root / "lock", os.O_CREAT | os.O_EXCL))

    def save(self, data):
        new = self.root / "portfolio.new"
        new.write_text(json.dumps(data))
        os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def close(self):
        os.unlink(self.root / "lock")
