"""DSRs that were replaced or deleted, and what replaced them."""
