"""What a sample of a sender looks like: its definition, and what the sample leaves open."""

import gzip

import pytest
from openpyxl import Workbook

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.definition import Skip
from catalogue.reports.formats.templates.guessing import Doubt, guess
from catalogue.reports.formats.templates.validation import definition_faults

BELIEVE = """Reporting month;Sales Month;Platform;Country / Region;Artist Name;Track title;ISRC;Quantity;\
Client Payment Currency;Net Revenue
01/03/2020;01/02/2020;Spotify;Alemania;Björk;Jóga;FRZ032000001;1;EUR;0,25
01/03/2020;01/02/2020;Deezer;Germany;Björk;"Hunter; live";FRZ032000002;1.000;EUR;1.234,5
"""
APPLE = """Start Date\tEnd Date\tUPC\tISRC/ISBN\tVendor Identifier\tQuantity\tExtended Partner Share\t\
Partner Share Currency\tTitle\tCountry Of Sale
01/01/2020\t01/31/2020\t1\tUSRC17600001\tV1\t1\t0.001\tUSD\t"Heroes" (live)\tUS
01/01/2020\t01/31/2020\t1\tUSRC17600002\tV2\t2\t-0.002\tUSD\tTwo\tUS
Total_Rows\t2
Country Of Sale\tQuantity
US\t3
"""
PLAIN = "Store,Country,Month,ISRC,Title,Quantity,Net\nSpotify,ES,2020-01,ESABC2000001,One,1,0.5\n"


