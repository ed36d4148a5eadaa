"""Hold the configuration to its rules."""
