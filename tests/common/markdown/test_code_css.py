"""The colours of code: readable in both themes, and one for every class that can come."""

import re
from pathlib import Path

import pytest

from one_project.common.markdown.highlight import SPAN_CLASSES

CSS = (Path(__file__).parents[3] / "static/css/code.css").read_text()
THEMES = [
    dict(re.findall(r"--code-([\w-]+): (#[0-9a-f]{6});", body))
    for body in re.findall(r":root[^{]*\{([^{}]*)\}", CSS)
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it, 0 to 1."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_chosen_theme_overrides_the_systems():
    light, dark, chosen_light, chosen_dark = THEMES
    assert (light, dark) == (chosen_light, chosen_dark)
    assert light.keys() == dark.keys()


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_can_be_read(theme):
    for name, colour in theme.items():
        if not name.endswith("bg"):
            assert contrast(colour, theme.get(f"{name}-bg", theme["bg"])) >= 4.5, name


def test_every_class_has_a_rule():
    named = set(re.findall(r"\.([a-z]{1,3}\d?)(?=[ ,)])", CSS))
    assert named == SPAN_CLASSES
