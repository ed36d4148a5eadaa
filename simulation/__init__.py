"""Simulate venues and markets, and run the engine inline, in backtests and under faults."""
