from pickleshare import PickleShareDB


class PickleShareStore:
    def __init__(self, root):
        self.db = PickleShareDB(root)
        self.get, self.keys = self.db.get, self.db.keys
        self.put, self.delete = self.db.__setitem__, self.db.__delitem__
