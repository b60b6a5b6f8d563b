"""The resources with the most revenue, exactly: ranked inside the database, which keeps them for whoever reads them.

For a small share this is the three-phase uniform threshold algorithm (P. Cao, Z. Wang: Efficient top-K query
calculation in distributed networks, PODC 2004, after R. Fagin's threshold algorithm). A DSR has one exchange rate, so
the order of its lines by revenue is their order in EUR, and an index has it.

1. The first lines of every DSR give a lower bound of the revenue of the answer's last member.
2. A resource that reaches the bound has a line of at least its share of it: only those with such a line are looked
   at, and of these only the ones that could reach the bound with what is not seen of them.
3. They alone are added up, exactly.

The bounds are rounded, always to the safe side; the answer never is. Where a bound cannot decide, all is added up.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import MAX_PREC, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, NamedTuple

from catalogue.counting import IngestedDSR, arrays_of, partitions_of
from catalogue.lines.lookups import LATEST
from dsrhub.database import locks
from dsrhub.database.statements import execute, rows_of

# Bounds need few digits. Whoever rounds up or down by this much more is on the safe side of numeric's own rounding,
# which keeps 16 digits of a quotient.
UP = Context(prec=50, rounding=ROUND_CEILING)
DOWN = Context(prec=50, rounding=ROUND_FLOOR)
EXACT = Context(prec=MAX_PREC)
SLACK = Decimal("1e-12")
# A resource's amount in one DSR is rounded to 40 decimals.
DECIMALS = 40
STEP = Decimal(1).scaleb(-DECIMALS)
# Below this bound the slack would no longer cover that rounding.
LOWEST_BOUND = Decimal("1e-20")
# The total is told to so many digits, which are known without adding up all.
TOTAL_DIGITS = Context(prec=20)
# Fewer lines are added up as fast as they are searched.
FEW_LINES = 20_000
# How many first lines are looked at in all to begin with, by how much more each time the share is not reached, and
# up to which part of all lines: beyond it, to add up everything is faster.
FIRST_HEAD, HEAD_GROWTH, LARGEST_HEAD = 2_000, 6, Decimal("0.05")

# Where the rows of a ranking lie: in a table with those of others, or in one of their own, which is quickly dropped,
# and which several workers fill.
SHARED_TABLE = "catalogue_rankedresource"
MANY_LINES = 200_000
# What one step of one worker may hold in memory before it goes to the disk; a hash takes twice as much.
WORK_MEM = "64MB"
# So many resources are sampled, and with these parts of the tail a bound is tried: the smaller, the more resources are
# looked at in vain; the larger, the easier the sample is wrong about it.
SAMPLED, PARTS_OF_TAIL = 20_000, [Decimal("0.2"), Decimal("0.5"), Decimal("0.8"), Decimal("0.95")]
# What the planner has to think of a row that a worker hands over, so that workers hand over sums alone.
SUMS_ALONE = 10


class Made(NamedTuple):
    """A ranking that was made: its table, how many rows it has there, the total, and with which rank each of the top
    1, 2, ... per cent ends; None where only adding up all tells."""

    table: str
    row_count: int
    total: Decimal
    ends: list[int | None]


def ranking_make(number: int, dsrs: Sequence[IngestedDSR], percentile: int) -> Made:
    """Rank the resources that have `percentile` per cent of the total, highest revenue first.

    In the caller's transaction, under a number that no other ranking has. `dsrs` are all that describe a resource.
    """
    counting = [dsr for dsr in dsrs if dsr.counts]
    if not counting:
        return Made(SHARED_TABLE, 0, Decimal(0), [0] * percentile)
    # What is asked costs little, however much it seems to: compiling it would cost more.
    execute("SET LOCAL jit = off")
    parameters = {"ranking": number, "percentile": percentile, **_describing(dsrs, counting)}
    made = _by_threshold(counting, parameters) if _has_bounds(counting, percentile) else None
    return made or _by_adding_all_up(counting, parameters)


def ranking_drop(number: int, table: str) -> None:
    """Remove the rows of a ranking."""
    if table == SHARED_TABLE:
        execute(f"DELETE FROM {SHARED_TABLE} WHERE ranking = %(ranking)s", ranking=number)  # noqa: S608
    else:
        execute(f"DROP TABLE IF EXISTS {table}")


def own_table(number: int) -> str:
    return f"catalogue_ranking_{number}"


def _has_bounds(dsrs: Sequence[IngestedDSR], percentile: int) -> bool:
    """Whether a part can be told from the first lines: not where lines are taken away from a sum."""
    return (
        percentile < 100  # noqa: PLR2004 - all of it
        and sum(dsr.line_count for dsr in dsrs) >= FEW_LINES
        and not _has_negative(dsrs)
    )


def _has_negative(dsrs: Sequence[IngestedDSR]) -> bool:
    return any(dsr.lowest_revenue is not None and dsr.lowest_revenue < 0 for dsr in dsrs)


# --- What a ranking has of each resource -----------------------------------------------------------------------

RANKED = """
SELECT *, row_number() OVER ranking AS rank, catalogue_sum(revenue) OVER ranking AS running
FROM {} AS resource
WINDOW ranking AS (ORDER BY revenue DESC, dsp_id COLLATE "C", dsp COLLATE "C" ROWS UNBOUNDED PRECEDING)
"""

ROW = "%(ranking)s::integer AS ranking, rank, dsp, dsp_id, title, artists, isrc, usages, revenue, running, dsrs"

REPORT = """(
    SELECT id, dsp, partition, row_number() OVER (ORDER BY period_end, period_start, path COLLATE "C") AS recency
    FROM catalogue_dsr WHERE id = ANY(%(describing)s)
)"""

# The DSPs whose resources are described in the catalogue as the DSRs of the question describe them: as the statement
# sees it, no other DSR is there, all of them are registered, and what is gone is forgotten.
CATALOGUED = """ARRAY(
    SELECT described.dsp FROM unnest(%(described)s::text[], %(dsr_counts)s::bigint[]) AS described (dsp, dsr_count)
    JOIN catalogue_dsr AS dsr ON dsr.dsp = described.dsp AND status = 'ingested'
    WHERE NOT EXISTS (SELECT FROM catalogue_leftoverlines AS gone WHERE gone.dsp = described.dsp AND is_catalogued)
    GROUP BY described.dsp, dsr_count HAVING count(*) = dsr_count AND bool_and(is_catalogued)
)"""

# For few resources, each is looked up by its index.
DESCRIBED_ONE_BY_ONE = f"""
LEFT JOIN LATERAL (
    SELECT title, artists, isrc FROM catalogue_resource AS known
    WHERE known.dsp_id_hash = hashtextextended(ranked.dsp_id, 0) AND known.dsp_id = ranked.dsp_id
        AND known.dsp = ranked.dsp AND known.dsp = ANY({CATALOGUED})
    UNION ALL
    SELECT {LATEST}
    FROM (SELECT DISTINCT partition FROM {REPORT} AS report WHERE report.dsp = ranked.dsp) AS storage
    CROSS JOIN LATERAL (
        SELECT dsr_id, line_number, title, artists, isrc FROM catalogue_usageline
        WHERE partition = storage.partition AND partition = ANY(%(describing_partitions)s)
            AND hashtextextended(dsp_id, 0) = hashtextextended(ranked.dsp_id, 0) AND dsp_id = ranked.dsp_id
        OFFSET 0
    ) AS line
    JOIN {REPORT} AS report ON report.id = line.dsr_id AND report.dsp = ranked.dsp
    HAVING ranked.dsp <> ALL({CATALOGUED})
) AS described ON true
"""  # noqa: S608 - no value is in it

# For many, all are at once: those of a DSP that is not catalogued from the lines of all its DSRs.
DESCRIBED_ALL_AT_ONCE = f"""
SELECT resource.*, coalesce(known.title, told.title) AS title, coalesce(known.artists, told.artists) AS artists,
    coalesce(known.isrc, told.isrc) AS isrc
