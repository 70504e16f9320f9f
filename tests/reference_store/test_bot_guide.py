"""The guides to the stores of a trading bot and to backups do what they say: their examples run, in order."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "how-to"


@pytest.mark.parametrize("guide", ["keep-what-a-trading-bot-knows.md", "back-up-and-restore.md"])
def test_the_examples_run(tmp_path: Path, guide: str) -> None:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    program = "\n".join(blocks)

    assert blocks
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True)
