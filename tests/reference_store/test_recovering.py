"""``tradestore recover``, ``export``, ``migrate``, ``doctor``, ``evidence restore``; words that break none."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_store import (
    DocumentStore,
    FileDataStore,
    JournalStore,
    PerformanceStore,
    PortfolioStore,
    SingleDocumentStore,
    SyncJobStore,
)
from reference_store.bot_models import Holding, Portfolio, Value
from reference_store.core.schemas import Migrations, Schema, Step
from reference_store.models import Job, PriceBar
from reference_store.operations import doctor
from reference_store.operations.command_line import COMMAND
from reference_store.performance_models import Snapshot

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
RUNBOOK = Path(__file__).parents[2] / "docs" / "how-to" / "recover.md"


def tradestore(*words: object, given: bytes | None = None) -> Result:
    done = CliRunner().invoke(COMMAND, [str(word) for word in words], input=given)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def portfolio(amount: float = 1.0) -> Portfolio:
    return Portfolio(
        portfolio_value_eur=Value(amount=amount),
        initial_value_eur=Value(amount=1.0),
        holdings={"BTC": Holding(amount=0.5)},
    )


def saved(root: Path, *amounts: float) -> Path:
    with PortfolioStore(root) as store:
        for amount in amounts:
            store.save(portfolio(amount))
    return root


def value(root: Path) -> float | None:
    with PortfolioStore(root) as store:
        found = store.load()
        return None if found is None else found.portfolio_value_eur.amount


def test_a_sound_portfolio_is_left_as_it_is(tmp_path: Path) -> None:
    file = saved(tmp_path, 1.0, 2.0) / "portfolio.json"
    before = file.read_bytes()

    assert tradestore("recover", "portfolio", tmp_path).output == "portfolio.json is sound\n"
    assert file.read_bytes() == before


def test_a_damaged_portfolio_is_had_from_its_backup_and_then_from_the_exchange(tmp_path: Path) -> None:
    file = saved(tmp_path, 1.0, 2.0) / "portfolio.json"
    file.write_bytes(b"{")
    assert tradestore("verify", tmp_path).exit_code == 1

    done = json.loads(tradestore("recover", "portfolio", tmp_path, "--json").output)
    assert (done["step"], value(tmp_path)) == ("backup", 1.0)
    for name in ("portfolio.json", "portfolio.json.bak"):
        (tmp_path / name).write_bytes(b"{")
    assert tradestore("recover", "portfolio", tmp_path).exit_code == 1, "nobody has answered"
    answer = portfolio(7.0).model_dump_json().encode()
    done = json.loads(tradestore("recover", "portfolio", tmp_path, "--answer", "-", "--json", given=answer).output)
    assert (done["step"], value(tmp_path)) == ("fallback", 7.0)
    assert tradestore("verify", tmp_path).exit_code == 1, "the backup is damaged still"
    saved(tmp_path, 8.0)
    assert tradestore("verify", tmp_path).exit_code == 0


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"trades_executed": -1}'])
def test_an_answer_that_is_no_portfolio_is_refused_and_nothing_touched(tmp_path: Path, answer: bytes) -> None:
    saved(tmp_path, 1.0)
    (tmp_path / "portfolio.json").write_bytes(b"{")

    done = tradestore("recover", "portfolio", tmp_path, "--answer", "-", given=answer)

    assert (done.exit_code, done.output.count("Error: "), "Traceback" in done.output) == (1, 1, False)
    assert (tmp_path / "portfolio.json").read_bytes() == b"{"


def tracked(root: Path) -> Path:
    saved(root, 5.0)
    with PerformanceStore(root) as store:
        store.start(Snapshot(timestamp=datetime.now(UTC) - timedelta(days=3), total_value_eur=1.0))
    return root


@pytest.mark.parametrize("harm", ["gone", "damaged", "configuration", "snapshots"])
def test_lost_performance_data_begin_anew_from_the_portfolio_as_it_is(tmp_path: Path, harm: str) -> None:
    tracked(tmp_path)
    for file in (tmp_path / "performance").glob("p*.json*"):
        if harm == "gone":
            file.unlink()
        elif harm == "damaged" or harm in file.name.replace("config", "configuration"):
            file.write_bytes(b"{")

    assert tradestore("recover", "performance", tmp_path).exit_code == 0

    with PerformanceStore(tmp_path) as store:
        assert store.config() is not None
        worth = [each.total_value_eur for each in store.snapshots()]
    assert worth[-1] == 5.0 or harm == "snapshots"
    assert worth
    assert tradestore("verify", tmp_path).exit_code == 0
    assert len(list((tmp_path / "performance").glob(".damaged-*"))) == {"gone": 0, "damaged": 2}.get(harm, 1)


def test_control_what_is_sound_goes_on(tmp_path: Path) -> None:
    tracked(tmp_path)

    assert "goes on" in tradestore("recover", "performance", tmp_path).output
    with PerformanceStore(tmp_path) as store:
        assert [each.total_value_eur for each in store.snapshots()] == [1.0]


def bars(count: int = 3) -> list[PriceBar]:
    return [
        PriceBar(symbol="AAPL", date=NOON + timedelta(days=n), open=1.0, high=2.0, low=1.0, close=2.0, volume=n)
        for n in range(count)
    ]


def with_bars(root: Path, count: int = 3) -> Path:
    with FileDataStore(root) as store:
        store.write_bars("AAPL", bars(count))
    return root


def read(root: Path) -> list[PriceBar]:
    with FileDataStore(root) as store:
        return store.read_bars("AAPL", NOON - timedelta(days=99), NOON + timedelta(days=99))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_lost_bars_are_told_and_loaded_again_from_what_was_exported(tmp_path: Path, suffix: str) -> None:
    with_bars(tmp_path)
    file = tmp_path / f"bars.{suffix}"
    assert tradestore("export", tmp_path, "AAPL", "--output", file).exit_code == 0
    (tmp_path / "prices" / "AAPL" / "2026-01.parquet").write_bytes(b"PAR1")

    lost = tradestore("recover", "history", tmp_path, "AAPL")
    assert (lost.exit_code, "3 lost" in lost.output) == (1, True)
    assert read(tmp_path) == []
    assert tradestore("recover", "history", tmp_path, "AAPL", "--from", file).exit_code == 0
    assert read(tmp_path) == bars()
    assert tradestore("recover", "history", tmp_path, "AAPL").exit_code == 0


def test_bars_are_exported_as_any_reader_knows_them(tmp_path: Path) -> None:
    with_bars(tmp_path)
    for form in ("csv", "parquet", "arrow"):
        assert tradestore("export", tmp_path, "AAPL", "-o", tmp_path / f"x.{form}").exit_code == 0
    with pa.memory_map(str(tmp_path / "x.arrow")) as source:
        arrow = pa.ipc.open_file(source).read_all()
    for table in (arrow, pa_parquet.ParquetFile(tmp_path / "x.parquet").read(), pa_csv.read_csv(tmp_path / "x.csv")):
        assert table.column("close").to_pylist() == [2.0, 2.0, 2.0]
        assert table.column("date").cast(pa.timestamp("us", "UTC")).to_pylist() == [bar.date for bar in bars()]
    part = tradestore("export", tmp_path, "AAPL", "--from", "2026-01-06T00:00:00", "--to", "2026-01-06")
    assert [line.split(",")[1][:10] for line in part.output.splitlines()[1:]] == ["2026-01-06"]


@pytest.mark.parametrize("aware", [True, False])
def test_bounds_fit_bars_with_time_zones_and_without(tmp_path: Path, aware: bool) -> None:
    with FileDataStore(tmp_path) as store:
        zone = UTC if aware else None
        store.write_bars("AAPL", [replace(bar, date=bar.date.replace(tzinfo=zone)) for bar in bars()])

    for bound in ("2026-01-06T00:00:00", "2026-01-06T00:00:00+00:00"):
        assert len(tradestore("export", tmp_path, "AAPL", "--from", bound).output.splitlines()) == 3


def test_an_export_changes_nothing_in_the_store_and_no_file_by_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_bars(tmp_path / "data")
    (tmp_path / "out.csv").write_text("before")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.write", full)
        done = tradestore("export", tmp_path / "data", "AAPL", "-o", tmp_path / "out.csv")
    assert (done.exit_code, done.output.count("Error: ")) == (1, 1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


SCHEMA = Schema(migrations=Migrations("2.0", Step("1.0", "2.0", lambda old: {**old, "made": "later"})))
HERE = f"{__name__}:SCHEMA"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setitem(sys.modules, "schema_of_a_test", sys.modules[__name__])
    yield "schema_of_a_test:SCHEMA"


def test_documents_are_migrated_and_those_that_cannot_be_are_told(tmp_path: Path, here: str) -> None:
    with DocumentStore(tmp_path) as store:
        for key in ("a", "b"):
            store.put(key, {"n": 1})
        store.put("newer", {"version": "3.0"})
    with SingleDocumentStore(tmp_path / "one", "portfolio") as single:
        single.save({"n": 1})

    done = json.loads(tradestore("migrate", tmp_path, "--schema", here, "--json").output)
    assert (done["migrated"], done["current"]) == (["a", "b"], [])
    assert [each["document"] for each in done["failed"]] == ["newer"]
    assert tradestore("migrate", tmp_path, "--schema", here).exit_code == 1
    assert tradestore("migrate", tmp_path / "one", "--schema", here, "--document", "portfolio").exit_code == 0
    with DocumentStore(tmp_path, schema=SCHEMA) as store:
        assert store.get("a") == {"n": 1, "made": "later", "version": "2.0"}


def test_the_version_before_a_migration_can_be_put_back(tmp_path: Path, here: str) -> None:
    with DocumentStore(tmp_path) as store:
        store.put("a", {"n": 1})
    tradestore("migrate", tmp_path, "--schema", here)
    (kept,) = tmp_path.glob(".version-*")

    assert tradestore("evidence", "restore", kept).exit_code == 0
    with DocumentStore(tmp_path) as store:
        assert store.get("a") == {"n": 1}
        _, generation = store.get_versioned("a")
        assert generation > 2, "a generation that was seen before never comes again"
        store.put("a", {"n": 2})
    assert tradestore("verify", tmp_path).exit_code == 0


def test_evidence_that_is_sound_after_all_is_put_back_and_what_stood_there_is_kept(tmp_path: Path) -> None:
    with DocumentStore(tmp_path / "d") as store, JournalStore(tmp_path / "j") as logs:
        store.put("A", {"n": 1})
        logs.append("L", {"n": 1})
        for directory, name in ((tmp_path / "d", "A.json"), (tmp_path / "j", "L.jsonl")):
            (directory / f".damaged-0123456789ab-{name}").write_bytes((directory / name).read_bytes())
        store.put("A", {"n": 2})
        logs.append("L", {"n": 2})

        for directory, name in ((tmp_path / "d", "A.json"), (tmp_path / "j", "L.jsonl")):
            done = tradestore("evidence", "restore", directory / f".damaged-0123456789ab-{name}")
            assert done.exit_code == 0, done.output
            assert len(list(directory.glob(".damaged-*"))) == 2
        assert (store.get("A"), logs.read("L")) == ({"n": 1}, [{"n": 1}])
        logs.append("L", {"n": 3})
        assert logs.read("L") == [{"n": 1}, {"n": 3}]


def refused_evidence(root: Path, case: str) -> Path:
    with DocumentStore(root) as store:
        store.put("A", {"n": 1})
    jobs = SyncJobStore(root)
    for n in range(3):
        jobs.save(Job(job_id=f"j{n}", job_type="x"))  # not closed: the log beside it is what counts
    names = {
        "damaged": ".damaged-0123456789ab-A.json", "of bars": ".damaged-0123456789ab-2026-01.parquet",
        "of jobs": ".damaged-0123456789ab-jobs.json", "no evidence": "A.json", "a lock": ".damaged-0123456789ab-.lock",
        "a link": ".damaged-0123456789ab-A.json", "of another": ".damaged-0123456789ab-B.json",
        "gone": ".damaged-0123456789ab-C.json",
    }  # fmt: skip
    path = root / names[case]
    if case == "a link":
        path.symlink_to(root / "A.json")
    elif case in ("of jobs", "of another"):
        path.write_bytes((root / ("jobs.json" if case == "of jobs" else "A.json")).read_bytes())
    elif case not in ("no evidence", "gone"):
        path.write_bytes(b"{}")
    return path


@pytest.mark.parametrize(
    "case", ["damaged", "of bars", "of jobs", "no evidence", "a lock", "a link", "of another", "gone"]
)
def test_what_no_store_would_read_is_not_put_back(tmp_path: Path, case: str) -> None:
    path = refused_evidence(tmp_path, case)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()}

    done = tradestore("evidence", "restore", path)

    assert (done.exit_code, done.output.count("Error: ")) == (1, 1), done.output
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()} == before


def test_a_good_place_is_called_one_and_nothing_is_left_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    found = json.loads(tradestore("doctor", tmp_path, "--json").output)

    by_name = {each["check"]: each["verdict"] for each in found}
    assert {by_name[name] for name in ("sync", "lock", "rename", "restore", "leftovers", "others")} == {"ok"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "options", "verdict"),
    [
        ("ext4", "rw,relatime", "ok"), ("xfs", "rw", "ok"), ("ext4", "ro", "failed"), ("tmpfs", "rw", "failed"),
        ("ext4", "rw,nobarrier", "failed"), ("ext4", "rw,barrier=0", "failed"), ("nfs4", "rw", "warning"),
        ("fuse.sshfs", "rw", "warning"), ("vfat", "rw", "warning"),
    ],
)  # fmt: skip
def test_a_file_system_is_judged_by_its_kind_and_options(kind: str, options: str, verdict: str) -> None:
    mounts = f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /my\\040data rw - {kind} /dev/b {options}\n"

    assert doctor.judged(*(doctor.mount_of("/my data/bot", mounts) or ("", set()))).verdict == verdict
    assert doctor.judged(*(doctor.mount_of("/my dat", mounts) or ("", set()))).verdict == "ok"


def test_what_the_place_cannot_do_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.fcntl, "flock", lambda *_: None)
    monkeypatch.setattr(doctor, "_LITTLE", 1 << 62)
    tmp_path.chmod(0o755)
    (tmp_path / ".tmp-0123").write_bytes(b"")
    os.utime(tmp_path / ".tmp-0123", (0, 0))
    (tmp_path / ".restoring").write_text('{"generation": "000001-x", "vault": "v"}')

    done = tradestore("doctor", tmp_path)

    assert done.exit_code == 1
    for words in ("failed  lock", "warning  room", "warning  others", "warning  leftovers", "failed  restore"):
        assert words in done.output


def commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in COMMAND.commands.items():
        inner = getattr(command, "commands", None)
        found += [(name,)] if inner is None else [(name, each) for each in inner]
    return sorted(found)


HOSTILE = st.sampled_from(
    ["", ".", "..", "/", "-", "--", "~", "\x1b[2J", "a\nb", "\udcff", "x" * 5000, "%s%n", "{0}", "--json", "-1", "nan",
     "1e999", "/dev/null", "/dev/zero", "/proc/self/mem", "data", "data/AAPL.json", "data/prices", "vault", "AAPL",
     "gs://", "s3://x/y", "0001-01-01", "9999-12-31T23:59:59.999999-23:59", "data/../data", "data/loop", "data/pipe"]
) | st.text(max_size=20).filter(lambda text: "\0" not in text)  # fmt: skip
OPTIONS = st.sampled_from(
    ["--json", "--generation", "--at", "--keep", "--keep-days", "--over", "--scratch", "--schema", "--document",
     "--format", "--from", "--to", "--before", "--answer", "--snapshot-age", "--note"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=st.sampled_from(commands()), words=st.lists(HOSTILE | OPTIONS, max_size=5))
def test_no_words_make_a_command_do_anything_but_answer_or_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    if not (tmp_path / "data").exists():
        with_bars(tmp_path / "data", 1)
        with DocumentStore(tmp_path / "data") as store:
            store.put("AAPL", {"n": 1})
        (tmp_path / "data" / "loop").symlink_to("loop")
        os.mkfifo(tmp_path / "data" / "pipe")

    if any(word.startswith("/") and word not in ("/dev/null", "/dev/zero", "/proc/self/mem") for word in words):
        return  # nothing outside of this directory is to be touched
    done = tradestore(*command, *words)

    assert done.exit_code in (0, 1, 2), done.output
    assert "Traceback" not in done.output
    assert done.output.count("Error: ") <= 1 or "Error: " in " ".join(words)
    assert "\x1b" not in done.output


def test_completion_knows_the_commands() -> None:
    environment = {
        **os.environ,
        "_TRADESTORE_COMPLETE": "bash_complete",
        "COMP_WORDS": "tradestore re",
        "COMP_CWORD": "1",
    }
    main = "from reference_store.operations.command_line import main; main()"
    code = f"import sys; sys.argv = ['tradestore']; {main}"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert {"plain,recover", "plain,reseal"} <= set(done.stdout.split())


def test_the_runbook_says_what_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", RUNBOOK.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"^```sh\n(.*?)^```", RUNBOOK.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            match shlex.split(line, comments=True):
                case ["tradestore", *words]:
                    may_fail = words[-2:] == ["||", "true"]
                    done = tradestore(*words[: -2 if may_fail else None])
                    assert done.exit_code == 0 or may_fail, (line, done.output)
                case ["rm", "-rf", name]:
                    shutil.rmtree(tmp_path / name)
                case other:
                    raise AssertionError(other)