FROM {{sums}} AS resource
LEFT JOIN catalogue_resource AS known
    ON known.dsp_id_hash = hashtextextended(resource.dsp_id, 0) AND known.dsp_id = resource.dsp_id
        AND known.dsp = resource.dsp AND known.dsp = ANY({CATALOGUED})
LEFT JOIN (
    SELECT report.dsp, dsp_id, {LATEST}
    FROM catalogue_usageline AS line JOIN {REPORT} AS report ON report.id = line.dsr_id
    WHERE line.partition = ANY(%(describing_partitions)s) AND report.dsp <> ALL({CATALOGUED})
    GROUP BY report.dsp, dsp_id
) AS told ON told.dsp_id = resource.dsp_id AND told.dsp = resource.dsp
"""  # noqa: S608 - no value is in it

# The rank with which each per cent ends, found by halving: the running sum reaches a share from some rank on. NULL
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


def _ends(table: str, row_count: int, lowest: Decimal, highest: Decimal, parameters: dict[str, Any]) -> list[Any]:
    statement = ENDS.format(table=table)
    rows = rows_of(statement, **parameters, row_count=row_count, lowest=lowest, highest=highest)
    return [end for (end,) in rows]


# --- Adding up all ---------------------------------------------------------------------------------------------

# A line's amount in EUR by one division, where that rounds as catalogue_eur does: see _short_scale.
EUR = """
CASE WHEN line.revenue >= dsr.least AND scale(line.revenue) <= dsr.short_scale THEN line.revenue / dsr.divisor
    ELSE catalogue_eur(line.revenue, dsr.rate) END
