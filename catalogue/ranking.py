"""The resources with the most revenue, exactly, without adding up those that cannot be among them.

This is the three-phase uniform threshold algorithm (P. Cao, Z. Wang: Efficient top-K query calculation in distributed
networks, PODC 2004, after R. Fagin's threshold algorithm). A DSR has one exchange rate, so the order of its lines by
revenue is their order in EUR, and an index has it.

1. The first lines of every DSR give a lower bound of the revenue of the answer's last member.
2. A resource that reaches the bound has a line of at least its share of it: only those with such a line are looked
   at, and of these only the ones that could reach the bound with what is not seen of them.
3. They alone are added up, exactly.

The bounds are rounded, always to the safe side; the answer never is. Where a bound cannot decide, all is added up.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, NamedTuple

from django.db import connection

# Bounds need few digits. Whoever rounds up or down by this much more is on the safe side of numeric's own rounding,
# which keeps 16 digits of a quotient.
UP = Context(prec=50, rounding=ROUND_CEILING)
DOWN = Context(prec=50, rounding=ROUND_FLOOR)
SLACK = Decimal("1e-12")
# A resource's amount in one DSR is rounded to 40 decimals.
STEP = Decimal("1e-40")
# Below this bound the slack would no longer cover that rounding.
LOWEST_BOUND = Decimal("1e-20")
# Fewer lines are added up as fast as they are searched.
FEW_LINES = 20_000
# How many first lines are looked at in all to begin with, by how much more each time the share is not reached, and
# up to which part of all lines: beyond it, to add up everything is faster.
FIRST_HEAD, HEAD_GROWTH, LARGEST_HEAD = 2_000, 6, Decimal("0.05")


class IngestedDSR(NamedTuple):
    """What a question needs of a DSR, and whether the DSR counts for it.

    `most_repeats` is the largest number of its lines that one dsp_id has.
    """

    id: int
    dsp: str
    exchange_rate: Decimal
    partition: int
    line_count: int
    total_revenue: Decimal
    lowest_revenue: Decimal | None
    most_repeats: int
    period_end: date
    period_start: date
    path: str
    counts: bool


class Ranked(NamedTuple):
    """A resource's sums over the DSRs that count; `dsrs` are the ids, ascending, of those that report it."""

    dsp: str
    dsp_id: str
    usages: int | None
    revenue: Decimal
    dsrs: list[int]


def top_percentile(dsrs: Sequence[IngestedDSR], percentile: int) -> list[Ranked]:
    """The shortest list of resources, highest revenue first, that has `percentile` per cent of the total."""
    if not dsrs:
        return []
    ranked = _by_threshold(dsrs, percentile) if _has_bounds(dsrs, percentile) else None
    return _by_adding_all_up(dsrs, percentile) if ranked is None else ranked


def _has_bounds(dsrs: Sequence[IngestedDSR], percentile: int) -> bool:
    """Whether a part can be told from the first lines: not where lines are taken away from a sum."""
    return (
        percentile < 100  # noqa: PLR2004 - all of it
        and sum(dsr.line_count for dsr in dsrs) >= FEW_LINES
        and all(dsr.lowest_revenue is None or dsr.lowest_revenue >= 0 for dsr in dsrs)
    )


# --- Adding up all ---------------------------------------------------------------------------------------------

# The ranking of `reported` (dsr_id, dsp, dsp_id, usages, revenue in EUR), which is what a resource comes to in a DSR.
RANKED = """
resource AS (
    SELECT dsp, dsp_id, sum(usages) AS usages, sum(revenue) AS revenue, array_agg(dsr_id) AS dsrs
    FROM reported GROUP BY dsp, dsp_id HAVING count(revenue) > 0
),
ranked AS (
    SELECT *, row_number() OVER ranking AS rank, sum(revenue) OVER ranking AS running, sum(revenue) OVER () AS total
    FROM resource
    WINDOW ranking AS (
        ORDER BY revenue DESC, dsp_id COLLATE "C", dsp COLLATE "C" ROWS UNBOUNDED PRECEDING
    )
)
"""

