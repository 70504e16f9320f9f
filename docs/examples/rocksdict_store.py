from rocksdict import Rdict


class RocksDictStore:
    tradestore_claims = ("single-instance",)

    def __init__(self, root):
        self.db = Rdict(str(root / "db"))
        self.get, self.close = self.db.get, self.db.close
        self.keys = lambda: list(self.db.keys())
        self.put, self.delete = self.db.__setitem__, self.db.__delitem__
