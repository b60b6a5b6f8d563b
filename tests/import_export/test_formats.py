"""The formats of exports: each text is exactly that text when the file is read, and never a formula."""

import csv
import io
import itertools
import json
import re
import zipfile
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from xlsxwriter.exceptions import FileSizeError

from dsrhub.import_export import formats
from dsrhub.import_export.formats import CSV, JSON, TSV, XLSX, DoesNotFit
from dsrhub.import_export.tables import Filter, Table, dated_name

NBSP, ZERO_WIDTH, BOM, SOFT_HYPHEN = "\N{NO-BREAK SPACE}", "\u200b", "\ufeff", "\xad"
# What XlsxWriter, Excel and XML give a meaning to, in pieces that texts are made of.
PIECES = (
    *("<r>", "</r>", "<t>", "</t>", "<f>1+1</f>", "&", "&lt;", "]]>", "<!--", "_x0041_", "_x000D_", "x005F_", "_"),
    *("=", "+", "-", "@", "＝", "＋", "－", "＠", "'", '"', ";", ",", "|", "\t", "\r", "\n", "\r\n"),
    *(" ", NBSP, ZERO_WIDTH, BOM, SOFT_HYPHEN, "1+1", "http://example.org", "A", "é", "日本", "😀"),
    *("\x00", "\x01", "\x1f", "\x7f", "\x85", "\u2028", "\ufffe", "\uffff", "\ud83d", "\udc00"),
)
hostile_texts = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=6).map("".join)
rock_and_roll = example(["<r>Rock & Roll</r>", "<r><t>x</t></r>", "_x000D_x0041_", "=1+1", "a\r\nb", ""])
# XML 1.0, production 2: a character.
XML_CHARACTER = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The signs that start a formula, and what a spreadsheet may drop before them.
FORMULA = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b\ufeff]*[=+\-@＝＋－＠]")


def table(texts):
    return Table(("text",), ((text,) for text in texts))


def exported(file_format, texts, **options):
    return b"".join(file_format.export_data(table(texts), **options))


def sheet(data):
    return load_workbook(io.BytesIO(data)).active


def csv_texts(data, **dialect):
    return [cells[0] for cells in csv.reader(io.StringIO(data.decode(), newline=""), **dialect)][1:]


def without_surrogates(text):
    return text.encode("utf-8", "backslashreplace").decode()


# --- XLSX ------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(hostile_texts, min_size=1, max_size=12))
@rock_and_roll
def test_a_sheet_has_each_text_as_a_text(texts):
    _, *rows = sheet(exported(XLSX(), texts)).iter_rows()
    # As ECMA-376 writes the characters that XML cannot have.
    expected = [
        "".join(one if XML_CHARACTER.fullmatch(one) else f"_x{ord(one):04X}_" for one in text) for text in texts
    ]
    assert [row[0].value for row in rows] == expected
    assert {row[0].data_type for row in rows} == {"s"}


@settings(max_examples=20)
@given(st.lists(hostile_texts, min_size=1, max_size=12))
@rock_and_roll
def test_nothing_in_a_sheet_is_live(texts):
    with zipfile.ZipFile(io.BytesIO(exported(XLSX(), texts))) as archive:
        assert not [name for name in archive.namelist() if "externalLink" in name or "worksheets/_rels" in name]
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    # The elements of cells: rows, cells, inline strings, their runs and texts. No formula and no link.
    data = xml.partition("<sheetData>")[2].partition("</sheetData>")
    assert set(re.findall("<([a-zA-Z]+)", data[0])) <= {"row", "c", "is", "r", "t"}
    assert "hyperlink" not in data[2]


def test_a_text_stays_a_text_when_it_is_edited():
    """In a cell with the format `@`, Excel does not read what is typed."""
    _, (cell,) = sheet(exported(XLSX(), ["=1+1"])).iter_rows()
    assert (cell.value, cell.data_type, cell.number_format) == ("=1+1", "s", "@")


@pytest.mark.parametrize("text", ["t" * 32_768, "😀" * 16_384, "<r>" + "&" * 32_765])
def test_a_text_that_does_not_fit_is_refused_with_its_place(text):
    """Excel counts units of UTF-16, and XlsxWriter cuts what is longer."""
    message = r"^A cell of a sheet holds 32,767 characters, and text in row 3 has more\. Choose another format\.$"
    with pytest.raises(DoesNotFit, match=message):
        exported(XLSX(), ["short", text])


