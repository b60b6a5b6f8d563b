"""The resources with a share of the revenue, by sums under hashes.

Adding up exact amounts by text is dear. So all lines are first added up in whole units, a tiny part of the total, by
hashes of 64 bits: whole numbers that PostgreSQL keeps in place. Two resources with one hash only make a sum larger, so
these sums are upper bounds. The highest of them, which together have the share, are those of the candidates, and only
the lines of candidates are added up exactly. A guess that exact sums do not confirm is not used.
"""

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

from catalogue.lines.layout import are_added_up_apart
from catalogue.lines.lookups import lines_of_dsrs, partitions_of
from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.building.adding_up import take_turns
from catalogue.ranking.building.bounds import DOWN, UP, ShareBounds, most_lines_by_dsp
from catalogue.ranking.building.candidates import rank_candidates
from catalogue.ranking.building.parts import Part, parts_of, planned_as_usual, union_of_parts, workers_add_up
from catalogue.ranking.building.rows import BuiltRanking, RankingTask, own_table
from dsrhub.database.statements import execute, rows_of

# How many units all positive revenue has: a sum of more than 2^63 would overflow 64 bits.
MOST_UNITS = 2**61
# The digits of the units of a DSR: whatever its revenue, the product is off by far less than a unit.
UNIT_DIGITS = Context(prec=30)
# Below this total in EUR, the rounding of each amount to 40 decimals would be more than a unit.
LOWEST_TOTAL = Decimal("1e-15")
# Beyond this share, nearly all lines are those of candidates.
LARGEST_SHARE = 97

# The sum of a resource is off by at most a unit for each of its lines. A resource with negative lines is always a
# candidate: they could hide another one with the same hash.
UNITS = f"""
SELECT dsr.dsp, hashtextextended(line.dsp_id, 0) AS hash,
    catalogue_units((line.revenue * dsr.units)::bigint) AS units, {{is_adjusted}} AS is_adjusted
FROM (
    {lines_of_dsrs("dsr_id, dsp_id, revenue", ids="ids{n}", partitions="partitions{n}")}
) AS line JOIN unnest(
    %(ids{{n}})s::integer[], %(dsps{{n}})s::text[], %(units{{n}})s::numeric[]
) AS dsr (id, dsp, units) ON dsr.id = line.dsr_id
WHERE {{of_part}}
GROUP BY dsr.dsp, hashtextextended(line.dsp_id, 0)
HAVING catalogue_units((line.revenue * dsr.units)::bigint) >= %(floor)s OR {{is_adjusted}}
"""  # noqa: S608 - no value is in it, here and below
IS_ADJUSTED = "coalesce(bool_or(line.revenue < 0), false)"

# The lowest sum of those that together have the share, to two per cent: sums are taken by their logarithm. It is NULL
# where all of them have not the share.
LEAST = """
SELECT max(least)
FROM (
    SELECT floor(ln(units::double precision) * 50) AS size, min(units) AS least,
        sum(sum(units)) OVER (ORDER BY floor(ln(units::double precision) * 50) DESC) AS running
    FROM {bounds} WHERE units > 0 GROUP BY size
) AS of_size
WHERE running >= %(share)s
"""

CANDIDATES = """
CREATE UNLOGGED TABLE {candidates} AS SELECT dsp, hash FROM {bounds} WHERE units >= %(least)s OR is_adjusted
"""


class Scale:
    """The units of a question: as small as they can be without an overflow."""

    def __init__(self, task: RankingTask, share: ShareBounds) -> None:
        self._per_eur = DOWN.divide(Decimal(MOST_UNITS), share.positive)
        # The sum of a resource is off by less than a unit for each of its lines.
        self.most_off = max(most_lines_by_dsp(task.dsrs).values()) + 1
        self.share = int(UP.multiply(share.reached, self._per_eur)) + 1 + task.line_count
        # The last resource of the answer and those behind it have more than what the answer leaves. None of them has
        # more than the last one, and they are no more than the lines.
        left = DOWN.multiply(share.lowest, Decimal(100 - task.percentile).scaleb(-2))
        self.floor = max(
            int(DOWN.divide(DOWN.multiply(left, self._per_eur), Decimal(task.line_count))) - self.most_off, 1
        )

    def of(self, dsr: IngestedDSR) -> Decimal:
        """The units of one unit of a DSR's currency."""
        return UNIT_DIGITS.divide(self._per_eur, dsr.exchange_rate)

    def amount(self, units: int) -> Decimal:
        """What a number of units is in EUR."""
        return UP.divide(Decimal(units), self._per_eur)


def rank_by_hashed_sums(task: RankingTask, share: ShareBounds) -> BuiltRanking | None:
    """The ranking, or None where adding up all lines finds it at less cost.

    Raises Undecided, also where a guess was wrong.
    """
    if task.percentile > LARGEST_SHARE or share.positive < LOWEST_TOTAL or are_added_up_apart():
        return None
    bounds, candidates = (f"{own_table(task.number)}_{name}" for name in ("bounds", "candidates"))
    scale = Scale(task, share)
    take_turns(task.dsrs)
    _bounds_create(bounds, task.dsrs, scale, with_negative=bool(share.with_negative))
    ((least,),) = rows_of(LEAST.format(bounds=bounds), share=scale.share)
    if least is None:
        execute(f"DROP TABLE {bounds}")
        return None
    execute(CANDIDATES.format(candidates=candidates, bounds=bounds), least=least - 2 * scale.most_off)
    execute(f"DROP TABLE {bounds}")
    return rank_candidates(task, share, candidates, scale.amount(least - scale.most_off))


def _bounds_create(bounds: str, dsrs: Sequence[IngestedDSR], scale: Scale, *, with_negative: bool) -> None:
    is_adjusted = IS_ADJUSTED if with_negative else "false"
    parts = parts_of(dsrs)
    query, parameters = union_of_parts([_part_units(part, scale, is_adjusted) for part in parts])
    workers_add_up(parts)
    execute(f"CREATE UNLOGGED TABLE {bounds} AS {query}", **parameters, floor=scale.floor)
    planned_as_usual()


def _part_units(part: Part, scale: Scale, is_adjusted: str) -> tuple[str, dict[str, Any]]:
    return UNITS.replace("{of_part}", part.condition).replace("{is_adjusted}", is_adjusted), {
        "ids": [dsr.id for dsr in part.dsrs],
        "partitions": partitions_of(part.dsrs),
        "dsps": [dsr.dsp for dsr in part.dsrs],
        "units": [scale.of(dsr) for dsr in part.dsrs],
    }
