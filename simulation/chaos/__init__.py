"""Search for faults: the whole engine in one process, under a seeded schedule of everything that may go wrong."""
