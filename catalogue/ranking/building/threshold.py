"""The resources with a small share of the revenue, by the three-phase uniform threshold algorithm.

Source: P. Cao, Z. Wang: Efficient top-K query calculation in distributed networks, PODC 2004, after R. Fagin's
threshold algorithm. A DSR has one exchange rate, so the order of its lines by revenue is their order in EUR, and an
index has it.

1. The highest lines of every DSR give a lower bound of the revenue of the answer's last member.
2. A resource that reaches the bound has a line of at least its share of it: only resources with such a line are looked
   at, and of these only the ones that could reach the bound together with lines that are not seen.
3. Only these are added up, exactly: few by lookups, many in one pass over all lines.

Negative lines are adjustments, and few: what they take away from each resource is added up first, and every bound of a
resource has it. The bounds are rounded to the safe side; the answer is not rounded.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from catalogue.lines.gathering import Lines, lines_gathered, places_of
from catalogue.lines.lookups import (
    DSRS,
    FROM_FLOOR_OF_EACH,
    HIGHEST_LINES,
    HIGHEST_OF_EACH,
    LINES_FROM_FLOOR,
    NEGATIVE_LINES,
    NEGATIVE_OF_EACH,
    dsr_arrays,
    lines_with_dsp_id,
)
from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.building.adding_up import take_turns
from catalogue.ranking.building.bounds import DOWN, SLACK, UP, ShareBounds, most_lines_by_dsp, with_negative_only
from catalogue.ranking.building.candidates import rank_candidates, ranking_ended
from catalogue.ranking.building.describing import DESCRIBED_ONE_BY_ONE, describing_parameters
from catalogue.ranking.building.rows import RANKED, ROW, SHARED_TABLE, BuiltRanking, RankingTask, own_table
from dsrhub.database.statements import execute, rows_of

# Below this bound the slack does not cover that each amount is rounded to 40 decimals.
LOWEST_BOUND = Decimal("1e-20")
# How many highest lines are looked at in all at first, by how much more each time that the share is not reached, and
# up to which part of all lines: beyond it, other ways are quicker.
FIRST_HEAD, HEAD_GROWTH, LARGEST_HEAD = 2_000, 6, Decimal("0.05")
# If this many lines have less than this part of the share, other ways are quicker, too.
ENOUGH_LINES, LEAST_REACHED = 10_000, Decimal("0.65")
# The part of all lines that may have the floors, and how many lookups of candidates there may be for each line, or in
# all.
MOST_FROM_FLOOR, MOST_LOOKUPS, FEW_LOOKUPS = Decimal("0.15"), Decimal("0.02"), 5_000

# What negative lines take away from each resource.
NEGATIVE = f"""
negative AS MATERIALIZED (
    SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.rate) AS revenue
    FROM dsr CROSS JOIN LATERAL ({NEGATIVE_LINES}) AS line
    WHERE dsr.id = ANY(%(with_negative)s)
    GROUP BY dsr.dsp, line.dsp_id
)
"""  # noqa: S608 - no value is in it, here and below
# The bounds of a resource's sum: `seen` is what was seen of it, `unseen` the most that can be added.
LOWER = "revenue * (1 - %(slack)s) + coalesce(negative.revenue, 0) * (1 + %(slack)s)"
UPPER = "(seen.revenue + unseen) * (1 + %(slack)s) + coalesce(negative.revenue, 0) * (1 - %(slack)s)"

# What the highest %(head)s lines of every DSR come to, and the lower bound that they give: the resources with at least
# this sum together have the share. It is NULL where the lines do not reach the share.
FIRST_BOUND = f"""
WITH dsr AS MATERIALIZED (SELECT * FROM {DSRS}),
{NEGATIVE},
seen AS (
    SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.rate) AS revenue
    FROM dsr CROSS JOIN LATERAL ({HIGHEST_LINES}) AS line
    GROUP BY dsr.dsp, line.dsp_id
)
SELECT coalesce(max(running), 0), max(revenue) FILTER (WHERE running >= %(share)s)
FROM (
    SELECT revenue, sum(revenue) OVER (ORDER BY revenue DESC ROWS UNBOUNDED PRECEDING) AS running
    FROM (SELECT seen.{LOWER} AS revenue FROM seen LEFT JOIN negative USING (dsp, dsp_id)) AS lower
) AS sums
"""  # noqa: S608

# The rows `dsr` with the floors of their revenue.
FLOORED = """
unnest(
    %(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[], %(own)s::integer[],
    %(floors)s::numeric[], %(eur_floors)s::numeric[], %(most_lines)s::integer[]
) AS dsr (id, dsp, rate, partition, floor, eur_floor, most_lines)
"""
# How many lines have at least these floors, up to %(most)s.
FROM_FLOOR_COUNT = f"""
SELECT count(*) FROM (SELECT FROM {FLOORED} CROSS JOIN LATERAL ({LINES_FROM_FLOOR}) AS line LIMIT %(most)s) AS line
"""  # noqa: S608

# The resources with a line of at least `floor` that could reach the bound which these lines give. A resource has at
# most `most_repeats` lines in each DSR, and the lines that are not seen are below `floor`.
CANDIDATES = f"""
dsr AS MATERIALIZED (SELECT * FROM {FLOORED}),
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

# The candidates whose lines are looked up. If they are many, one pass over all lines is quicker.
LOOKED_UP = f"""
WITH {CANDIDATES},
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM dsr)
SELECT dsp_id FROM candidate WHERE (SELECT count(*) FROM candidate JOIN storage USING (dsp)) <= %(most_lookups)s
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
    WHERE (SELECT count(*) FROM candidate JOIN storage USING (dsp)) <= %(most_lookups)s
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

# The candidates, for one pass over all lines, with the revenue that each member of the answer has at least.
CANDIDATES_KEPT = f"""
CREATE UNLOGGED TABLE {{candidates}} AS
WITH {CANDIDATES}
SELECT dsp, hashtextextended(dsp_id, 0) AS hash, (SELECT revenue FROM bound) AS least FROM candidate
"""  # noqa: S608


def rank_by_threshold(task: RankingTask, share: ShareBounds) -> BuiltRanking | None:
    """The ranking, or None where the highest lines do not tell it, or only at a higher cost than other ways.

    Raises Undecided.
    """
    # The lines seen must come to a little more than the share, so that they surely reach it.
    seen = UP.multiply(share.reached, 1 + SLACK)
    searched = {**dsr_arrays(task.dsrs), "with_negative": share.with_negative, "share": seen, "slack": SLACK}
    bound = _first_bound(searched, task)
    if bound is None or bound < LOWEST_BOUND:
        return None
    searched |= {**_floors(task.dsrs, bound), "bound": bound}
    most_from_floor = max(int(task.line_count * MOST_FROM_FLOOR), FIRST_HEAD)
    with lines_gathered() as lines:
        lines.add_of_each(FROM_FLOOR_OF_EACH, **searched, most=most_from_floor + 1)
        ((from_floor,),) = rows_of(lines.statement(FROM_FLOOR_COUNT), **searched, most=most_from_floor + 1)
        if from_floor > most_from_floor:
            return None
        lines.add_of_each(NEGATIVE_OF_EACH, **with_negative_only(task.dsrs))
        return _rank_by_lookups(task, share, searched, lines) or _rank_by_pass(task, share, searched, lines)


def _rank_by_lookups(
    task: RankingTask, share: ShareBounds, searched: dict[str, Any], lines: Lines
) -> BuiltRanking | None:
    """The ranking, or None where the lookups would be many."""
    most_lookups = max(int(task.line_count * MOST_LOOKUPS), FEW_LOOKUPS)
    lines.add_of_keys(LOOKED_UP, places_of(task.describing), **searched, most_lookups=most_lookups)
    parameters = {**task.parameters, **describing_parameters(task), **searched, "reached": share.reached}
    row_count = execute(lines.statement(RANK_CANDIDATES), **parameters, most_lookups=most_lookups)
    return ranking_ended(task, share, SHARED_TABLE, row_count) if row_count else None


def _rank_by_pass(task: RankingTask, share: ShareBounds, searched: dict[str, Any], lines: Lines) -> BuiltRanking:
    take_turns(task.dsrs)
    candidates = f"{own_table(task.number)}_candidates"
    execute(lines.statement(CANDIDATES_KEPT).format(candidates=candidates), **searched)
    ((least,),) = rows_of(f"SELECT max(least) FROM {candidates}")  # noqa: S608
    return rank_candidates(task, share, candidates, least)


def _first_bound(searched: dict[str, Any], task: RankingTask) -> Decimal | None:
    most = max(int(task.line_count * LARGEST_HEAD), FIRST_HEAD)
    heads = [FIRST_HEAD]
    while heads[-1] < most:
        heads.append(min(heads[-1] * HEAD_GROWTH, most))
    for head in heads:
        reached, revenue = _reached(searched, task.dsrs, max(head // len(task.dsrs), 1))
        if revenue is not None:
            bound: Decimal = DOWN.multiply(revenue, 1 - SLACK)
            return bound
        if head >= ENOUGH_LINES and reached < LEAST_REACHED * searched["share"]:
            return None
    return None


def _reached(searched: dict[str, Any], dsrs: Sequence[IngestedDSR], head: int) -> tuple[Decimal, Decimal | None]:
    """What the highest `head` lines of every DSR come to, and the bound that they give."""
    with lines_gathered(["revenue"]) as lines:
        lines.add_highest(HIGHEST_OF_EACH, **searched, head=head)
        lines.add_of_each(NEGATIVE_OF_EACH, **with_negative_only(dsrs))
        ((reached, revenue),) = rows_of(lines.statement(FIRST_BOUND), **searched, head=head)
    return reached, revenue


def _floors(dsrs: Sequence[IngestedDSR], bound: Decimal) -> dict[str, list[Any]]:
    """The lowest revenue to look for in each DSR: a resource that reaches the bound has a line of its share or more."""
    most_lines = most_lines_by_dsp(dsrs)
    eur_floors = [DOWN.multiply(DOWN.divide(bound, Decimal(most_lines[dsr.dsp])), 1 - SLACK) for dsr in dsrs]
    return {
        "eur_floors": eur_floors,
        "floors": [DOWN.multiply(floor, dsr.exchange_rate) for floor, dsr in zip(eur_floors, dsrs, strict=True)],
        "most_lines": [most_lines[dsr.dsp] for dsr in dsrs],
    }
