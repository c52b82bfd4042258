"""Facts to columns and rows, one module a pane. Pure: no widget, no clock."""
