"""Stores that do what identifiers say: as wrong as can be, to show that the suite itself is safe."""

import json
import os
import shutil
import subprocess


class MostVulnerable:
    """Joins, makes every directory, writes in place, and removes whole trees."""

    def __init__(self, root):
        self.root = root

    def _path(self, key):
        return os.path.join(self.root, os.path.expandvars(os.path.expanduser(str(key))))

    def put(self, key, document):
        path = self._path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump(document, file)

    def get(self, key):
        path = self._path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(path):
            return {"entries": os.listdir(path)}
        if not os.path.exists(path):
            return None
        with open(path) as file:
            return json.load(file)

    def delete(self, key):
        path = self._path(key)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)

    def keys(self):
        return os.listdir(self.root)


class ReplacesAnything(MostVulnerable):
    """Renames a temporary file over the target: as root, /dev/null would become a file."""

    def put(self, key, document):
        path = self._path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{path}.tmp", "w") as file:
            json.dump(document, file)
        os.replace(f"{path}.tmp", path)


class AsksAnotherProgram:
    """Reads through another program, which Python's audit events do not show."""

    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        if "/" in key or "\\" in key or not key.isprintable() or len(key) > 100 or key in ("", ".", "..", " "):
            raise ValueError("not a key")
        (self.root / f"{key}.doc").write_text(json.dumps(document))

    def get(self, key):
        if "\0" in key or not key.isprintable() or len(key) > 100:
            raise ValueError("not a key")
        done = subprocess.run(["/bin/cat", f"{self.root}/{key}.doc"], capture_output=True, text=True)
        return json.loads(done.stdout) if done.stdout else None
