"""The guide to the stores of a trading bot does what it says: its examples run, in order, in an empty directory."""

import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "keep-what-a-trading-bot-knows.md"


def test_the_examples_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    program = "\n".join(blocks)

    assert len(blocks) > 1
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True)
