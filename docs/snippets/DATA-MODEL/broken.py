import json


class Store:
    def __init__(self, root):
        self.root, self.known = root, {}

    def save_strategy_state(self, name, state):
        (self.root / f"{name}.json").write_text(json.dumps(state))

    def load_strategy_state(self, name):
        if name in self.known:
            return self.known[name]
        file = self.root / f"{name}.json"
        self.known[name] = json.loads(file.read_text()) if file.exists() else None
        return self.known[name]
