import json


class Store:
    def __init__(self, root):
        self.root = root

    def append(self, stream, record):
        with open(self.root / f"{stream}.log", "a") as log:
            log.write(json.dumps(record) + "\n")

    def read(self, stream):
        log = self.root / f"{stream}.log"
        return [json.loads(line) for line in log.read_text().splitlines()[-1000:]] if log.exists() else []
