"""The content of a report: lines that are passed on unchanged, lines that are rewritten, and problems."""

import re
import tracemalloc
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.lines.storage import LineLoad, lines_drop
from catalogue.models import SHARED_PARTITION, UsageLine
from catalogue.reports.formats.tsv.reader import COLUMNS, LONGEST_LINE, ReportReader, TsvError
from catalogue.reports.problems import (
    LONGEST_VALUE,
    CommonError,
    CommonWarning,
    Problem,
    ProblemLog,
)
from tests.catalogue.helpers import HEADER, line
from tests.invisible import looks_blank, looks_invisible

BOM = b"\xef\xbb\xbf"
ONE_LINE = b"a\tYesterday\tBeatles|The\tGBAYE0601498\t5\t0.50\n"


class Reading:
    """A report that was read to its end: its output and its problems."""

    def __init__(self, *chunks: bytes, limit: int = 1000) -> None:
        self.log = ProblemLog(limit)
        self.reader = ReportReader(iter(chunks), self.log)
        self.output = b"".join(self.reader)

    @property
    def problems(self) -> list[tuple]:
        return [(problem.code, problem.line, problem.column, problem.value) for problem in self.log.kept]

    @property
    def codes(self) -> list[tuple]:
        return [(problem.code, problem.line) for problem in self.log.kept]


def read(*lines: bytes | str, header: str = HEADER, **kwargs) -> Reading:
    """Read a report with these lines. Each line ends with a line feed."""
    encoded = (one.encode() if isinstance(one, str) else one for one in (header, *lines))
    return Reading(b"".join(one + b"\n" for one in encoded), **kwargs)


# --- The header ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", BOM])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_header_alone_is_an_empty_report(start, end):
    reading = Reading(start + HEADER.encode() + end)

    assert reading.problems == []
    assert reading.output == b""
    assert reading.reader.line_count == 0
    assert reading.reader.columns == ("dsp_id", "title", "artists", "isrc", "usages", "revenue")


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", BOM, BOM + b"\r\n", b"\n" + HEADER.encode() + b"\n"])
def test_a_report_without_a_header_is_refused(content):
    reading = Reading(content)

    assert reading.problems == [(TsvError.HEADER_MISSING, 1, None, None)]
    assert reading.output == b""
    assert reading.reader.columns == ()


def test_columns_are_identified_by_name_in_any_order():
    reading = read("0.50\tGBAYE0601498\tx\ty\t5\ta", header="revenue\tisrc\ttitle\tartists\tusages\tdsp_id")

    assert reading.problems == []
    assert reading.reader.columns == ("revenue", "isrc", "title", "artists", "usages", "dsp_id")
    assert reading.output == b"0.50\tGBAYE0601498\tx\ty\t5\ta\n"


def test_cells_are_checked_by_the_names_of_their_columns():
    reading = read("5\tb\tx\tES-ABC-20-00001\ty\t0.5", header="revenue\tdsp_id\ttitle\tisrc\tartists\tusages")

    assert reading.problems == [(CommonError.NOT_AN_INTEGER, 2, "usages", "0.5")]
    assert reading.output == b"5\tb\tx\tESABC2000001\ty\t0.5\n"


@pytest.mark.parametrize(
    ("header", "problems"),
    [
        ("dsp_id\ttitle\tartists\tisrc\tusages", [(TsvError.COLUMN_MISSING, 1, "revenue", None)]),
        (HEADER + "\tlabel", [(TsvError.COLUMN_UNKNOWN, 1, "label", "label")]),
        (HEADER + "\t", [(TsvError.COLUMN_UNKNOWN, 1, "", "")]),
        (HEADER + "\tlabel\tlabel", [(TsvError.COLUMN_UNKNOWN, 1, "label", "label")]),
        (HEADER + "\tisrc\tisrc", [(TsvError.COLUMN_REPEATED, 1, "isrc", "isrc")]),
        (
            "dsp_id\ttitle\tartists\tisrc\tusages\tusages",
            [(TsvError.COLUMN_REPEATED, 1, "usages", "usages"), (TsvError.COLUMN_MISSING, 1, "revenue", None)],
        ),
        (
            "dsp_id\tname\tartists\tisrc\tUsages \tamount",
            [
                (TsvError.COLUMN_UNKNOWN, 1, "name", "name"),
                (TsvError.COLUMN_UNKNOWN, 1, "amount", "amount"),
                (TsvError.COLUMN_MISSING, 1, "title", None),
                (TsvError.COLUMN_MISSING, 1, "revenue", None),
            ],
        ),
        (
            "dsp_id\ttitle\tartists\tisrc\tusages\tUSAGES",
            [(TsvError.COLUMN_REPEATED, 1, "usages", "USAGES"), (TsvError.COLUMN_MISSING, 1, "revenue", None)],
        ),
    ],
)
def test_columns_that_are_unknown_missing_or_repeated(header, problems):
    reading = read(line("a"), header=header)

    assert reading.problems == problems
    assert reading.output == b""
    assert reading.reader.line_count == 0
    assert reading.reader.columns == ()


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (HEADER.replace("title", "ti\0tle"), r"ti\x00tle"),
        (HEADER.replace("title", "ti\x1b[31mtle"), r"ti\x1b[31mtle"),
        (HEADER.replace("title", "title\r"), r"title\r"),
        (HEADER.replace("title", "\ufefftitle"), r"\ufefftitle"),
        (HEADER.replace("title", "título"), "título"),
        (HEADER.encode().replace(b"title", b"t\xedtulo"), r"t\xedtulo"),  # Latin-1
    ],
)
def test_an_unknown_column_is_reported_in_a_printable_form(header, shown):
    reading = read(line("a"), header=header) if isinstance(header, str) else Reading(header + b"\n")

    assert reading.problems == [
        (TsvError.COLUMN_UNKNOWN, 1, shown, shown),
        (TsvError.COLUMN_MISSING, 1, "title", None),
    ]


