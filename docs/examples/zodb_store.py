import transaction
import ZODB
from ZODB.POSException import POSError


class ZODBStore:
    tradestore_errors = (POSError, ValueError, OSError)
    tradestore_claims = ("single-instance",)

    def __init__(self, root):
        self.db = ZODB.DB(str(root / "store.fs"))
        self.root, self.close = self.db.open().root(), self.db.close
        self.get = self.root.get

    def put(self, key, document):
        with transaction.manager:
            self.root[key] = document
