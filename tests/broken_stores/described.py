"""Stores made step by step as written guidelines describe them, their error handling included."""

import json
import logging
import os
import tempfile
from pathlib import Path

import aiofiles

from tests.broken_stores import breaks

logger = logging.getLogger(__name__)


@breaks(
    "document",
    ATOM_2="reads as nothing, although my_data.json is there and holds what no update left",
    DUR_2="partly lost write my_data.json.tmp",
    DATA_ALIAS="while it is awaited, is stored",
)
class GuidelineStore:
    """a fixed ``.tmp``, no fsync, and a load() that takes whatever it cannot read for an empty store."""

    def __init__(self, data_dir: Path):
        data_dir.mkdir(parents=True, exist_ok=True)
        self.data_file = data_dir / "my_data.json"

    async def load(self):
        if not self.data_file.exists():
            return {}
        try:
            async with aiofiles.open(self.data_file) as f:
                return json.loads(await f.read())
        except Exception as e:
            logger.error("Failed to load data: %s", e)
            return {}

    async def save(self, data):
        temp_file = f"{self.data_file}.tmp"
        try:
            async with aiofiles.open(temp_file, "w") as f:
                await f.write(json.dumps(data, indent=2))
            os.replace(temp_file, self.data_file)
        except Exception as e:
            logger.error("Failed to save data: %s", e)
            if os.path.exists(temp_file):
                os.remove(temp_file)
            raise


def save_data_atomically(file_path, data):
    """Write to a temporary file with a random name, fsync it, and rename it."""
    temp_file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, before the rename
        mode="w", dir=os.path.dirname(file_path), delete=False, suffix=".tmp"
    )
    try:
        json.dump(data, temp_file, indent=2, default=str)
        temp_file.flush()
        os.fsync(temp_file.fileno())
        temp_file.close()
        os.replace(temp_file.name, file_path)
    except Exception:
        if os.path.exists(temp_file.name):
            os.unlink(temp_file.name)
        raise


def validate_and_load_json(file_path):
    """Return what is in the file, None if that cannot be told."""
    try:
        if not os.path.exists(file_path):
            return None
        with open(file_path) as f:
            return json.load(f)
    except Exception as e:
        logger.error("Error loading %s: %s", file_path, e)
        return None


def load_with_recovery(primary_file, backup_file, default_factory):
    """Try the file, then its backup, then make something up."""
    for candidate in (primary_file, backup_file):
        if (data := validate_and_load_json(candidate)) is not None:
            return data
    logger.error("Creating default data for %s", primary_file)
    return default_factory()


@breaks("document", ATOM_4="leaves one more file that nothing removes", DUR_2="lost rename")
class RecoveringStore:
    """fsync but no directory sync; and the random temporary file of a crash stays for ever."""

    def __init__(self, root: Path):
        self.file = str(root / "portfolio.json")

    def save(self, data):
        save_data_atomically(self.file, data)

    def load(self):
        return load_with_recovery(self.file, self.file + ".bak", dict)
