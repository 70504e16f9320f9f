"""What is done to files of known formats: they still look like one, and no longer say what they said."""

import gzip
import hashlib
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_tradestore.damage.formats import format_damages, mentions
from pytest_tradestore.damage.operators import Kind

DOCUMENT = json.dumps({"schema_version": 1, "cash": 1000.25, "note": "bought at the open", "quantity": 100}).encode()
LOG = b"".join(json.dumps({"n": n}).encode() + b"\n" for n in range(5))


def damages(content):
    return {damage.how: damage.content for damage in format_damages("a", content)}


def parquet(rows=20):
    made = io.BytesIO()
    table = pa.table({"open": [float(n) for n in range(rows)], "close": [n + 0.5 for n in range(rows)]})
    pq.write_table(table, made)
    return made.getvalue()


def starting(words, found):
    (content,) = [content for how, content in found.items() if how.startswith(words)]
    return content


def test_every_damage_changes_the_file():
    for content in (DOCUMENT, LOG, parquet(), gzip.compress(DOCUMENT)):
        assert damages(content)
        assert content not in damages(content).values()


def test_an_edited_document_still_parses_and_says_something_else():
    assert json.loads(starting("edited: a digit", damages(DOCUMENT))) != json.loads(DOCUMENT)
    assert json.loads(starting("of a version", damages(DOCUMENT)))["schema_version"] == 999
    assert json.loads(starting("given one of its keys twice", damages(DOCUMENT)))["schema_version"] is None


def test_control_a_document_laid_out_anew_says_the_same():
    assert json.loads(starting("laid out anew", damages(DOCUMENT))) == json.loads(DOCUMENT)


def test_lines_of_a_log_are_removed_repeated_and_exchanged():
    found = {how: content.splitlines() for how, content in damages(LOG).items()}
    lines = LOG.splitlines()

    assert found["without line 3 of 5"] == [lines[0], lines[1], lines[3], lines[4]]
    assert found["given line 3 twice"] == [lines[0], lines[1], lines[2], lines[2], lines[3], lines[4]]
    assert found["given lines 2 and 3 in the other order"] == [lines[0], lines[2], lines[1], lines[3], lines[4]]


def test_a_table_is_changed_and_remains_a_table():
    found = damages(parquet())

    swapped = pq.read_table(io.BytesIO(starting("given its columns", found)))
    assert swapped.column_names == ["open", "close"]
    assert swapped.column("open")[0].as_py() == 0.5
    assert pq.read_table(io.BytesIO(starting("without its first row", found))).num_rows == 19
    assert pq.ParquetFile(io.BytesIO(starting("replaced by 20,000,000", found))).metadata.num_rows == 20_000_000
    assert len(starting("replaced by 20,000,000", found)) < 200_000


def test_bits_are_flipped_all_over_the_footer_of_a_table():
    content = parquet()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    flipped = [d.content for d in format_damages("a", content) if d.kind is Kind.FLIPPED]
    places = [next(n for n, byte in enumerate(made) if byte != content[n]) for made in flipped]

    assert len(places) == 8
    assert all(len(content) - footer <= place < len(content) for place in places)


def test_a_packed_file_is_replaced_by_one_that_unpacks_to_two_gibibytes():
    with gzip.open(io.BytesIO(starting("replaced by 2 GiB", damages(gzip.compress(DOCUMENT))))) as file:
        assert file.read(1 << 25) == bytes(1 << 25)


def test_control_nothing_is_made_of_bytes_of_no_known_format():
    assert damages(bytes(range(256))) == {}


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "blake2b"])
def test_a_digest_is_recognised_as_text_and_as_bytes(name):
    digest = hashlib.new(name, DOCUMENT)

    assert mentions(b"AAPL.json " + digest.hexdigest().upper().encode(), DOCUMENT)
    assert mentions(b"..." + digest.digest() + b"...", DOCUMENT)


def test_control_a_file_that_names_another_is_not_taken_for_its_digest():
    assert not mentions(b"AAPL.json " + hashlib.sha256(b"something else").hexdigest().encode(), DOCUMENT)
