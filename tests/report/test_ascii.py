"""A failure on a terminal that has no characters but ASCII's keeps its lines."""

import io

from _pytest._io import TerminalWriter

from pytest_tradestore.report.failure import FailureText, Told
from pytest_tradestore.verdict import Counterexample, Result, Verdict

EXAMPLE = Counterexample(
    "the document … is gone → nothing", workload=("save({1 … 9})",), found=("'ä'",), allowed=("1",)
)


def shown(encoding):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    FailureText(Result("ATOM-1", "document", Verdict.VIOLATED, "", counterexample=EXAMPLE)).toterminal(
        TerminalWriter(file)
    )
    return raw.getvalue().decode(encoding)


def test_in_ascii_it_has_as_many_lines_as_elsewhere():
    told = shown("ascii")

    assert len(told.splitlines()) == len(shown("utf-8").splitlines()) > 3
    assert "the document ... is gone -> nothing" in told
    assert "\\n" not in told
    assert "\\u2026" not in told


def test_control_where_there_are_other_characters_they_are_kept():
    assert "the document … is gone → nothing" in shown("utf-8")


def test_a_text_that_is_told_as_it_is_keeps_its_lines_too():
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", write_through=True)

    Told("it does not work → …\nTraceback 'ä'").toterminal(TerminalWriter(file))

    assert raw.getvalue().decode("ascii") == "it does not work -> ...\nTraceback '\\xe4'\n"
