import json
import os
import tempfile


class Store:
    def __init__(self, root):
        self.file = root / "portfolio.json"

    def save(self, data):
        with tempfile.NamedTemporaryFile("w", delete=False, dir=self.file.parent) as file:
            json.dump(data, file)
        os.replace(file.name, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
