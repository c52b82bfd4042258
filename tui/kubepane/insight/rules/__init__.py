"""The causes, one family a module. Each family ends in a tuple of its rules; `why` puts the families in order."""
