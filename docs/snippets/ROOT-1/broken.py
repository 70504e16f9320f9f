import json
import shutil
import tempfile


class Store:
    def __init__(self, root):
        self.file = root / "portfolio.json"

    def save(self, data):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            json.dump(data, file)
        shutil.move(file.name, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
