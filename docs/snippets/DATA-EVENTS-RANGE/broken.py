import pickle


class Store:
    def __init__(self, root):
        self.file = root / "events"

    def write_event(self, event):
        self.file.write_bytes(pickle.dumps([*self._events(), event]))

    def read_events(self, start, end, types=None):
        events = [event for event in self._events() if types is None or event.type in types]
        return sorted((event for event in events if start < event.timestamp <= end), key=lambda event: event.timestamp)

    def _events(self):
        return pickle.loads(self.file.read_bytes()) if self.file.exists() else []
