"""Generate signals from closed bars with pure functions."""
