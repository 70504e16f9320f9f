import json


class Store:
    def __init__(self, root):
        self.file = root / "portfolio.json"

    def save(self, data):
        self.file.write_text(json.dumps(self.load() | data))

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