"""

# Where no dsp_id is repeated, as nearly always, a line is all that a resource has in its DSR.
ONCE = f"""
SELECT dsr.dsp, line.dsp_id, line.usages::numeric AS usages, {EUR} AS revenue, dsr.ids
FROM catalogue_usageline AS line JOIN (
    SELECT *, round(rate, 40) AS divisor, rate * 1e-16 AS least, ARRAY[id] AS ids
    FROM unnest(%(once)s::integer[], %(once_dsps)s::text[], %(once_rates)s::numeric[], %(short_scales)s::integer[])
        AS dsr (id, dsp, rate, short_scale)
) AS dsr ON dsr.id = line.dsr_id
WHERE line.partition = ANY(%(once_partitions)s) AND line.dsr_id = ANY(%(once)s) AND {{half}}
"""  # noqa: S608 - no value is in it

REPEATING = """
SELECT dsr.dsp, line.dsp_id, catalogue_sum(line.usages) AS usages,
    catalogue_eur(catalogue_sum(line.revenue), dsr.rate) AS revenue, ARRAY[dsr.id] AS ids
FROM catalogue_usageline AS line JOIN unnest(
    %(repeating)s::integer[], %(repeating_dsps)s::text[], %(repeating_rates)s::numeric[]
) AS dsr (id, dsp, rate) ON dsr.id = line.dsr_id
WHERE line.partition = ANY(%(repeating_partitions)s) AND line.dsr_id = ANY(%(repeating)s) AND {half}
GROUP BY dsr.id, dsr.dsp, dsr.rate, line.dsp_id
"""

# A worker adds up one half of the resources, whose hashes have one sign. Sharing out the lines instead, workers would
# hand over nearly as many sums as there are lines, to be added up once more.
HALVES = ("hashtextextended(line.dsp_id, 1) < 0", "hashtextextended(line.dsp_id, 1) >= 0")
HALF = """
SELECT dsp, dsp_id, catalogue_sum(usages) AS usages, catalogue_sum(revenue) AS revenue, catalogue_ids(ids) AS dsrs
FROM ({reported}) AS reported GROUP BY dsp, dsp_id HAVING catalogue_sum(revenue) IS NOT NULL
"""

# What a sample of the resources tells that those have at most who together have so much of the tail: the rest, which
# the resources in the answer leave over.
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

# Rows come, and so lie, in the order of their rank.
RANK_ALL = f"""
SELECT {ROW} FROM ({RANKED.format(f"({DESCRIBED_ALL_AT_ONCE})")}) AS ranked
"""  # noqa: S608


def _by_adding_all_up(dsrs: Sequence[IngestedDSR], parameters: dict[str, Any]) -> Made:
    number, percentile = parameters["ranking"], parameters["percentile"]
    has_many_lines = sum(dsr.line_count for dsr in dsrs) >= MANY_LINES
    table = own_table(number) if has_many_lines else SHARED_TABLE
    sums = f"{own_table(number)}_sums"
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    if has_many_lines:
        # One at a time, whatever is asked at once: memory, disk and cores are for one.
        locks.RANKING_BY_ADDING_UP.take()
    resource_count = _add_all_up(sums, dsrs)
    execute(f"ANALYZE {sums} (dsp, dsp_id, revenue)")
    total, least = _total_and_least(sums, resource_count, dsrs, percentile)
    row_count = 0
    if total > 0:
        # They are so few that only they should be sorted and described.
        members = sums if least is None else f"(SELECT * FROM {sums} WHERE revenue >= %(least)s)"  # noqa: S608
        target = f"CREATE UNLOGGED TABLE {table} AS" if has_many_lines else f"INSERT INTO {table}"
        row_count = execute(f"{target} {RANK_ALL.format(sums=members)}", **parameters, least=least)
    execute(f"DROP TABLE {sums}")
    if not row_count:
        return Made(SHARED_TABLE, 0, TOTAL_DIGITS.plus(total), [0] * percentile)
    if has_many_lines:
        execute(f"CREATE UNIQUE INDEX ON {table} (ranking, rank)")
    ends = _ends(table, row_count, total, total, parameters)
    if percentile == 100:  # noqa: PLR2004 - the last resource that has revenue, though it be zero or less
        ends[-1] = row_count
    # Where negative revenue nearly cancels the rest, a share of the total can have any number of digits.
    return Made(table, row_count, total if _has_negative(dsrs) else TOTAL_DIGITS.plus(total), ends)


def _total_and_least(
    sums: str, resource_count: int, dsrs: Sequence[IngestedDSR], percentile: int
) -> tuple[Decimal, Decimal | None]:
    """The total, and a revenue that all who have the share together do not come below, if one is found."""
    amounts = _tails(sums, resource_count, dsrs, percentile)
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


def _tails(sums: str, resource_count: int, dsrs: Sequence[IngestedDSR], percentile: int) -> list[Decimal]:
    """Amounts, ascending, below which resources may together have no more than the answer leaves over."""
    if resource_count < FEW_LINES or percentile == 100:  # noqa: PLR2004 - which leaves nothing over
        return []
    tail = UP.multiply(_total_bounds(dsrs)[1], Decimal(100 - percentile).scaleb(-2))
    sample = Decimal(100 * SAMPLED) / max(resource_count, SAMPLED)
    rows = rows_of(TAILS.format(sums=sums), row_count=resource_count, sample=sample, tail=tail, parts=PARTS_OF_TAIL)
    return [amount for (amount,) in rows if amount is not None]


def _add_all_up(sums: str, dsrs: Sequence[IngestedDSR]) -> int:
    """Make the table of what each resource comes to, and return how many they are."""
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
    """Up to how many decimals an amount of a DSR, divided by its rate, is never a tie at the 41st decimal; or -1.

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
    return -1 if _has_negative([dsr]) else is_below.count(True) - 1


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

