"""Texts of columns, read by a definition: contexts, lines, and problems by line and column."""

import gzip
from datetime import date

import pytest

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.problems import ProblemLog
from tests.catalogue.report_templates.helpers import HEADINGS, csv_file, csv_text, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed
from tests.catalogue.reports.formats.templates.reading import read_text, template_format

LF = "\n".join


def lines_of(found, *columns):
    """The cells of these columns of all lines, in the order of the contexts."""
    return [tuple(line[column] for column in columns) for lines in found.lines.values() for line in lines]


def test_rows_become_lines_of_their_contexts(tmp_path):
    rows = [sale(quantity="3"), sale("Deezer", "fr"), sale(net="-0.25", title=" Two "), sale(month="2020-02")]
    found = read_text(tmp_path, csv_text(rows), TONBANK)

    assert [(one.dsp, one.territory, one.period_start, one.period_end) for one in found.contexts] == [
        ("Spotify", "ES", date(2020, 1, 1), date(2020, 1, 31)),
        ("Deezer", "FR", date(2020, 1, 1), date(2020, 1, 31)),
        ("Spotify", "ES", date(2020, 2, 1), date(2020, 2, 29)),
    ]
    assert {(one.offer, one.society, one.currency) for one in found.contexts} == {("Tonbank", None, "EUR")}
    assert lines_of(found, "line_number", "title", "usages", "revenue") == [
        ("2", "One", "3", "0.5"),
        ("3", "Two", "1", "-0.25"),
        ("2", "One", "1", "0.5"),
        ("2", "One", "1", "0.5"),
    ]
    message = found.contents.message
    assert (message.sender.name, message.recipient.name, message.profile, message.profile_version) == (
        *("Tonbank", "", "Tonbank", "1"),
    )
    assert (message.period_start, message.period_end) == (date(2020, 1, 1), date(2020, 2, 29))
    assert (message.template_version, message.file_count) == (7, 1)
    assert found.problems == []


# --- How the file is written -----------------------------------------------------------------------------------

TITLE = "Jóga “2”"


@pytest.mark.parametrize(
    ("encoding", "delivered"),
    [
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["tonbank.csv", "tonbank.csv.gz"])
def test_a_text_is_read_in_its_encoding(tmp_path, encoding, delivered, line_end, name):
    text = csv_text([sale(title=TITLE), sale(title="B")]).replace("\r\n", line_end).encode(delivered)
    packed = gzip.compress(text) if name.endswith(".gz") else text
    found = read_text(tmp_path, packed, changed("file", {"encoding": encoding}), name)
    assert (lines_of(found, "title"), found.problems) == ([(TITLE,), ("B",)], [])


def test_the_bytes_of_another_encoding_are_an_error_at_the_cell(tmp_path):
    text = csv_text([sale(), sale(title="Jóga"), sale("Ñ", title="x")]).encode("cp1252")
    assert sorted(read_text(tmp_path, text, TONBANK).problems) == [
        ("encoding_differs", 3, "Title", "J\\udcf3ga"),
        ("encoding_differs", 4, "Store", "\\udcd1"),
    ]


def test_utf_16_that_is_cut_off_is_an_error(tmp_path):
    text = csv_text([sale()]).encode("utf-16")[:-1]
    found = read_text(tmp_path, text, changed("file", {"encoding": "utf-16"}))
    assert found.problems == [("encoding_differs", None, None, "utf-16")]


def test_utf_8_that_is_read_in_another_encoding_is_worth_a_look(tmp_path):
    data = changed("file", {"encoding": "cp1252"})
    found = read_text(tmp_path, csv_text([sale(title="Jóga")]), data)
    assert lines_of(found, "title") == [("JÃ³ga",)]
    assert found.problems == [("encoding_doubtful", None, None, "cp1252")]
    assert read_text(tmp_path, csv_text([sale(title="Joga")]), data).problems == []


def test_a_cell_in_quotes_may_have_delimiters_quotes_and_line_ends(tmp_path):
    rows = [sale(title='One; "two",\r\nthree\tfour'), sale(net="x")]
    found = read_text(tmp_path, csv_text(rows), TONBANK)
    assert found.problems == [("not_a_number", 4, "Net", "x")]
    found = read_text(tmp_path, csv_text(rows[:1]), TONBANK)
    assert lines_of(found, "title") == [('One; "two",  three four',)]


@pytest.mark.parametrize("numbers", [{}, {"thousands": ","}, {"decimal": ",", "thousands": "."}])
def test_a_line_end_in_a_number_does_not_make_two_numbers(tmp_path, numbers):
    text = csv_text([sale(net="1"), sale(net="1\n2"), sale(net="3")])
    problems = read_text(tmp_path, text, changed("numbers", numbers)).problems
    assert problems == [("number_form_differs", 3, "Net", "1\\n2")]


def test_without_quotes_a_quote_is_a_character(tmp_path):
    text = csv_text([], delimiter="\t") + "\t".join(sale(title='"One')) + "\r\n"
    found = read_text(tmp_path, text, changed("file", {"delimiter": "\t", "quote": ""}))
    assert lines_of(found, "title") == [('"One',)]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('Spotify,ES,2020-01,EUR,X,,"One" x,1,1', ("quote_broken", 3, None, "',' expected after '\"'")),
        ('Spotify,ES,2020-01,EUR,X,,"One,1,1', ("quote_broken", 3, None, "unexpected end of data")),
    ],
)
def test_quotes_that_do_not_match_are_an_error(tmp_path, row, problem):
    found = read_text(tmp_path, csv_text([sale(net="x")]) + row, TONBANK)
    assert sorted(found.problems, key=str) == sorted([("not_a_number", 2, "Net", "x"), problem], key=str)


