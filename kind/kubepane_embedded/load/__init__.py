"""Demand on Services, what it costs the pods behind them, and the metrics that show it."""