@pytest.fixture
def guessed(tmp_path):
    def guessed(content, name="sample.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return guess(Delivery(path, name))

    return guessed


def columns(found):
    return {name: source.columns for name, source in found.definition.fields.items() if source.columns}


def test_a_semicolon_file_with_decimal_commas(guessed):
    found = guessed(BELIEVE)
    form = found.definition.file
    assert (form.encoding, form.delimiter, form.quote, form.heading_row) == ("utf-8", ";", '"', 1)
    assert (found.definition.numbers.decimal, found.definition.numbers.thousands) == (",", ".")
    assert columns(found) == {
        "dsp": ("Platform",),
        "territory": ("Country / Region",),
        "currency": ("Client Payment Currency",),
        "period": ("Reporting month",),
        "dsp_id": ("ISRC",),
        "title": ("Track title",),
        "artists": ("Artist Name",),
        "isrc": ("ISRC",),
        "usages": ("Quantity",),
        "revenue": ("Net Revenue",),
    }
    assert found.definition.fields["territory"].languages == ("en", "es")
    assert (found.first_line, len(found.rows), found.rows[1][5]) == (2, 2, "Hunter; live")


def test_what_is_not_guessed_is_what_people_add(guessed):
    definition = guessed(BELIEVE).definition
    assert [fault.path for fault in definition_faults(definition)] == ["sender", "fields.offer"]
    # A file of another sender may have some of its headings.
    assert definition.recognition.headings == tuple(BELIEVE.splitlines()[0].split(";"))


def test_a_month_is_more_likely_than_a_day_and_both_stay_in_doubt(guessed):
    dates = guessed(BELIEVE).definition.dates
    assert (dates.forms, dates.whole_months) == (("DD/MM/YYYY",), True)
    assert guessed(BELIEVE).doubts == (Doubt.DATE_FORM,)
    american = guessed(BELIEVE.replace("01/03/2020", "03/01/2020"))
    assert (american.definition.dates.forms, american.doubts) == (("MM/DD/YYYY",), (Doubt.DATE_FORM,))


def test_a_tab_file_with_unmatched_quotes_and_a_block_of_totals(guessed):
    found = guessed(APPLE, "S1_2020.txt")
    assert (found.definition.file.delimiter, found.definition.file.quote) == ("\t", "")
    assert found.definition.rows.ends_at == ("Total_Rows",)
    assert (found.definition.dates.forms, found.doubts) == (("MM/DD/YYYY",), ())
    assert columns(found)["period_start"] == ("Start Date",)
    assert columns(found)["dsp_id"] == ("Vendor Identifier",)
    assert "period" not in columns(found)
    assert found.rows[0][8] == '"Heroes" (live)'


@pytest.mark.parametrize(
    ("encoding", "guess_of_it", "doubts"),
    [
        ("utf-8-sig", "utf-8", ()),
        ("utf-16", "utf-16", ()),
        ("utf-16-le", "utf-16-le", ()),
        ("utf-16-be", "utf-16-be", ()),
        ("cp1252", "cp1252", (Doubt.ENCODING,)),
        ("mac-roman", "mac-roman", (Doubt.ENCODING,)),
    ],
)
def test_encodings(guessed, encoding, guess_of_it, doubts):
    rows = [PLAIN, *("Spotify,ES,2020-01,ESABC2000002,Beyoncé – “Halo”,1,0.5\n" for _ in range(3))]
    found = guessed("".join(rows).encode(encoding))
    assert (found.definition.file.encoding, found.doubts) == (guess_of_it, doubts)
    assert found.headings[0] == "Store"
    assert found.rows[1][4] == "Beyoncé – “Halo”"


def test_other_scripts(guessed):
    rows = PLAIN + "".join(f"Яндекс,RU,2020-01,RUABC200000{n},Группа крови {n},1,0.5\n" for n in range(9))
    assert guessed(rows.encode("cp1251")).definition.file.encoding == "cp1251"


def test_titles_before_the_headings_and_a_total_behind(guessed):
    found = guessed(f"Statement of sales\nPeriod,2020-01\n\n{PLAIN}Total,,,,,1,0.5\n")
    assert (found.definition.file.heading_row, found.first_line) == (None, 5)
    assert found.definition.rows.ends_at == ("Total",)


def test_a_title_may_begin_with_total(guessed):
    text = (
        "Title,Store,Country,Month,ISRC,Quantity,Net\nTotal Eclipse,A,ES,2020-01,ESABC2000001,1,0.5\nTotal,,,,,1,0.5\n"
    )
    rows = guessed(text).definition.rows
    assert (rows.ends_at, rows.skip) == ((), (Skip("Title", ("Total",)),))


def test_an_artist_may_be_called_like_a_total(guessed):
    text = "Artist,Store,Country,Month,ISRC,Title,Label,Note,Quantity,Net\nSum 41,,,,ESABC2000001,Fat Lip,,,1,\n"
    rows = guessed(text).definition.rows
    assert (rows.ends_at, rows.skip) == ((), ())


@pytest.mark.parametrize("count", [3000, 10_000])
def test_totals_are_found_at_the_end_of_a_large_file(guessed, count):
    text = PLAIN + "Spotify,ES,2020-01,ESABC2000002,Two,1,0.5\n" * count + f"Total,,,,,{count + 1},1\n"
    assert guessed(text).definition.rows.ends_at == ("Total",)
    assert guessed(gzip.compress(text.encode()), "sample.csv.gz").definition.rows.ends_at == ("Total",)


def test_quoted_line_ends_are_part_of_a_cell(guessed):
    found = guessed(PLAIN + 'Spotify,ES,2020-01,ESABC2000002,"Two\n""lines""",1,0.5\n')
    assert (found.definition.file.quote, found.rows[1][4]) == ('"', 'Two\n"lines"')


def test_a_currency_in_a_heading(guessed):
    found = guessed(PLAIN.replace("Net", "Earnings (USD)"))
    assert found.definition.fields["revenue"].columns == ("Earnings (USD)",)
    assert found.definition.fields["currency"].constant == "USD"


@pytest.mark.parametrize(
    ("amounts", "decimal", "thousands", "doubts"),
    [
        # With a decimal comma, the point of a whole number can only stand between thousands.
        (["1.204", "0,07"], ",", ".", ()),
        (["1,204", "0.07"], ".", ",", ()),
        (["0.5"], ".", "", ()),
        (["1,5"], ",", "", ()),
        (["1,234"], ".", ",", (Doubt.DECIMAL_SIGN,)),
        (["1.234"], ".", "", (Doubt.DECIMAL_SIGN,)),
        (["1,234", "0,5"], ",", "", ()),
        (["0,234"], ",", "", ()),
        (["1,234,567"], ".", ",", ()),
        (["1.234.567", "1.234"], ",", ".", ()),
        (["1.234,5"], ",", ".", ()),
        (["1,234.5"], ".", ",", ()),
        (["1 234,5"], ",", " ", ()),
        (["1'234.50"], ".", "'", ()),
        (["0,5", "0.5"], ",", "", (Doubt.DECIMAL_SIGN,)),
        (["7"], ".", "", ()),
    ],
)
def test_number_forms(guessed, amounts, decimal, thousands, doubts):
    rows = "".join(f"Spotify;ES;2020-01;ESABC2000001;One;1;{amount}\n" for amount in amounts)
    found = guessed(PLAIN.splitlines()[0].replace(",", ";") + "\n" + rows)
    form = found.definition.numbers
    assert (form.decimal, form.thousands, found.doubts) == (decimal, thousands, doubts)


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        ("Store;Quantity;Net\na;1;1,234\nb;2;5,678\n", Doubt.DECIMAL_SIGN),
        ("Store,Date,Net\na,01/02/2020,1\nb,03/04/2020,1\n", Doubt.DATE_FORM),
        ("Store,Date,Net\na,soon,1\nb,later,1\n", Doubt.DATE_FORM),
        ("1,2,3\n4,5,6\n", Doubt.HEADING_ROW),
        ("Store\na\nb\n", Doubt.DELIMITER),
    ],
)
def test_what_a_sample_does_not_decide_is_in_doubt(guessed, content, doubt):
    assert doubt in guessed(content).doubts


