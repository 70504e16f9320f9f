import json

import zict


class ZictStore:
    def __init__(self, root):
        self.files = zict.Func(lambda document: json.dumps(document).encode(), json.loads, zict.File(root / "files"))
        self.get, self.keys = self.files.get, lambda: list(self.files)
        self.put, self.delete = self.files.__setitem__, self.files.__delitem__
