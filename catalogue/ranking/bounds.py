"""Bounds of exact amounts, always rounded to the safe side. No bound ever enters an answer."""

from collections.abc import Sequence
from decimal import MAX_PREC, ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from catalogue.lines.scope import IngestedDSR

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
# Fewer lines than these are added up as fast as they are searched.
FEW_LINES = 20_000


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


def has_negative(dsrs: Sequence[IngestedDSR]) -> bool:
    return any(dsr.lowest_revenue is not None and dsr.lowest_revenue < 0 for dsr in dsrs)
