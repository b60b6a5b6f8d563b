"""Totals that earlier releases did not count. A worker completes them, so an upgrade need not read all lines."""

from collections.abc import Callable

from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import lines_of_dsrs, partitions_of
from catalogue.models import DSR
from dsrhub.database.statements import execute

# DSRs are looked up by this many at a time.
BATCH = 100

# One statement, so all totals of a DSR are completed together. A DSR that is deleted meanwhile is not changed. A line
# without a use type has that of its DSR.
COMPLETE = f"""
WITH line AS (
    SELECT coalesce(use_type, %(use_type)s) AS use_type, coalesce(sum(usages), 0) AS usages,
        coalesce(sum(revenue), 0) AS revenue
    FROM ({lines_of_dsrs("use_type, isrc, usages, revenue")}) AS line WHERE isrc IS NULL GROUP BY 1
), by_use_type AS (
    UPDATE catalogue_usetypetotal AS total SET
        blank_isrc_usages = coalesce((SELECT usages FROM line WHERE use_type IS NOT DISTINCT FROM total.use_type), 0),
        blank_isrc_revenue = coalesce((SELECT revenue FROM line WHERE use_type IS NOT DISTINCT FROM total.use_type), 0)
    WHERE dsr_id = ANY(%(ids)s)
)
UPDATE catalogue_dsr SET
    blank_isrc_usages = (SELECT coalesce(sum(usages), 0) FROM line),
    blank_isrc_revenue = (SELECT coalesce(sum(revenue), 0) FROM line)
WHERE id = ANY(%(ids)s)
"""  # noqa: S608 - no value is in it


def totals_complete(*, is_alive: Callable[[], bool] = lambda: True) -> int:
    """Count usages and revenue without ISRC where they are missing, until none is or `is_alive` ends it.

    Return the number of completed DSRs. It does no harm if two workers do it at once.
    """
    done = 0
    missing = DSR.objects.ingested().filter(blank_isrc_usages=None).order_by("id")
    while is_alive() and (dsrs := list(missing[:BATCH])):
        for dsr in dsrs:
            if not is_alive():
                break
            with lines_gathered(["use_type", "isrc", "usages", "revenue"]) as lines:
                lines.add_of_dsrs(places_of([dsr]), "isrc IS NULL")
                execute(lines.statement(COMPLETE), ids=[dsr.pk], partitions=partitions_of([dsr]), use_type=dsr.use_type)
            done += 1
    return done
