"""Stores that claim to be private, and do what somebody has planted in their root."""

import json
import os
import stat

from tests.sound_stores.private import PrivateDocument


class FollowsLinks(PrivateDocument):
    """NAME-2: opens its file by name, wherever that leads."""

    def load(self):
        try:
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None


class LooksBeforeItOpens(PrivateDocument):
    """NAME-2: asks whether the file is a link, and opens it then: between the two it can become one."""

    def load(self):
        try:
            if not stat.S_ISREG(os.lstat(self.file).st_mode):
                raise ValueError("not a file of ours")
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None


class WritesIntoFiles(PrivateDocument):
    """ATOM-1, ATOM-2, NAME-2: opens the file without following links, and writes into it: its other names see that."""

    def _replace(self, text):
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o640)
        with open(descriptor, "wb") as file:
            file.truncate(0)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        descriptor = os.open(self.root, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
