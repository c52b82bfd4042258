"""What the user sees: the dashboard, the object screen, help, the log, and what carries data to them."""