def test_a_file_without_line_ends_is_an_error_and_is_not_held_in_memory(tmp_path):
    found = read_text(tmp_path, "x" * 3_000_000, TONBANK)
    assert found.problems[0][:2] == ("line_too_long", 1)


def test_rows_of_too_many_lines_are_an_error_and_are_not_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("catalogue.reports.formats.templates.files.rows.MOST_AT_ONCE", 10_000)
    long = csv_text([sale(title="x\n" * 20_000)])
    assert [problem[0] for problem in read_text(tmp_path, long, TONBANK).problems] == ["line_too_long", "quote_broken"]
    many = csv_text([sale()] * 1000)
    assert read_text(tmp_path, many, TONBANK).problems[0][0] == "line_too_long"


@pytest.mark.parametrize(
    ("content", "kind"), [(b"PK\x03\x04" + b"\0" * 50, "a zip archive"), (b"%PDF-1.7", "a PDF document")]
)
def test_a_file_that_is_no_text_says_what_it_is(tmp_path, content, kind):
    ((code, line, _column, value),) = read_text(tmp_path, content, TONBANK).problems
    assert (code, line) == ("wrong_file_kind", None)
    assert kind in value


# --- Headings --------------------------------------------------------------------------------------------------


def test_headings_are_found_in_any_case_and_spacing_and_order(tmp_path):
    text = "NET , title,QUANTITY,upc,Isrc,currency,month,COUNTRY,store,New\r\n0.5,One,1,,X,EUR,2020-01,ES,Spotify,?\r\n"
    found = read_text(tmp_path, text, changed("fields.isrc", None))
    assert lines_of(found, "dsp_id", "title", "revenue") == [("X", "One", "0.5")]


def test_all_missing_headings_are_told(tmp_path):
    text = csv_text([], headings=["Store", "Country", "Month", "Currency", "UPC", "Net"])
    assert read_text(tmp_path, text, TONBANK).problems == [
        ("heading_missing", 1, "Title", None),
        ("heading_missing", 1, "ISRC", None),
        ("heading_missing", 1, "Quantity", None),
    ]


def test_a_heading_is_there_once_if_the_template_needs_it(tmp_path):
    headings = [*HEADINGS, "net", "Extra", "Extra"]
    found = read_text(tmp_path, csv_text([[*sale(), "9", "", ""]], headings), TONBANK)
    assert found.problems == [("heading_repeated", 1, "net", "net")]


def test_a_field_may_have_several_headings_of_which_a_file_has_one(tmp_path):
    data = changed("fields.revenue.columns", ["Royalty", "Net"])
    assert lines_of(read_text(tmp_path, csv_text([sale()]), data), "revenue") == [("0.5",)]
    both = read_text(tmp_path, csv_text([[*sale(), "9"]], [*HEADINGS, "Royalty"]), data)
    assert both.problems == [("heading_repeated", 1, "Net", "Net")]


@pytest.mark.parametrize("heading_row", [4, None])
def test_headings_may_stand_behind_a_letterhead(tmp_path, heading_row):
    text = "Tonbank Ltd\r\n\r\nStatement,2020\r\n" + csv_text([sale(), sale(net="x")])
    found = read_text(tmp_path, text, changed("file", {"heading_row": heading_row}))
    assert found.problems == [("not_a_number", 6, "Net", "x")]


