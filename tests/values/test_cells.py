"""Numbers in pages: rounded for reading, with the full value for hover, focus and the clipboard."""

from decimal import Decimal

import pytest
from django.utils.html import strip_tags
from django.utils.translation import override

from dsrhub.values.cells import grouped, money, plain, rounded


def text(cell):
    return strip_tags(cell).replace("&lt;", "<").replace("&gt;", ">").replace("\xa0", " ")


@pytest.mark.parametrize(
    ("amount", "shown", "full"),
    [
        ("1234.5", "1,234.50 EUR", None),
        ("1234.56700", "1,234.57 EUR", "1,234.567 EUR"),
        ("0.125", "0.13 EUR", "0.125 EUR"),  # half up, as people round
        ("-0.125", "-0.13 EUR", "-0.125 EUR"),
        ("0", "0.00 EUR", None),
        ("-0", "0.00 EUR", None),
        ("0.004", "< 0.01 EUR", "0.004 EUR"),
        ("-1e-40", "> -0.01 EUR", f"-0.{'0' * 39}1 EUR"),
        (f"{'9' * 30}.995", f"1{',000' * 10}.00 EUR", f"999{',999' * 9}.995 EUR"),
        ("2e3", "2,000.00 EUR", None),
    ],
)
def test_an_amount_has_two_decimals_and_the_full_value_where_digits_are_hidden(amount, shown, full):
    cell = money(Decimal(amount), "EUR")
    assert text(cell) == shown
    if full is None:
        assert "<" not in cell
    else:
        plain_value = full.removesuffix(" EUR").replace(",", "")
        assert cell.startswith(
            f'<data class="rounded" value="{plain_value}" title="{full}" data-full="{full}" tabindex="0">'
        ) or Decimal(amount) == Decimal(plain_value)
        assert f'data-full="{full}"' in cell


def test_no_amount_is_no_text():
    assert (money(None, "EUR"), rounded(None), plain(None)) == (None, None, None)


def test_a_currency_cannot_break_out_of_its_cell():
    assert "<b" not in money(Decimal("0.125"), '"><b>')


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["12,345,678", "1,234.5", "1,234.57 EUR", "1,234.567 EUR"]),
        ("es", ["12 345 678", "1 234,5", "1 234,57 EUR", "1 234,567 EUR"]),
        ("fr", ["12 345 678", "1 234,5", "1 234,57 EUR", "1 234,567 EUR"]),
    ],
)
def test_separators_are_those_of_the_language(language, expected):
    with override(language):
        cell = money(Decimal("1234.567"), "EUR")
        full = cell.split('data-full="')[1].split('"')[0]
        numbers = [grouped(12_345_678), plain(Decimal("1234.500")), cell, full]
    assert [text(number).replace("\u202f", " ") for number in numbers] == expected
    # A program reads the value, whatever the language.
    assert 'value="1234.567"' in cell
