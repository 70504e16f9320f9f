import json
import os


class Store:
    def __init__(self, root):
        self.root = root

    def append(self, stream, record):
        name = f"{stream}.{len(self._names(stream)):06}"
        with open(self.root / "new", "w") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.root / "new", self.root / name)
        directory = os.open(self.root, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def read(self, stream):
        return [json.loads((self.root / name).read_text()) for name in self._names(stream)]

    def _names(self, stream):
        return sorted(name for name in os.listdir(self.root) if name.startswith(f"{stream}."))