def test_a_second_byte_order_mark_is_dropped_with_a_warning():
    reading = Reading(BOM + BOM + HEADER.encode() + b"\n" + ONE_LINE)

    assert reading.problems == [(CommonWarning.BYTE_ORDER_MARK, 1, None, None)]
    assert reading.output == ONE_LINE


@pytest.mark.parametrize(
    "header",
    [
        HEADER.upper(),
        "DSP_ID\tTitle\tArtists\tISRC\tUsages\tRevenue",
        HEADER.replace("\t", " \t "),
        HEADER.replace("title", "\xa0Title\u3000"),
    ],
)
def test_headings_may_differ_in_case_and_outer_spaces(header):
    reading = read(ONE_LINE.decode().removesuffix("\n"), header=header)

    assert reading.problems == []
    assert reading.reader.columns == ("dsp_id", "title", "artists", "isrc", "usages", "revenue")
    assert reading.output == ONE_LINE


QUOTED = "\t".join(f'"{column}"' for column in COLUMNS)


@pytest.mark.parametrize(
    ("header", "code", "advice"),
    [
        (
            HEADER.replace("\t", ","),
            "wrong_separator",
            "The headings are separated by commas. Export the file with tabs.",
        ),
        (HEADER.replace("\t", ";"), "wrong_separator", "separated by semicolons"),
        (HEADER.replace("\t", " | "), "wrong_separator", "separated by vertical bars"),
        (QUOTED.replace("\t", ","), "wrong_separator", "separated by commas"),
        (QUOTED.replace("\t", ";").upper(), "wrong_separator", "separated by semicolons"),
        ("label;" + HEADER.replace("\t", ";"), "wrong_separator", "separated by semicolons"),
        (QUOTED, "quoted_headings", "The headings are in quotes. Export the file without quotes."),
        (HEADER.replace("title", "'title'"), "quoted_headings", "in quotes"),
        (HEADER.replace("dsp_id", "DSP ID"), "misspelled_headings", "Write dsp_id, not 'DSP ID'."),
        ("Dsp-Id\tTitle\tArtists\tISRC\tUsages\tRevenue", "misspelled_headings", "Write dsp_id, not 'Dsp-Id'."),
        (ONE_LINE.decode().removesuffix("\n"), "header_missing", "a\\tYesterday\\tBeatles|The"),
        ("Name\tAmount", "header_missing", "Name\\tAmount"),
        ("hello", "header_missing", "hello"),
    ],
)
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_header_of_another_kind_is_one_error(start, header, code, advice):
    reading = read(line("a"), header=start + header)

    ((found, number, column, value),) = reading.problems
    assert (found, number, column) == (code, 1, None)
    assert advice in value
    assert reading.output == b""
    assert reading.reader.columns == ()


def test_a_header_of_very_many_columns_is_refused():
    reading = Reading(b"\t".join([b"dsp_id"] * 100_000) + b"\n")

    assert reading.problems[0] == (TsvError.COLUMN_REPEATED, 1, "dsp_id", "dsp_id")
    assert reading.log.error_count == 6  # five columns are missing


# --- Line ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", BOM])
def test_a_valid_report_is_passed_on_unchanged(start, end):
    lines = (ONE_LINE * 3).replace(b"\n", end)

    reading = Reading(start + HEADER.encode() + end + lines)

    assert reading.problems == []
    assert reading.output == lines
    assert reading.reader.line_end == end
    assert (reading.reader.line_count, reading.reader.rewritten_count) == (3, 0)


def test_all_lines_get_the_line_end_of_the_header():
    header, first, second, third = HEADER.encode(), line("a").encode(), line("b").encode(), line("c").encode()

    with_cr = Reading(header + b"\r\n" + first + b"\n" + second + b"\r\n" + third + b"\n")
    without_cr = Reading(header + b"\n" + first + b"\n" + second + b"\r\n" + third + b"\n")

    assert with_cr.output == first + b"\r\n" + second + b"\r\n" + third + b"\r\n"
    assert without_cr.output == first + b"\n" + second + b"\n" + third + b"\n"
    assert (with_cr.reader.rewritten_count, without_cr.reader.rewritten_count) == (2, 1)
    assert with_cr.problems == without_cr.problems == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_last_line_may_lack_its_end(end):
    reading = Reading(HEADER.encode() + end + line("a").encode() + end + line("b").encode())

    assert reading.problems == []
    assert reading.output == line("a").encode() + end + line("b").encode() + end
    assert reading.reader.line_count == 2


def test_an_empty_line_is_a_line_without_cells():
    reading = read(line("a"), "", line("b"))

    assert reading.problems == [(TsvError.CELL_COUNT, 3, None, "1")]
    assert reading.reader.line_count == 3


@pytest.mark.parametrize(
    "end", ["\n", "\n\n\n", "\r\n\r\n", "\n\t\t\t\t\t\n", "\n \xa0\n", "\n\x1a", "\x1a", "\n\x1a\r\n", "\n\n\x1a\x1a"]
)
def test_blank_lines_and_ctrl_z_at_the_end_are_no_lines(end):
    reading = read(line("a"))
    ended = Reading((HEADER + "\n" + line("a") + end).encode())

    assert ended.problems == []
    assert ended.output == reading.output == b"a\t\t\t\t\t\n"
    assert ended.reader.line_count == 1


def test_blank_lines_between_others_are_errors_on_their_lines():
    content = (HEADER + "\n" + line("a") + "\n\n\t\t\t\t\t\n" + line("b") + "\n\n").encode()

    for cut in range(len(content)):
        reading = Reading(content[:cut], content[cut:])
        assert reading.problems == [
            (TsvError.CELL_COUNT, 3, None, "1"),
            (TsvError.DSP_ID_MISSING, 4, "dsp_id", ""),
        ]
        assert reading.reader.line_count == 4


