import asyncio
import json
import os


class Store:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    async def save(self, data):
        await asyncio.to_thread(self._save, json.dumps(data))

    def _save(self, text):
        new = self.root / "portfolio.new"
        with open(new, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.file)

    async def load(self):
        return await asyncio.to_thread(self._load)

    def _load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
