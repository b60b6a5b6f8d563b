"""Single cells: numbers in plain digits, whole numbers, ISRCs."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stdnum import isrc as stdnum_isrc

from catalogue.reports.cells import ISRC, CellError, plain_integer, plain_isrc, plain_number
from catalogue.reports.problems import CommonError

NOT_NUMBERS = [
    "",
    " ",
    " 5",
    "5 ",
    "5\n",
    "5\xa0",
    "five",
    "-",
    "+",
    ".",
    "-.",
    "e5",
    ".e5",
    "5e",
    "5e+",
    "5e1.5",
    "5e 1",
    "--5",
    "+-5",
    "- 5",
    "5-",
    "(5)",
    "1.2.3",
    "1,5",
    "1,234.50",
    "1 234",
    "1'234",
    "1_000",  # Python accepts this
    "0x1F",
    "1f",
    "5€",
    "50%",
    "NaN",  # Python and PostgreSQL accept these
    "nan",
    "sNaN",
    "Infinity",
    "-Infinity",
    "inf",
    "\u0661\u0662",  # 12 in Arabic-Indic digits: Python accepts it
    "\uff11\uff12",  # 12 in full width
    "1\u0662",
    "\u00b2",
    "\u00bd",
    "\u22125",  # the minus sign of Unicode
]


# --- Numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("5", "5"),
        ("-5", "-5"),
        ("+5", "5"),
        ("0", "0"),
        ("-0", "-0"),
        ("+0.00", "0"),
        ("007", "7"),
        ("0.50", "0.50"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("5.e1", "50"),
        ("12.340", "12.340"),
        ("-00012.50", "-12.50"),
        ("5e0", "5"),
        ("5E3", "5000"),
        ("5e+3", "5000"),
        ("5e003", "5000"),
        ("2.5e-3", "0.0025"),
        ("-2.5E-03", "-0.0025"),
        ("123.456e2", "12345.6"),
        ("123.456e3", "123456"),
        ("123.456e5", "12345600"),
        ("123.456e-2", "1.23456"),
        ("123.456e-3", "0.123456"),
        ("123.456e-4", "0.0123456"),
        ("1.500e1", "15.00"),
        ("0.00001e5", "1"),
        ("2.220446049250313e-16", "0.0000000000000002220446049250313"),
        ("1.7976931348623157e+29", "179769313486231570000000000000"),
        ("0e999999999", "0"),
        ("0.000e-999999999", "0"),
    ],
)
def test_a_number_in_plain_digits(cell, plain):
    assert plain_number(cell) == plain


@pytest.mark.parametrize("cell", NOT_NUMBERS)
def test_other_texts_are_not_numbers(cell):
    with pytest.raises(CellError) as caught:
        plain_number(cell)

    assert caught.value.code == CommonError.NOT_A_NUMBER


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("9" * 30, "9" * 30),
        ("-" + "9" * 30, "-" + "9" * 30),
        ("0" * 100 + "9" * 30, "9" * 30),
        ("1e29", "1" + "0" * 29),
        ("9." + "9" * 29 + "e29", "9" * 30),
        ("0." + "0" * 59 + "1", "0." + "0" * 59 + "1"),
        ("1e-60", "0." + "0" * 59 + "1"),
        ("12e-60", "0." + "0" * 58 + "12"),
        ("9" * 30 + "." + "9" * 60, "9" * 30 + "." + "9" * 60),
        # Trailing zeros do not count.
        ("1." + "0" * 61, "1"),
        ("1.5" + "0" * 100, "1.5"),
        ("10e-61", "0." + "0" * 59 + "1"),
        ("0" * 5000 + "." + "0" * 5000, "0"),
        # The exponent is applied first, however many digits it has.
        ("0." + "0" * 5000 + "1e5001", "1"),
        ("1" + "0" * 5000 + "e-5000", "1"),
        ("1" + "0" * 5000 + "e-" + "0" * 5000 + "5000", "1"),
    ],
)
def test_numbers_of_up_to_30_digits_and_60_decimals(cell, plain):
    assert plain_number(cell) == plain


@pytest.mark.parametrize(
    "cell",
    [
        "1" + "0" * 30,
        "-1" + "0" * 30,
        "1e30",
        "-1e30",
        "10e29",
        "0.1e31",
        "9." + "9" * 29 + "e30",
        "0." + "0" * 60 + "1",
        "1e-61",
        "11e-61",
        "1." + "0" * 60 + "1",
        "9" * 30 + "." + "9" * 61,
        "1e400",  # infinite as a double
        "1e-400",
        "1e131000",  # PostgreSQL makes 131,001 digits of it
        "1e-131000",
        "1e" + "9" * 5000,
        "1e-" + "9" * 5000,
        "9" * 5000,
        "0." + "0" * 5000 + "1",
        "1" + "0" * 5000 + "e-5000000",
    ],
)
def test_numbers_of_more_digits_are_out_of_range(cell):
    with pytest.raises(CellError) as caught:
        plain_number(cell)

    assert caught.value.code == CommonError.NUMBER_OUT_OF_RANGE


def is_in_range(number: Decimal) -> bool:
    """By the definition: below 10^30, and a whole number of 10^-60."""
    return abs(Fraction(number)) < 10**30 and (Fraction(number) * 10**60).denominator == 1


digits = st.text("0123456789", max_size=40) | st.text("0", max_size=80)
numbers = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    digits,
    st.sampled_from(["", "."]),
    digits,
    st.just("") | st.builds("{}{}".format, st.sampled_from("eE"), st.integers(-120, 120)),
).filter(lambda cell: re.match(r"[+-]?\.?[0-9]", cell))


@settings(max_examples=300)
@given(numbers)
@example("9" * 30 + "." + "9" * 60)
@example("123456e-58")
@example("0.000000001e35")
def test_a_plain_number_equals_the_decimal(cell):
    number = Decimal(cell)

    if is_in_range(number):
        plain = plain_number(cell)
        assert Decimal(plain) == number
        assert re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,60})?", plain)
        assert plain_number(plain) == plain
    else:
        with pytest.raises(CellError, match="number_out_of_range"):
            plain_number(cell)


@settings(max_examples=200)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_as_python_writes_them_keep_their_digits(number):
    cell = repr(number)

    if is_in_range(Decimal(cell)):
        assert Decimal(plain_number(cell)) == Decimal(cell)
    else:
        with pytest.raises(CellError, match="number_out_of_range"):
            plain_number(cell)


@settings(max_examples=200)
@given(st.text("0123456789+-.eE_ nN", max_size=12) | st.text(max_size=6))
def test_numbers_follow_the_grammar(cell):
    try:
        plain_number(cell)
        is_number = True
    except CellError as error:
        is_number = error.code != CommonError.NOT_A_NUMBER

    assert is_number == bool(re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", cell))


# --- Whole numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("5", "5"),
        ("+5", "5"),
        ("-5", "-5"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("007", "7"),
        ("5.", "5"),
        ("5.0", "5"),
        ("-5.000", "-5"),
        ("5e0", "5"),
        ("1.5e3", "1500"),
        ("5000e-3", "5"),
        ("5." + "0" * 100, "5"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775807.0", "9223372036854775807"),
        ("9.223372036854775807e18", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("0" * 5000 + "1", "1"),
    ],
)
def test_a_whole_number_in_plain_digits(cell, plain):
    assert plain_integer(cell) == plain


@pytest.mark.parametrize("cell", ["0.5", "-0.5", "5.01", "5e-1", "1.25e1", "9223372036854775807.5", "1e-60"])
def test_fractions_are_not_whole_numbers(cell):
    with pytest.raises(CellError) as caught:
        plain_integer(cell)

    assert caught.value.code == CommonError.NOT_AN_INTEGER


@pytest.mark.parametrize(
    "cell",
    [
        "9223372036854775808",
        "-9223372036854775809",
        "9223372036854775808.0",
        "1e19",
        "1e29",
        "1e30",
        "1e400",
        "9" * 5000,
    ],
)
def test_whole_numbers_of_more_than_64_bits_are_out_of_range(cell):
    with pytest.raises(CellError) as caught:
        plain_integer(cell)

    assert caught.value.code == CommonError.NUMBER_OUT_OF_RANGE


@pytest.mark.parametrize("cell", NOT_NUMBERS)
def test_other_texts_are_not_whole_numbers(cell):
    with pytest.raises(CellError) as caught:
        plain_integer(cell)

    assert caught.value.code == CommonError.NOT_A_NUMBER


# --- ISRCs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("ESABC2000001", "ESABC2000001"),
        ("esabc2000001", "ESABC2000001"),
        ("ES-ABC-20-00001", "ESABC2000001"),
        ("es abc 20 00001", "ESABC2000001"),
        (" ESABC2000001 ", "ESABC2000001"),
        ("ISRC ES-ABC-20-00001", "ESABC2000001"),
        ("ISRCESABC2000001", "ESABC2000001"),
        ("isrc-es-abc-20-00001", "ESABC2000001"),
        ("QZ-1A2-20-00001", "QZ1A22000001"),
        # A registrant in Iceland: here `ISRC` is not a prefix, but the beginning of the code.
        ("IS-RC1-20-00001", "ISRC12000001"),
        ("isrc12000001", "ISRC12000001"),
        ("ISRC IS-RC1-20-00001", "ISRC12000001"),
    ],
)
def test_an_isrc_in_its_compact_form(cell, plain):
    assert plain_isrc(cell) == plain
    assert ISRC.fullmatch(plain)


@pytest.mark.parametrize(
    "cell",
    [
        "-",
        "ISRC",
        "ESABC200001",  # a digit short
        "ESABC20000011",  # a digit too many
        "ISRC ESABC20000011",
        "ISRC ISRC ESABC2000001",
        "E5ABC2000001",
        "ESABC2O00001",  # the letter O
        "ES_ABC_20_00001",
        "ESABC2000001\n",
        "ESABC20\u0660\u0660\u0660\u0660\u0661",
        "ESABC200000\uff11",
        # The capitals of their first letters are S, I and SS.
        "e\u017fabc2000001",
        "\u0131sabc2000001",
        "\u00dfabc2000001",
    ],
)
def test_other_texts_are_not_isrcs(cell):
    assert not ISRC.fullmatch(plain_isrc(cell))


separators = st.sampled_from(["", "-", " ", " - "])
registrants = st.text("abcyzABCYZ0189", min_size=3, max_size=3) | st.sampled_from(["RC1", "rca"])
written_isrcs = st.tuples(
    separators,
    st.sampled_from(["ES", "es", "Us", "QZ", "uk", "IS", "ZZ"]),
    separators,
    registrants,
    separators,
    st.text("0123456789", min_size=2, max_size=2),
    separators,
    st.text("0123456789", min_size=5, max_size=5),
    separators,
).map("".join)


@settings(max_examples=300)
@given(written_isrcs)
@example("is-rca-20-00001")
def test_isrcs_that_stdnum_accepts_are_accepted_in_the_same_form(cell):
    assert stdnum_isrc.is_valid(cell)
    assert plain_isrc(cell) == stdnum_isrc.compact(cell)
    assert ISRC.fullmatch(plain_isrc(cell))
    assert plain_isrc("ISRC " + cell) == plain_isrc(cell)


@settings(max_examples=300)
@given(st.text("AZ09- ", max_size=14) | written_isrcs.flatmap(lambda cell: st.permutations(cell).map("".join)))
def test_isrcs_that_stdnum_refuses_are_refused_unless_for_an_unknown_country(cell):
    plain = plain_isrc(cell)

    assert bool(ISRC.fullmatch(plain)) == (plain[:2].isalpha() and stdnum_isrc.is_valid("ES" + plain[2:]))
