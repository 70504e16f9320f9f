import shelve


class ShelveStore:
    def __init__(self, root):
        self.path = str(root / "shelf")

    def put(self, key, document):
        with shelve.open(self.path) as shelf:
            shelf[key] = document

    def get(self, key):
        with shelve.open(self.path) as shelf:
            return shelf.get(key)
