"""Every cell that is painted has a ground: on a terminal of the other lightness the text would stand on the terminal's own."""

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.theme import Theme

from kubepane_widgets.painted import Bar, Paragraph
from kubepane_widgets.palette import THEMES


class Two(App[None]):
    def compose(self) -> ComposeResult:
        yield Bar(lambda cells: ([("left", "fg")], [("right", "chip")]))
        yield Paragraph(lambda cells: [[("said", "warn")], [("", "fg")]])


def grounds(app: App[None]) -> set[str]:
    found: set[str] = set()
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            color = (segment.style or Style()).bgcolor
            found.add("none" if color is None or color.is_default else color.get_truecolor().hex)
    return found


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_every_cell_has_the_ground_of_the_theme_or_one_of_its_own(theme: Theme) -> None:
    app = Two()
    async with app.run_test(size=(40, 4)) as pilot:
        for one in THEMES:
            app.register_theme(one)
        app.theme = theme.name
        app.query_one(Paragraph).flush()
        await pilot.pause()
        assert "none" not in grounds(app)
        assert app.theme_variables["background"].lower() in grounds(app)


async def test_a_theme_of_the_terminals_own_colours_leaves_the_ground_to_it() -> None:
    app = Two()
    async with app.run_test(size=(40, 4)) as pilot:
        app.theme = "ansi-dark"
        await pilot.pause()
        bar = app.query_one(Bar).render_line(0)
        assert {segment.style.bgcolor for segment in bar if segment.style and segment.text.strip() == "left"} == {None}
