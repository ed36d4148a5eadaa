"""Start, watch and stop the engine's actors."""
