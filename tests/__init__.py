"""Hold the engine to its rules."""
