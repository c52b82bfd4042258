"""Charts as lines: a filled braille curve with a target, steps between rails, a time axis, a sparkline. Pure functions."""
