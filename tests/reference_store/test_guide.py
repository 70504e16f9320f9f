"""The guide to the reference store does what it says: its examples run, in order, in an empty directory."""

import os
import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-reference-store.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_the_examples_run_and_what_was_edited_by_hand_is_accepted_by_the_commands_shown(tmp_path: Path) -> None:
    program = "\n".join(blocks("python"))
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True)
    edited = [tmp_path / "data" / "runs" / "runs.json", tmp_path / "trading" / "state" / "momentum+.json"]
    for file in edited:
        content = file.read_text(encoding="utf-8")
        file.write_text(content.replace("AAPL", "MSFT"), encoding="utf-8")
        assert "MSFT" in file.read_text(encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    for block in blocks("sh"):
        subprocess.run(["sh", "-e", "-c", block], cwd=tmp_path, check=True, env={**os.environ, "PATH": path})

    check = (
        "from reference_store import FileDataStore, RunStore\n"
        "assert RunStore('data/runs').list_runs()[0].params == {'symbol': 'MSFT'}\n"
        "assert FileDataStore('trading').load_strategy_state('momentum') == {'positions': {'MSFT': 100}}\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", check], cwd=tmp_path, check=True)


def test_every_error_that_it_tells_of_is_one_and_none_is_missing() -> None:
    import reference_store
    from reference_store import StoreError

    exported = {
        name
        for name in reference_store.__all__
        if isinstance(found := getattr(reference_store, name), type)
        and issubclass(found, StoreError)
        and found is not StoreError
    }
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[A-Z]\w+`(?:, `\w+`)*) \| ", TEXT, re.MULTILINE))))

    assert exported <= told


def test_of_every_operation_it_is_said_what_it_costs() -> None:
    import reference_store

    rows = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| ")]
    told = set(re.findall(r"`([a-z_]+)(?:\([^`]*\))?`", "".join(rows)))
    among = {"append_all", "checked", "group", "looking"}  # what stores are made of

    for name in reference_store.__all__:
        store = getattr(reference_store, name)
        if name.endswith("Store") and name != "DataStore":
            operations = {each for each in dir(store) if not each.startswith(("_", "tradestore_"))} - among
            assert {each for each in operations if callable(getattr(store, each))} - told == set(), name


def test_every_store_is_in_the_table() -> None:
    import reference_store

    stores = {name for name in reference_store.__all__ if name.endswith("Store") and name != "DataStore"}

    assert {name for name in stores if f"`{name}`" not in TEXT} == set()
