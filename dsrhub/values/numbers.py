"""Numbers in plain digits, how many digits an amount has at most, and texts for people. Knows no Django."""

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import reduce

from dsrhub.texts import Grouped, Text, joined, ngettext_lazy
from dsrhub.texts import gettext_lazy as _

# No delivered digit is lost, and nobody is paid 10^30 euro: more digits are a mistake or an attack.
INTEGER_DIGITS, DECIMALS = 30, 60
# An amount of zero or more in plain digits, as a regular expression.
AMOUNT = rf"[0-9]{{1,{INTEGER_DIGITS}}}(\.[0-9]{{1,{DECIMALS}}})?"
# The decimals of a quotient.
RATIO_DECIMALS = 12
WIDE = Context(prec=400, rounding=ROUND_HALF_EVEN)
# How many names a message for people has.
MOST_LISTED = 20


def plain_whole_number(text: str) -> int | None:
    """The whole number that a text is in plain digits, such as `-12`; None if it is anything else.

    `int` itself also reads `1_000`, `+1`, blanks around a number and the digits of other scripts.
    """
    return int(text) if re.fullmatch("-?[0-9]{1,4000}", text) else None


def plain_id(text: str) -> int | None:
    """The id that a text is in plain digits; None if it is anything else, or larger than any id in the database."""
    number = plain_whole_number(text)
    return number if number is not None and 0 <= number < 2**63 else None


def plain_decimal(text: str) -> Decimal | None:
    """The number that a text is in plain digits, such as `-12.50`; None if it is anything else.

    `Decimal` itself also reads `1_000`, `1e9`, `NaN` and the digits of other scripts.
    """
    return Decimal(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else None


def ratio(numerator: Decimal | int, denominator: Decimal | int, *, times: int = 1) -> Decimal | None:
    """`times` the quotient, rounded half-even to RATIO_DECIMALS, without trailing zeros; None for a divisor of 0."""
    if not denominator:
        return None
    # A quotient of decimals would be rounded twice.
    units = round(times * Fraction(numerator) / Fraction(denominator) * 10**RATIO_DECIMALS)
    text = f"{Decimal(units).scaleb(-RATIO_DECIMALS, WIDE):f}"
    return Decimal(text.rstrip("0").rstrip("."))


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum with all digits: Python's own rounds to 28."""
    return reduce(WIDE.add, amounts, Decimal(0))


def difference(now: Decimal, before: Decimal) -> Decimal:
    """`now` less `before`, exactly, without trailing zeros."""
    return WIDE.normalize(WIDE.subtract(now, before))


def printable(text: str, longest: int) -> str:
    """The text cut to a length, with everything escaped that does not print, such as line ends and NUL."""
    text = text[:longest]
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)[:longest]


def listed(names: Sequence[str]) -> Text:
    """The first names, and how many more there are, for a message to people."""
    first, more = joined(names[:MOST_LISTED]), len(names) - MOST_LISTED
    if more <= 0:
        return first
    text = ngettext_lazy("%(names)s and %(count)s more", "%(names)s and %(count)s more", more)
    return text % {"names": first, "count": Grouped(more)}


def either(names: Sequence[str]) -> Text:
    """One or more names, as alternatives."""
    text = _("%(one)s or %(other)s")
    return reduce(lambda one, other: text % {"one": one, "other": other}, names[1:], joined(names[:1]))
