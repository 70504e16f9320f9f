import pickle


class Store:
    def __init__(self, root):
        self.root = root

    def write_fundamental(self, symbol, data):
        self._file(symbol).write_bytes(pickle.dumps([*self._known(symbol), data]))

    def read_fundamental(self, symbol, as_of=None):
        known = [data for data in self._known(symbol) if as_of is None or data.timestamp <= as_of]
        return max(known, key=lambda data: data.timestamp)

    def _known(self, symbol):
        return pickle.loads(self._file(symbol).read_bytes()) if self._file(symbol).exists() else []

    def _file(self, symbol):
        return self.root / f"{symbol}.company"