def test_ctrl_z_between_lines_is_a_control_character():
    reading = read(line("a"), line("b") + "\x1a", line("c"))

    assert reading.problems == [(CommonError.CONTROL_CHARACTER, 3, "revenue", r"\x1a")]


@pytest.mark.parametrize(
    ("lines", "last_line"),
    [
        ([], None),
        ([line("a", usages="5", revenue="0.50")], (2, 5, Decimal("0.50"), (b"a\t\t\t\t5\t0.50", slice(None)))),
        (
            [line("a"), line("b", usages="5.0", revenue="+5e-1") + "\r"],
            (3, 5, Decimal("0.5"), (b"b\t\t\t\t5.0\t+5e-1", slice(None))),
        ),
        ([line("a", usages="1", revenue="1"), line("b", usages="1")], None),
        ([line("a", usages="1", revenue="1"), line("b", revenue="1")], None),
        ([line("a", usages="1", revenue="1"), "", "\t\t\t\t\t"], (2, 1, Decimal(1), (b"a\t\t\t\t1\t1", slice(None)))),
    ],
)
def test_the_last_line_is_kept_with_its_amounts(lines, last_line):
    assert read(*lines).reader.last_line == last_line


@pytest.mark.parametrize("column", ["dsp_id", "title", "artists"])
def test_a_bare_carriage_return_is_not_a_line_end(column):
    reading = read(line(**{"dsp_id": "a", column: "x\ry"}))

    assert reading.problems == [(CommonError.CONTROL_CHARACTER, 2, column, r"x\ry")]


def test_a_second_carriage_return_is_a_control_character():
    reading = Reading(HEADER.encode() + b"\r\n" + line("a", revenue="1").encode() + b"\r\r\n")

    assert reading.problems == [(CommonError.CONTROL_CHARACTER, 2, "revenue", r"1\r")]


# --- Cells -----------------------------------------------------------------------------------------------------


def test_only_the_dsp_id_must_not_be_blank():
    reading = read(line("a"))

    assert reading.problems == []
    assert reading.output == b"a\t\t\t\t\t\n"


@pytest.mark.parametrize(
    ("dsp_id", "shown"),
    [
        ("", ""),
        (" ", " "),
        ("   ", "   "),
        ("\xa0", r"\xa0"),
        ("\u200b", r"\u200b"),
        (" \u3000 ", r" \u3000 "),
        ("\u2800\u3164", "\u2800\u3164"),  # they print, and nothing is seen
    ],
)
def test_a_dsp_id_that_is_blank_to_a_person_is_missing(dsp_id, shown):
    reading = read(line("a"), line(dsp_id, "Yesterday"))

    assert reading.problems == [(TsvError.DSP_ID_MISSING, 3, "dsp_id", shown)]


@pytest.mark.parametrize(
    "dsp_id", ["a b", "\\.", "NULL", "\\N", "0", "ñ", "音楽", "カ", "-", "5e12", "5.5", "+5", "1E+", "5E+a"]
)
def test_a_dsp_id_is_kept_as_it_is(dsp_id):
    reading = read(line(dsp_id))

    assert reading.problems == []
    assert reading.output == f"{dsp_id}\t\t\t\t\t\n".encode()


# What the same id looks like after it went through a spreadsheet, a web page, or a program that pads it.
@pytest.mark.parametrize(
    ("dsp_id", "shown"),
    [
        ("abc ", "abc "),
        (" abc", " abc"),
        ("abc\xa0", r"abc\xa0"),
        ("abc\u200b", r"abc\u200b"),
        ("a\u200dbc", r"a\u200dbc"),
        ("a\xadbc", r"a\xadbc"),
        ("a\ufeffbc", r"a\ufeffbc"),
        ("abc\u202e", r"abc\u202e"),
        ("a\xa0bc", r"a\xa0bc"),
        ("abc\u3000", r"abc\u3000"),
        ("abc\x85", r"abc\x85"),
        ("abc\U000e0041", r"abc\U000e0041"),
    ],
)
def test_an_invisible_character_in_an_id_is_a_warning_and_stays(dsp_id, shown):
    reading = read(line("abc", usages="1"), line(dsp_id, usages="2"))

    assert reading.problems == [(CommonWarning.INVISIBLE_CHARACTER, 3, "dsp_id", shown)]
    assert reading.output == f"abc\t\t\t\t1\t\n{dsp_id}\t\t\t\t2\t\n".encode()


@pytest.mark.parametrize("dsp_id", ["5.01235E+12", "5,01235E+12", "5E+12", "5.01235e+12", "1E+100"])
def test_an_id_that_a_spreadsheet_has_rounded_is_a_warning(dsp_id):
    reading = read(line(dsp_id, usages="1"))

    assert reading.problems == [(CommonWarning.DSP_ID_ROUNDED, 2, "dsp_id", dsp_id)]
    assert reading.output == f"{dsp_id}\t\t\t\t1\t\n".encode()


@pytest.mark.parametrize(
    "header", [HEADER, "title\tdsp_id\tartists\tisrc\tusages\trevenue", "\t".join(reversed(COLUMNS))]
)
@pytest.mark.parametrize("marks", [BOM, BOM * 2])
def test_a_byte_order_mark_at_the_start_of_a_line_is_dropped_with_a_warning(header, marks):
    """As in the second of two files that were joined."""
    cells = b"\t".join(b"1" for _ in COLUMNS)

    reading = Reading(header.encode() + b"\n" + cells + b"\n" + marks + cells + b"\n" + cells + b"\n")

    assert (CommonWarning.BYTE_ORDER_MARK, 3, None, None) in reading.problems
    assert {code for code, _ in reading.codes} == {CommonWarning.BYTE_ORDER_MARK, CommonWarning.ISRC_INVALID}
    assert reading.output == (cells + b"\n") * 3


