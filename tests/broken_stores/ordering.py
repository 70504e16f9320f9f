"""Stores of several files that become durable in the wrong order."""

import json
import os
from pathlib import Path

import aiofiles

from tests.broken_stores import breaks
from tests.broken_stores.bases import Rooted
from tests.sound_stores.files import encode, file_name, read_document, replace_durably


@breaks("documents", ATOM_2="lost create AAPL.json.b", DUR_2="partly lost write AAPL.json.b")
class ManifestFirst:
    """the manifest is durable, but it names a data file whose content was never synced."""

    def __init__(self, root: Path):
        self.root, self.manifest = root, root / "manifest.json"

    def put(self, key, document):
        named = read_document(self.manifest) or {}
        slot = "b" if named.get(key, "").endswith("a") else "a"  # never the file that is named now
        data_file = file_name(key) + "." + slot
        (self.root / data_file).write_text(encode(document))
        replace_durably(self.manifest, json.dumps(named | {key: data_file}))

    def get(self, key):
        named = read_document(self.manifest) or {}
        return json.loads((self.root / named[key]).read_text()) if key in named else None


@breaks("documents", ATOM_2="lost create AAPL.json.b", DUR_2="partly lost write AAPL.json.b")
class ManifestFirstAiofiles(ManifestFirst):
    """the same through aiofiles."""

    async def put(self, key, document):
        named = read_document(self.manifest) or {}
        data_file = file_name(key) + "." + ("b" if named.get(key, "").endswith("a") else "a")
        text = encode(document)
        async with aiofiles.open(self.root / data_file, "w") as file:
            await file.write(text)
        replace_durably(self.manifest, json.dumps(named | {key: data_file}))


@breaks("documents", ATOM_3="is half done: keys() as after it, AAPL as before it")
class IndexFirst:
    """a new key is in the index, and listed, before its document is there."""

    def __init__(self, root: Path):
        self.root, self.index = root, root / "index"

    def keys(self):
        return (read_document(self.index) or {"keys": []})["keys"]

    def put(self, key, document):
        path = self.root / file_name(key)
        if key not in self.keys():
            replace_durably(self.index, json.dumps({"keys": [*self.keys(), key]}))
        replace_durably(path, encode(document))

    def get(self, key):
        return read_document(self.root / file_name(key))


@breaks("journal", ATOM_2="partly lost write orders+.json", REC_3="partly lost write orders+.json")
class CounterApart(Rooted):
    """the length of the log stands in a file of its own, which may be durable before the record is."""

    def _length(self, stream):
        return (read_document(self.root / f"{file_name(stream)}.length") or {"bytes": 0})["bytes"]

    def append(self, stream, record):
        path, length, line = self.root / file_name(stream), self._length(stream), encode(record).encode() + b"\n"
        with open(path, "r+b" if path.exists() else "wb") as log:
            log.seek(length)
            log.write(line)
        replace_durably(self.root / f"{file_name(stream)}.length", json.dumps({"bytes": length + len(line)}))
        with open(path, "rb") as log:
            os.fsync(log.fileno())

    def read(self, stream):
        if not self._length(stream):
            return []
        content = (self.root / file_name(stream)).read_bytes()[: self._length(stream)]
        return [json.loads(line) for line in content.splitlines()]
