"""Values that several applications share: numbers in plain digits, days of commands, ids in paths, hashes of files."""

import re
from argparse import ArgumentTypeError
from datetime import date
from decimal import Decimal

import pytest

from dsrhub.api.fields import ExactField
from dsrhub.api.parameters import number_in_path
from dsrhub.commands import day
from dsrhub.files.disk import file_sha256
from dsrhub.texts.wording import listed
from dsrhub.values.numbers import AMOUNT, plain_decimal


@pytest.mark.parametrize("text", ["0", "12.50", "-12.50", "007", "9" * 31 + "." + "1" * 61])
def test_a_number_in_plain_digits_is_read_with_all_its_digits(text):
    assert plain_decimal(text) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1\n", "+1", "1.", ".5", "1e3", "1_0", "1,5", "NaN", "Infinity", "١", "0x1"]
)
def test_other_texts_are_not_numbers(text):
    assert plain_decimal(text) is None


@pytest.mark.parametrize(
    ("text", "is_amount"),
    [
        ("9" * 30 + "." + "9" * 60, True),
        ("0", True),
        ("9" * 31, False),
        ("0." + "9" * 61, False),
        ("1.", False),
        ("-1", False),
    ],
)
def test_an_amount_has_at_most_30_digits_before_the_point_and_60_after_it(text, is_amount):
    assert bool(re.fullmatch(AMOUNT, text)) is is_amount


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("255", 255), ("-1", -1), ("-256", -256)])
def test_an_id_in_a_path_is_a_number_of_its_column(text, number):
    assert number_in_path(text, largest=255) == number


@pytest.mark.parametrize(
    "text", ["", "256", "0001", "-257", "-0001", "--1", "-", "+1", "1.0", " 1", "1_0", "١", "²", "x", "9" * 5000]
)
def test_other_texts_are_not_ids_in_a_path(text):
    assert number_in_path(text, largest=255) is None


@pytest.mark.parametrize(
    ("number", "text"), [("1E-7", "0.0000001"), ("1E+3", "1000"), ("12.50", "12.50"), ("-0", "-0")]
)
def test_an_exact_number_is_written_in_plain_digits(number, text):
    assert ExactField().to_representation(Decimal(number)) == text


def test_an_exact_number_keeps_more_digits_than_pythons_default():
    digits = "9" * 30 + "." + "0" * 59 + "1"
    assert ExactField().to_representation(Decimal(digits)) == digits


def test_a_command_reads_a_day():
    assert day("2020-02-29") == date(2020, 2, 29)


@pytest.mark.parametrize("word", ["", "yesterday", "2020-02-30", "29.2.2020"])
def test_a_command_refuses_invalid_days(word):
    with pytest.raises(ArgumentTypeError, match="is not a day such as 2026-01-31"):
        day(word)


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    # The example of FIPS 180-2, appendix B.1.
    assert file_sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("count", "end"), [(1, "0"), (3, "0, 1, 2"), (20, "18, 19"), (21, "19 and 1 more"), (1235, "19 and 1,215 more")]
)
def test_a_list_for_people_has_20_names(count, end):
    text = listed([str(number) for number in range(count)])
    assert (text[0], text[-len(end) :]) == ("0", end)