def test_very_many_invisible_characters_are_counted_and_the_first_are_kept():
    reading = read(*[line("a\xa0")] * 1000, limit=2)

    assert reading.codes == [(CommonWarning.INVISIBLE_CHARACTER, 2), (CommonWarning.INVISIBLE_CHARACTER, 3)]
    assert reading.log.warning_count == 1000


@pytest.mark.parametrize(
    ("cells", "count"), [("a", "1"), ("a\t\t\t\t", "5"), ("a\t\t\t\t\t\t", "7"), ("a" + "\t" * 1000, "1001")]
)
def test_a_line_has_too_few_or_too_many_cells(cells, count):
    reading = read(line("b"), cells, line("c"))

    assert reading.problems == [(TsvError.CELL_COUNT, 3, None, count)]
    assert reading.reader.line_count == 3


@pytest.mark.parametrize("text", ['"', '""', '"Heroes"', 'a"b', '"unclosed', "'", "a,b;c|d", "\\t\\n\\\\", "\\."])
def test_quotes_and_backslashes_are_data(text):
    reading = read(line("a", text, text))

    assert reading.problems == []
    assert reading.output == f"a\t{text}\t{text}\t\t\t\n".encode()
    assert reading.reader.rewritten_count == 0


# The tab separates cells, and the line feed separates lines.
@pytest.mark.parametrize("character", [chr(code) for code in (*range(0x09), *range(0x0B, 0x20), 0x7F)])
@pytest.mark.parametrize("column", COLUMNS)
def test_no_cell_has_a_control_character(column, character):
    reading = read(line(**{"dsp_id": "a", "usages": "1", "revenue": "1", column: f"7{character}7"}))

    assert [problem[:3] for problem in reading.problems] == [(CommonError.CONTROL_CHARACTER, 2, column)]


@pytest.mark.parametrize("text", ["\x80", "\x85", "\x9f", "\xa0", "\u2028", "\u202e", "\ufeff", "\ufffd", "\U0010ffff"])
def test_other_characters_are_text(text):
    reading = read(line("a", text, text))

    assert reading.problems == []
    assert reading.output == f"a\t{text}\t{text}\t\t\t\n".encode()


@pytest.mark.parametrize(
    ("usages", "rewritten"),
    [("5.0", "5"), ("+5", "5"), ("5e2", "500"), ("-5.00", "-5"), ("9223372036854775807", "9223372036854775807")],
)
def test_usages_are_rewritten_to_digits(usages, rewritten):
    reading = read(line("a", usages=usages))

    assert reading.problems == []
    assert reading.output == f"a\t\t\t\t{rewritten}\t\n".encode()
    assert reading.reader.rewritten_count == 1


@pytest.mark.parametrize(
    "revenue",
    [
        "0",
        "0.50",
        "-0.50",
        "-12",
        "007",
        "2.220446049250313e-16",
        "1E-39",
        "1e+05",
        "9.9e29",
        "9" * 30 + "." + "9" * 60,
    ],
)
def test_numbers_that_the_database_can_read_stay_unchanged(revenue):
    reading = read(line("a", usages="-5", revenue=revenue))

    assert reading.problems == []
    assert reading.output == f"a\t\t\t\t-5\t{revenue}\n".encode()
    assert reading.reader.rewritten_count == 0


@pytest.mark.parametrize(
    ("revenue", "rewritten"),
    [("+1.5", "1.5"), (".5", "0.5"), ("5.", "5"), ("12e3", "12000"), ("1e-60", "0." + "0" * 59 + "1"), ("0e999", "0")],
)
def test_other_numbers_are_rewritten(revenue, rewritten):
    reading = read(line("a", revenue=revenue))

    assert reading.problems == []
    assert reading.output == f"a\t\t\t\t\t{rewritten}\n".encode()


@pytest.mark.parametrize("cell", ["NaN", "Infinity", "-inf", "1_000", "1,5", " 5", "٥", "５", "0x10", "5 EUR", "null"])
@pytest.mark.parametrize("column", ["usages", "revenue"])
def test_other_texts_are_not_numbers(column, cell):
    reading = read(line(**{"dsp_id": "a", column: cell}))

    assert reading.problems == [(CommonError.NOT_A_NUMBER, 2, column, cell)]


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("usages", "0.5", CommonError.NOT_AN_INTEGER),
        ("usages", "9223372036854775808", CommonError.NUMBER_OUT_OF_RANGE),
        ("usages", "-9223372036854775809", CommonError.NUMBER_OUT_OF_RANGE),
        ("usages", "1e400", CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "1e30", CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "1" + "0" * 30, CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "-1" + "0" * 30 + ".5", CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "0." + "0" * 60 + "1", CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "1e-61", CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "1.23456789012345678e-44", CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "1e400", CommonError.NUMBER_OUT_OF_RANGE),
        ("revenue", "1e131000", CommonError.NUMBER_OUT_OF_RANGE),
    ],
)
def test_a_number_is_out_of_range(column, cell, code):
    reading = read(line(**{"dsp_id": "a", column: cell}))

    assert reading.problems == [(code, 2, column, cell)]


def test_an_exponent_of_thousands_of_digits_is_out_of_range():
    reading = read(line("a", revenue="1e" + "9" * 4000))

    assert reading.problems == [(CommonError.NUMBER_OUT_OF_RANGE, 2, "revenue", "1e" + "9" * 198)]


def test_an_isrc_is_rewritten():
    reading = read(line("a", isrc="ISRC es-abc-20-00001"))

    assert reading.problems == []
    assert reading.output == b"a\t\t\tESABC2000001\t\t\n"


