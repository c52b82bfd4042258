"""The cursor and the window, without a widget."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from kubepane_widgets.order import Order
from kubepane_widgets.viewport import Viewport


def window(n: int, room: int, off: set[str] = frozenset()) -> tuple[Order, Viewport]:  # type: ignore[assignment]
    order = Order()
    for i in range(n):
        order.put(f"k{i:03}", (i,))
    view = Viewport(order, lambda key: key not in off)
    see(view, room)
    return order, view


def see(view: Viewport, room: int = 0) -> None:
    view.settle()
    view.frame(room or view.room)


def test_untouched_the_cursor_is_on_the_top_row_whichever_that_is() -> None:
    order, view = window(5, 3)
    assert view.cursor == "k000"
    order.put("new", (-1,))
    see(view)
    assert (view.cursor, view.shown) == ("new", ["new", "k000", "k001"])


def test_touched_the_cursor_follows_its_key_and_stays_on_its_line() -> None:
    order, view = window(20, 5)
    view.move(1)
    view.move(1)
    see(view)
    assert (view.cursor, view.top) == ("k002", 0)
    for i in range(4):
        order.put(f"new{i}", (-1 - i,))
    see(view)
    assert view.cursor == "k002"
    assert view.index - view.top == 2, "the row under the eye does not move"
    order.put("k002", (99,))  # sorted to the end
    see(view)
    assert view.cursor == "k002"
    assert view.shown[-1] == "k002"


def test_when_its_row_goes_the_next_one_takes_the_cursor() -> None:
    order, view = window(5, 5)
    view.move(1)
    order.drop("k001")
    order.drop("k002")
    see(view)
    assert view.cursor == "k003"
    order.drop("k003")
    order.drop("k004")
    see(view)
    assert view.cursor == "k000"
    order.drop("k000")
    see(view)
    assert view.cursor is None
    assert not view.held, "a list that was empty is a new list"


def test_home_lets_the_cursor_go() -> None:
    order, view = window(5, 3)
    view.move(1)
    view.home()
    see(view)
    order.put("new", (-1,))
    see(view)
    assert view.cursor == "new"


def test_rows_that_cannot_be_selected_are_passed() -> None:
    _, view = window(6, 6, off={"k000", "k002", "k003", "k005"})
    assert view.cursor == "k001"
    view.move(1)
    assert view.cursor == "k004"
    view.move(1)
    assert view.cursor == "k004"
    view.move(-1)
    view.move(-1)
    assert view.cursor == "k001"


def test_lines_that_belong_to_the_first_and_last_row_are_seen_with_it() -> None:
    _, view = window(30, 5, off={"k000", "k011", "k012"})
    view.select("k010")
    see(view)
    assert view.shown[-2:] == ["k011", "k012"], "the lines below the cursor's row"
    view.select("k001")
    see(view)
    assert view.shown[0] == "k000", "the heading above it"


def test_a_move_goes_to_the_row_that_is_seen_below_though_the_order_has_changed_since() -> None:
    order, view = window(5, 5)
    order.put("between", (0.5,))
    view.move(1)
    assert view.cursor == "k001"


def test_pages_move_window_and_cursor_together_and_end_at_the_ends() -> None:
    _, view = window(30, 10)
    view.move(1)
    view.page(1)
    see(view)
    assert (view.top, view.cursor) == (9, "k010")
    view.page(1)
    view.page(1)
    view.page(1)
    see(view)
    assert (view.top, view.cursor) == (20, "k029")
    view.page(-1)
    see(view)
    assert (view.top, view.cursor) == (11, "k020")


def test_the_wheel_moves_the_window_and_the_cursor_only_where_it_must() -> None:
    _, view = window(30, 10)
    view.select("k005")
    see(view)
    view.scroll(3)
    see(view)
    assert (view.top, view.cursor) == (3, "k005")
    view.scroll(3)
    see(view)
    assert (view.top, view.cursor) == (6, "k006")
    view.scroll(-100)
    see(view)
    assert (view.top, view.cursor) == (0, "k006")


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 30), st.integers(0, 9)),
        st.tuples(st.just("drop"), st.integers(0, 30), st.just(0)),
        st.tuples(st.sampled_from(["move", "page", "scroll"]), st.sampled_from([-1, 1]), st.just(0)),
        st.tuples(st.sampled_from(["home", "end", "turn"]), st.just(0), st.just(0)),
        st.tuples(st.just("room"), st.integers(0, 12), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(steps, st.sets(st.integers(0, 30), max_size=8))
def test_whatever_happens_the_cursor_is_on_a_row_that_is_there_and_seen(todo: list[tuple[str, int, int]], off: set[int]) -> None:
    order, view = window(8, 5, off={f"k{i:03}" for i in off})
    for what, a, b in todo:
        held, was = view.held, view.cursor
        if what == "put":
            order.put(f"k{a:03}", (b,))
        elif what == "drop":
            order.drop(f"k{a:03}")
        elif what in ("move", "page", "scroll"):
            getattr(view, what)(a)
        elif what == "turn":
            order.reverse = not order.reverse
        elif what in ("home", "end"):
            getattr(view, what)()
        view.settle()
        view.frame(a if what == "room" else view.room)
        assert view.shown == [order.at(i) for i in range(len(order))][view.top : view.top + view.room]
        assert len(view.shown) == min(view.room, len(order))
        good = [key for key in order if view.selectable(key)]
        assert (view.cursor is None) == (not good)
        if view.cursor is not None:
            assert view.selectable(view.cursor)
            assert order.at(view.index) == view.cursor
            assert not view.room or view.cursor in view.shown
        if held and was is not None and was in order and what in ("put", "drop", "turn", "room"):
            assert view.cursor == was
