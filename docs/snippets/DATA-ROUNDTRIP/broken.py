import json


class Store:
    def __init__(self, root):
        self.file = root / "portfolio.json"

    def save(self, data):
        text = json.dumps(data)
        self.file.write_text(json.dumps(json.loads(text, parse_float=lambda digits: round(float(digits), 6))))

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