@pytest.mark.parametrize("text", ["t" * 32_767, "😀" * 16_383, "<r>" + "&" * 32_764])
def test_the_longest_text_fits(text):
    _, (cell,) = sheet(exported(XLSX(), [text])).iter_rows()
    assert cell.value == text


def test_a_sheet_above_4_gb_is_refused(monkeypatch):
    def too_large(*args):
        raise FileSizeError("Filesize would require ZIP64 extensions.")

    monkeypatch.setattr("xlsxwriter.workbook.Workbook._store_workbook", too_large)
    with pytest.raises(DoesNotFit, match="more than 4 GB"):
        exported(XLSX(), ["a"])


def test_amounts_are_numbers_and_also_texts_with_all_digits():
    digits = "2.220446049250313000000000000000000000001"
    amounts = [Decimal(digits), Decimal("-0.10"), None, Decimal("1E-60"), Decimal(10**29)]
    data = Table(("day", "revenue", "note"), ((None, amount, "n") for amount in amounts), amounts=("revenue",))
    header, *rows = sheet(b"".join(XLSX().export_data(data))).iter_rows()
    assert [cell.value for cell in header] == ["day", "revenue", "note", "revenue_exact"]
    assert [(row[1].value, row[3].value) for row in rows] == [
        (2.220446049250313, digits),
        (-0.1, "-0.10"),
        (None, None),
        (1e-60, "0." + "0" * 59 + "1"),
        (1e29, "1" + "0" * 29),
    ]
    assert {row[3].data_type for row in rows if row[3].value} == {"s"}


def test_a_sheet_has_a_name_a_frozen_heading_and_widths_that_fit():
    rows = [("a" * 30, 1, None), ("b" * 200, 1_234_567, Decimal("1234567.891"))]
    data = Table(("title", "usages", "revenue"), rows, ("revenue",), title="Top [2020]: A/B of many recordings, all")
    book = load_workbook(io.BytesIO(b"".join(XLSX().export_data(data))))
    assert book.sheetnames == ["Top  2020   A B of many recordi", "Filters"]
    one = book.worksheets[0]
    assert one.freeze_panes == "A2"
    assert all(cell.font.bold for cell in one[1])
    widths = [round(one.column_dimensions[letter].width) for letter in "ABC"]
    # At most 60 characters; "1,234,567" and "1,234,567.89" with two more.
    assert widths == [61, 12, 15]


@pytest.mark.parametrize(
    ("column", "number", "style"),
    [
        ("revenue", Decimal("1234.5"), "#,##0.00"),
        ("revenue", Decimal("-0.01"), "#,##0.00"),
        ("revenue", Decimal(0), "#,##0.00"),
        # Two decimals would show nothing.
        ("revenue", Decimal("0.0025"), "General"),
        ("revenue", Decimal("-0.0025"), "General"),
        ("usages", 1_234_567, "#,##0"),
        ("usages", Decimal(12), "#,##0"),
        ("usages", Decimal("0.5"), "General"),
        ("dsr", 1234, "0"),
    ],
)
def test_numbers_have_formats_for_people(column, number, style):
    data = Table((column,), [(number,)], amounts=("revenue",) if column == "revenue" else ())
    _, (cell, *_) = sheet(b"".join(XLSX().export_data(data))).iter_rows()
    assert (cell.value, cell.number_format) == (float(number), style)


