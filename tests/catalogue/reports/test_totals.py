"""Whether the last line of a report is a totals row. All sums are worked out by hand."""

from decimal import Decimal
from fractions import Fraction

import pytest

from catalogue.reports.problems import RawCells
from catalogue.reports.totals import LastLine, is_totals_row


@pytest.mark.parametrize(
    ("summands", "last", "expected"),
    [
        ([("1", "0.10"), ("2", "0.25")], ("3", "0.35"), True),
        ([("1", "0.104"), ("2", "0.254")], ("3", "0.36"), True),  # 0.358
        ([("1", "0.104"), ("2", "0.254")], ("3", "0.35"), False),
        ([("1", "0.125"), ("2", "0.25")], ("3", "0.37"), True),  # 0.375, rounded to even
        ([("1", "0.125"), ("2", "0.25")], ("3", "0.38"), True),  # and away from zero
        ([("1", "10.4"), ("2", "20.3")], ("3", "31"), True),  # 30.7
        ([("1", "10.4"), ("2", "20.3")], ("3", "30"), False),
        ([("1", "1000"), ("2", "500")], ("3", "1.5E+3"), True),
        ([("1", "1000"), ("2", "501")], ("3", "1.5E+3"), False),
        ([("1", "1.1"), ("2", "2.2")], ("3", "3.3000000000000003"), True),  # the sum as a double
        ([("1", "1.1"), ("2", "2.2")], ("3", "3.30000000001"), False),
        ([("1", "0.10"), ("2", "0.25")], ("4", "0.35"), False),
        ([("1", "0.10"), ("2", "0.25")], ("3", "0.34"), False),
        ([("5", "0.35")], ("5", "0.35"), False),  # two lines alike
        ([], ("5", "0.35"), False),
        ([("0", "0"), ("0", "0")], ("0", "0"), False),
        ([("0", "0.10"), ("0", "0.25")], ("0", "0.35"), False),
        ([("1", "0"), ("2", "0")], ("3", "0.00"), False),
        ([("-1", "-0.10"), ("-2", "-0.25")], ("-3", "-0.35"), True),
        ([("5", "1"), ("-2", "-0.25")], ("3", "0.75"), True),
        (
            [("1", "1" * 30 + ".5"), ("2", "0." + "0" * 59 + "1")],
            ("3", "1" * 30 + ".5" + "0" * 58 + "1"),
            True,
        ),
    ],
)
def test_a_last_line_is_the_sum_of_the_lines_before(summands, last, expected):
    usages, revenue = map(Decimal, last)
    total_usages = usages + sum(Decimal(one) for one, _ in summands)
    total_revenue = exact_sum([*(one for _, one in summands), last[1]])

    assert (
        is_totals_row(
            LastLine(9, usages, revenue, RawCells(b"")),
            line_count=len(summands) + 1,
            total_usages=total_usages,
            total_revenue=total_revenue,
        )
        is expected
    )


def exact_sum(numbers: list[str]) -> Decimal:
    total = sum((Fraction(one) for one in numbers), Fraction(0)) * 10**60
    assert total.denominator == 1
    return Decimal(f"{total.numerator}e-60")
