"""``tradestore copy`` between any two places, killed in the middle: the same command goes on, and both are compared."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("deltalake", reason="deltalake is not installed: pip install '.[lake]'")
pytest.importorskip("obstore", reason="obstore is not installed: pip install '.[cloud]'")

from reference_store import DocumentStore, FileDataStore
from reference_store.models import PriceBar
from tests.reference_store.network.buckets_on_loopback import options_for

pytestmark = pytest.mark.proof
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
NAMES = 6
"""Documents, or months of bars: what is copied one by one."""
COPIES = """
import os, signal, sys
from reference_store.operations import moving_parts
from reference_store.operations.command_line import main

dies_after = int(sys.argv.pop(1))
for kind in (moving_parts.Documents, moving_parts.Bars):
    def write(self, name, since, source, write=kind.write):
        global dies_after
        write(self, name, since, source)
        dies_after -= 1
        if not dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
    kind.write = write
main()
"""


class Places:
    """Where things can be copied from and to, by name; all of a test are new."""

    def __init__(self, tmp_path, bucket_server, server, schema):
        self._path, self.bucket = tmp_path, bucket_server.bucket
        self._postgres = f"postgresql://trader@/postgres?host={server.socket}#{schema}"
        self.environment = os.environ | {k.upper(): v for k, v in options_for(bucket_server.url).items()}

    def named(self, place, which):
        return {
            "files": f"{self._path}/{which}",
            "postgres": self._postgres,
            "bucket": f"s3://market/{which}",
            "table": f"delta:{self._path}/{which}-table",
            "table in a bucket": f"s3://market/{which}",
        }[place]

    def copy(self, source, target, kind, *, dies_after=0, dies_at_put=0):
        """Copy; the process is killed after so many names, or while the server does so many of its puts."""
        words = ["copy", source, target, "--kind", kind, "--json"]
        process = subprocess.Popen(
            [sys.executable, "-c", COPIES, str(dies_after), *words],
            stdout=subprocess.PIPE, env=self.environment, cwd=self._path,
        )  # fmt: skip
        puts = []

        def gate(_number, method, name):
            if method == "PUT" and name.startswith("two"):
                puts.append(name)
                if len(puts) == dies_at_put:
                    process.kill()
            return "go"

        self.bucket.gate = gate
        out, _ = process.communicate()
        if process.returncode:
            return process.returncode, None
        (told,) = json.loads(out)
        return 0, (told["copied"], told["equal"], told["different"])


@pytest.fixture
def places(tmp_path, bucket_server, server, schema):
    return Places(tmp_path, bucket_server, server, schema)


def filled(place, kind):
    """Fill a directory with what there is to copy."""
    if kind == "documents":
        with DocumentStore(place) as documents:
            for number in range(NAMES):
                documents.put(f"key/{number}", {"n": number, "text": "ä" * 100})
    else:
        with FileDataStore(place) as data:
            dates = [NOON + timedelta(days=15 * number) for number in range(2 * NAMES)]
            data.write_bars("A/B", [PriceBar("A/B", date, 1, 2, 0.5, 1, 7) for date in dates])


def read(place, kind):
    if kind == "documents":
        with DocumentStore(place) as documents:
            return {key: documents.get(key) for key in documents.keys()}  # noqa: SIM118 - no mapping
    with FileDataStore(place) as data:
        return data.read_bars("A/B", NOON, NOON + timedelta(days=400))


PAIRS = [
    ("files", "bucket", "documents"),
    ("bucket", "files", "documents"),
    ("bucket", "bucket", "documents"),
    ("bucket", "postgres", "documents"),
    ("postgres", "bucket", "documents"),
    ("files", "table", "bars"),
    ("table", "files", "bars"),
    ("table", "table in a bucket", "bars"),
    ("table in a bucket", "table", "bars"),
    ("table in a bucket", "table in a bucket", "bars"),
]


@pytest.mark.parametrize(("source", "target", "kind"), PAIRS, ids=lambda word: word.replace(" ", "-"))
def test_a_copy_that_is_killed_is_gone_on_with_and_ends_equal(places, tmp_path, source, target, kind):
    filled(tmp_path / "beginning", kind)
    one, two = places.named(source, "one"), places.named(target, "two")
    count = places.copy(str(tmp_path / "beginning"), one, kind)[1][0]

    puts = {"bucket": 6, "table in a bucket": 11}  # opening makes some, a document one, a month two
    in_the_middle = {"dies_at_put": puts[target]} if target in puts else {"dies_after": 3}
    assert places.copy(one, two, kind, **in_the_middle) == (-signal.SIGKILL, None)
    code, (copied, equal, different) = places.copy(one, two, kind)
    assert (code, copied + equal, different) == (0, count, [])
    assert copied and equal
    assert places.copy(one, two, kind) == (0, (0, count, []))
    assert places.copy(two, str(tmp_path / "end"), kind)[0] == 0
    assert read(tmp_path / "end", kind) == read(tmp_path / "beginning", kind)
