"""Numbers and amounts as the pages of the admin show them, with the separators of the user's language.

A page shows amounts with two decimals and their currency. The full value appears on hover and on focus, and is what
the clipboard gets (`dsrhub/static/dsrhub/cells.js`). Exports and APIs have all digits, and never call this module.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import overload

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dsrhub.values.numbers import WIDE


def grouped(number: Decimal | int | str) -> str:
    """Return all digits of a number, with thousands separators and without an exponent."""
    return str(number_format(Decimal(number), force_grouping=True))


@overload
def rounded(number: Decimal | int, decimals: int = 2, unit: str = "") -> SafeString: ...
@overload
def rounded(number: None, decimals: int = 2, unit: str = "") -> None: ...
@overload
def rounded(number: Decimal | int | None, decimals: int = 2, unit: str = "") -> SafeString | None: ...
def rounded(number: Decimal | int | None, decimals: int = 2, unit: str = "") -> SafeString | None:
    """Return a number, rounded to `decimals` digits behind the point, with its unit and, if it differs, its full value.

    A number that would round to zero is shown as less than the smallest that would not: nobody may read it as nothing.
    """
    if number is None:
        return None
    value = Decimal(number)
    step = Decimal(1).scaleb(-decimals)
    short = value.quantize(step, ROUND_HALF_UP, WIDE)
    ending = f" {unit}" if unit else ""
    if short == value:
        return format_html("{}{}", grouped(short or abs(short)), ending)
    text = grouped(short) if short else ("< " if value > 0 else "> -") + grouped(step)
    full = grouped(value.normalize(WIDE)) + ending
    return format_html(
        '<data class="rounded" value="{}" title="{}" data-full="{}" tabindex="0"><span>{}{}</span></data>',
        f"{value:f}",
        full,
        full,
        text,
        ending,
    )


@overload
def money(amount: Decimal | int, currency: str) -> SafeString: ...
@overload
def money(amount: None, currency: str) -> None: ...
@overload
def money(amount: Decimal | int | None, currency: str) -> SafeString | None: ...
def money(amount: Decimal | int | None, currency: str) -> SafeString | None:
    """Return an amount with two decimals and its currency, such as `1,234.57 EUR`."""
    return rounded(amount, unit=currency)


def counted(number: Decimal) -> SafeString:
    """Return a count as a whole number; where it has a fraction, as a share of a count may have, rounded."""
    return rounded(number, 0 if number == number.to_integral_value() else 2)


def plain(number: Decimal | int | None) -> str | None:
    """Return all digits of a number without the trailing zeros that a sum may have. It is for usages and counts."""
    return None if number is None else grouped(Decimal(number).normalize(WIDE))
