"""Compose the engine and serve the command line."""