# The inner OFFSET 0 keep the order of the joins: by each lookup's storage, and the DSR last.
RANK_CANDIDATES = f"""
WITH {CANDIDATES},
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM counting),
reported AS (
    SELECT dsr.id AS dsr_id, dsr.dsp, line.dsp_id, sum(line.usages) AS usages,
        catalogue_eur(sum(line.revenue), dsr.rate) AS revenue
    FROM (
        SELECT candidate.dsp, found.*
        FROM candidate JOIN storage ON storage.dsp = candidate.dsp
        CROSS JOIN LATERAL (
            SELECT dsr_id, dsp_id, usages, revenue FROM catalogue_usageline
            WHERE partition = storage.partition AND partition = ANY(%(partitions)s) AND dsr_id + 0 = ANY(%(ids)s)
                AND hashtextextended(dsp_id, 0) = hashtextextended(candidate.dsp_id, 0) AND dsp_id = candidate.dsp_id
            OFFSET 0
        ) AS found
        OFFSET 0
    ) AS line
    JOIN counting AS dsr ON dsr.id = line.dsr_id AND dsr.dsp = line.dsp
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
-- Below the bound others may stand between.
WHERE revenue >= (SELECT revenue FROM bound) AND running - revenue < %(reached)s
"""  # noqa: S608 - no value is in it


def _by_threshold(dsrs: Sequence[IngestedDSR], parameters: dict[str, Any]) -> Made | None:
    """The ranking, or None where bounds cannot give it at less than the cost of adding all up."""
    lowest, highest = _total_bounds(dsrs)
    total = TOTAL_DIGITS.plus(lowest)
    if lowest <= 0 or total != TOTAL_DIGITS.plus(highest):
        return None
    # The lines seen must come to a little more than the share, so that they surely reach it.
    reached = UP.multiply(highest, Decimal(parameters["percentile"]).scaleb(-2))
    searched = {**arrays_of(dsrs), "share": UP.multiply(reached, 1 + SLACK)}
    bound = _first_bound(dsrs, searched)
    if bound is None or bound < LOWEST_BOUND:
        return None
    floors = _floors(dsrs, bound)
    row_count = execute(RANK_CANDIDATES, **parameters, **searched, **floors, bound=bound, reached=reached, slack=SLACK)
    ends = _ends(SHARED_TABLE, row_count, lowest, highest, parameters)
    if ends[-1] is None:
        ranking_drop(parameters["ranking"], SHARED_TABLE)
        return None
    return Made(SHARED_TABLE, row_count, total, ends)


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


# --- Parameters and statements ---------------------------------------------------------------------------------


def _describing(dsrs: Sequence[IngestedDSR], counting: Sequence[IngestedDSR]) -> dict[str, Any]:
    dsps = {dsr.dsp for dsr in counting}
    describing = [dsr for dsr in dsrs if dsr.dsp in dsps]
    dsr_counts = Counter(dsr.dsp for dsr in describing)
    return {
        "describing": [dsr.id for dsr in describing],
        "describing_partitions": partitions_of(describing),
        "described": list(dsr_counts.keys()),
        "dsr_counts": list(dsr_counts.values()),
    }
