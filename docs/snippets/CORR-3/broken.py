import json
import os


class Store:
    tradestore_claims = ("backup",)

    def __init__(self, root):
        self.root, self.file, self.backup = root, root / "portfolio.json", root / "portfolio.bak"

    def save(self, data):
        for file in (self.backup, self.file):
            new = self.root / "portfolio.new"
            new.write_text(json.dumps(data))
            os.replace(new, file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
