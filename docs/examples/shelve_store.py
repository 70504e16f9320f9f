import pickle
import shelve


class ShelveStore:
    tradestore_errors = (pickle.UnpicklingError, EOFError, ValueError, OSError)
    tradestore_disclaims = ("threads",)  # by its documentation: no concurrent access

    def __init__(self, root):
        self.path = str(root / "shelf")

    def put(self, key, document):
        with shelve.open(self.path) as shelf:
            shelf[key] = document

    def get(self, key):
        with shelve.open(self.path) as shelf:
            return shelf.get(key)
