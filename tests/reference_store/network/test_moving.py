"""``tradestore copy``: what stores hold is the same in another place, and an interrupted copy is gone on with."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from reference_store import DocumentStore, FileDataStore, JournalStore, RunStore, SyncJobStore
from reference_store.models import Decision, Event, FundamentalData, Job, Order, OrderResult, PriceBar
from reference_store.operations.command_line import COMMAND
from reference_store.operations.moving_ends import KINDS
from tests.reference_store.network.buckets_on_loopback import options_for

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
BY_ROWS = [kind for kind in KINDS if kind != "bars"]


def tradestore(*words):
    return CliRunner().invoke(COMMAND, [str(word) for word in words])


def copied(source, target, *kinds):
    done = tradestore("copy", source, target, "--json", *(word for kind in kinds for word in ("--kind", kind)))
    assert done.exit_code == 0, done.output
    return {each["kind"]: (each["copied"], each["equal"], each["objects"]) for each in json.loads(done.output)}


def filled(root):
    """A directory with some of each kind."""
    with DocumentStore(root) as documents:
        for key in ("BTC/USDT", "b", "B"):
            documents.put(key, {"z": 1.0, "a": [key, None]})
    with JournalStore(root) as journal:
        for number in range(7):
            journal.append("trades", {"n": number})
    with SyncJobStore(root) as jobs:
        for name in ("c", "a"):
            jobs.save(Job(job_id=name, job_type="x", created_at=NOON))
    with RunStore(root) as runs:
        runs.create_or_update_run("r2", "x", metrics={"sharpe": 1.5})
        runs.create_or_update_run("r1", "x", status="completed")
    with FileDataStore(root, clock=lambda: NOON) as data:
        data.save_strategy_state("s", {"n": 1})
        for hours in (900, 0, 0):
            data.write_event(Event(type="x", timestamp=NOON + timedelta(hours=hours)))
        for day in (3, 1, 1):
            data.write_fundamental("A", FundamentalData(symbol="A", timestamp=NOON.replace(day=day), employees=day))
        data.log_decision("s", Decision(symbol="A", action="BUY"))
        order = Order(strategy_name="s", symbol="A", action="BUY", quantity=1, order_type="market")
        data.log_order("s", order, OrderResult(order_id=1, status="filled"))
        berlin = ZoneInfo("Europe/Berlin")
        dates = [NOON + timedelta(days=20 * number) for number in range(3)]
        data.write_bars("A/B", [PriceBar("A/B", date, 1, 2, 0.5, 1, 10**18 + 1) for date in dates])
        data.write_bars("a", [PriceBar("a", date.astimezone(berlin), 1, 2, 0.5, 1, 0.5) for date in dates])
        data.write_bars("n", [PriceBar("n", date.replace(tzinfo=None), 1, 2, 0.5, 1, 1) for date in dates])
    return root


@pytest.fixture
def place(server, schema):
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")
    return f"postgresql://trader@/postgres?host={server.socket}#{schema}"


def test_what_goes_from_files_to_a_database_and_back_is_the_same(tmp_path, place):
    filled(tmp_path / "one")

    there = copied(tmp_path / "one", place, *BY_ROWS)
    assert there["documents"] == (3, 0, 3)
    assert there["journal"] == (1, 0, 7)
    assert there["events"] == (2, 0, 3)
    again = copied(tmp_path / "one", place, *BY_ROWS)
    assert {kind: found[0] for kind, found in again.items()} == dict.fromkeys(BY_ROWS, 0)
    copied(place, tmp_path / "two", *(kind for kind in BY_ROWS if kind != "documents"))
    with FileDataStore(tmp_path / "one") as one, FileDataStore(tmp_path / "two") as two:
        for day in (1, 2, 3):
            moment = NOON.replace(day=day)
            assert two.read_fundamental("A", moment) == one.read_fundamental("A", moment)
        wanted = one.read_events(NOON, NOON + timedelta(days=99))
        assert two.read_events(NOON, NOON + timedelta(days=99)) == wanted
        assert two.read_orders("2025-03-01") == one.read_orders("2025-03-01")
    with SyncJobStore(tmp_path / "one") as one, SyncJobStore(tmp_path / "two") as two:
        assert two.list() == one.list()
    with RunStore(tmp_path / "one") as one, RunStore(tmp_path / "two") as two:
        assert two.list_runs() == one.list_runs()


def test_bars_go_to_a_table_and_back(tmp_path):
    pytest.importorskip("deltalake", reason="deltalake is not installed: pip install '.[lake]'")
    filled(tmp_path / "one")

    assert copied(tmp_path / "one", f"delta:{tmp_path / 'lake'}", "bars") == {"bars": (6, 0, 9)}
    assert copied(tmp_path / "one", f"delta:{tmp_path / 'lake'}", "bars") == {"bars": (0, 6, 9)}
    copied(f"delta:{tmp_path / 'lake'}", tmp_path / "two", "bars")
    with FileDataStore(tmp_path / "one") as one, FileDataStore(tmp_path / "two") as two:
        bounds = NOON, NOON + timedelta(days=99)
        for symbol in ("A/B", "a"):
            assert repr(two.read_bars(symbol, *bounds)) == repr(one.read_bars(symbol, *bounds))


def test_documents_go_to_a_bucket(tmp_path, bucket_server, monkeypatch):
    pytest.importorskip("obstore", reason="obstore is not installed: pip install '.[cloud]'")
    for name, value in options_for(bucket_server.url).items():
        monkeypatch.setenv(name.upper(), value)
    with DocumentStore(tmp_path / "one") as documents:
        for number in range(5):
            documents.put(f"k{number}", {"n": number})

    assert copied(tmp_path / "one", "s3://market/state", "documents") == {"documents": (5, 0, 5)}
    assert copied("s3://market/state", tmp_path / "two", "documents") == {"documents": (5, 0, 5)}


def test_an_interrupted_copy_of_a_log_is_gone_on_with(tmp_path):
    with JournalStore(tmp_path / "one") as one, JournalStore(tmp_path / "two") as two:
        for number in range(9):
            one.append("a", {"n": number})
        for number in range(4):
            two.append("a", {"n": number})

    assert copied(tmp_path / "one", tmp_path / "two", "journal") == {"journal": (1, 0, 9)}
    with JournalStore(tmp_path / "two") as two:
        assert two.read("a") == [{"n": number} for number in range(9)]


def test_a_log_that_went_another_way_is_not_replaced(tmp_path):
    with JournalStore(tmp_path / "one") as one, JournalStore(tmp_path / "two") as two:
        one.append("a", {"n": 1})
        two.append("a", {"n": 2})

    done = tradestore("copy", tmp_path / "one", tmp_path / "two", "--kind", "journal")
    assert (done.exit_code, done.output.count("Error: ")) == (1, 1)
    with JournalStore(tmp_path / "two") as two:
        assert two.read("a") == [{"n": 2}]


def test_what_changes_meanwhile_is_told(tmp_path, monkeypatch):
    with DocumentStore(tmp_path / "one") as one:
        one.put("k", {"n": 1})
    put = DocumentStore.put

    def meanwhile(self, key, document):
        put(self, key, document)
        monkeypatch.undo()
        with DocumentStore(tmp_path / "one") as one:
            one.put("k", {"n": 2})

    monkeypatch.setattr(DocumentStore, "put", meanwhile)
    done = tradestore("copy", tmp_path / "one", tmp_path / "two", "--kind", "documents")
    assert done.exit_code == 1
    assert "different" in done.output
    assert copied(tmp_path / "one", tmp_path / "two", "documents") == {"documents": (1, 0, 1)}


@pytest.mark.parametrize(
    ("source", "target", "kind"),
    [
        ("missing", "two", "documents"),
        (".", "s3://bucket/x", "jobs"),
        (".", "delta:x", "jobs"),
        (".", "postgresql://trader:not-to-be-shown@127.0.0.1:1/x#UPPER", "jobs"),
        (".", "postgresql://trader:not-to-be-shown@127.0.0.1:1/x", "bars"),
    ],
)
def test_what_cannot_be_copied_is_one_sentence(tmp_path, monkeypatch, source, target, kind):
    monkeypatch.chdir(tmp_path)
    done = tradestore("copy", source, target, "--kind", kind)

    assert (done.exit_code, done.output.count("Error: "), done.output.count("\n")) == (1, 1, 1)
    assert "not-to-be-shown" not in done.output
