"""Stores that make file names of keys as people do: durable, and wrong about whom a key belongs to."""

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

from tests.broken_stores import breaks
from tests.sound_stores import files, plain


class _Named(plain.PlainDocuments):
    """Documents under ``<name>.json``, where ``name`` is what a subclass makes of the key."""

    def __init__(self, root: Path):
        self.root = self.directory = root

    def path(self, key):
        raise NotImplementedError

    def put(self, key, document):
        path = self.path(key)
        text = files.encode(document)
        with files.locked(self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace_durably(path, text)

    def get(self, key):
        return files.read_document(self.path(key))

    def delete(self, key):
        with files.locked(self.root):
            files.remove_durably(self.path(key))

    def keys(self):
        return [name.removesuffix(".json") for name in sorted(os.listdir(self.root)) if name.endswith(".json")]


@breaks(
    "documents",
    name="joins-keys",
    NAME_1="the key '../x' led out of the root: ../x.json was",
    NAME_3="the keys 'a/../x' and 'x' share data",
    NAME_4="the key 'BTC/USDT' is not listed as it was given",
    NAME_5="was accepted and stands in the file system",
)
class Joined(_Named):
    """os.path.join, which an absolute key or '..' leads anywhere."""

    def path(self, key):
        return Path(os.path.join(self.root, key + ".json"))


@breaks(
    "documents",
    name="looks-where-keys-begin",
    NAME_1="the key '../store-evil/x' led out of the root",
    NAME_3="the keys 'a/../x' and 'x' share data",
    NAME_4="the key 'BTC/USDT' is not listed as it was given",
    NAME_5="was accepted and stands in the file system",
)
class StartsWith(_Named):
    """resolves, and looks whether the path begins like the root: '<root>-evil' does."""

    def path(self, key):
        found = (self.root / f"{key}.json").resolve()
        if not str(found).startswith(str(self.root.resolve())):
            raise ValueError("outside of the root")
        return found


@breaks(
    "documents",
    name="strips-keys",
    NAME_1="the key '....//x' led out of the root: ../x.json was",
    NAME_3="the keys '../x' and 'x' share data",
    NAME_4="the key 'BTC/USDT' is not listed as it was given",
    NAME_5="was accepted and stands in the file system",
)
class Stripped(_Named):
    """removes '../' once, so that '....//' becomes it."""

    def path(self, key):
        return self.root / (key.replace("../", "").lstrip("/") + ".json")


@breaks(
    "documents",
    name="replaces-separators",
    NAME_3="the keys 'BTC/USDT' and 'BTC\\\\USDT' share data",
    NAME_4="is not listed as it was given",
    NAME_5="the key 'AAPL\\n' was accepted and stands in the file system",
)
class Replaced(_Named):
    """'_' for every separator, so that BTC/USDT and BTC_USDT are one."""

    def path(self, key):
        return self.root / (key.replace("/", "_").replace("\\", "_") + ".json")


@breaks(
    "documents",
    name="joins-keys-safely",
    NAME_3="the keys 'a/../x' and 'x' share data",
    NAME_4="the key 'BTC/USDT' is not listed as it was given",
    NAME_5="was accepted and stands in the file system",
)
class SafelyJoined(_Named):
    """normalises, and refuses what is absolute or climbs; other names of a file stay."""

    def path(self, key):
        name = os.path.normpath(key) if key else ""
        if os.path.isabs(name) or name == ".." or name.startswith("../"):
            raise ValueError("not a safe path")
        return self.root / f"{name}.json"


@breaks("documents", name="secures-keys", NAME_3="share data", NAME_4="the key '^GSPC' is not listed as it was given")
class Secured(_Named):
    """keeps of a key what is safe in a file name, and of two keys perhaps the same."""

    def path(self, key):
        name = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode("ascii")
        name = "_".join(name.replace("/", " ").replace("\\", " ").split())
        name = re.sub(r"[^A-Za-z0-9_.-]", "", name).strip("._")
        if not name:
            raise ValueError("nothing of it is left")
        return self.root / f"{name}.json"


@breaks(
    "documents", name="matches-keys", NAME_5="the key 'AAPL\\n' was accepted and stands in the file system as it is"
)
class Matched(_Named):
    """an allowlist with re.match and '$', which a newline at the end passes; upper case only."""

    def path(self, key):
        if not isinstance(key, str) or not re.match(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", key):
            raise ValueError("not a key")
        return self.root / files.file_name(key).replace("%0A", "\n")

    def keys(self):
        return [files.key_of(name) for name in sorted(os.listdir(self.root)) if name.endswith(".json")]


@breaks("documents", name="refuses-long-ids", NAME_6="as ordinary as they come, was refused")
class RefusesLongOnes(plain.PlainDocuments):
    """an allowlist for symbols only; the ids of strategies and portfolios are longer."""

    def _checked(self, key):
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,20}", key):
            raise ValueError("not a key")
        return key

    def put(self, key, document):
        super().put(self._checked(key), document)

    def get(self, key):
        return super().get(self._checked(key))

    def delete(self, key):
        super().delete(self._checked(key))


@breaks("documents", NAME_5="the key '^GSPC' was refused, but not without effect: 'documents/new.staged' was")
class CreatesBeforeItRefuses(plain.PlainDocuments):
    """makes the temporary file first, and looks at the key when it is renamed."""

    def put(self, key, document):
        files.write_synced(self.directory / "new.staged", files.encode(document))
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", key):
            raise ValueError("not a key")
        os.unlink(self.directory / "new.staged")
        super().put(key, document)


@breaks("documents", NAME_4="is listed, which nobody has written")
class DecodesTwice(plain.PlainDocuments):
    """decodes the keys that it lists once more than it has encoded them."""

    def keys(self):
        listed = super().keys()
        return [unquote(key) for key in listed]


@breaks("documents", NAME_1="get('../x') returned what stands in a file outside")
class PeeksOutside(plain.PlainDocuments):
    """looks beside the root for a key that it does not have, and changes nothing there."""

    def get(self, key):
        found = super().get(key)
        if found is None and isinstance(key, str) and "\0" not in key and key.startswith("../"):
            path = self.root / (key[:200] + ".json")
            return files.read_document(path) if path.is_file() else None
        return found
