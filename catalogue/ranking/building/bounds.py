"""Bounds of exact amounts, always rounded to the safe side. No bound ever enters an answer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import MAX_PREC, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from catalogue.lines.gathering import lines_gathered
from catalogue.lines.lookups import DSRS, NEGATIVE_LINES, NEGATIVE_OF_EACH, dsr_arrays
from catalogue.lines.scope import IngestedDSR
from dsrhub.database.statements import rows_of

# Bounds need few digits. A bound that is moved by this much more is also safe from numeric's own rounding, which
# keeps 16 digits of a quotient.
UP = Context(prec=50, rounding=ROUND_CEILING)
DOWN = Context(prec=50, rounding=ROUND_FLOOR)
EXACT = Context(prec=MAX_PREC)
SLACK = Decimal("1e-12")
# A resource's amount in one DSR is rounded to 40 decimals.
DECIMALS = 40
STEP = Decimal(1).scaleb(-DECIMALS)
# The number of digits of a total that are known without adding up all lines.
TOTAL_DIGITS = Context(prec=20)
# The part of all lines that may be negative, and how many times the total the positive revenue may be: beyond it, 20
# digits of the total are too few for the shares of it.
MOST_NEGATIVE, LARGEST_TO_TOTAL = Decimal("0.05"), 1_000_000

# The number of negative lines, of at most %(most)s, and their sum.
NEGATIVE_SUM = f"""
SELECT count(*), coalesce(sum(revenue), 0)
FROM (
    SELECT line.revenue / dsr.rate AS revenue FROM {DSRS} CROSS JOIN LATERAL ({NEGATIVE_LINES}) AS line
    WHERE dsr.id = ANY(%(with_negative)s) LIMIT %(most)s
) AS line
"""  # noqa: S608 - no value is in it


class Undecided(Exception):
    """Bounds do not tell where a share ends: it depends on the last digits of the total."""


@dataclass(frozen=True)
class ShareBounds:
    """What is known of a share of the total, and of the total, in EUR, without adding up lines.

    The total is between `lowest` and `highest`, which have the same 20 digits, and positive revenue comes to no more
    than `positive`. A running sum of `reached` surely has the share.
    """

    percentile: int
    lowest: Decimal
    highest: Decimal
    positive: Decimal
    with_negative: list[int]

    @property
    def total(self) -> Decimal:
        return TOTAL_DIGITS.plus(self.lowest)

    @property
    def reached(self) -> Decimal:
        return UP.multiply(self.highest, Decimal(self.percentile).scaleb(-2))


def share_bounds(dsrs: Sequence[IngestedDSR], percentile: int) -> ShareBounds | None:
    """The bounds, or None where only adding up all lines tells the total, or much revenue is negative."""
    lowest, highest = total_bounds(dsrs)
    if lowest <= 0 or TOTAL_DIGITS.plus(lowest) != TOTAL_DIGITS.plus(highest):
        return None
    with_negative = [dsr.id for dsr in dsrs if has_negative([dsr])]
    negative = _few_negative(dsrs, with_negative) if with_negative else Decimal(0)
    if negative is None:
        return None
    positive = UP.subtract(highest, negative)
    if positive > UP.multiply(lowest, Decimal(LARGEST_TO_TOTAL)):
        return None
    return ShareBounds(percentile, lowest, highest, positive, with_negative)


def _few_negative(dsrs: Sequence[IngestedDSR], with_negative: Sequence[int]) -> Decimal | None:
    """The sum of all negative lines, or None if they are many."""
    most = int(sum(dsr.line_count for dsr in dsrs) * MOST_NEGATIVE)
    with lines_gathered(["revenue"]) as lines:
        lines.add_of_each(NEGATIVE_OF_EACH, **with_negative_only(dsrs))
        ((count, negative),) = rows_of(
            lines.statement(NEGATIVE_SUM), **dsr_arrays(dsrs), with_negative=with_negative, most=most + 1
        )
    return DOWN.multiply(negative, 1 + SLACK) if count <= most else None


def total_bounds(dsrs: Sequence[IngestedDSR]) -> tuple[Decimal, Decimal]:
    """The lowest and the highest total in EUR. Each amount of a resource in a DSR is rounded by at most half a step."""
    rounding = STEP * sum(dsr.line_count for dsr in dsrs)
    totals = []
    for context, most in ((DOWN, -rounding), (UP, rounding)):
        total = Decimal(0)
        for dsr in dsrs:
            total = context.add(total, context.divide(dsr.total_revenue, dsr.exchange_rate))
        totals.append(context.add(total, most))
    return totals[0], totals[1]


def most_lines_by_dsp(dsrs: Iterable[IngestedDSR]) -> Counter[str]:
    """How many lines of these DSRs one resource of each DSP can have."""
    most_lines: Counter[str] = Counter()
    for dsr in dsrs:
        most_lines[dsr.dsp] += dsr.most_repeats
    return most_lines


def with_negative_only(dsrs: Sequence[IngestedDSR]) -> dict[str, Any]:
    """The parameters of a statement about those of the DSRs that have negative lines."""
    return dsr_arrays([dsr for dsr in dsrs if has_negative([dsr])])


def has_negative(dsrs: Sequence[IngestedDSR]) -> bool:
    return any(dsr.lowest_revenue is not None and dsr.lowest_revenue < 0 for dsr in dsrs)
