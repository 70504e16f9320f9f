"""A counterexample as text: complete, within its width, and the same on every machine."""

import re
from dataclasses import replace

import pytest

from pytest_tradestore.report.counterexample import render
from pytest_tradestore.requirements import BY_ID
from pytest_tradestore.verdict import Counterexample, Sighting, Step, StepStatus
from tests.golden.make import HERE, PAGES, WIDTHS, pages

TOLD = Counterexample(
    headline="AAPL is missing",
    crash="power loss after put('AAPL', ...) had returned, 1 step lost",
    workload=tuple(f"put('AAPL', {{version: {n}}})" for n in range(1, 7)),
    steps=(
        Step(0, StepStatus.NOTE, "… 9 earlier steps, all persisted"),
        Step(10, StepStatus.NOTE, "put('AAPL', ...) called"),
        Step(11, StepStatus.PERSISTED, "write t", "store.py:12", "file.write(text)", "9,000 bytes"),
        Step(12, StepStatus.LOST, "rename t -> f", "store.py:13", "os.replace(t, f)"),
        Step(0, StepStatus.NOTE, "CRASH"),
        Step(13, StepStatus.NOT_ISSUED, "fsync the root directory", "store.py:14", "os.fsync(directory)"),
    ),
    found=("AAPL: nothing",),
    allowed=("version 1", "version 2"),
    image=("t  9,000 bytes",),
    filesystems=("ext4", "xfs"),
    notes=("worth knowing",),
    token="acme/documents/p12/7/1a2b3c4d",
    how_many=17,
)


@pytest.fixture(scope="module")
def made(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(request.config.rootpath)
        return dict(pages())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_the_golden_page_is_what_is_printed(made, name, width):
    """Regenerate with ``python -m tests.golden.make``."""
    file = f"{name}_{width}.txt"

    assert made[file] == (HERE / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(HERE.glob("*.txt")), ids=lambda f: f.stem)
def test_a_golden_page_names_no_path_of_the_machine_that_made_it(file):
    assert re.findall(r"(?:^|[\s('\"])/\w+/\S*", file.read_text(encoding="utf-8")) == []


def test_every_golden_page_is_still_made(made):
    assert {f.name for f in HERE.glob("*.txt")} == set(made)


@pytest.mark.parametrize("width", [60, 80, 100, 130])
def test_no_line_is_wider_than_it_may_be(width):
    assert max(map(len, render(TOLD, "DUR-2", width).splitlines())) <= width


@pytest.mark.parametrize(("asked", "given"), [(10, 60), (500, 130)])
def test_a_width_beyond_reason_is_brought_within(asked, given):
    assert render(TOLD, "DUR-2", asked) == render(TOLD, "DUR-2", given)


def test_everything_that_is_known_is_said():
    text = render(TOLD, "DUR-2", 120)

    for part in (
        "DUR-2 VIOLATED: AAPL is missing",
        BY_ID["DUR-2"].sentence,
        "power loss after put('AAPL', ...) had returned",
        "LOST  rename t -> f",
        "store.py:13  os.replace(t, f)",
        "===== CRASH =",
        "AAPL: nothing",
        "or version 2",
        "t  9,000 bytes",
        "ext4, xfs",
        "17 distinct images",
        "worth knowing",
        "--tradestore-replay acme/documents/p12/7/1a2b3c4d",
    ):
        assert part in text


def test_of_many_calls_the_last_ones_are_shown_and_the_others_counted():
    text = render(TOLD, "DUR-2")

    assert "… 2 earlier calls" in text
    assert "version: 6" in text
    assert "{version: 2}" not in text


def test_control_what_is_not_known_takes_no_line():
    text = render(Counterexample("it broke"), "DUR-2")

    for label in ("Done:", "Crash:", "On disk:", "Found:", "Allowed:", "Happens on:", "Seen in:", "Note:", "Replay:"):
        assert label not in text
    assert "Remedy:" in text


def test_a_source_line_that_does_not_fit_beside_its_step_stands_below_it():
    long = replace(TOLD, steps=(Step(1, StepStatus.LOST, "rename " + "x" * 40, "store.py:13", "os.replace(t, f)"),))
    lines = render(long, "DUR-2", 60).splitlines()

    at = next(i for i, line in enumerate(lines) if "rename" in line)
    assert any("store.py:13" in line for line in lines[at + 1 : at + 4])


def test_colour_only_surrounds_words_that_are_there_without_it():
    plain, coloured = render(TOLD, "DUR-2"), render(TOLD, "DUR-2", color=True)

    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert coloured != plain


def test_one_image_is_not_called_the_simplest_of_several():
    assert "distinct images" not in render(replace(TOLD, how_many=1), "DUR-2")


def test_what_real_file_systems_showed_is_told_beside_where_it_can_happen():
    seen = Sighting("ext4", "Linux 6.18", seen=True, states=12, kept="kept/ext4")
    text = render(replace(TOLD, sightings=(seen, Sighting("xfs", "Linux 6.18", states=1200))), "DUR-2", 100)

    assert "Kernel:     seen on ext4 (Linux 6.18), block log in kept/ext4" in text
    assert "            not seen on xfs in 1,200 states (Linux 6.18)" in text


def test_control_nothing_is_said_of_them_where_none_was_asked():
    assert "Kernel:" not in render(TOLD, "DUR-2", 100)