@pytest.mark.parametrize("isrc", ["ESABC200001", "ESABC20000011", "unknown", "-", "ßABC2000001"])
def test_a_bad_isrc_is_a_warning_and_stays_as_it_is(isrc):
    reading = read(line("a", isrc=isrc, revenue="5"), line("b", isrc=isrc, revenue="+5"))

    assert reading.problems == [
        (CommonWarning.ISRC_INVALID, 2, "isrc", isrc),
        (CommonWarning.ISRC_INVALID, 3, "isrc", isrc),
    ]
    assert (reading.log.error_count, reading.log.warning_count) == (0, 2)
    assert reading.output == f"a\t\t\t{isrc}\t\t5\nb\t\t\t{isrc}\t\t5\n".encode()


@pytest.mark.parametrize("isrc", ["ESABC2000001\u200b", "\ufeffESABC2000001", "ES\xa0ABC\xa020\xa000001"])
def test_an_invisible_character_in_an_isrc_is_a_warning_and_stays(isrc):
    reading = read(line("a", isrc=isrc, revenue="5"))

    assert reading.codes == [(CommonWarning.INVISIBLE_CHARACTER, 2)]
    assert reading.output == f"a\t\t\t{isrc}\t\t5\n".encode()


@pytest.mark.parametrize("isrc", [" ", "\xa0", "\u200b \ufeff"])
def test_an_isrc_that_is_blank_to_a_person_is_blank(isrc):
    reading = read(line("a", isrc=isrc, revenue="5"))

    assert reading.codes == [(CommonWarning.INVISIBLE_CHARACTER, 2)]
    assert reading.output == b"a\t\t\t\t\t5\n"


def test_every_wrong_cell_of_a_line_is_reported():
    reading = read(line("", "x\0y", "", "bad", "1.5", "NaN"))

    assert reading.problems == [
        (TsvError.DSP_ID_MISSING, 2, "dsp_id", ""),
        (CommonError.CONTROL_CHARACTER, 2, "title", r"x\x00y"),
        (CommonWarning.ISRC_INVALID, 2, "isrc", "bad"),
        (CommonError.NOT_AN_INTEGER, 2, "usages", "1.5"),
        (CommonError.NOT_A_NUMBER, 2, "revenue", "NaN"),
    ]


# --- UTF-8 -----------------------------------------------------------------------------------------------------

NOT_UTF8 = {
    "Latin-1": b"Espa\xf1a",
    "2 bytes cut": b"\xc3",
    "3 bytes cut": b"\xe2\x82",
    "4 bytes cut": b"\xf0\x9f\x8e",
    "follower alone": b"\x80",
    "overlong slash": b"\xc0\xaf",
    "overlong NUL": b"\xc0\x80",
    "overlong in 3 bytes": b"\xe0\x80\xaf",
    "overlong in 4 bytes": b"\xf0\x80\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "never used": b"\xff",
}


@pytest.mark.parametrize("wrong", NOT_UTF8.values(), ids=NOT_UTF8)
@pytest.mark.parametrize(("before", "after"), [(b"", b""), (b"x", b"y")])
def test_invalid_utf8_is_reported_with_its_column(wrong, before, after):
    cell = before + wrong + after
    reading = read(line("a"), b"b\tok\t" + cell + b"\t\t1\t2", line("c"))

    shown = "".join(chr(byte) if byte < 0x80 else f"\\x{byte:02x}" for byte in cell)
    assert reading.problems == [(CommonError.NOT_UTF8, 3, "artists", shown)]
    assert reading.reader.line_count == 3


def test_invalid_utf8_does_not_hide_the_errors_of_other_lines():
    reading = read(line("a", revenue="x"), b"b\xff\t\t\t\t\t", line("c", usages="x"), b"\xff", b"\t\t\t\t\t\t\t\xff")

    assert reading.problems == [
        (CommonError.NOT_A_NUMBER, 2, "revenue", "x"),
        (CommonError.NOT_UTF8, 3, "dsp_id", r"b\xff"),
        (CommonError.NOT_A_NUMBER, 4, "usages", "x"),
        (CommonError.NOT_UTF8, 5, "dsp_id", r"\xff"),
        (CommonError.NOT_UTF8, 6, None, r"\xff"),
    ]


@pytest.mark.parametrize("wrong", [b"", *NOT_UTF8.values()], ids=["right", *NOT_UTF8])
def test_characters_are_checked_alike_wherever_the_chunks_are_cut(wrong):
    content = HEADER.encode() + b"\n" + "é\t€\t🎵".encode() + wrong + b"\t\t\t\n" + line("b").encode() + b"\n"

    readings = [Reading(content[:cut], content[cut:]) for cut in range(len(content) + 1)]

    assert {tuple(reading.codes) for reading in readings} == {((CommonError.NOT_UTF8, 2),) if wrong else ()}
    assert {reading.reader.line_count for reading in readings} == {2}


# --- Blocks and long lines -------------------------------------------------------------------------------------


def test_lines_are_numbered_through_all_blocks():
    ok, rewritten, wrong = line("a", usages="1") + "\n", line("b", usages="1.0") + "\n", line("c", usages="x") + "\n"
    lines = [ok, rewritten, wrong, ok, ok, wrong, wrong, rewritten, wrong, ok, wrong]  # the first is line 2
    content = (HEADER + "\n" + "".join(lines)).encode()

    for size in (1, 7, 40, 64, 1000):
        reading = Reading(*(content[at : at + size] for at in range(0, len(content), size)))

        assert [problem.line for problem in reading.log.kept] == [4, 7, 8, 10, 12]
        assert reading.reader.line_count == 11
        # The five lines with an error are read cell by cell, like the two lines that are rewritten.
        assert reading.reader.rewritten_count == 7