def test_negative_numbers(guessed):
    rows = "Spotify,ES,2020-01,ESABC2000001,One,1,(1.50)\nSpotify,ES,2020-01,ESABC2000001,One,1,1.50-\n"
    assert guessed(PLAIN + rows).definition.numbers.negatives == ("trailing_minus", "parentheses")


@pytest.mark.parametrize(
    ("cell", "form", "whole_months"),
    [
        ("2020-01", "YYYY-MM", False),
        ("202001", "YYYYMM", False),
        ("2020-01-01", "YYYY-MM-DD", True),
        ("2020-01-15", "YYYY-MM-DD", False),
        ("31.01.2020", "DD.MM.YYYY", True),
        ("Jan-20", "MMM-YY", False),
        ("January 2020", "MMMM YYYY", False),
        ("2020M01", "YYYY'M'MM", False),
        ("2020-01-01 00:00:00", "YYYY-MM-DD 00:00:00", True),
    ],
)
def test_date_forms(guessed, cell, form, whole_months):
    dates = guessed(PLAIN.replace("2020-01", cell)).definition.dates
    assert (dates.forms, dates.whole_months) == ((form,), whole_months)


@pytest.mark.parametrize(
    ("days", "form", "whole_months"),
    [
        (["01/02/2020", "01/03/2020"], "DD/MM/YYYY", True),
        (["02/01/2020", "03/01/2020"], "MM/DD/YYYY", True),
        (["14/01/2020", "15/01/2020"], "DD/MM/YYYY", True),
        (["14/01/2020", "15/02/2020"], "DD/MM/YYYY", False),
    ],
)
def test_days_of_one_month_stand_for_it(guessed, days, form, whole_months):
    rows = "".join(f"Spotify,ES,{day},ESABC2000001,One,1,0.5\n" for day in days)
    dates = guessed(PLAIN.splitlines()[0] + "\n" + rows).definition.dates
    assert (dates.forms, dates.whole_months) == ((form,), whole_months)


def test_a_file_of_one_column(guessed):
    found = guessed("Title\nOne\nTwo\n")
    assert (found.headings, found.rows, columns(found)) == (("Title",), (("One",), ("Two",)), {"title": ("Title",)})
    assert found.doubts == (Doubt.DELIMITER,)


def test_an_empty_file(guessed):
    found = guessed("")
    assert (found.headings, found.rows, found.definition.fields) == ((), (), {})
    assert found.doubts == (Doubt.DELIMITER, Doubt.HEADING_ROW)


def test_a_sample_in_no_encoding_is_in_doubt(guessed):
    assert guessed(bytes(range(128, 256)) * 50).doubts == (Doubt.ENCODING, Doubt.DELIMITER)


def test_a_sample_may_end_within_a_character(guessed):
    assert len(guessed(f"{PLAIN}Spotify,\U0001f3b5".encode("utf-16")[:-2]).rows) == 2


def test_a_file_without_headings(guessed):
    found = guessed("Spotify,ES,2020-01,1,0.5\nSpotify,FR,2020-01,2,0.5\n")
    assert (found.definition.file.heading_row, found.headings) == (0, ("1", "2", "3", "4", "5"))
    assert (found.doubts, len(found.rows)) == ((Doubt.HEADING_ROW,), 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(range(256)) * 4, "neither text nor a workbook"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"a,b\rc,d\re,f", "carriage return alone"),
        (b"PK\x03\x04" + b"\0" * 26 + b"a.csv", "no Excel workbook"),
    ],
)
def test_what_is_no_file_of_columns_is_refused(guessed, content, said):
    with pytest.raises(DamagedDelivery) as error:
        guessed(content)
    assert said in error.value.problem.value


def test_a_broken_gzip_file_is_refused(guessed):
    with pytest.raises(DamagedDelivery):
        guessed(gzip.compress(PLAIN.encode() * 1000)[:100], "sample.csv.gz")


def test_a_workbook(tmp_path):
    book = Workbook()
    book.active.title = "Sales"
    for row in (
        ["Statement"],
        [],
        PLAIN.splitlines()[0].split(","),
        ["Spotify", "ES", "2020-01", "ESABC2000001", "A", 1, 0.1],
    ):
        book.active.append(row)
    book.create_sheet("Notes")
    path = tmp_path / "sample.xlsx"
    book.save(path)
    found = guess(Delivery(path, path.name))
    assert (found.definition.file.kind, found.sheets) == ("xlsx", ("Sales", "Notes"))
    assert (found.definition.file.heading_row, found.first_line) == (None, 4)
    assert found.rows == (("Spotify", "ES", "2020-01", "ESABC2000001", "A", "1", "0.1"),)
    assert columns(found)["revenue"] == ("Net",)
