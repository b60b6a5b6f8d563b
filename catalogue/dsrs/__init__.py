"""DSRs as a whole: listing, deleting, statistics from their totals, and the kept files."""