ADD_ALL_UP = f"""
WITH counting AS (
    SELECT * FROM unnest(%(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[]) AS dsr (id, dsp, rate)
),
reported AS (
    SELECT dsr.id AS dsr_id, dsr.dsp, line.dsp_id, line.usages, catalogue_eur(line.revenue, dsr.rate) AS revenue
    FROM catalogue_usageline AS line JOIN counting AS dsr ON dsr.id = line.dsr_id
    WHERE line.partition = ANY(%(once_partitions)s) AND line.dsr_id = ANY(%(once)s)
    UNION ALL
    SELECT dsr.id, dsr.dsp, line.dsp_id, sum(line.usages), catalogue_eur(sum(line.revenue), dsr.rate)
    FROM catalogue_usageline AS line JOIN counting AS dsr ON dsr.id = line.dsr_id
    WHERE line.partition = ANY(%(repeating_partitions)s) AND line.dsr_id = ANY(%(repeating)s)
    GROUP BY dsr.id, dsr.dsp, dsr.rate, line.dsp_id
),
{RANKED}
SELECT dsp, dsp_id, usages, revenue, dsrs FROM ranked
WHERE total > 0 AND (
    %(percentile)s = 100 OR rank <= (SELECT min(rank) FROM ranked WHERE running * 100 >= total * %(percentile)s)
)
ORDER BY rank
"""  # noqa: S608 - no value is in it


def _by_adding_all_up(dsrs: Sequence[IngestedDSR], percentile: int) -> list[Ranked]:
    # Where no dsp_id is repeated, as nearly always, a line is all that a resource has in its DSR.
    once = [dsr for dsr in dsrs if dsr.most_repeats == 1]
    repeating = [dsr for dsr in dsrs if dsr.most_repeats > 1]
    parameters = {
        **_parameters(dsrs),
        "once": [dsr.id for dsr in once],
        "once_partitions": _partitions(once),
        "repeating": [dsr.id for dsr in repeating],
        "repeating_partitions": _partitions(repeating),
        "percentile": percentile,
    }
    return [_ranked(row) for row in _rows(ADD_ALL_UP, parameters)]


# --- Adding up by threshold ------------------------------------------------------------------------------------

# The lower bound that the first %(head)s lines of every DSR give: resources that come to at least this much have,
# added up, the share that is asked for. No row where the lines do not reach it.
FIRST_BOUND = """
WITH counting AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[], %(own)s::integer[])
        AS dsr (id, dsp, rate, partition)
),
seen AS (
    SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.rate) AS revenue
    FROM counting AS dsr CROSS JOIN LATERAL (
        SELECT dsp_id, revenue FROM catalogue_usageline
        WHERE partition = dsr.partition AND partition = ANY(%(partitions)s) AND dsr_id = dsr.id
            AND revenue IS NOT NULL
        ORDER BY revenue DESC NULLS LAST LIMIT %(head)s
    ) AS line
    GROUP BY dsr.dsp, line.dsp_id
)
SELECT revenue
FROM (SELECT revenue, sum(revenue) OVER (ORDER BY revenue DESC ROWS UNBOUNDED PRECEDING) AS running FROM seen) AS sums
WHERE running >= %(share)s ORDER BY revenue DESC LIMIT 1
"""

# Of the resources with a line of at least `floor`, those that could reach the bound that these lines give; of each
# DSR they have at most `most_repeats` lines, and what is not seen of them is below `floor`.
CANDIDATES = """
counting AS MATERIALIZED (
    SELECT * FROM unnest(
        %(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[], %(own)s::integer[],
        %(floors)s::numeric[], %(eur_floors)s::numeric[], %(most_lines)s::integer[]
    ) AS dsr (id, dsp, rate, partition, floor, eur_floor, most_lines)
),
seen AS MATERIALIZED (
    SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.rate) AS revenue,
        (min(dsr.most_lines) - count(*)) * min(dsr.eur_floor) AS unseen
    FROM counting AS dsr CROSS JOIN LATERAL (
        SELECT dsp_id, revenue FROM catalogue_usageline
        WHERE partition = dsr.partition AND partition = ANY(%(partitions)s) AND dsr_id = dsr.id
            AND revenue >= dsr.floor
        OFFSET 0
    ) AS line
    GROUP BY dsr.dsp, line.dsp_id
),
bound AS MATERIALIZED (
    SELECT greatest(max(revenue) * (1 - %(slack)s), %(bound)s) AS revenue
    FROM (
        SELECT revenue, sum(revenue) OVER (ORDER BY revenue DESC ROWS UNBOUNDED PRECEDING) AS running FROM seen
    ) AS sums
    WHERE running >= %(share)s
),
candidate AS MATERIALIZED (
    SELECT dsp, dsp_id FROM seen WHERE (revenue + unseen) * (1 + %(slack)s) >= (SELECT revenue FROM bound)
)
"""

