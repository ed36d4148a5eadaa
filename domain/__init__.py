"""Hold every trading decision as pure machines: no I/O, no clock, no randomness, no Ray."""
