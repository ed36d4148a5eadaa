"""Kill real processes of a running engine, and hold what it did to the venue's own journal."""
