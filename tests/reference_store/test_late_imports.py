"""Nothing is imported in the middle of a call while a process may be forked: its child would wait for that for ever."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from reference_store.core import late_imports
from reference_store.core.late_imports import late

SPY = """
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from reference_store import FileDataStore, HistoricalStore, ReportStore
from reference_store.models import PriceBar
from reference_store.stores.bot.file_names import HistoricalName, ReportName

DAY = timedelta(days=1)
FIRST = datetime(2026, 3, 2, 9, 30)
FIELDS = ("date", "open", "high", "low", "close", "volume")


def bars(zone, count, volume=7, symbol="AAPL"):
    dates = [(FIRST + number * DAY).replace(tzinfo=zone) for number in range(count)]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, 1.5, volume) for date in dates]


class Spy:
    found = []

    def find_spec(self, name, path=None, target=None):
        self.found.append(name)


root = Path(sys.argv[1])
table = pa.table({name: pa.array([getattr(bar, name) for bar in bars(None, 80)]) for name in FIELDS})
for name in [name for name in sys.modules if name.partition(".")[0] in ("pandas", "dateutil", "_strptime")]:
    del sys.modules[name]
zones = None, UTC, timezone(timedelta(hours=-5, minutes=-30)), ZoneInfo("America/New_York")
stores = [FileDataStore(root / str(number)) for number in range(len(zones) + 1)]
historical = HistoricalStore(root)
sys.meta_path.insert(0, Spy())

for store, zone in zip(stores, zones):
    ends = [when.replace(tzinfo=zone and UTC) for when in (FIRST - DAY, FIRST + 999 * DAY)]
    for made in (bars(zone, 2), bars(zone, 80), bars(zone, 1, 0.5)):
        store.write_bars("AAPL", made)
    store.write_bars_of_many({"AAPL": bars(zone, 2), "MSFT": bars(zone, 2, 0.5, "MSFT")})
    assert len(store.read_bars("AAPL", *ends)) == 80
    store.delete_bars("AAPL", *ends)
stores[-1].write_bars_table("AAPL", table)
assert stores[-1].read_bars_table("AAPL", FIRST, FIRST + 99 * DAY).num_rows == 80
name = HistoricalName.parse("BTC-EUR_hour_180d.parquet")
historical.write(name, bars(UTC, 80, symbol="BTC-EUR"))
historical.write_table(name, table)
assert historical.read_table(name).num_rows == 80
assert ReportName.parse("daily_report_20260105_120000.txt").at.hour == 12
if Spy.found:
    sys.exit(f"imported: {Spy.found}")
"""


def test_no_call_with_bars_imports_anything(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SPY, str(tmp_path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


BODY = """
import late_test_gate

late_test_gate.begun.set()
late_test_gate.until()
"""


class Gate:
    """What the module that is imported here waits for."""

    def __init__(self, until: Callable[[], object]) -> None:
        self.begun, self.until = threading.Event(), until


def child_of_a_fork_during(
    importing: Callable[[], object], gate: Gate, module: str, then: Callable[[], object], patience: float
) -> int:
    """Fork while another thread imports ``module``; return with what status a child ends that imports it too."""
    thread = threading.Thread(target=importing)
    thread.start()
    gate.begun.wait()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, patience)
        import_module(module)
        os._exit(0)
    then()
    thread.join()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a module of which nobody has heard yet."""
    name = f"late_test_{os.getpid()}_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(BODY)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_fork_waits_until_what_a_call_imports_is_there(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def a_fork_has_begun() -> None:
        while not late_imports._forking:
            time.sleep(0)

    gate = Gate(a_fork_has_begun)
    monkeypatch.setitem(sys.modules, "late_test_gate", gate)
    importing = partial(late, partial(import_module, slow))

    assert child_of_a_fork_during(importing, gate, slow, lambda: None, patience=60) == 0
    assert not late_imports._forking


def test_control_without_that_its_child_hangs(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    gate = Gate(release.wait)
    monkeypatch.setitem(sys.modules, "late_test_gate", gate)

    ended = child_of_a_fork_during(partial(import_module, slow), gate, slow, release.set, patience=0.3)

    assert ended == -signal.SIGALRM


def test_what_a_call_imports_waits_for_a_fork_that_has_begun() -> None:
    made: list[str] = []
    late_imports._forking.add(-1)
    thread = threading.Thread(target=lambda: made.append(late(lambda: "made")))
    try:
        thread.start()
        assert late_imports._made(lambda: made.append("early"), wait=True) is None
        assert not made
    finally:
        late_imports._forking.discard(-1)
    thread.join()
    assert made == ["made"]
