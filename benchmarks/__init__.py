"""Measure speed and size: every `bench_*.py` here is one benchmark, run by `make bench`."""
