"""The rows of a ranking: what they hold of each resource, where they lie, and how ranks are found in them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from catalogue.lines.lookups import LATEST, RECENCY, lines_of_dsrs, lines_with_dsp_id, partitions_of
from catalogue.lines.scope import IngestedDSR
from dsrhub.database.statements import execute, rows_of

# A small ranking lies in a table with others, a large one in a table of its own, which several processes fill and
# which is dropped quickly.
SHARED_TABLE = "catalogue_rankedresource"


class BuiltRanking(NamedTuple):
    """A ranking that was built: its table, its number of rows there, the total in EUR, and the rank with which the
    top 1, 2, ... per cent end. A rank is None where only adding up all lines tells."""

    table: str
    row_count: int
    total: Decimal
    ends: list[int | None]


def own_table(number: int) -> str:
    return f"catalogue_ranking_{number}"


def ranking_drop(number: int, table: str) -> None:
    """Remove the rows of a ranking."""
    if table == SHARED_TABLE:
        execute(f"DELETE FROM {SHARED_TABLE} WHERE ranking = %(ranking)s", ranking=number)  # noqa: S608
    else:
        execute(f"DROP TABLE IF EXISTS {table}")


RANKED = """
SELECT *, row_number() OVER ranking AS rank, catalogue_sum(revenue) OVER ranking AS running
FROM {} AS resource
WINDOW ranking AS (ORDER BY revenue DESC, dsp_id COLLATE "C", dsp COLLATE "C" ROWS UNBOUNDED PRECEDING)
"""

ROW = "%(ranking)s::integer AS ranking, rank, dsp, dsp_id, title, artists, isrc, usages, revenue, running, dsrs"

# --- Title, artists and ISRC -----------------------------------------------------------------------------------

REPORT = f"""(
    SELECT id, dsp, partition, row_number() OVER (ORDER BY {RECENCY}) AS recency
    FROM catalogue_dsr WHERE id = ANY(%(describing)s)
)"""  # noqa: S608 - no value is in it

# The DSPs whose resources the catalogue describes by just the DSRs of the question: in the snapshot of the statement
# the DSP has no other DSR, all of them are registered, and the resources of deleted and superseded ones are removed.
CATALOGUED = """ARRAY(
    SELECT described.dsp FROM unnest(%(described)s::text[], %(dsr_counts)s::bigint[]) AS described (dsp, dsr_count)
    JOIN catalogue_dsr AS dsr ON dsr.dsp = described.dsp AND status = 'ingested'
    WHERE NOT EXISTS (SELECT FROM catalogue_leftoverlines AS gone WHERE gone.dsp = described.dsp AND is_catalogued)
        AND NOT EXISTS (SELECT FROM catalogue_supersededdsr AS gone WHERE gone.dsp = described.dsp AND is_catalogued)
    GROUP BY described.dsp, dsr_count HAVING count(*) = dsr_count AND bool_and(is_catalogued)
)"""

# A few resources are described one by one, by an index.
DESCRIBED_ONE_BY_ONE = f"""
LEFT JOIN LATERAL (
    SELECT title, artists, isrc FROM catalogue_resource AS known
    WHERE known.dsp_id_hash = hashtextextended(ranked.dsp_id, 0) AND known.dsp_id = ranked.dsp_id
        AND known.dsp = ranked.dsp AND known.dsp = ANY({CATALOGUED})
    UNION ALL
    SELECT {LATEST}
    FROM (SELECT DISTINCT partition FROM {REPORT} AS report WHERE report.dsp = ranked.dsp) AS storage
    CROSS JOIN LATERAL (
        {
    lines_with_dsp_id("dsr_id, line_number, title, artists, isrc", key="ranked", partitions="describing_partitions")
}
    ) AS line
    JOIN {REPORT} AS report ON report.id = line.dsr_id AND report.dsp = ranked.dsp
    HAVING ranked.dsp <> ALL({CATALOGUED})
) AS described ON true
"""  # noqa: S608 - no value is in it, here and below

# Many are described all at once. Those of a DSP that is not catalogued take the lines of all its DSRs.
DESCRIBED_ALL_AT_ONCE = f"""
SELECT resource.*, coalesce(known.title, reported.title) AS title, coalesce(known.artists, reported.artists) AS artists,
    coalesce(known.isrc, reported.isrc) AS isrc
FROM {{sums}} AS resource
LEFT JOIN catalogue_resource AS known
    ON known.dsp_id_hash = hashtextextended(resource.dsp_id, 0) AND known.dsp_id = resource.dsp_id
        AND known.dsp = resource.dsp AND known.dsp = ANY({CATALOGUED})
