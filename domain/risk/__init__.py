"""Judge, size and measure risk with pure functions."""
