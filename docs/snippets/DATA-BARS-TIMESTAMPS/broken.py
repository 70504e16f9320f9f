import pickle
from dataclasses import replace


class Store:
    def __init__(self, root):
        self.root = root

    def write_bars(self, symbol, bars):
        bars = [replace(bar, date=bar.date.replace(tzinfo=None)) for bar in bars]
        known = {bar.date: bar for bar in [*self._bars(symbol), *bars]}
        self._file(symbol).write_bytes(pickle.dumps(list(known.values())))

    def read_bars(self, symbol, start, end):
        start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
        return sorted((bar for bar in self._bars(symbol) if start <= bar.date <= end), key=lambda bar: bar.date)

    def _bars(self, symbol):
        return pickle.loads(self._file(symbol).read_bytes()) if self._file(symbol).exists() else []

    def _file(self, symbol):
        return self.root / f"{symbol}.bars"
