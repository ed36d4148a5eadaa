"""Simulate venues and markets, and run the engine inline, in backtests and under faults."""

from config.guards import install

install(__name__)