def test_a_filter_is_a_text_in_the_workbook_whatever_it_is():
    filters = [Filter("search", "=1+1"), Filter("title", "<r>Rock & Roll</r>")]
    book = load_workbook(io.BytesIO(b"".join(XLSX().export_data(Table(("a",), [], filters=filters)))))
    cells = [row[1] for row in book["Filters"].iter_rows(min_row=3)]
    assert [(cell.value, cell.data_type) for cell in cells] == [("=1+1", "s"), ("<r>Rock & Roll</r>", "s")]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([], "dsrs"),
        (["ES", "2020-01-01"], "dsrs_ES_2020-01-01"),
        (["Cœur/../de\\pirate é.csv"], "dsrs_Cur-de-pirate-e-csv"),
        (["日本", "a b"], "dsrs_a-b"),
        (["x" * 50], "dsrs_" + "x" * 40),
        (["x" * 50] * 5, "dsrs_" + "_".join(["x" * 40] * 2) + "_" + "x" * 33),
    ],
)
def test_the_name_of_a_file_has_the_filters_in_safe_characters(values, name):
    made = dated_name("dsrs", "csv", [Filter("name", value) for value in values])
    assert re.fullmatch(re.escape(name) + r"_\d{4}-\d\d-\d\d\.csv", made)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (999_999_999_999_999, 999_999_999_999_999),
        (1_000_000_000_000_001, "1000000000000001"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63), "-9223372036854775808"),
        (10**20, 10**20),
        (0, 0),
        (Decimal("0.1234567890123456"), "0.1234567890123456"),
        (Decimal("0.00123456789012345"), 0.00123456789012345),
        (Decimal("-0.0"), 0),
    ],
)
def test_another_number_of_more_than_15_digits_is_a_text(number, value):
    _, (cell,) = sheet(exported(XLSX(), [number])).iter_rows()
    assert cell.value == value


# --- CSV -------------------------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(st.lists(hostile_texts, min_size=1, max_size=12))
@rock_and_roll
def test_a_csv_has_each_text_or_the_text_behind_an_apostrophe(texts):
    for text, cell in zip(texts, csv_texts(exported(CSV(), texts)), strict=True):
        assert not cell.startswith(("\t", "\r", "\n"))
        # Some spreadsheets take a semicolon for the end of a cell, whatever the quotes.
        assert not any(FORMULA.match(part) for part in re.split("[;\t\r\n]", cell))
        if "'" not in text:
            assert cell.replace("'", "") == without_surrogates(text)


def test_different_texts_differ_in_a_csv():
    """A program can remove the apostrophes: no text looks like another text with its apostrophe."""
    texts = ["".join(one) for length in range(6) for one in itertools.product("='\t;x", repeat=length)]
    assert len(set(csv_texts(exported(CSV(), texts)))) == len(texts)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        (NBSP + "=1+1", "'" + NBSP + "=1+1"),
        (ZERO_WIDTH + "=1", "'" + ZERO_WIDTH + "=1"),
        (BOM + "=1", "'" + BOM + "=1"),
        ("\x01=1", "'\x01=1"),
        ("＝1+1", "'＝1+1"),
        ("+49", "'+49"),
        ("-id", "'-id"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("a;=1+1", "a;'=1+1"),
        ("a\n=1", "a\n'=1"),
        # No formula.
        ("a=1", "a=1"),
        ("a;b", "a;b"),
        ("'n' Roll", "'n' Roll"),
        ("#1", "#1"),
        ("", ""),
    ],
)
def test_the_apostrophe_stands_before_what_a_spreadsheet_may_calculate(text, cell):
    assert csv_texts(exported(CSV(), [text])) == [cell]


def test_every_text_of_a_csv_is_quoted_and_no_number():
    data = Table(("text", "number"), [('Say "hi"; bye, all', Decimal("-1E-7")), ("7", 7), (None, None)])
    assert b"".join(CSV().export_data(data)).decode() == (
        '"text","number"\r\n"Say ""hi""; bye, all",-0.0000001\r\n"7",7\r\n,\r\n'
    )


def test_a_csv_starts_with_a_byte_order_mark_if_asked_to(monkeypatch):
    monkeypatch.setattr(formats, "PAGE_ROWS", 1)
    data = exported(CSV(), ["é", "é"], bom=True)
    assert data == b'\xef\xbb\xbf"text"\r\n"\xc3\xa9"\r\n"\xc3\xa9"\r\n'
    for other in (TSV(), JSON()):
        assert not exported(other, ["é"], bom=True).startswith(b"\xef\xbb\xbf")


# --- TSV and JSON ----------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(hostile_texts, min_size=1, max_size=12))
@rock_and_roll
def test_a_tsv_has_texts_as_they_are_but_for_its_separators(texts):
    lines = exported(TSV(), texts).decode().removesuffix("\r\n").split("\r\n")
    assert lines[1:] == [re.sub("[\t\r\n]", " ", without_surrogates(text)) for text in texts]


@settings(max_examples=30)
@given(st.lists(hostile_texts, min_size=1, max_size=12))
@rock_and_roll
def test_json_has_each_text(texts):
    assert [row["text"] for row in json.loads(exported(JSON(), texts))] == texts
