import json


class Store:
    def __init__(self, root):
        self.root = root

    def save_strategy_state(self, name, state):
        (self.root / f"{name}.json").write_text(json.dumps(state))

    def load_strategy_state(self, name):
        file = self.root / f"{name}.json"
        return json.loads(file.read_text()) if file.exists() else None
