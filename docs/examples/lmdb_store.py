import json

import lmdb


class LMDBStore:
    tradestore_errors = (lmdb.Error, ValueError, OSError)
    tradestore_volatile = ("lock.mdb",)

    def __init__(self, root):
        self.env = lmdb.open(str(root))
        self.close = self.env.close

    def put(self, key, document):
        with self.env.begin(write=True) as transaction:
            transaction.put(key.encode(), json.dumps(document).encode())

    def get(self, key):
        with self.env.begin() as transaction:
            value = transaction.get(key.encode())
        return value and json.loads(value)
