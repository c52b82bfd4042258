"""The one place for colours: a view names a tone ("warn"), never a colour. Glyphs are in `glyphs`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

from kubepane_widgets.glyphs import ASCII as ASCII, GLYPHS as GLYPHS, G as G, to_ascii as to_ascii

TONES = ("fg", "soft", "muted", "faint", "ok", "warn", "bad", "accent", "live", "stale", "bold", "chip", "button", "glow", "heat")
_GROUNDS = ("cursor", "chipbg")
_NEEDED = ("background", "foreground", "primary", "success", "warning", "error")

THEMES = (  # our own two; any other theme is mapped to the same tones by `tones`
    Theme(
        "kubepane-dark",
        dark=True,
        primary="#7aa7f0",
        accent="#7aa7f0",
        foreground="#d3d9e2",
        background="#10141b",
        surface="#161b24",
        panel="#1d2430",
        success="#7cc48d",
        warning="#e3b566",
        error="#ec7c80",
    ),
    Theme(
        "kubepane-light",
        dark=False,
        primary="#2a5fc4",
        accent="#2a5fc4",
        foreground="#272c35",
        background="#fbfaf7",
        surface="#f3f1ec",
        panel="#e8e5de",
        success="#2c7a45",
        warning="#8f5e06",
        error="#b52f3b",
    ),
)


def luminance(color: Color) -> float:
    """WCAG 2 relative luminance, 0 to 1."""
    r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in color.normalized)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: Color, other: Color) -> float:
    """WCAG 2 contrast ratio, 1 to 21."""
    hi, lo = sorted((luminance(one), luminance(other)), reverse=True)
    return (hi + 0.05) / (lo + 0.05)


_ANSI = {  # a theme that keeps the terminal's own 16 colours leaves nothing to compute with
    "fg": "ansi_default",
    "soft": "ansi_default",
    "bold": "ansi_default",
    "muted": "ansi_default 70%",
    "faint": "ansi_bright_black",
    "ok": "ansi_green",
    "live": "ansi_green",
    "warn": "ansi_yellow",
    "bad": "ansi_red",
    "accent": "ansi_blue",
    "stale": "ansi_bright_black",
    "chip": "ansi_black",
    "button": "ansi_default",
    "glow": "ansi_blue",
    "heat": "ansi_yellow",
    "cursor": "ansi_bright_black",
    "chipbg": "ansi_blue",
}


def tones(variables: Mapping[str, str]) -> dict[str, str]:
    """The `tone-*` CSS variables for a theme's own variables.

    Text tones are pushed towards black or white until they reach 4.5:1 on the background and on the cursor line, so a theme
    can be ugly but never unreadable.

    Args:
        variables: a theme's CSS variables; background, foreground, primary, success, warning and error are read.
    """
    if "ansi" in variables["background"]:
        return {f"tone-{name}": color for name, color in _ANSI.items()}
    return {f"tone-{name}": color.hex for name, color in _colors(*(variables[name] for name in _NEEDED)).items()}


@lru_cache(16)
def _colors(background: str, foreground: str, primary: str, success: str, warning: str, error: str) -> dict[str, Color]:
    bg, fg, main = Color.parse(background), Color.parse(foreground), Color.parse(primary)
    dark = luminance(bg) < 0.18
    cursor = bg.blend(main, 0.18 if dark else 0.13)

    def readable(color: Color, ratio: float = 4.5) -> Color:
        pole = Color(255, 255, 255) if dark else Color(0, 0, 0)
        steps = (color.blend(pole, step / 20) for step in range(21))
        return next((c for c in steps if min(contrast(c, bg), contrast(c, cursor)) >= ratio), pole)

    accent, warn, ok = readable(main), readable(Color.parse(warning)), readable(Color.parse(success))
    return {
        "fg": readable(fg, 7),
        "bold": readable(fg, 7),
        "soft": readable(bg.blend(fg, 0.76)),
        "muted": readable(bg.blend(fg, 0.55)),
        "faint": bg.blend(fg, 0.24),
        "ok": ok,
        "live": ok,
        "warn": warn,
        "bad": readable(Color.parse(error)),
        "accent": accent,
        "stale": readable(bg.blend(Color.parse(warning), 0.45)),
        "chip": bg,
        "button": readable(fg, 7),
        "chipbg": accent,
        "glow": bg.blend(accent, 0.38),  # areas under a curve: decoration, the edge carries the fact
        "heat": bg.blend(warn, 0.38),
        "cursor": cursor,
    }


def styles(variables: Mapping[str, str]) -> dict[tuple[str, bool], Style]:
    """What each tone looks like, (tone, whether on the cursor line) → style. The ground is part of it: Textual puts none below a painted line."""
    return _styles(*(variables[name] for name in _NEEDED))


@lru_cache(16)
def _styles(*needed: str) -> dict[tuple[str, bool], Style]:
    ansi = "ansi" in needed[0]
    if ansi:
        ink = {name: Color.parse(value.split(" ")[0]).rich_color for name, value in _ANSI.items()}
        page = None  # the terminal's own
    else:
        ink = {name: color.rich_color for name, color in _colors(*needed).items()}
        page = Color.parse(needed[0]).rich_color
    out: dict[tuple[str, bool], Style] = {}
    for tone in TONES:
        for cursor in (False, True):
            ground = ink["chipbg"] if tone == "chip" else ink["cursor"] if cursor or tone == "button" else page
            dim = True if ansi and tone == "muted" else None
            out[tone, cursor] = Style(color=ink[tone], bgcolor=ground, bold=tone in ("bold", "chip") or None, dim=dim)
    return out
