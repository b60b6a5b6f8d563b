"""What a sample looks like, and what it leaves in doubt."""

import pytest
from openpyxl import Workbook

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.definition import Source
from catalogue.reports.formats.templates.guessing import Doubt, guess
from catalogue.reports.formats.templates.validation import definition_faults

BELIEVE = (
    "Reporting month;Platform;Country / Region;Artist Name;Track title;UPC;ISRC;Quantity;Client Payment Currency;"
    "Net Revenue;Note\r\n"
    "2020-02-01;Spotify;España;Björk;Jóga;5012345678900;ESABC2000001;10;EUR;1.234,5;\r\n"
    "2020-02-01;Deezer;Francia;Björk;Jóga;5012345678900;ESABC2000001;1.000;EUR;0,5;\r\n"
)


def guessed(folder, content, name="sample.csv"):
    path = folder / name
    path.write_bytes(content)
    return guess(Delivery(path, name))


@pytest.mark.parametrize(
    ("encoding", "found", "doubts"),
    [
        ("utf-8", "utf-8", ()),
        ("utf-8-sig", "utf-8", ()),
        ("utf-16", "utf-16", ()),
        ("utf-16-be", "utf-16-be", ()),
        ("cp1252", "cp1252", (Doubt.ENCODING,)),
    ],
)
def test_most_of_a_template_is_guessed(tmp_path, encoding, found, doubts):
    one = guessed(tmp_path, BELIEVE.encode(encoding))
    definition = one.definition

    assert (definition.file.encoding, definition.file.delimiter, definition.file.heading_row) == (found, ";", 1)
    assert (definition.numbers.decimal, definition.numbers.thousands) == (",", ".")
    assert (definition.dates.forms, definition.dates.whole_months) == (("YYYY-MM-DD",), True)
    assert one.doubts == doubts
    assert definition.fields == {
        "dsp": Source(("Platform",)),
        "territory": Source(("Country / Region",), languages=("es",)),
        "currency": Source(("Client Payment Currency",)),
        "period": Source(("Reporting month",)),
        "isrc": Source(("ISRC",)),
        "icpn": Source(("UPC",)),
        "title": Source(("Track title",)),
        "artists": Source(("Artist Name",)),
        "usages": Source(("Quantity",)),
        "revenue": Source(("Net Revenue",)),
        "dsp_id": Source(("ISRC", "UPC")),
    }
    assert "Note" not in definition.recognition.headings
    assert (one.first_line, one.headings[-1], one.rows[1][1]) == (2, "Note", "Deezer")
    # People add the rest.
    assert [fault.path for fault in definition_faults(definition)] == ["sender", "fields.offer"]


def test_a_currency_may_stand_in_a_heading_and_headings_behind_a_letterhead(tmp_path):
    text = "DistroKid\n\nStore\tSale Month\tISRC\tQuantity\tEarnings (USD)\nSpotify\tJan-20\tX\t1\t0.001\n"
    definition = guessed(tmp_path, text.encode()).definition
    assert (definition.file.delimiter, definition.file.heading_row, definition.dates.forms) == ("\t", 3, ("MMM-YY",))
    assert (definition.fields["currency"], definition.fields["revenue"]) == (
        Source(constant="USD"),
        Source(("Earnings (USD)",)),
    )


def table(headings, *rows):
    return "\n".join([headings, *rows]).encode()


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        (table("Store;Quantity;Net", "a;1;1,234", "b;2;5,678"), Doubt.DECIMAL_SIGN),
        (table("Store,Date,Net", "a,01/02/2020,1", "b,03/04/2020,1"), Doubt.DATE_FORM),
        (table("1,2,3", "4,5,6"), Doubt.HEADING_ROW),
        (table("Store", "a", "b"), Doubt.DELIMITER),
    ],
)
def test_what_a_sample_does_not_decide_is_in_doubt(tmp_path, content, doubt):
    assert doubt in guessed(tmp_path, content).doubts


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands", "negatives"),
    [
        (["1.5", "-2.25"], ".", "", ()),
        (["1,5", "1.234.567"], ",", ".", ()),
        (["1,234.5", "(3.00)"], ".", ",", ("parentheses",)),
        (["1 234,5", "3,1-"], ",", " ", ("trailing_minus",)),
        (["1'234.50"], ".", "'", ()),
        (["0,258066"], ",", "", ()),
        (["12", "3"], ".", "", ()),
    ],
)
def test_the_form_of_numbers_is_that_of_all_cells(tmp_path, cells, decimal, thousands, negatives):
    one = guessed(tmp_path, table("Store;Net", *(f"a;{cell}" for cell in cells)))
    numbers = one.definition.numbers
    assert (numbers.decimal, numbers.thousands, numbers.negatives) == (decimal, thousands, negatives)
    assert Doubt.DECIMAL_SIGN not in one.doubts


def test_a_workbook_is_guessed_by_its_rows(tmp_path):
    book = Workbook()
    book.active.title = "Sales"
    for row in (
        ["Store", "Country", "Start Date", "End Date", "ISRC", "Units", "Net"],
        ["a", "ES", "x", "y", "X", 1, 0.5],
    ):
        book.active.append(row)
    book.create_sheet("Notes")
    book.save(tmp_path / "sample.xlsx")
    one = guess(Delivery(tmp_path / "sample.xlsx", "sample.xlsx"))
    assert (one.definition.file.kind, one.sheets, one.rows[0][-1]) == ("xlsx", ("Sales", "Notes"), "0.5")
    assert {"period_start", "period_end"} <= one.definition.fields.keys()
    assert one.doubts == (Doubt.DATE_FORM,)


@pytest.mark.parametrize("content", [b"%PDF-1.7", b"PK\x03\x04 no archive"])
def test_what_has_no_rows_is_refused(tmp_path, content):
    with pytest.raises(DamagedDelivery):
        guessed(tmp_path, content)


def test_an_empty_sample_is_in_doubt(tmp_path):
    one = guessed(tmp_path, b"")
    assert (one.headings, one.rows, Doubt.HEADING_ROW in one.doubts) == ((), (), True)
