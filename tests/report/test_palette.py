"""The colours of the HTML report can be told apart by everybody who has to read it (WCAG 2.2, level AA)."""

import re

import pytest

from pytest_tradestore.report.html.style import DARK, LIGHT, SHAPES_ON, STYLE, TEXT_ON

PALETTES = {"light": LIGHT, "dark": DARK}


def luminance(colour):
    """Relative luminance, by WCAG's definition."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=list(PALETTES))
@pytest.mark.parametrize(("pairs", "least"), [(TEXT_ON, 4.5), (SHAPES_ON, 3.0)], ids=["text", "shapes"])
def test_everything_has_the_contrast_that_it_needs(palette, pairs, least):
    found = {pair: round(contrast(palette[pair[0]], palette[pair[1]]), 2) for pair in pairs}

    assert {pair: ratio for pair, ratio in found.items() if ratio < least} == {}


def test_control_the_dark_red_and_grey_of_before_had_too_little():
    assert contrast("#c62828", "#121212") < 4.5
    assert contrast("#888888", "#ffffff") < 4.5


def test_black_on_white_has_the_contrast_that_the_definition_says():
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0


def test_both_palettes_have_the_same_names_and_no_other_colour_is_used():
    assert set(LIGHT) == set(DARK)
    rules = STYLE.partition("@media (prefers-color-scheme: dark)")[2].partition("\n")[2]
    assert set(re.findall(r"var\(--([a-z-]+)\)", rules)) <= set(LIGHT)
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) <= {"#fff"}  # the paper that it is printed on
