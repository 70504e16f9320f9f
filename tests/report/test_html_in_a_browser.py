"""The HTML report in a browser: as wide as a desk and as a telephone, light and dark, opened, filtered and linked to.

The screenshots lie in the directory that pytest keeps of the last runs, to be looked at.
"""

import pytest

from pytest_tradestore.report.html.style import DARK, LIGHT
from pytest_tradestore.report.html_report import html_of
from pytest_tradestore.report.merging import merge
from tests.report.browsing import PHONE, measured, pixels, screenshot
from tests.report.test_html_report import HOSTILE, RECORDED, everywhere

pytestmark = pytest.mark.proof

MEASURE = """
var root = document.documentElement, wide = [];
document.querySelectorAll('details').forEach(function (each) { each.open = true; });
document.querySelectorAll('body *').forEach(function (each) {
  var box = each.getBoundingClientRect();
  if (box.width && box.right > root.clientWidth + 1 && !each.closest('pre, .scroll, .hidden, .skip, svg')) {
    wide.push(each.tagName + '.' + each.className + ': ' + each.textContent.slice(0, 40));
  }
});
return {page: root.scrollWidth - root.clientWidth, wide: wide.slice(0, 5),
        sentences: document.querySelectorAll('.saying').length};
"""
USE = """
function shown() { return [].filter.call(document.querySelectorAll('details.finding'), function (each) {
  return each.offsetParent !== null; }).length; }
var target = document.getElementById(window.location.hash.slice(1)), card = target.closest('details.finding');
var seen = Math.abs(target.getBoundingClientRect().top) < window.innerHeight;
var all = shown(), form = document.querySelector('.filters');
function choose(name, value) { form[name].value = value;
  form[name].dispatchEvent(new window.Event(name === 'words' ? 'input' : 'change', {bubbles: true})); }
choose('family', 'Concurrent_callers'); var family = shown(); choose('family', '');
choose('verdict', 'UNDECIDED'); var verdict = shown(); choose('verdict', '');
choose('words', 'FSYNC  missing'); var words = shown(), said = document.getElementById('filtered').textContent;
choose('words', '');
var skip = document.querySelector('.skip'); skip.focus();
return {all: all, family: family, verdict: verdict, words: words, said: said, after: shown(), opened: card.open,
        seen: seen,
        others: document.querySelectorAll('details.finding[open]').length,
        skip: skip.getBoundingClientRect().left >= 0,
        copies: [].every.call(document.querySelectorAll('[data-copy]'), function (each) { return !each.hidden; })};
"""


@pytest.fixture
def many(tmp_path):
    whole = merge([RECORDED])
    path = tmp_path / "many.html"
    path.write_text(html_of(whole.settings, whole.recorder, whole.records, whole.around), encoding="utf-8")
    return path


def test_with_everything_opened_nothing_is_wider_than_a_telephone(many, tmp_path):
    found = measured(tmp_path, many, MEASURE, width=PHONE)

    assert found["page"] <= 0
    assert found["wide"] == []
    assert found["sentences"] > 5


def test_nor_is_what_a_hostile_store_has_put_there(tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(everywhere(HOSTILE * 8), encoding="utf-8", errors="backslashreplace")

    found = measured(tmp_path, path, MEASURE, width=PHONE)

    assert (found["page"], found["wide"]) == (0, [])


def test_a_link_opens_what_it_leads_to_and_the_filters_leave_what_fits(many, tmp_path):
    found = measured(tmp_path, many, USE, fragment="#positions/DUR-2")

    assert (found["opened"], found["seen"], found["others"]) == (True, True, 1)
    assert 0 < found["family"] < found["all"]
    assert 0 < found["verdict"] < found["all"]
    assert 0 < found["words"] < found["all"]
    assert "rows and findings are shown" in found["said"]
    assert found["after"] == found["all"]
    assert found["skip"]
    assert found["copies"]


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [("desk", 1280, False), ("desk-dark", 1280, True), ("telephone", PHONE, False)],
)
def test_it_looks_like_something(many, tmp_path, name, width, dark):
    made = pixels(screenshot(tmp_path, many, name, width=width, dark=dark))

    ground = (DARK if dark else LIGHT)["page"]
    assert made[2] == tuple(int(ground[i : i + 2], 16) for i in (1, 3, 5))
    assert made[0] >= width
    assert made[3] < 0.9  # most of its rows are not like the one above
