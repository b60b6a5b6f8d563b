"""Numbers as the template says that they are written. What does not fit is an error, and never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.reports.cells import CellError
from catalogue.reports.formats.templates.cells.numbers import NumberReader
from catalogue.reports.formats.templates.definition import NumberForm

ENGLISH, GERMAN = NumberForm(".", ","), NumberForm(",", ".")
SWISS, FRENCH, PLAIN = NumberForm(".", "'"), NumberForm(",", " "), NumberForm()
BOOKS = NumberForm(".", ",", ("parentheses", "trailing_minus"))


@pytest.mark.parametrize(
    ("form", "cell", "plain"),
    [
        (PLAIN, "1234.50", "1234.50"),
        (PLAIN, " -0.000000000001 ", "-0.000000000001"),
        (PLAIN, "2.5E-3", "0.0025"),
        (PLAIN, ".5", "0.5"),
        (PLAIN, "5.", "5"),
        (PLAIN, "+7", "7"),
        (PLAIN, "−7", "-7"),
        (PLAIN, "", ""),
        (PLAIN, " ", ""),
        (ENGLISH, "1,234,567.891", "1234567.891"),
        (ENGLISH, "1,234", "1234"),
        (ENGLISH, "1234", "1234"),
        (GERMAN, "1.234", "1234"),
        (GERMAN, "1,234", "1.234"),
        (GERMAN, "-1.234.567,000000001", "-1234567.000000001"),
        (SWISS, "1'234’567.5", "1234567.5"),
        (FRENCH, "1 234\u202f567\xa0890,5", "1234567890.5"),
        (BOOKS, "(1,234.5)", "-1234.5"),
        (BOOKS, "1,234.5-", "-1234.5"),
        (BOOKS, "-1,234.5", "-1234.5"),
        (GERMAN, "0,258066", "0.258066"),
        (NumberForm(","), "1" * 30 + "," + "1" * 60, "1" * 30 + "." + "1" * 60),
    ],
)
def test_a_number_keeps_every_digit(form, cell, plain):
    assert NumberReader(form, is_whole=False).plain(cell) == plain


@pytest.mark.parametrize(
    ("form", "cell", "code"),
    [
        (PLAIN, "1,234", "number_form_differs"),
        (PLAIN, "1 234", "number_form_differs"),
        (PLAIN, "1.234.567", "number_form_differs"),
        (PLAIN, "(5)", "number_form_differs"),
        (PLAIN, "5-", "number_form_differs"),
        (PLAIN, "$5", "number_form_differs"),
        (PLAIN, "1_000", "number_form_differs"),
        (PLAIN, "٥", "not_a_number"),
        (PLAIN, "n/a", "not_a_number"),
        (PLAIN, "-", "not_a_number"),
        (PLAIN, "NaN", "not_a_number"),
        (PLAIN, "Infinity", "not_a_number"),
        (PLAIN, "1e99", "number_out_of_range"),
        (ENGLISH, "1,23", "number_form_differs"),
        (ENGLISH, "12,34,567", "number_form_differs"),
        (ENGLISH, "1234,567", "number_form_differs"),
        (ENGLISH, "1,234.567,8", "number_form_differs"),
        (ENGLISH, ",234", "number_form_differs"),
        (GERMAN, "1.23", "number_form_differs"),
        (GERMAN, "0.5", "number_form_differs"),
        (BOOKS, "(5", "number_form_differs"),
        (BOOKS, "5)", "number_form_differs"),
        (BOOKS, "(-5)", "number_form_differs"),
        (BOOKS, "-5-", "number_form_differs"),
        (BOOKS, "(5-)", "number_form_differs"),
    ],
)
def test_what_does_not_fit_the_form_is_an_error(form, cell, code):
    reader = NumberReader(form, is_whole=False)
    for _ in range(2):  # Nothing wrong is remembered.
        with pytest.raises(CellError) as error:
            reader.plain(cell)
        assert error.value.code == code


@pytest.mark.parametrize(("cell", "plain"), [("1.0", "1"), ("1,000", "1000"), ("-3", "-3"), ("1e2", "100")])
def test_usages_are_whole(cell, plain):
    assert NumberReader(ENGLISH, is_whole=True).plain(cell) == plain
    with pytest.raises(CellError) as error:
        NumberReader(ENGLISH, is_whole=True).plain("1.5")
    assert error.value.code == "not_an_integer"


@given(st.integers(-(10**20), 10**20), st.integers(0, 12), st.sampled_from([ENGLISH, GERMAN, SWISS, FRENCH]))
def test_any_grouped_number_is_read_as_it_was_written(units, decimals, form):
    digits = f"{abs(units):0{decimals + 1}d}"
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    grouped = f"{int(whole):,}".replace(",", form.thousands)
    sign = "-" if units < 0 else ""
    written = f"{sign}{grouped}{form.decimal + part if part else ''}"
    plain = f"{sign}{int(whole)}{'.' + part if part else ''}" if units else "0"
    assert NumberReader(form, is_whole=False).plain(written) == plain
