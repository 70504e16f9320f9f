from pickledb import PickleDB


class PickleDBStore:
    def __init__(self, root):
        self.db = PickleDB(str(root / "store.json"))
        self.db.load()
        self.get, self.keys = self.db.get, self.db.all

    def put(self, key, document):
        self.db.set(key, document)
        self.db.save()

    def delete(self, key):
        self.db.remove(key)
        self.db.save()
