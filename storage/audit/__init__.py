"""Keep the audit trail: a hash chain in daily JSON Lines, signed checkpoints, a rebuildable index."""