def test_a_heading_row_that_is_not_there_is_an_error(tmp_path):
    found = read_text(tmp_path, "a,b\n1,2\n", changed("file", {"heading_row": None}))
    assert found.problems == [("heading_row_missing", None, None, "Store, Country, Month, Net")]
    assert read_text(tmp_path, "", TONBANK).problems[0][0] == "heading_row_missing"


def test_a_file_without_headings_has_numbered_columns(tmp_path):
    data = changed("file", {"heading_row": 0})
    data["recognition"] = {"name_pattern": "tonbank*"}
    columns = {heading: str(place) for place, heading in enumerate(HEADINGS, start=1)}
    for source in data["fields"].values():
        source["columns"] = [columns[heading] for heading in source.get("columns", [])]
    text = csv_text([sale(), sale(net="x")]).partition("\r\n")[2]
    assert read_text(tmp_path, text, data).problems == [("not_a_number", 2, "9", "x")]


# --- Rows ------------------------------------------------------------------------------------------------------


def test_blank_rows_are_no_rows(tmp_path):
    text = csv_text([sale()]) + "\r\n,,,,,,,,\r\n \r\n" + csv_text([sale()]).partition("\r\n")[2] + ",,,,,,,,\r\n\x1a"
    found = read_text(tmp_path, text, TONBANK)
    assert (len(found.lines[1]), found.problems) == (2, [])


def test_a_row_has_as_many_cells_as_there_are_headings(tmp_path):
    rows = [sale()[:-1], [*sale(), ""], [*sale(), "9"]]
    assert read_text(tmp_path, csv_text(rows), TONBANK).problems == [
        ("row_length", 2, None, "8"),
        ("row_length", 4, None, "10"),
    ]


TOTALS = "Total_Rows\t1\r\nTotal_Amount\t0.5\r\nCountry\tNet\r\nES\t0.5\r\n"


def test_a_block_of_totals_ends_the_sales(tmp_path):
    data = changed("file", {"delimiter": "\t"})
    data["rows"] = {"ends_at": ["total_"]}
    text = csv_text([sale()], delimiter="\t") + TOTALS
    found = read_text(tmp_path, text, data)
    assert (lines_of(found, "revenue"), found.problems) == ([("0.5",)], [])

    joined = text + csv_text([sale()], delimiter="\t").partition("\r\n")[2]
    assert read_text(tmp_path, joined, data).problems == [("rows_behind_end", 7, None, None)]


def test_rows_are_left_out_by_the_value_of_a_column(tmp_path):
    data = changed("rows", {"skip": [{"column": "Title", "values": ["Sub Total", ""]}]})
    found = read_text(tmp_path, csv_text([sale(), sale(title="SUB  TOTAL"), sale(title=""), sale(net="2")]), data)
    assert lines_of(found, "revenue") == [("0.5",), ("2",)]
    data = changed("rows", {"skip": [{"column": "Kind", "values": ["x"]}]})
    assert ("heading_missing", 1, "Kind", None) in read_text(tmp_path, csv_text([sale()]), data).problems


def test_a_totals_row_that_the_template_does_not_know_is_an_error(tmp_path):
    found = read_text(tmp_path, csv_text([sale(), ["Total", "", "", "", "", "", "", "1", "0.5"]]), TONBANK)
    assert {problem[:3] for problem in found.problems} == {
        ("cell_blank", 3, "Country"),
        ("cell_blank", 3, "Month"),
        ("cell_blank", 3, "Currency"),
        ("cell_blank", 3, "ISRC"),
    }


def test_a_file_without_sales_is_an_error(tmp_path):
    assert read_text(tmp_path, csv_text([]), TONBANK).problems == [("no_sales", None, None, None)]


# --- Contexts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"country": "Spain"}, ("territory_unknown", 3, "Country", "Spain")),
        ({"country": "ß"}, ("territory_unknown", 3, "Country", "ß")),
        ({"currency": "€"}, ("currency_unknown", 3, "Currency", "€")),
        ({"month": "2020-13"}, ("date_form_differs", 3, "Month", "2020-13")),
        ({"month": "01/2020"}, ("date_form_differs", 3, "Month", "01/2020")),
        ({"store": " "}, ("cell_blank", 3, "Store", " ")),
        ({"store": "a" * 101}, ("name_unusable", 3, "Store", "a" * 101)),
        ({"store": "a\u200bb"}, ("name_unusable", 3, "Store", "a\\u200bb")),
    ],
)
def test_what_a_row_is_about_must_be_known(tmp_path, wrong, problem):
    found = read_text(tmp_path, csv_text([sale(), sale(**wrong), sale(**wrong), sale(net="x")]), TONBANK)
    # Each value is told at its first row, together with what is wrong with other rows.
    assert found.problems == [problem, ("not_a_number", 5, "Net", "x")]


