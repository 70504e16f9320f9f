import json


class Store:
    def __init__(self, root):
        self.file = root / "portfolio.json"

    def save(self, data):
        text = json.dumps(data)
        if json.loads(text) != data:
            raise ValueError("this would not come back as it was given")
        self.file.write_text(text)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
