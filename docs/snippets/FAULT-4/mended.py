import json
import os


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        text = json.dumps(data, allow_nan=False)
        if json.loads(text) != data:
            raise ValueError("this would not come back as it was given")
        new = self.root / "portfolio.new"
        new.write_text(text)
        os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
