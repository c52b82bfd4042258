from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from kubepane_widgets.nocolor import NoColor


def test_colours_go_and_what_stood_out_is_reversed() -> None:
    ground = Color.parse("#101010")
    quiet = Segment("a", Style(color="#ff0000", bgcolor=ground.rich_color, bold=True))
    chip = Segment("b", Style(color="#000000", bgcolor="#00ff00"))
    plain, reversed_ = NoColor().apply([quiet, chip], ground)
    assert plain.style is not None
    assert reversed_.style is not None
    assert (plain.style.color, plain.style.bgcolor, plain.style.bold, plain.style.reverse) == (None, None, True, None)
    assert (reversed_.style.color, reversed_.style.bgcolor, reversed_.style.reverse) == (None, None, True)


def test_text_is_not_touched() -> None:
    line = [Segment("x ", None), Segment("y", Style(bold=True))]
    assert [s.text for s in NoColor().apply(line, Color.parse("black"))] == ["x ", "y"]
