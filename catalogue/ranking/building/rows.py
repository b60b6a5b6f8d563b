"""The rows of a ranking: what they hold of each resource, where they lie, and how ranks are found in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from catalogue.lines.scope import IngestedDSR
from dsrhub.database.statements import execute, rows_of

# A small ranking lies in a table with others, a large one in a table of its own, which several processes fill and
# which is dropped quickly.
SHARED_TABLE = "catalogue_rankedresource"


@dataclass(frozen=True)
class RankingTask:
    """A ranking to build: its number, its share of the total in per cent, and the DSRs of a state.

    `describing` are all DSRs of the DSPs that have some in scope: these describe the resources.
    """

    number: int
    percentile: int
    dsrs: Sequence[IngestedDSR]
    describing: Sequence[IngestedDSR]

    @property
    def line_count(self) -> int:
        return sum(dsr.line_count for dsr in self.dsrs)

    @property
    def parameters(self) -> dict[str, Any]:
        return {"ranking": self.number, "percentile": self.percentile}


def ranking_task(number: int, percentile: int, state: Sequence[IngestedDSR]) -> RankingTask:
    """The task for a state: the DSRs in scope and the other DSRs of their DSPs."""
    in_scope = [dsr for dsr in state if dsr.in_scope]
    dsps = {dsr.dsp for dsr in in_scope}
    return RankingTask(number, percentile, in_scope, [dsr for dsr in state if dsr.dsp in dsps])


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
