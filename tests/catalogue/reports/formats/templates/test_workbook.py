"""Workbooks, row by row: each number is the shortest decimal of its double, and no row is lost."""

import zipfile
from datetime import date, datetime

import pytest
import xlsxwriter
from openpyxl import Workbook

from tests.catalogue.report_templates.helpers import HEADINGS, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed
from tests.catalogue.reports.formats.templates.reading import read_file, read_text

XLSX = changed("file", {"kind": "xlsx"})
SHEET = "xl/worksheets/sheet1.xml"


def workbook(folder, *rows, headings=HEADINGS, sheets=()):
    """A workbook at a path, with more sheets behind the one that has the rows."""
    book = Workbook()
    for row in (headings, *rows):
        book.active.append(row)
    for name in sheets:
        book.create_sheet(name).append(["nothing"])
    path = folder / "tonbank.xlsx"
    book.save(path)
    return path


def rewritten(path, part, change):
    """The workbook with one of its parts changed, as a text."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def revenues(found):
    return [line["revenue"] for lines in found.lines.values() for line in lines]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("0.1", "0.1"),
        ("0.10000000000000001", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1E-7", "0.0000001"),
        ("1.234", "1.234"),
        ("1234.5", "1234.5"),
        ("5", "5"),
        ("2.0", "2"),
        ("-3.25", "-3.25"),
        ("123456789012345678", "123456789012345680"),
    ],
)
@pytest.mark.parametrize(("decimal", "thousands"), [(".", ","), (",", ".")])
def test_a_number_is_the_shortest_decimal_of_its_double(tmp_path, value, plain, decimal, thousands):
    path = workbook(tmp_path, [*sale()[:-1], 7777], [*sale()[:-1], f"1{thousands}234{decimal}5"])
    rewritten(path, SHEET, lambda xml: xml.replace("<v>7777</v>", f"<v>{value}</v>"))
    found = read_file(path, XLSX | {"numbers": {"decimal": decimal, "thousands": thousands}})
    # A number that is stored as a text is written as the template says.
    assert (revenues(found), found.problems) == ([plain, "1234.5"], [])


def test_days_and_ids_are_read_as_texts(tmp_path):
    data = XLSX | {"dates": {"forms": ["YYYY-MM-DD"], "whole_months": True}}
    row = sale(isrc="")
    row[2], row[5] = date(2020, 1, 15), 5012345678900
    other = [*row]
    other[2] = datetime(2020, 2, 1)  # noqa: DTZ001 - workbooks know no time zones
    found = read_file(workbook(tmp_path, row, other), data)
    assert [str(one.period_end) for one in found.contexts] == ["2020-01-31", "2020-02-29"]
    assert found.lines[1][0]["dsp_id"] == "5012345678900"


def test_problems_name_the_row_of_the_sheet(tmp_path):
    found = read_file(workbook(tmp_path, sale(), [], sale(net="x"), [*sale()[:-1]]), XLSX)
    assert found.problems == [("not_a_number", 4, "Net", "x")]


def test_the_template_may_name_a_sheet(tmp_path):
    path = workbook(tmp_path, sale(), sheets=["Notes"])
    assert len(read_file(path, changed("file.sheet", "Sheet", XLSX)).contexts) == 1
    assert read_file(path, changed("file.sheet", "Sales", XLSX)).problems == [("sheet_missing", None, None, "Sales")]


def test_a_template_for_either_kind_reads_both(tmp_path):
    data = changed("file", {"kind": "either"})
    assert len(read_file(workbook(tmp_path, sale()), data).contexts) == 1
    assert len(read_text(tmp_path, ",".join(HEADINGS) + "\n" + ",".join(sale()), data).contexts) == 1


def test_the_size_that_a_sheet_claims_is_not_believed(tmp_path):
    path = rewritten(workbook(tmp_path, sale(), sale()), SHEET, lambda xml: xml.replace('ref="A1:I3"', 'ref="A1"'))
    assert len(read_file(path, XLSX).lines[1]) == 2


@pytest.mark.parametrize("number", ["1", "0", "1048577", "x"])
def test_a_row_out_of_order_is_an_error(tmp_path, number):
    path = rewritten(
        workbook(tmp_path, sale(), sale()), SHEET, lambda xml: xml.replace('<row r="3">', f'<row r="{number}">')
    )
    ((code, *_rest),) = read_file(path, XLSX).problems
    assert code == "workbook_damaged"


def test_a_formula_counts_with_its_value_and_without_one_is_an_error(tmp_path):
    path = workbook(tmp_path, [*sale()[:-1], "=1+1"])
    assert read_file(path, XLSX).problems == [("formula_without_value", 2, None, "9")]
    path = rewritten(path, SHEET, lambda xml: xml.replace("<v/>", "<v>2</v>").replace("<v />", "<v>2</v>"))
    assert revenues(read_file(path, XLSX)) == ["2"]


def test_a_small_workbook_cannot_fill_the_memory(tmp_path, monkeypatch):
    module = "catalogue.reports.formats.templates.files.workbook"
    path = tmp_path / "tonbank.xlsx"
    with xlsxwriter.Workbook(path) as book:  # openpyxl writes texts into the sheet.
        book.add_worksheet().write_row(0, 0, HEADINGS)
    with monkeypatch.context() as patched:
        patched.setattr(f"{module}.MOST_TEXT_BYTES", 10)
        ((code, _line, _column, value),) = read_file(path, XLSX).problems
        assert code == "workbook_too_large"
        assert value.startswith("xl/sharedStrings.xml has ")
    with monkeypatch.context() as patched:
        patched.setattr(f"{module}.MOST_COLUMNS", 8)
        assert read_file(path, XLSX).problems[0][0] == "workbook_damaged"
    monkeypatch.setattr(f"{module}.MOST_SHEET_BYTES", 10)
    assert read_file(path, XLSX).problems[0][0] == "workbook_too_large"


def test_entities_are_refused(tmp_path):
    entity = '<!DOCTYPE a [<!ENTITY b "bbbb">]>'
    path = rewritten(workbook(tmp_path, sale()), SHEET, lambda xml: entity + xml)
    assert read_file(path, XLSX).problems[0][0] == "workbook_damaged"


@pytest.mark.parametrize("content", [b"PK\x03\x04 and no more", b"Store,Country\n", b""])
def test_what_is_no_workbook_is_an_error(tmp_path, content):
    assert read_text(tmp_path, content, XLSX).problems[0][0] == "workbook_damaged"


def test_a_packed_workbook_is_an_error(tmp_path):
    path = workbook(tmp_path, sale())
    packed = path.rename(tmp_path / "tonbank.xlsx.gz")
    assert read_file(packed, XLSX).problems[0][0] == "workbook_damaged"


def test_a_text_template_says_that_a_workbook_is_none(tmp_path):
    ((code, _line, _column, value),) = read_file(workbook(tmp_path, sale()), TONBANK).problems
    assert (code, "Excel workbook" in value) == ("wrong_file_kind", True)
