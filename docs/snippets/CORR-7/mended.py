import json
import os
from zlib import crc32


class Store:
    tradestore_claims = ("checksums",)

    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        text = json.dumps(document)
        (self.root / "new").write_text(f"{crc32((key + text).encode()):08x}{text}")
        os.replace(self.root / "new", self.root / f"{key}.json")

    def get(self, key):
        file = self.root / f"{key}.json"
        text = file.read_text() if file.exists() else None
        if text is not None and text[:8] != f"{crc32((key + text[8:]).encode()):08x}":
            raise ValueError(f"{key} is damaged")
        return json.loads(text[8:]) if text else None
