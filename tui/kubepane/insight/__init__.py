"""Pure functions from objects to facts. No input or output, no clock: the time is an argument."""
