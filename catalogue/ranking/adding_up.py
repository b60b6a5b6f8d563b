"""Rankings by adding up all lines.

For a share below 100 per cent only the resources that can be in the answer are ranked and described. A sample of the
sums guesses a revenue below which no member comes; exact sums confirm the guess, or it is not used.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from catalogue.lines.lookups import lines_of_dsrs, partitions_of
from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.bounds import DECIMALS, EXACT, FEW_LINES, TOTAL_DIGITS, UP, has_negative, total_bounds
from catalogue.ranking.rows import (
    DESCRIBED_ALL_AT_ONCE,
    RANKED,
    ROW,
    SHARED_TABLE,
    BuiltRanking,
    own_table,
    percentile_ends,
)
from dsrhub.database import locks
from dsrhub.database.statements import execute, rows_of

# A ranking of at least this many lines gets a table of its own.
MANY_LINES = 200_000
# The memory of one step of one process before it goes to the disk; a hash takes twice as much.
WORK_MEM = "64MB"
# How many resources the sample has, and the parts of the tail for which a bound is tried: with a smaller part more
# resources are ranked in vain, with a larger one the sample is more easily wrong.
SAMPLED, PARTS_OF_TAIL = 20_000, [Decimal("0.2"), Decimal("0.5"), Decimal("0.8"), Decimal("0.95")]
# The planner's cost of a row that a parallel worker hands over: so high that workers hand over sums alone.
SUMS_ALONE = 10

# A line's amount in EUR by one division, where that rounds as catalogue_eur does: see `_short_scale`.
EUR = """
CASE WHEN line.revenue >= dsr.least AND scale(line.revenue) <= dsr.short_scale THEN line.revenue / dsr.divisor
    ELSE catalogue_eur(line.revenue, dsr.rate) END
"""

# Nearly always no dsp_id is repeated: then a resource has one line in its DSR.
ONCE = f"""
SELECT dsr.dsp, line.dsp_id, line.usages::numeric AS usages, {EUR} AS revenue, dsr.ids
FROM (
    {lines_of_dsrs("dsr_id, dsp_id, usages, revenue", ids="once", partitions="once_partitions")}
) AS line JOIN (
    SELECT *, round(rate, 40) AS divisor, rate * 1e-16 AS least, ARRAY[id] AS ids
    FROM unnest(%(once)s::integer[], %(once_dsps)s::text[], %(once_rates)s::numeric[], %(short_scales)s::integer[])
        AS dsr (id, dsp, rate, short_scale)
) AS dsr ON dsr.id = line.dsr_id
WHERE {{half}}
"""  # noqa: S608 - no value is in it, here and below

REPEATING = f"""
SELECT dsr.dsp, line.dsp_id, catalogue_sum(line.usages) AS usages,
    catalogue_eur(catalogue_sum(line.revenue), dsr.rate) AS revenue, ARRAY[dsr.id] AS ids
