"""The resources with a small share of the revenue, by the three-phase uniform threshold algorithm.

Source: P. Cao, Z. Wang: Efficient top-K query calculation in distributed networks, PODC 2004, after R. Fagin's
threshold algorithm. A DSR has one exchange rate, so the order of its lines by revenue is their order in EUR, and an
index has it.

1. The highest lines of every DSR give a lower bound of the revenue of the answer's last member.
2. A resource that reaches the bound has a line of at least its share of it: only resources with such a line are looked
   at, and of these only the ones that could reach the bound together with lines that are not seen.
3. Only these are added up, exactly.

Negative lines are adjustments, and few: what they take away from each resource is added up first, and every bound of a
resource has it. The bounds are rounded to the safe side; the answer is not rounded.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from catalogue.lines.lookups import (
    DSRS,
    HIGHEST_LINES,
    LINES_FROM_FLOOR,
    NEGATIVE_LINES,
    dsr_arrays,
    lines_with_dsp_id,
)
from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.bounds import DOWN, SLACK, TOTAL_DIGITS, UP, has_negative, total_bounds
from catalogue.ranking.rows import (
    DESCRIBED_ONE_BY_ONE,
    RANKED,
    ROW,
    SHARED_TABLE,
    BuiltRanking,
    percentile_ends,
    ranking_drop,
)
from dsrhub.database.statements import execute, rows_of

# Below this bound the slack does not cover that each amount is rounded to 40 decimals.
LOWEST_BOUND = Decimal("1e-20")
# How many highest lines are looked at in all at first, by how much more each time that the share is not reached, and
# up to which part of all lines: beyond it, adding up all lines is faster.
FIRST_HEAD, HEAD_GROWTH, LARGEST_HEAD = 2_000, 6, Decimal("0.05")

# The part of all lines that may be negative, and how many times the total the positive revenue may be: beyond it, 20
# digits of the total are too few for the shares of it.
MOST_NEGATIVE, LARGEST_TO_TOTAL = Decimal("0.05"), 1_000_000

# What negative lines take away from each resource.
NEGATIVE = f"""
negative AS MATERIALIZED (
    SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.rate) AS revenue
    FROM dsr CROSS JOIN LATERAL ({NEGATIVE_LINES}) AS line
    WHERE dsr.id = ANY(%(with_negative)s)
    GROUP BY dsr.dsp, line.dsp_id
)
"""  # noqa: S608 - no value is in it, here and below
# The number of negative lines, of at most %(most)s, and their sum.
NEGATIVE_SUM = f"""
SELECT count(*), coalesce(sum(revenue), 0)
FROM (
    SELECT line.revenue / dsr.rate AS revenue FROM {DSRS} CROSS JOIN LATERAL ({NEGATIVE_LINES}) AS line
    WHERE dsr.id = ANY(%(with_negative)s) LIMIT %(most)s
) AS line
"""  # noqa: S608
# The bounds of a resource's sum: `seen` is what was seen of it, `unseen` the most that can be added.
LOWER = "revenue * (1 - %(slack)s) + coalesce(negative.revenue, 0) * (1 + %(slack)s)"
UPPER = "(seen.revenue + unseen) * (1 + %(slack)s) + coalesce(negative.revenue, 0) * (1 - %(slack)s)"

# The lower bound that the highest %(head)s lines of every DSR give: the resources with at least this sum together have
# the share. No row where the lines do not reach it.
FIRST_BOUND = f"""
WITH dsr AS MATERIALIZED (SELECT * FROM {DSRS}),
{NEGATIVE},
seen AS (
    SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.rate) AS revenue
    FROM dsr CROSS JOIN LATERAL ({HIGHEST_LINES}) AS line
    GROUP BY dsr.dsp, line.dsp_id
)
SELECT revenue
FROM (
    SELECT revenue, sum(revenue) OVER (ORDER BY revenue DESC ROWS UNBOUNDED PRECEDING) AS running
    FROM (SELECT seen.{LOWER} AS revenue FROM seen LEFT JOIN negative USING (dsp, dsp_id)) AS lower
) AS sums
WHERE running >= %(share)s ORDER BY revenue DESC LIMIT 1
"""  # noqa: S608

# The resources with a line of at least `floor` that could reach the bound which these lines give. A resource has at
# most `most_repeats` lines in each DSR, and the lines that are not seen are below `floor`.
CANDIDATES = f"""
dsr AS MATERIALIZED (
    SELECT * FROM unnest(
        %(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[], %(own)s::integer[],
        %(floors)s::numeric[], %(eur_floors)s::numeric[], %(most_lines)s::integer[]
    ) AS one (id, dsp, rate, partition, floor, eur_floor, most_lines)
),
{NEGATIVE},
seen AS MATERIALIZED (
    SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.rate) AS revenue,
        (min(dsr.most_lines) - count(*)) * min(dsr.eur_floor) AS unseen
    FROM dsr CROSS JOIN LATERAL ({LINES_FROM_FLOOR}) AS line
    GROUP BY dsr.dsp, line.dsp_id
),
bounded AS MATERIALIZED (
    SELECT dsp, dsp_id, seen.{LOWER} AS lower, {UPPER} AS upper FROM seen LEFT JOIN negative USING (dsp, dsp_id)
),
bound AS MATERIALIZED (
    SELECT greatest(max(lower), %(bound)s) AS revenue
    FROM (
        SELECT lower, sum(lower) OVER (ORDER BY lower DESC ROWS UNBOUNDED PRECEDING) AS running FROM bounded
    ) AS sums
    WHERE running >= %(share)s
),
candidate AS MATERIALIZED (
    SELECT dsp, dsp_id FROM bounded WHERE upper >= (SELECT revenue FROM bound)
)
"""  # noqa: S608

# The second OFFSET 0 keeps the order of the joins: by each lookup's partition, and the DSR last.
RANK_CANDIDATES = f"""
WITH {CANDIDATES},
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM dsr),
reported AS (
    SELECT dsr.id AS dsr_id, dsr.dsp, line.dsp_id, sum(line.usages) AS usages,
        catalogue_eur(sum(line.revenue), dsr.rate) AS revenue
    FROM (
        SELECT candidate.dsp, found.*
        FROM candidate JOIN storage ON storage.dsp = candidate.dsp
        CROSS JOIN LATERAL (
            {lines_with_dsp_id("dsr_id, dsp_id, usages, revenue", key="candidate", ids="ids")}
        ) AS found
        OFFSET 0
    ) AS line
    JOIN dsr ON dsr.id = line.dsr_id AND dsr.dsp = line.dsp
    GROUP BY dsr.id, dsr.dsp, dsr.rate, line.dsp_id
),
resource AS (
    SELECT dsp, dsp_id, sum(usages) AS usages, sum(revenue) AS revenue, array_agg(dsr_id ORDER BY dsr_id) AS dsrs
    FROM reported GROUP BY dsp, dsp_id HAVING count(revenue) > 0
)
INSERT INTO {SHARED_TABLE}
SELECT {ROW}
FROM ({RANKED.format("resource")}) AS ranked
{DESCRIBED_ONE_BY_ONE}
-- Below the bound, other resources may have a rank between these.
WHERE revenue >= (SELECT revenue FROM bound) AND running - revenue < %(reached)s
"""  # noqa: S608


def rank_by_threshold(dsrs: Sequence[IngestedDSR], parameters: dict[str, Any]) -> BuiltRanking | None:
    """The ranking, or None where bounds cannot find it at less than the cost of adding up all lines."""
    lowest, highest = total_bounds(dsrs)
    total = TOTAL_DIGITS.plus(lowest)
    if lowest <= 0 or total != TOTAL_DIGITS.plus(highest):
        return None
    with_negative = [dsr.id for dsr in dsrs if has_negative([dsr])]
    if with_negative and not _negative_are_few(dsrs, with_negative, lowest):
        return None
    # The lines seen must come to a little more than the share, so that they surely reach it.
    reached = UP.multiply(highest, Decimal(parameters["percentile"]).scaleb(-2))
    share = UP.multiply(reached, 1 + SLACK)
    searched = {**dsr_arrays(dsrs), "with_negative": with_negative, "share": share, "slack": SLACK}
    bound = _first_bound(dsrs, searched)
    if bound is None or bound < LOWEST_BOUND:
        return None
    floors = _floors(dsrs, bound)
    row_count = execute(RANK_CANDIDATES, **parameters, **searched, **floors, bound=bound, reached=reached)
    number, percentile = parameters["ranking"], parameters["percentile"]
    ends = percentile_ends(SHARED_TABLE, row_count, lowest, highest, ranking=number, percentile=percentile)
    if ends[-1] is None:
        ranking_drop(number, SHARED_TABLE)
        return None
    return BuiltRanking(SHARED_TABLE, row_count, total, ends)


def _negative_are_few(dsrs: Sequence[IngestedDSR], with_negative: Sequence[int], total: Decimal) -> bool:
    """Whether negative lines are few, and do not nearly cancel the rest."""
    most = int(sum(dsr.line_count for dsr in dsrs) * MOST_NEGATIVE)
    ((count, negative),) = rows_of(NEGATIVE_SUM, **dsr_arrays(dsrs), with_negative=with_negative, most=most + 1)
    return count <= most and UP.subtract(total, negative) <= UP.multiply(total, Decimal(LARGEST_TO_TOTAL))


def _first_bound(dsrs: Sequence[IngestedDSR], searched: dict[str, Any]) -> Decimal | None:
    most = max(int(sum(dsr.line_count for dsr in dsrs) * LARGEST_HEAD), FIRST_HEAD)
    heads = [FIRST_HEAD]
    while heads[-1] < most:
        heads.append(min(heads[-1] * HEAD_GROWTH, most))
    for head in heads:
        rows = rows_of(FIRST_BOUND, **searched, head=max(head // len(dsrs), 1))
        if rows:
            bound: Decimal = DOWN.multiply(rows[0][0], 1 - SLACK)
            return bound
    return None


def _floors(dsrs: Sequence[IngestedDSR], bound: Decimal) -> dict[str, list[Any]]:
    """The lowest revenue to look for in each DSR: a resource that reaches the bound has a line of its share or more."""
    most_lines: Counter[str] = Counter()
    for dsr in dsrs:
        most_lines[dsr.dsp] += dsr.most_repeats
    eur_floors = [DOWN.multiply(DOWN.divide(bound, Decimal(most_lines[dsr.dsp])), 1 - SLACK) for dsr in dsrs]
    return {
        "eur_floors": eur_floors,
        "floors": [DOWN.multiply(floor, dsr.exchange_rate) for floor, dsr in zip(eur_floors, dsrs, strict=True)],
        "most_lines": [most_lines[dsr.dsp] for dsr in dsrs],
    }
