"""Be a venue: a deterministic exchange and broker driven by bars, with a journal of its own."""
