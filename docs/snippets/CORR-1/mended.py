import json


class Store:
    def __init__(self, root):
        self.root = root

    def append(self, stream, record):
        with open(self.root / f"{stream}.log", "a") as log:
            log.write(json.dumps(record) + "\n")

    def read(self, stream):
        records, log = [], self.root / f"{stream}.log"
        for line in log.read_bytes().splitlines() if log.exists() else []:
            records.append(json.loads(line))
        return records
