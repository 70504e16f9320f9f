import json

import semidbm


class SemiDBMStore:
    tradestore_errors = (semidbm.DBMError, ValueError, OSError)
    tradestore_disclaims = ("threads",)  # it says of itself that it is for one thread

    def __init__(self, root):
        self.db = semidbm.open(str(root / "db"), "c")
        self.close = self.db.close

    def put(self, key, document):
        self.db[key] = json.dumps(document)
        self.db.sync()

    def get(self, key):
        key = key.encode()
        return json.loads(self.db[key]) if key in self.db else None
