import json

import plyvel


class LevelDBStore:
    tradestore_errors = (plyvel.Error, ValueError, OSError)
    tradestore_claims = ("single-instance",)

    def __init__(self, root):
        self.db = plyvel.DB(str(root / "db"), create_if_missing=True)
        self.close = self.db.close

    def put(self, key, document):
        self.db.put(key.encode(), json.dumps(document).encode(), sync=True)

    def get(self, key):
        return json.loads(self.db.get(key.encode(), b"null"))
