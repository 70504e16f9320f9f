import json
import os


class Store:
    def __init__(self, root):
        self.root = root

    def append(self, stream, record):
        with open(self.root / f"{stream}.log", "a") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self, stream):
        log = self.root / f"{stream}.log"
        return [json.loads(line) for line in open(log) if line.endswith("\n")] if log.exists() else []
