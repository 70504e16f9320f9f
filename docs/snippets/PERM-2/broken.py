import json
import os


class Store:
    tradestore_claims = ("private-files",)

    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        new = self.root / "portfolio.new"
        new.unlink(missing_ok=True)
        with open(new, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(data, file)
            os.fchmod(file.fileno(), 0o640)
        os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
