"""Show a running engine on a terminal: pure functions from what is known of it to lines, and a thread that paints."""