def test_a_map_and_a_language_tell_what_cells_mean(tmp_path):
    data = changed("fields.territory", {"columns": ["Country"], "values": {"Intl": "WW"}, "languages": ["en"]})
    data["fields"]["dsp"]["values"] = {"itunes": "Apple", "Apple Music": "Apple"}
    rows = [sale("iTunes", "Spain"), sale("apple music", "spain"), sale("APPLE", "intl"), sale("Apple", "es")]
    found = read_text(tmp_path, csv_text(rows), data)
    assert [(one.dsp, one.territory) for one in found.contexts] == [("Apple", "ES"), ("APPLE", "WW")]
    assert [len(lines) for lines in found.lines.values()] == [3, 1]


def test_a_period_may_have_a_start_and_an_end(tmp_path):
    data = changed("dates.forms", ["DD.MM.YYYY"])
    data["fields"].pop("period")
    data["fields"] |= {"period_start": {"columns": ["Month"]}, "period_end": {"columns": ["UPC"]}}
    found = read_text(tmp_path, csv_text([sale(month="01.01.2020", upc="15.01.2020")]), data)
    assert [(str(one.period_start), str(one.period_end)) for one in found.contexts] == [("2020-01-01", "2020-01-15")]
    found = read_text(tmp_path, csv_text([sale(month="01.02.2020", upc="15.01.2020")]), data)
    assert found.problems == [("period_reversed", 2, "UPC", "2020-01-15")]


def test_the_name_of_the_file_may_say_what_it_is_about(tmp_path):
    data = changed("recognition.name_pattern", "tonbank_{territory}_{period}_*.csv")
    for field in ("territory", "period"):
        data["fields"].pop(field)
    found = read_text(tmp_path, csv_text([sale(country="?", month="?")]), data, "Tonbank_es_2020-03_final.csv")
    assert [(one.territory, str(one.period_end)) for one in found.contexts] == [("ES", "2020-03-31")]
    found = read_text(tmp_path, csv_text([sale()]), data, "tonbank.csv")
    assert found.problems == [("name_without_fields", None, None, "tonbank.csv")]
    found = read_text(tmp_path, csv_text([sale()]), data, "tonbank_XY_2020-03_.csv")
    assert found.problems == [("territory_unknown", 2, None, "XY")]


def test_files_without_sales_are_refused_by_their_names(tmp_path):
    data = changed("recognition.refused_names", ["S2_*"])
    assert read_text(tmp_path, csv_text([sale()]), data, "s2_a.csv").problems == [
        ("no_sales_file", None, None, "s2_a.csv")
    ]


def test_too_many_contexts_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("catalogue.reports.formats.templates.reader.MOST_CONTEXTS", 2)
    found = read_text(tmp_path, csv_text([sale(f"Store {number}") for number in range(4)]), TONBANK)
    assert found.problems == [("too_many_contexts", 4, None, "3")]


# --- Lines -----------------------------------------------------------------------------------------------------


def test_another_column_stands_for_a_missing_id(tmp_path):
    rows = [sale(), sale(isrc="", upc="5012345678900"), sale(isrc="\xa0", upc="7")]
    assert lines_of(read_text(tmp_path, csv_text(rows), TONBANK), "dsp_id") == [
        ("ESABC2000001",),
        ("5012345678900",),
        ("7",),
    ]
    missing = csv_text([sale(isrc="", upc=" ")])
    assert read_text(tmp_path, missing, TONBANK).problems == [("cell_blank", 2, "ISRC", "")]
    constant = changed("fields.dsp_id.constant", "unknown")
    assert lines_of(read_text(tmp_path, missing, constant), "dsp_id", "isrc") == [("unknown", "")]


def test_all_wrong_cells_of_a_row_are_told(tmp_path):
    found = read_text(tmp_path, csv_text([sale(quantity="1.5", net="1,234", title="a\x02b")]), TONBANK)
    assert found.problems == [
        ("control_character", 2, "Title", "a\\x02b"),
        ("not_an_integer", 2, "Quantity", "1.5"),
        ("number_form_differs", 2, "Net", "1,234"),
    ]