@pytest.mark.parametrize("size", [1000, 65536, LONGEST_LINE, 10 * LONGEST_LINE])
@pytest.mark.parametrize(
    ("long_line", "codes"),
    [
        (line("a" * 1_048_571), [(CommonError.CELL_TOO_LONG, 3)]),  # and five tabs
        (line("a", "b" * 1_048_570), [(CommonError.CELL_TOO_LONG, 3)]),
        (line("a" * 1_048_572), [(CommonError.LINE_TOO_LONG, 3)]),
        (line("a", "b" * 1_048_571), [(CommonError.LINE_TOO_LONG, 3)]),
    ],
    ids=["long dsp_id", "long title", "too long dsp_id", "too long title"],
)
def test_a_line_of_one_mebibyte_is_the_longest(size, long_line, codes):
    content = (HEADER + "\n" + line("b") + "\n" + long_line + "\n").encode()

    reading = Reading(*(content[at : at + size] for at in range(0, len(content), size)))

    assert reading.codes == codes


@pytest.mark.parametrize("column", ["dsp_id", "title", "artists", "isrc", "usages", "revenue"])
@pytest.mark.parametrize("letter", ["9", "é", "音", "\U0001f3b5"])
@pytest.mark.parametrize("rewritten", [False, True])
def test_a_cell_has_at_most_4096_bytes(column, letter, rewritten):
    """Also in a line that is read cell by cell, because its usages are to be rewritten."""
    if column in ("usages", "revenue"):
        letter, rewritten = "0", False
    most = 4096 // len(letter.encode())
    usages = {"usages": "5.0"} if rewritten else {}
    longest, longer = ({"dsp_id": "a", **usages, column: letter * n} for n in (most, most + 1))

    reading = read(line(**longest), line(**longer))

    errors = [problem for problem in reading.problems if problem[0] != CommonWarning.ISRC_INVALID]
    assert errors == [(CommonError.CELL_TOO_LONG, 3, column, letter * 200)]


