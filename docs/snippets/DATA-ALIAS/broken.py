import json


class Store:
    def __init__(self, root):
        self.file = root / "portfolio.json"
        self.data = json.loads(self.file.read_text()) if self.file.exists() else {}

    def save(self, data):
        self.data = data
        self.file.write_text(json.dumps(data))

    def load(self):
        return self.data
