"""Conversion to EUR by a single division, which is used only where it rounds as half-even does, to the last digit."""

from decimal import MAX_PREC, Context, Decimal
from fractions import Fraction

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.building.adding_up import EUR, _short_scale

STEP = Fraction(1, 10**40)
EXACT = Context(prec=MAX_PREC)


def dsr(rate, total, lowest="0"):
    return IngestedDSR(1, "Spotify", Decimal(rate), 0, 1, Decimal(total), Decimal(lowest), 1, in_scope=True)


@pytest.mark.parametrize(
    ("rate", "total", "lowest", "scale"),
    [
        # 7 * 10^40 has the factor 7 besides twos and fives. No amount below 7 units of its last digit is a multiple.
        ("7", "6", "0", 0),
        ("7", "7", "0", -1),
        ("7", "0.69", "0", 1),
        ("0.7", "0.69", "0", 1),
        ("70", "0.0006", "0", 4),
        # Only twos and fives: any quotient can end at the 41st decimal.
        ("4", "1", "0", -1),
        # With negative revenue, a line can be above the total.
        ("7", "6", "-1", -1),
        # A rate with more than 40 decimals cannot be written with 40.
        ("1." + "0" * 40 + "7", "0.1", "0", -1),
        # No factor of two or five, and 41 digits: 10^6 * 10^34 is below 9.9... * 10^40.
        ("9.9384227272727272727272727272727272727273", "1000000", "0", 34),
    ],
)
def test_up_to_this_scale_no_amount_is_a_tie(rate, total, lowest, scale):
    assert _short_scale(dsr(rate, total, lowest)) == scale


# Rates with few factors, which make ties likely, and rates with many digits.
RATES = st.builds(
    lambda odd, twos, fives, power: EXACT.scaleb(Decimal(odd * 2**twos * 5**fives), -power),
    st.sampled_from([1, 3, 7, 9, 21, 99384227]),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 40),
) | st.builds(lambda digits: EXACT.scaleb(Decimal(digits), -40), st.integers(10**39, 10**42))
AMOUNTS = st.builds(
    lambda digits, power: EXACT.scaleb(Decimal(digits), -power), st.integers(0, 10**12), st.integers(0, 44)
)


def tie(rate, steps):
    """A rate, and an amount with few decimals that in EUR is a whole number of steps and a half."""
    in_eur = EXACT.multiply(Decimal(2 * steps + 1), Decimal("5e-41"))
    return Decimal(rate), EXACT.multiply(Decimal(rate), in_eur).normalize(EXACT)


TIES = st.builds(tie, st.sampled_from([2, 4, 12, 28, 80]), st.integers(10**25, 10**27 - 1))


@pytest.mark.django_db
@settings(max_examples=300)
@given(st.tuples(RATES, AMOUNTS) | TIES)
def test_an_amount_is_rounded_half_even_however_it_is_divided(pair):
    rate, revenue = pair
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {EUR} FROM (SELECT %(revenue)s::numeric AS revenue) AS line, "  # noqa: S608
            "(SELECT %(rate)s::numeric AS rate, round(%(rate)s::numeric, 40) AS divisor, "
            "%(rate)s::numeric * 1e-16 AS least, %(short_scale)s AS short_scale) AS dsr",
            {"revenue": revenue, "rate": rate, "short_scale": _short_scale(dsr(rate, revenue))},
        )
        ((eur,),) = cursor.fetchall()
    assert Fraction(eur) == round(Fraction(revenue) / Fraction(rate) / STEP) * STEP
