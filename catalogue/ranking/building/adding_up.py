"""Rankings by adding up lines: all of them, or those of candidates."""

from collections.abc import Sequence
from typing import Any

from catalogue.lines.lookups import lines_of_dsrs, partitions_of
from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.building.bounds import DECIMALS, EXACT, TOTAL_DIGITS, has_negative
from catalogue.ranking.building.describing import ranked_insert
from catalogue.ranking.building.parts import Part, parts_of, planned_as_usual, union_of_parts, workers_add_up
from catalogue.ranking.building.rows import SHARED_TABLE, BuiltRanking, RankingTask, own_table, percentile_ends
from dsrhub.database import locks
from dsrhub.database.statements import execute, rows_of

# A ranking of at least this many lines gets a table of its own.
MANY_LINES = 200_000

# A line's amount in EUR by one division, where that rounds as catalogue_eur does: see `_short_scale`.
EUR = """
CASE WHEN line.revenue >= dsr.least AND scale(line.revenue) <= dsr.short_scale THEN line.revenue / dsr.divisor
    ELSE catalogue_eur(line.revenue, dsr.rate) END
"""

# Nearly always no dsp_id is repeated: then a resource has one line in its DSR.
ONCE = f"""
SELECT dsr.dsp, line.dsp_id, line.usages::numeric AS usages, {EUR} AS revenue, dsr.ids
FROM (
    {lines_of_dsrs("dsr_id, dsp_id, usages, revenue", ids="once{n}", partitions="once_partitions{n}")}
) AS line JOIN (
    SELECT *, round(rate, 40) AS divisor, rate * 1e-16 AS least, ARRAY[id] AS ids
    FROM unnest(
        %(once{{n}})s::integer[], %(once_dsps{{n}})s::text[], %(once_rates{{n}})s::numeric[],
        %(short_scales{{n}})s::integer[]
    ) AS dsr (id, dsp, rate, short_scale)
) AS dsr ON dsr.id = line.dsr_id
"""  # noqa: S608 - no value is in it, here and below

REPEATING = f"""
SELECT dsr.dsp, line.dsp_id, catalogue_sum(line.usages) AS usages,
    catalogue_eur(catalogue_sum(line.revenue), dsr.rate) AS revenue, ARRAY[dsr.id] AS ids
FROM (
    {lines_of_dsrs("dsr_id, dsp_id, usages, revenue", ids="repeating{n}", partitions="repeating_partitions{n}")}
) AS line JOIN unnest(
    %(repeating{{n}})s::integer[], %(repeating_dsps{{n}})s::text[], %(repeating_rates{{n}})s::numeric[]
) AS dsr (id, dsp, rate) ON dsr.id = line.dsr_id
"""  # noqa: S608
BY_DSR = "GROUP BY dsr.id, dsr.dsp, dsr.rate, line.dsp_id"

SUMS = """
SELECT dsp, dsp_id, catalogue_sum(usages) AS usages, catalogue_sum(revenue) AS revenue, catalogue_ids(ids) AS dsrs
FROM ({reported}) AS reported GROUP BY dsp, dsp_id HAVING catalogue_sum(revenue) IS NOT NULL
"""
OF_CANDIDATES = """
JOIN {candidates} AS candidate ON candidate.hash = hashtextextended(line.dsp_id, 0) AND candidate.dsp = dsr.dsp
"""


def rank_by_adding_up(task: RankingTask) -> BuiltRanking:
    sums, table = f"{own_table(task.number)}_sums", table_for(task)
    take_turns(task.dsrs)
    sums_create(sums, task.dsrs)
    ((total,),) = rows_of(f"SELECT coalesce(catalogue_sum(revenue), 0) FROM {sums}")  # noqa: S608
    row_count = ranked_insert(task, table, sums) if total > 0 else 0
    execute(f"DROP TABLE {sums}")
    if not row_count:
        return BuiltRanking(SHARED_TABLE, 0, TOTAL_DIGITS.plus(total), [0] * task.percentile)
    ends = percentile_ends(table, row_count, total, total, **task.parameters)
    if task.percentile == 100:  # noqa: PLR2004 - the last resource that has revenue, even if it is zero or less
        ends[-1] = row_count
    # Where negative revenue nearly cancels the rest, a share of the total can have any number of digits.
    return BuiltRanking(table, row_count, total if has_negative(task.dsrs) else TOTAL_DIGITS.plus(total), ends)


def take_turns(dsrs: Sequence[IngestedDSR]) -> None:
    """Wait for others who add up many lines: memory, disk and cores are enough for one at a time."""
    if sum(dsr.line_count for dsr in dsrs) >= MANY_LINES:
        locks.RANKING_BY_ADDING_UP.take()


def table_for(task: RankingTask) -> str:
    """The table for the rows of a ranking."""
    return own_table(task.number) if task.line_count >= MANY_LINES else SHARED_TABLE


def sums_create(sums: str, dsrs: Sequence[IngestedDSR], *, candidates: str | None = None) -> None:
    """Create the table of the exact sums of each resource with revenue, or of the candidates among them."""
    parts = parts_of(dsrs)
    query, parameters = union_of_parts([_part_sums(part, candidates) for part in parts])
    workers_add_up(parts)
    execute(f"CREATE UNLOGGED TABLE {sums} AS SELECT * FROM ({query}) AS sums", **parameters)  # noqa: S608
    planned_as_usual()
    execute(f"ANALYZE {sums} (dsp, dsp_id, revenue)")


def _part_sums(part: Part, candidates: str | None) -> tuple[str, dict[str, Any]]:
    once = [dsr for dsr in part.dsrs if dsr.most_repeats == 1]
    repeating = [dsr for dsr in part.dsrs if dsr.most_repeats > 1]
    only = "" if candidates is None else OF_CANDIDATES.format(candidates=candidates)
    reported = []
    if once:
        reported.append(f"{ONCE} {only} WHERE {part.condition}")
    if repeating:
        reported.append(f"{REPEATING} {only} WHERE {part.condition} {BY_DSR}")
    return SUMS.format(reported=" UNION ALL ".join(reported)), {
        "once": [dsr.id for dsr in once],
        "once_dsps": [dsr.dsp for dsr in once],
        "once_rates": [dsr.exchange_rate for dsr in once],
        "once_partitions": partitions_of(once),
        "short_scales": [_short_scale(dsr) for dsr in once],
        "repeating": [dsr.id for dsr in repeating],
        "repeating_dsps": [dsr.dsp for dsr in repeating],
        "repeating_rates": [dsr.exchange_rate for dsr in repeating],
        "repeating_partitions": partitions_of(repeating),
    }


def _short_scale(dsr: IngestedDSR) -> int:
    """The number of decimals up to which an amount of a DSR, divided by its rate, is no tie at the 41st decimal; or -1.

    With the rate written to 40 decimals, numeric rounds a quotient that is not tiny at the 40th, a tie away from zero,
    and half-even differs in ties alone. Let the amount be a / 10^s and the rate r / 10^40 with r = 2^i * 5^j * q: only
    where q divides a can the quotient end at the 41st decimal, so there is no tie as long as 0 < a < q.
    """
    if not isinstance(exponent := dsr.exchange_rate.as_tuple().exponent, int) or exponent < -DECIMALS:
        return -1
    q = int(EXACT.scaleb(dsr.exchange_rate, DECIMALS))
    for factor in (2, 5):
        while q % factor == 0:
            q //= factor
    is_below = [EXACT.scaleb(dsr.total_revenue, scale) < q for scale in range(DECIMALS + 1)]
    return -1 if has_negative([dsr]) else is_below.count(True) - 1
