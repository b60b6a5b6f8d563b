"""Earlier versions of DSRs: those that were replaced or deleted."""