ADD_CANDIDATES_UP = f"""
WITH {CANDIDATES},
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM counting),
reported AS (
    SELECT dsr.id AS dsr_id, dsr.dsp, line.dsp_id, sum(line.usages) AS usages,
        catalogue_eur(sum(line.revenue), dsr.rate) AS revenue
    FROM candidate JOIN storage ON storage.dsp = candidate.dsp
    CROSS JOIN LATERAL (
        SELECT dsr_id, dsp_id, usages, revenue FROM catalogue_usageline
        WHERE partition = storage.partition AND partition = ANY(%(partitions)s)
            AND hashtextextended(dsp_id, 0) = hashtextextended(candidate.dsp_id, 0) AND dsp_id = candidate.dsp_id
        OFFSET 0
    ) AS line
    JOIN counting AS dsr ON dsr.id = line.dsr_id AND dsr.dsp = candidate.dsp
    GROUP BY dsr.id, dsr.dsp, dsr.rate, line.dsp_id
),
{RANKED}
SELECT dsp, dsp_id, usages, revenue, dsrs, running FROM ranked
-- Below the bound others may stand between.
WHERE revenue >= (SELECT revenue FROM bound) ORDER BY rank
"""  # noqa: S608 - no value is in it


def _by_threshold(dsrs: Sequence[IngestedDSR], percentile: int) -> list[Ranked] | None:
    """The answer, or None where bounds cannot give it at less than the cost of adding all up."""
    lowest_total, highest_total = _total_bounds(dsrs)
    if lowest_total <= 0:
        return None
    # The lines seen must come to a little more than the share, so that they surely reach it.
    reached = UP.multiply(highest_total, Decimal(percentile).scaleb(-2))
    not_reached = DOWN.multiply(lowest_total, Decimal(percentile).scaleb(-2))
    share = UP.multiply(reached, 1 + SLACK)
    parameters = {**_parameters(dsrs), "own": [dsr.partition for dsr in dsrs], "share": share, "slack": SLACK}
    bound = _first_bound(dsrs, parameters)
    if bound is None or bound < LOWEST_BOUND:
        return None
    rows = _rows(ADD_CANDIDATES_UP, {**parameters, **_floors(dsrs, bound), "bound": bound})
    for count, (*_, running) in enumerate(rows, start=1):
        if running >= reached:
            return [_ranked(row[:-1]) for row in rows[:count]]
        if running >= not_reached:
            return None  # Whether it is reached, only the exact total tells.
    return None


def _total_bounds(dsrs: Sequence[IngestedDSR]) -> tuple[Decimal, Decimal]:
    """Between what the total in EUR lies: each amount of a resource in a DSR was rounded by half a step at most."""
    rounding = STEP * sum(dsr.line_count for dsr in dsrs)
    totals = []
    for context, most in ((DOWN, -rounding), (UP, rounding)):
        total = Decimal(0)
        for dsr in dsrs:
            total = context.add(total, context.divide(dsr.total_revenue, dsr.exchange_rate))
        totals.append(context.add(total, most))
    return totals[0], totals[1]


def _first_bound(dsrs: Sequence[IngestedDSR], parameters: dict[str, Any]) -> Decimal | None:
    line_count = sum(dsr.line_count for dsr in dsrs)
    head = max(FIRST_HEAD // len(dsrs), 1)
    while head * len(dsrs) <= max(int(line_count * LARGEST_HEAD), FIRST_HEAD):
        rows = _rows(FIRST_BOUND, {**parameters, "head": head})
        if rows:
            bound: Decimal = DOWN.multiply(rows[0][0], 1 - SLACK)
            return bound
        head *= HEAD_GROWTH
    return None


def _floors(dsrs: Sequence[IngestedDSR], bound: Decimal) -> dict[str, list[Any]]:
    """The lowest revenue that a line of interest has in each DSR: who reaches the bound has a line of its share."""
    most_lines: Counter[str] = Counter()
    for dsr in dsrs:
        most_lines[dsr.dsp] += dsr.most_repeats
    eur_floors = [DOWN.multiply(DOWN.divide(bound, Decimal(most_lines[dsr.dsp])), 1 - SLACK) for dsr in dsrs]
    return {
        "eur_floors": eur_floors,
        "floors": [DOWN.multiply(floor, dsr.exchange_rate) for floor, dsr in zip(eur_floors, dsrs, strict=True)],
        "most_lines": [most_lines[dsr.dsp] for dsr in dsrs],
    }


def _parameters(dsrs: Sequence[IngestedDSR]) -> dict[str, Any]:
    return {
        "ids": [dsr.id for dsr in dsrs],
        "dsps": [dsr.dsp for dsr in dsrs],
        "rates": [dsr.exchange_rate for dsr in dsrs],
        "partitions": _partitions(dsrs),
    }


def _partitions(dsrs: Sequence[IngestedDSR]) -> list[int]:
    return sorted({dsr.partition for dsr in dsrs})


def _rows(statement: str, parameters: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows


def _ranked(row: Sequence[Any]) -> Ranked:
    dsp, dsp_id, usages, revenue, dsrs = row
    return Ranked(dsp, dsp_id, None if usages is None else int(usages), revenue, sorted(dsrs))