LEFT JOIN (
    SELECT report.dsp, dsp_id, {LATEST}
    FROM ({lines_of_dsrs("*", partitions="describing_partitions", ids=None)}) AS line
    JOIN {REPORT} AS report ON report.id = line.dsr_id
    WHERE report.dsp <> ALL({CATALOGUED})
    GROUP BY report.dsp, dsp_id
) AS reported ON reported.dsp_id = resource.dsp_id AND reported.dsp = resource.dsp
"""  # noqa: S608


def describing_parameters(dsrs: Sequence[IngestedDSR]) -> dict[str, Any]:
    """The parameters of both: all DSRs of the DSPs in scope."""
    dsps = {dsr.dsp for dsr in dsrs if dsr.in_scope}
    describing = [dsr for dsr in dsrs if dsr.dsp in dsps]
    dsr_counts = Counter(dsr.dsp for dsr in describing)
    return {
        "describing": [dsr.id for dsr in describing],
        "describing_partitions": partitions_of(describing),
        "described": list(dsr_counts.keys()),
        "dsr_counts": list(dsr_counts.values()),
    }


# --- The ends of the per cents ---------------------------------------------------------------------------------

# The rank with which each per cent ends, by binary search: the running sum reaches a share from some rank on. NULL
# where the ranking does not reach it, or where it depends on the total, which lies between `lowest` and `highest`.
ENDS = """
WITH RECURSIVE search (percentile, low, high) AS (
    SELECT percentile, 1::bigint, %(row_count)s::bigint + 1 FROM generate_series(1, %(percentile)s) AS percentile
    UNION ALL
    SELECT percentile, CASE WHEN is_reached THEN low ELSE middle + 1 END, CASE WHEN is_reached THEN middle ELSE high END
    FROM (SELECT *, (low + high) / 2 AS middle FROM search WHERE low < high) AS half
    CROSS JOIN LATERAL (
        SELECT running * 100 >= %(highest)s * percentile AS is_reached FROM {table}
        WHERE ranking = %(ranking)s AND rank = middle LIMIT 1
    ) AS sum
)
SELECT CASE WHEN low <= %(row_count)s AND NOT EXISTS (
    SELECT FROM {table} WHERE ranking = %(ranking)s AND rank = low - 1 AND running * 100 >= %(lowest)s * percentile
) THEN low END
FROM search WHERE low = high ORDER BY percentile
"""


def percentile_ends(
    table: str, row_count: int, lowest: Decimal, highest: Decimal, *, ranking: int, percentile: int
) -> list[int | None]:
    """The rank with which the top 1 to `percentile` per cent end."""
    rows = rows_of(
        ENDS.format(table=table),
        ranking=ranking,
        percentile=percentile,
        row_count=row_count,
        lowest=lowest,
        highest=highest,
    )
    return [end for (end,) in rows]


# --- The ranks of given resources ------------------------------------------------------------------------------

# By binary search too: resources that come before another one have lower ranks. A resource is only found with its
# revenue in the ranking.
RANKS = """
WITH RECURSIVE search (dsp, dsp_id, revenue, low, high) AS (
    SELECT dsp, dsp_id, revenue, 1::bigint, %(count)s::bigint + 1
    FROM unnest(%(dsps)s::text[], %(dsp_ids)s::text[], %(revenues)s::numeric[]) AS resource (dsp, dsp_id, revenue)
    UNION ALL
    SELECT dsp, dsp_id, revenue,
        CASE WHEN is_before THEN middle + 1 ELSE low END, CASE WHEN is_before THEN high ELSE middle END
    FROM (SELECT *, (low + high) / 2 AS middle FROM search WHERE low < high) AS half
    CROSS JOIN LATERAL (
        SELECT (-ranked.revenue, ranked.dsp_id COLLATE "C", ranked.dsp COLLATE "C")
            < (-half.revenue, half.dsp_id, half.dsp) AS is_before
        FROM {table} AS ranked WHERE ranking = %(ranking)s AND rank = middle LIMIT 1
    ) AS one
)
SELECT search.dsp, search.dsp_id, low
FROM search CROSS JOIN LATERAL (
    SELECT dsp, dsp_id, revenue FROM {table} WHERE ranking = %(ranking)s AND rank = low LIMIT 1
) AS found
WHERE low = high AND (found.dsp, found.dsp_id, found.revenue) = (search.dsp, search.dsp_id, search.revenue)
"""


def resource_ranks(
    table: str, count: int, revenues: Mapping[tuple[str, str], Decimal], *, ranking: int
) -> dict[tuple[str, str], int]:
    """The ranks of resources with these revenues in EUR, by DSP and dsp_id, among the first `count` of a ranking."""
    rows = rows_of(
        RANKS.format(table=table),
        ranking=ranking,
        count=count,
        dsps=[dsp for dsp, _ in revenues],
        dsp_ids=[dsp_id for _, dsp_id in revenues],
        revenues=[*revenues.values()],
    )
    return {(dsp, dsp_id): rank for dsp, dsp_id, rank in rows}
