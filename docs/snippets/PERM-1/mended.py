import json
import os


class Store:
    tradestore_claims = ("private-files",)

    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        new = self.root / "portfolio.new"
        new.unlink(missing_ok=True)
        with open(new, "x", opener=self._private) as file:
            json.dump(data, file)
        os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def _private(self, path, flags):
        return os.open(path, flags, 0o600)
