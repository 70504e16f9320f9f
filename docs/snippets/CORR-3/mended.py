import json
import logging
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
        try:
            return json.loads(self.file.read_text()) if self.file.exists() else {}
        except (ValueError, RecursionError):
            logging.warning("%s is damaged; the backup is read", self.file)
            return json.loads(self.backup.read_text())
