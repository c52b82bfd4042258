"""Colours: readable in every theme, and ASCII for every glyph."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from kubepane_widgets.glyphs import ASCII, GLYPHS, to_ascii
from kubepane_widgets.palette import THEMES, TONES, contrast, styles, tones

ALL = {theme.name: theme for theme in (*THEMES, *BUILTIN_THEMES.values())}
TEXT = sorted({"fg", "soft", "muted", "ok", "warn", "bad", "accent", "live", "stale", "bold"})


def variables(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_text_tone_is_readable_on_both_grounds(name: str) -> None:
    known = variables(ALL[name])
    if "ansi" in known["background"]:
        assert tones(known)["tone-bad"] == "ansi_red", "the terminal's own colours: nothing to compute with"
        return
    colors = {key.removeprefix("tone-"): Color.parse(value) for key, value in tones(known).items()}
    background = Color.parse(known["background"])
    for tone in TEXT:
        for ground in (background, colors["cursor"]):
            assert contrast(colors[tone], ground) >= (7.0 if tone in ("fg", "bold") else 4.5) - 0.05, (tone, ground)
    assert contrast(colors["chip"], colors["chipbg"]) >= 4.45


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_tone_has_a_style_on_and_off_the_cursor_line(name: str) -> None:
    table = styles(variables(ALL[name]))
    assert set(table) == {(tone, cursor) for tone in TONES for cursor in (False, True)}
    assert table["chip", False].bold
    page = None if "ansi" in name else Color.parse(variables(ALL[name])["background"]).rich_color
    assert table["fg", False].bgcolor == page, "the theme's ground; a theme of the terminal's own colours leaves it to that"
    assert table["fg", True].bgcolor not in (None, page)
    assert styles(variables(ALL[name])) is table, "one table for all widgets"


def test_contrast_is_that_of_wcag() -> None:
    black, white = Color(0, 0, 0), Color(255, 255, 255)
    assert contrast(black, white) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), white) == pytest.approx(4.48, abs=0.01)


def test_glyphs_and_their_twins_are_one_cell() -> None:
    for code, twin in ASCII.items():
        assert (cell_len(chr(code)), len(twin), twin.isascii()) == (1, 1, True), chr(code)
    assert all(cell_len(glyph) == 1 for glyph in GLYPHS.values())


def test_ascii_keeps_cells() -> None:
    for text in ("plain", "●▲ ok → ⣿⠁ ━─╌", "漢字é🙂", "ｗｉｄｅ", "…"):
        assert to_ascii(text).isascii()
        assert cell_len(to_ascii(text)) == cell_len(text)
