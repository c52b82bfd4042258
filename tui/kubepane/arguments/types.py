"""What may be typed for an argument, and what is said when it is something else."""

from __future__ import annotations

import argparse
import re

PANES = ("pods", "workloads", "nodes", "events", "hpa", "storage", "ingress", "policies")


def namespace(text: str) -> str:
    """A namespace name."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no namespace name (lower case letters, digits and -)")
    return text


def pane(text: str) -> str:
    """The name of a pane."""
    if text not in PANES:
        raise argparse.ArgumentTypeError(f"no pane {text!r}: {', '.join(PANES)}")
    return text


def size(text: str) -> tuple[int, int]:
    """A size, as 120x40."""
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if match is None or not (1 <= int(match[1]) <= 1000 and 1 <= int(match[2]) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: WIDTHxHEIGHT, as 120x40")
    return int(match[1]), int(match[2])


def seconds(text: str) -> float:
    """Seconds, from 0 to an hour."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return seconds


def whole(text: str) -> int:
    """A whole number from 0 to 65535."""
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 65535")
    return int(text)


def speed(text: str, most: float = 1000) -> float:
    """A factor of time."""
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed from 0.1 to {most:g}")
    return speed


def watchable(text: str) -> float:
    """A factor of time that a screen can still follow."""
    return speed(text, 10)
