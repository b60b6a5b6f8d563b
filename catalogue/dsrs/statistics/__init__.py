"""Questions about DSRs as a whole: sums, comparisons, and the series that are complete or not."""
