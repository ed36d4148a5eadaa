"""Keep what must last: journals, the audit trail, the bar catalogue."""
