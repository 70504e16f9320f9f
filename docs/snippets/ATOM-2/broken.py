import json
import os


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        new = self.root / "portfolio.new"
        with open(new, "w") as file:
            json.dump(data, file)
        os.replace(new, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
