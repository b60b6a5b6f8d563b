"""How lines are looked up: the only SQL that knows their partitions and indexes."""

# Title, artists and ISRC of lines with the `recency` of their DSR: each from the most recent line that has one. DSRs
# come by period end, period start and file name, so the order of imports makes no difference.
LATEST = """
    (array_agg(title ORDER BY recency DESC, line_number DESC) FILTER (WHERE title IS NOT NULL))[1] AS title,
    (array_agg(artists ORDER BY recency DESC, line_number DESC) FILTER (WHERE artists IS NOT NULL))[1] AS artists,
    (array_agg(isrc ORDER BY recency DESC, line_number DESC) FILTER (WHERE isrc IS NOT NULL))[1] AS isrc
"""