def test_doubtful_ids_and_isrcs_are_warnings(tmp_path):
    rows = [sale(isrc="ES-ABC-20-00002"), sale(isrc="ESABC"), sale(isrc="", upc="5.01235E+12"), sale(isrc="a\u200bb")]
    found = read_text(tmp_path, csv_text(rows), TONBANK)
    assert lines_of(found, "dsp_id", "isrc") == [
        ("ES-ABC-20-00002", "ESABC2000002"),
        ("ESABC", "ESABC"),
        ("5.01235E+12", ""),
        ("a\u200bb", "a\u200bb"),
    ]
    assert found.problems == [
        ("isrc_invalid", 3, "ISRC", "ESABC"),
        ("dsp_id_rounded", 4, "UPC", "5.01235E+12"),
        ("invisible_character", 5, "ISRC", "a\\u200bb"),
        ("invisible_character", 5, "ISRC", "a\\u200bb"),
    ]


def test_a_warning_beside_an_error_is_told_once(tmp_path):
    found = read_text(tmp_path, csv_text([sale(isrc="bad"), sale(net="x", isrc="worse"), *[sale()] * 1000]), TONBANK)
    assert found.problems == [
        ("isrc_invalid", 2, "ISRC", "bad"),
        ("not_a_number", 3, "Net", "x"),
        ("isrc_invalid", 3, "ISRC", "worse"),
    ]


@pytest.mark.parametrize(
    ("separator", "cell", "artists", "delivered"),
    [
        ("", "Ana, Bea", "Ana, Bea", ""),
        ("", "Ana|Bea", "Ana / Bea", "Ana|Bea"),
        (",", "Ana, Bea ,", "Ana|Bea", "Ana, Bea ,"),
        ("|", "Ana | Bea", "Ana|Bea", "Ana | Bea"),
    ],
)
def test_artists_are_separated_as_the_template_says(tmp_path, separator, cell, artists, delivered):
    data = changed("fields.artists", {"columns": ["Title"]}) | {"artists_separator": separator}
    found = read_text(tmp_path, csv_text([sale(title=cell)]), data)
    assert lines_of(found, "artists", "artists_delivered") == [(artists, delivered)]


def test_constants_and_blank_amounts(tmp_path):
    found = read_text(tmp_path, csv_text([sale(net="")]), changed("fields.usages", {"constant": "0"}))
    assert lines_of(found, "usages", "revenue") == [("0", "")]


def test_a_long_cell_is_an_error_where_it_is_read(tmp_path):
    found = read_text(tmp_path, csv_text([sale(title="é" * 2049)]), TONBANK)
    assert [problem[:3] for problem in found.problems] == [("cell_too_long", 2, "Title")]


def test_reading_ends_where_there_are_too_many_errors(tmp_path, monkeypatch):
    monkeypatch.setattr("catalogue.reports.problems.MOST_ERRORS", 3)
    found = read_text(tmp_path, csv_text([sale(), *[sale(net="x")] * 9]), TONBANK)
    assert [problem[:2] for problem in found.problems] == [
        ("too_many_errors", 6),
        ("not_a_number", 3),
        ("not_a_number", 4),
        ("not_a_number", 5),
    ]


# --- Two passes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [sale(net="9"), sale("Deezer")])
def test_a_file_that_changes_between_the_passes_is_not_loaded(tmp_path, row):
    path = csv_file(tmp_path, sale(), sale())
    delivery, problems = Delivery(path, path.name), ProblemLog(10)
    contents = template_format(TONBANK).describe([delivery], problems)
    csv_file(tmp_path, sale(), row)  # The open file, as it is written in place.

    with pytest.raises(DamagedDelivery) as damage:
        list(template_format(TONBANK).read([delivery], contents, problems, None, [b"1"]))
    assert damage.value.problem.code == "file_changed"


def test_the_first_pass_can_be_ended_and_counts_no_bytes(tmp_path):
    counts = []
    path = csv_file(tmp_path, sale())
    template_format(TONBANK).describe([Delivery(path, path.name)], ProblemLog(10), counts.append)
    assert set(counts) == {0}


def test_a_preview_has_the_first_rows_of_sales(tmp_path):
    path = csv_file(tmp_path, sale(title="One"), sale(title="Two"), sale(title="Three"))
    columns, lines = template_format(TONBANK).preview([Delivery(path, path.name)], 2)
    assert (columns, [line[6] for line in lines]) == (list(HEADINGS), ["One", "Two"])
    path.write_text("nothing")
    assert template_format(TONBANK).preview([Delivery(path, path.name)], 2) == (["nothing"], [])
