import json
import os
import uuid


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        new = self.root / f"portfolio.{uuid.uuid4()}"
        new.write_text(json.dumps(data))
        os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
