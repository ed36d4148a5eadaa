"""Measure what a run achieved."""
