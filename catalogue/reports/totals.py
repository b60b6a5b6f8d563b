"""Whether the last line of a report is a totals row: it would double the revenue."""

from decimal import Decimal, localcontext
from typing import NamedTuple

from catalogue.reports.problems import RawCells
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import DECIMALS, INTEGER_DIGITS

# A spreadsheet adds numbers as doubles, so only this many digits of a sum are exact.
DIGITS_OF_A_DOUBLE = 15
# A line alone is no sum.
FEWEST_SUMMANDS = 2
# The amounts of a totals row.
AMOUNTS = _("usages %(usages)s, revenue %(revenue)s")


class LastLine(NamedTuple):
    """The last line of a report, its amounts, and the line as it was delivered."""

    number: int
    usages: Decimal
    revenue: Decimal
    raw: RawCells


def is_totals_row(last: LastLine, *, line_count: int, total_usages: Decimal, total_revenue: Decimal) -> bool:
    """Whether the amounts of the last line are not zero, and the sums of those of all other lines.

    The totals include the last line. Revenues are compared at the decimals of the last line.
    """
    if line_count <= FEWEST_SUMMANDS or not last.usages or not last.revenue:
        return False
    with localcontext(prec=2 * (INTEGER_DIGITS + DECIMALS)):
        if total_usages - last.usages != last.usages:
            return False
        last_digit = max(_last_digit(last.revenue), last.revenue.adjusted() + 1 - DIGITS_OF_A_DOUBLE)
        return abs(total_revenue - 2 * last.revenue) * 2 <= Decimal(1).scaleb(last_digit)


def _last_digit(number: Decimal) -> int:
    """The power of ten of the last decimal; 0 for a whole number."""
    return min(int(number.as_tuple().exponent), 0)
