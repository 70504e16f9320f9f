"""The way most programs save a file: a temporary one, renamed over the old one. Is that enough?"""

import json
import os


class UsualStore:
    def __init__(self, root):
        self.file = root / "portfolio.json"

    def save(self, data):
        temporary = f"{self.file}.tmp"
        with open(temporary, "w") as file:
            json.dump(data, file)
        os.replace(temporary, self.file)

    def load(self):
        try:
            with open(self.file) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}