def test_a_longer_line_is_refused_even_if_its_cells_are_valid():
    texts = line("a" * (LONGEST_LINE // 3), "b" * (LONGEST_LINE // 3), "c" * (LONGEST_LINE // 3))

    reading = read(texts, line("d", revenue="x"))

    assert reading.codes == [(CommonError.LINE_TOO_LONG, 2), (CommonError.NOT_A_NUMBER, 3)]


@pytest.mark.parametrize(
    ("start", "line_number"), [(b"", 1), (BOM, 1), (HEADER.encode() + b"\n", 2), (HEADER.encode() + b"\na\t", 2)]
)
def test_a_line_without_end_is_read_only_up_to_the_limit(start, line_number):
    taken = 0

    def endless():
        nonlocal taken
        yield start
        for chunk in repeat(b"x" * 65536):
            taken += len(chunk)
            yield chunk

    log = ProblemLog(10)
    output = b"".join(ReportReader(endless(), log))

    assert [(problem.code, problem.line) for problem in log.kept] == [(CommonError.LINE_TOO_LONG, line_number)]
    assert output == b""
    assert taken <= LONGEST_LINE + 65536


def test_memory_is_bounded():
    chunk = (line("a", "t" * 1000, "r" * 1000, usages="5", revenue="0.5") + "\n").encode() * 500  # 1 MB
    chunks = (chunk[at:] + chunk[:at] for at in range(1, 33))

    tracemalloc.start()
    try:
        reader = ReportReader((piece for part in ([HEADER.encode() + b"\n"], chunks) for piece in part), ProblemLog(10))
        size = sum(len(block) for block in reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size > 32_000_000
    assert peak < 8_000_000


# --- Reported problems -----------------------------------------------------------------------------------------


def test_the_first_problems_are_kept_and_all_are_counted():
    reading = read(*[line("a", isrc="bad", revenue="x")] * 5, limit=2)

    assert reading.codes == [
        (CommonWarning.ISRC_INVALID, 2),
        (CommonError.NOT_A_NUMBER, 2),
        (CommonWarning.ISRC_INVALID, 3),
        (CommonError.NOT_A_NUMBER, 3),
    ]
    assert (reading.log.error_count, reading.log.warning_count) == (5, 5)
    assert [problem.line for problem in reading.log.errors] == [2, 3]
    assert [problem.line for problem in reading.log.warnings] == [2, 3]


def test_errors_leave_room_for_warnings():
    reading = read(*[line("a", revenue="x")] * 5, line("a", isrc="bad"), limit=1)

    assert reading.codes == [(CommonError.NOT_A_NUMBER, 2), (CommonWarning.ISRC_INVALID, 7)]


def test_after_an_earlier_error_nothing_is_read():
    log = ProblemLog(10)
    log.add(Problem(CommonError.EXCHANGE_RATE_MISSING))

    assert list(ReportReader([HEADER.encode() + b"\n" + ONE_LINE], log)) == []


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("x" * 1000, "x" * 200),
        ("é🎵" * 1000, "é🎵" * 100),
        ("5\xa0", r"5\xa0"),
        ("\x1b[2J5", r"\x1b[2J5"),
        ("\x9b2J5", r"\x9b2J5"),
        ("5\u202e", r"5\u202e"),
        ("\x00" * 100, r"\x00" * 50),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_a_reported_value_is_short_and_printable(cell, shown):
    reading = read(line("a", revenue=cell))

    assert [problem.value for problem in reading.log.kept] == [shown]
    assert len(shown) <= LONGEST_VALUE


# --- Compared with a slow and simple reader --------------------------------------------------------------------


def simple_cell(column: str, cell: str) -> tuple[object, str | None]:
    """The value of a cell, None if it is blank, and the code of its problem."""
    if any(ord(character) < 32 or ord(character) == 127 for character in cell):
        return None, "control_character"
    if column == "dsp_id":
        return cell, simple_id(cell)
    if column == "isrc" and cell:
        return simple_isrc(cell)
    if column in ("usages", "revenue") and cell:
        return simple_number(cell, is_whole=column == "usages")
    return cell or None, None


def simple_id(cell: str) -> str | None:
    if looks_blank(cell):
        return "dsp_id_missing"
    if cell != cell.strip(" ") or any(map(looks_invisible, cell)):
        return "invisible_character"
    return "dsp_id_rounded" if re.fullmatch(r"\d([.,]\d+)?[eE]\+\d+", cell, re.ASCII) else None


def simple_isrc(cell: str) -> tuple[str | None, str | None]:
    compact = cell.replace("-", "").replace(" ", "")
    compact = compact.upper() if compact.isascii() else compact
    for candidate in (compact, compact.removeprefix("ISRC")):
        if re.fullmatch("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", candidate):
            return candidate, None
    if looks_blank(cell):
        return None, "invisible_character"
    return cell, "invisible_character" if any(map(looks_invisible, cell)) else "isrc_invalid"


def simple_number(cell: str, *, is_whole: bool) -> tuple[object, str | None]:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", cell):
        return None, "not_a_number"
    try:
        exact = Fraction(Decimal(cell))
    except InvalidOperation:  # an exponent out of the range of Decimal
        return None, "number_out_of_range"
    if abs(exact) >= 10**30 or (exact * 10**60).denominator > 1:
        return None, "number_out_of_range"
    if is_whole and exact.denominator > 1:
        return None, "not_an_integer"
    if is_whole and not -(2**63) <= exact < 2**63:
        return None, "number_out_of_range"
    return (int(exact) if is_whole else Decimal(cell)), None


def simple_line(raw: bytes, columns: list[str]) -> tuple[tuple | None, list[tuple]]:
    """The values of a line, and the column and code of each problem."""
    cells = raw.removesuffix(b"\r").split(b"\t")
    marks = []
    while cells[0].startswith(BOM):
        cells[0], marks = cells[0].removeprefix(BOM), [(None, "byte_order_mark")]
    for position, cell in enumerate(cells):
        try:
            cell.decode()
        except UnicodeDecodeError:
            return None, [*marks, (columns[position] if position < len(columns) else None, "not_utf8")]
    if len(cells) != len(columns):
        return None, [*marks, (None, "wrong_cell_count")]
    checked = [simple_cell(column, cell.decode()) for column, cell in zip(columns, cells, strict=True)]
    problems = [(column, code) for column, (_, code) in zip(columns, checked, strict=True) if code]
    return tuple(value for value, _ in checked), [*marks, *problems]


def simple_report(content: bytes) -> tuple[list[tuple | None], list[tuple]]:
    """The values of every line of a report with a valid header, and the line, column and code of each problem."""
    header, *lines = content.removeprefix(BOM).split(b"\n")
    columns = header.removesuffix(b"\r").decode().split("\t")
    if lines:
        lines[-1] = lines[-1].rstrip(b"\x1a")
    while lines and looks_blank(lines[-1].decode(errors="replace")):
        lines.pop()
    values, problems = [], []
    for number, raw in enumerate(lines, start=2):
        cells, wrong = simple_line(raw, columns)
        values.append(cells)
        problems += [(number, column, code) for column, code in wrong]
    return values, problems


def loaded_values(output: bytes, columns: tuple[str, ...], line_end: bytes) -> list[tuple]:
    """The values that the database would read: tab-separated cells, None if they are blank."""
    assert not output or output.endswith(line_end)
    types = {"usages": int, "revenue": Decimal}
    return [
        tuple(
            types.get(column, str)(cell) if cell else None
            for column, cell in zip(columns, raw.decode().split("\t"), strict=True)
        )
        for raw in output.split(line_end)[:-1]
    ]


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6) | st.sampled_from(
    ["", '"', '"Heroes"', "\\.", "\\N", "NULL", "x" * 300, "\x85", "\u2028", "a\ufeff"]
)
SLOW = b"[\xc2\xcd\xd8\xe1-\xe3\xef\xf0\xf3]"
unmarked_texts = texts.filter(lambda text: text[:1] != "\ufeff")
VALID = {
    # Ids with the first byte of an invisible character are read cell by cell.
    "dsp_id": texts.filter(lambda text: simple_id(text) is None and not re.search(SLOW, text.encode())),
    "title": unmarked_texts,
    "artists": unmarked_texts,
    "isrc": st.sampled_from(["", "ESABC2000001", "ISRC12000001"]),
    "usages": st.just("") | st.integers(-(10**17), 10**17).map(str),
    "revenue": st.sampled_from(["", "-0", "0.10", "2.220446049250313e-16", "9.9E29", "9" * 30 + "." + "9" * 60])
    | st.decimals(-(10**20), 10**20, places=20).map("{:f}".format)
    | st.floats(0.0, 1e15).map(repr).filter(lambda cell: "e-" not in cell),
}
REWRITTEN = {
    "dsp_id": st.sampled_from([" a", "  b ", "a\xa0", "\ufeffa", "5.01235E+12"])
    | texts.filter(lambda text: not looks_blank(text)),
    "title": texts | st.just("\ufeffa"),
    "artists": texts,
    "isrc": st.sampled_from(
        [
            " ",
            "\u200b",
            "ESABC2000001\xa0",
            "es-abc-20-00001",
            "ISRC ESABC2000001",
            "is-rc1-20-00001",
            "bad",
            "-",
            "\u017f",
        ]
    ),
    "usages": st.sampled_from(["5.0", "+5", "5e0", "-0", "-0.0", "00000000000000000000007", "9223372036854775807"]),
    "revenue": st.sampled_from(["+1", ".5", "5.", "12e3", "1e-60", "9e29", "0e-999", "-0.0", "1." + "0" * 70]),
}
INVALID = {
    "dsp_id": st.sampled_from(["", " ", "\xa0", "\ufeff", "a\x01", "\r"]),
    "title": st.sampled_from(["\0", "a\rb", "\x1f", "\x7f"]),
    "artists": st.sampled_from(["\x01\x01", '\x01"']),
    "isrc": st.sampled_from(["\x01", "ESABC2000001\x0b"]),
    "usages": st.sampled_from(["1.5", "x", "1_0", "9223372036854775808", "1e400", "٥", "5\r"]),
    "revenue": st.sampled_from(["NaN", "1e30", "1e-61", "1,5", "５", "1e131000", "1e" + "9" * 30, "\r1", "Infinity"]),
}
garbage = st.binary(max_size=12).filter(lambda raw: b"\n" not in raw)


@st.composite
def reports(draw, *kinds: dict, with_garbage: bool = False, line_ends: tuple[bytes, ...] = (b"\n", b"\r\n")) -> bytes:
    """A report with a valid header. Each cell is valid or of one of `kinds`."""
    columns = draw(st.permutations(COLUMNS))
    header_end = draw(st.sampled_from(line_ends))
    cells = st.one_of(st.just(VALID), st.just(VALID), *map(st.just, kinds))
    lines = st.tuples(*(cells.flatmap(lambda kind, column=column: kind[column]) for column in columns))
    encoded = lines.map(lambda line: "\t".join(line).encode())
    encoded = st.one_of(encoded, encoded, encoded, garbage) if with_garbage else encoded
    body = draw(
        st.lists(st.tuples(encoded, st.just(header_end) if not kinds else st.sampled_from(line_ends)), max_size=6)
    )
    content = "\t".join(columns).encode() + header_end + b"".join(map(b"".join, body))
    content = content.removesuffix(b"\n") if kinds and draw(st.booleans()) else content
    return draw(st.sampled_from([b"", BOM])) + content


@st.composite
def cut(draw, content: st.SearchStrategy[bytes]) -> list[bytes]:
    """The content in chunks, cut at any position."""
    whole = draw(content)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return [whole[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@settings(max_examples=120)
@given(cut(reports(REWRITTEN, INVALID, with_garbage=True)))
def test_the_reader_finds_the_problems_that_a_simple_reader_finds(chunks):
    reading = Reading(*chunks)
    values, problems = simple_report(b"".join(chunks))

    assert [(problem.line, problem.column, problem.code) for problem in reading.log.kept] == problems
    assert reading.reader.line_count == len(values)


@settings(max_examples=80)
@given(cut(reports(REWRITTEN)))
def test_the_reader_passes_on_the_values_that_a_simple_reader_reads(chunks):
    reading = Reading(*chunks)
    values, _ = simple_report(b"".join(chunks))

    assert reading.log.errors == []
    assert loaded_values(reading.output, reading.reader.columns, reading.reader.line_end) == values


BLANK_ISRCS = [("isrc", " "), ("isrc", r"\u200b")]


@settings(max_examples=60)
@given(cut(reports(REWRITTEN)))
def test_output_that_is_read_again_stays_unchanged(chunks):
    first = Reading(*chunks)
    header = "\t".join(first.reader.columns).encode() + first.reader.line_end

    second = Reading(header + first.output)

    assert second.output == first.output
    # Byte order marks and blank ISRCs are no longer there.
    kept = [one for one in first.problems if one[0] != "byte_order_mark" and one[2:] not in BLANK_ISRCS]
    assert second.problems == kept


@settings(max_examples=60)
@given(cut(reports()))
def test_valid_lines_stay_unchanged(chunks):
    reading = Reading(*chunks)

    assert reading.problems == []
    assert reading.output == b"".join(chunks).removeprefix(BOM).partition(b"\n")[2]
    assert reading.reader.rewritten_count == 0


# --- Into the database -----------------------------------------------------------------------------------------


def load(reading_chunks: list[bytes]) -> tuple[tuple[str, ...], list[tuple]]:
    """The lines that the database has after loading: line number and cells."""
    reader = ReportReader(iter(reading_chunks), ProblemLog(1000))
    lines = LineLoad(1, temporary=True)
    lines.copy(iter(reader), reader.columns)
    lines.store()
    lines.discard()
    stored = list(UsageLine.objects.filter(dsr=1).order_by("line_number").values_list("line_number", *reader.columns))
    lines_drop(dsr_numbers=[1], partition=SHARED_PARTITION)
    return reader.columns, stored


@pytest.mark.django_db
@settings(max_examples=40)
@given(cut(reports(REWRITTEN)))
def test_the_database_has_the_values_of_the_report(chunks):
    _, stored = load(chunks)
    values, _ = simple_report(b"".join(chunks))

    assert stored == [(number, *cells) for number, cells in enumerate(values, start=2)]


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_database_takes_no_text_for_a_marker_of_its_own(end):
    texts = ["\\.", "\\N", "NULL", '"', '""', '"a', 'a"', "\\", "\\t", "'", "\ufeff", "\x85", " "]
    content = end.join([HEADER, *(line(f"a{text}z", text, text) for text in texts), ""])

    _, stored = load([content.encode()])

    assert [(title, artists) for _, _, title, artists, *_ in stored] == [(text, text) for text in texts]


@pytest.mark.django_db
def test_the_database_keeps_every_digit():
    revenues = ["2.220446049250313e-16", "9" * 30 + "." + "9" * 60, "-" + "9" * 30, "1e-60", "0.10", "-0", ""]
    content = "\n".join([HEADER, *(line("a", revenue=revenue) for revenue in revenues), ""])

    _, stored = load([content.encode()])

    assert [None if row[-1] is None else f"{row[-1]:f}" for row in stored] == [
        "0.0000000000000002220446049250313",
        "9" * 30 + "." + "9" * 60,
        "-" + "9" * 30,
        "0." + "0" * 59 + "1",
        "0.10",
        "0",
        None,
    ]