FROM (
    {lines_of_dsrs("dsr_id, dsp_id, usages, revenue", ids="repeating", partitions="repeating_partitions")}
) AS line JOIN unnest(
    %(repeating)s::integer[], %(repeating_dsps)s::text[], %(repeating_rates)s::numeric[]
) AS dsr (id, dsp, rate) ON dsr.id = line.dsr_id
WHERE {{half}}
GROUP BY dsr.id, dsr.dsp, dsr.rate, line.dsp_id
"""  # noqa: S608

# Each parallel worker adds up one half of the resources, whose hashes have one sign. If the lines were divided instead,
# workers would hand over nearly as many sums as there are lines, to be added up once more.
HALVES = ("hashtextextended(line.dsp_id, 1) < 0", "hashtextextended(line.dsp_id, 1) >= 0")
HALF = """
SELECT dsp, dsp_id, catalogue_sum(usages) AS usages, catalogue_sum(revenue) AS revenue, catalogue_ids(ids) AS dsrs
FROM ({reported}) AS reported GROUP BY dsp, dsp_id HAVING catalogue_sum(revenue) IS NOT NULL
"""

# For each part of the tail, the revenue that the resources in this part have at most, by a sample. The tail is the
# revenue that the resources of the answer leave.
TAILS = """
SELECT max(revenue) FILTER (WHERE running * %(row_count)s / seen_count <= part * %(tail)s)
FROM (
    SELECT revenue, count(*) OVER () AS seen_count,
        sum(revenue) OVER (ORDER BY revenue ROWS UNBOUNDED PRECEDING) AS running
    FROM {sums} TABLESAMPLE SYSTEM (%(sample)s) REPEATABLE (0)
) AS seen
CROSS JOIN unnest(%(parts)s::numeric[]) AS part GROUP BY part ORDER BY part
"""
REVENUE_FROM = "catalogue_sum(revenue) FILTER (WHERE revenue >= (%(amounts)s::numeric[])[{place}])"

# Rows are written in the order of their rank.
RANK_ALL = f"""
SELECT {ROW} FROM ({RANKED.format(f"({DESCRIBED_ALL_AT_ONCE})")}) AS ranked
"""  # noqa: S608


def rank_by_adding_up(dsrs: Sequence[IngestedDSR], parameters: dict[str, Any]) -> BuiltRanking:
    number, percentile = parameters["ranking"], parameters["percentile"]
    has_many_lines = sum(dsr.line_count for dsr in dsrs) >= MANY_LINES
    table = own_table(number) if has_many_lines else SHARED_TABLE
    sums = f"{own_table(number)}_sums"
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    if has_many_lines:
        # Memory, disk and cores are enough for one at a time.
        locks.RANKING_BY_ADDING_UP.take()
    resource_count = _add_up(sums, dsrs)
    execute(f"ANALYZE {sums} (dsp, dsp_id, revenue)")
    total, smallest = _total_and_smallest(sums, resource_count, dsrs, percentile)
    row_count = 0
    if total > 0:
        # Only the few resources that can be in the answer are sorted and described.
        members = sums if smallest is None else f"(SELECT * FROM {sums} WHERE revenue >= %(smallest)s)"  # noqa: S608
        target = f"CREATE UNLOGGED TABLE {table} AS" if has_many_lines else f"INSERT INTO {table}"
        row_count = execute(f"{target} {RANK_ALL.format(sums=members)}", **parameters, smallest=smallest)
    execute(f"DROP TABLE {sums}")
    if not row_count:
        return BuiltRanking(SHARED_TABLE, 0, TOTAL_DIGITS.plus(total), [0] * percentile)
    if has_many_lines:
        execute(f"CREATE UNIQUE INDEX ON {table} (ranking, rank)")
    ends = percentile_ends(table, row_count, total, total, ranking=number, percentile=percentile)
    if percentile == 100:  # noqa: PLR2004 - the last resource that has revenue, even if it is zero or less
        ends[-1] = row_count
    # Where negative revenue nearly cancels the rest, a share of the total can have any number of digits.
    return BuiltRanking(table, row_count, total if has_negative(dsrs) else TOTAL_DIGITS.plus(total), ends)


def _total_and_smallest(
    sums: str, resource_count: int, dsrs: Sequence[IngestedDSR], percentile: int
) -> tuple[Decimal, Decimal | None]:
    """The total, and a revenue that no resource of the answer is below, if one is found."""
    amounts = _guesses(sums, resource_count, dsrs, percentile)
    columns = [REVENUE_FROM.format(place=place + 1) for place in range(len(amounts))]
    ((total, *reached),) = rows_of(
        f"SELECT {', '.join(['coalesce(catalogue_sum(revenue), 0)', *columns])} FROM {sums}",  # noqa: S608
        amounts=amounts,
    )
    enough = [
        amount
        for amount, revenue in zip(amounts, reached, strict=True)
        if revenue is not None and EXACT.multiply(revenue, 100) >= EXACT.multiply(total, percentile)
    ]
    return total, max(enough, default=None)


def _guesses(sums: str, resource_count: int, dsrs: Sequence[IngestedDSR], percentile: int) -> list[Decimal]:
    """Amounts, ascending: the resources below each of them may together have no more than the answer leaves."""
    if resource_count < FEW_LINES or percentile == 100:  # noqa: PLR2004 - which leaves nothing
        return []
    tail = UP.multiply(total_bounds(dsrs)[1], Decimal(100 - percentile).scaleb(-2))
    sample = Decimal(100 * SAMPLED) / max(resource_count, SAMPLED)
    rows = rows_of(TAILS.format(sums=sums), row_count=resource_count, sample=sample, tail=tail, parts=PARTS_OF_TAIL)
    return [amount for (amount,) in rows if amount is not None]


def _add_up(sums: str, dsrs: Sequence[IngestedDSR]) -> int:
    """Create the table of the sums of each resource, and return the number of resources."""
    once = [dsr for dsr in dsrs if dsr.most_repeats == 1]
    repeating = [dsr for dsr in dsrs if dsr.most_repeats > 1]
    parts = [part for part, of_part in ((ONCE, once), (REPEATING, repeating)) if of_part]
    reported = " UNION ALL ".join(parts)
    halves = " UNION ALL ".join(HALF.format(reported=reported.format(half=half)) for half in HALVES)
    execute(f"SET LOCAL parallel_tuple_cost = {SUMS_ALONE}")
    resource_count = execute(
        f"CREATE UNLOGGED TABLE {sums} AS SELECT * FROM ({halves}) AS sums",  # noqa: S608 - no value is in it
        once=[dsr.id for dsr in once],
        once_dsps=[dsr.dsp for dsr in once],
        once_rates=[dsr.exchange_rate for dsr in once],
        once_partitions=partitions_of(once),
        short_scales=[_short_scale(dsr) for dsr in once],
        repeating=[dsr.id for dsr in repeating],
        repeating_dsps=[dsr.dsp for dsr in repeating],
        repeating_rates=[dsr.exchange_rate for dsr in repeating],
        repeating_partitions=partitions_of(repeating),
    )
    execute("SET LOCAL parallel_tuple_cost TO DEFAULT")
    return resource_count


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
