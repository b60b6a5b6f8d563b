"""The Export button: rows, formats and streaming."""

import csv
import io
import json
import re
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DSRNotFound, ReportRefused
from catalogue.imports import services
from catalogue.imports.services import dsr_import
from catalogue.models import DSR
from dsrhub.import_export import formats, tables
from tests.catalogue import recipes
from tests.catalogue.helpers import (
    ES_JANUARY,
    HEADER,
    NO_JANUARY,
    add_lines,
    import_report,
    line,
    staff_with,
    write_report,
)

EXPORT = "/admin/catalogue/dsr/export/"
DSRS = "/admin/catalogue/dsr/"
CSV, TSV, XLSX, JSON = range(4)
REPORTS, LINES, PROBLEMS, TOP, LINES_TO_IMPORT, USE_TYPES = range(6)
# The columns of lines that only lines of messages fill.
OF_MESSAGES = ["use_type", "is_royalty_bearing", "returns", "transaction_id", "is_release"]
OF_MESSAGES += ["iswc", "composers", "label", "icpn", "isrcs", "artists_delivered"]
BLANKS = 11 * [""]

# Texts that look like formulas, quotes, other scripts, and more digits than a double has.
AWKWARD = [
    ("=1+1", "+cmd|' /C calc'!A0", 'Say "hi"', "", "1", "2.220446049250313000000000000000000000001"),
    ("-id", "@sum", "a|b", "ESABC2000001", "", "-0.10"),
    ("id,3", "日本語 é", " spaces ", "", "9223372036854775807", ""),
]


@pytest.fixture
def dsr(tmp_path):
    return import_report(tmp_path, NO_JANUARY, *("\t".join(cells) for cells in AWKWARD))


def export(client, resource, file_format, query="", **fields):
    """The exported bytes."""
    response = client.post(EXPORT + query, {"resource": resource, "format": file_format, "percentile": 100, **fields})
    assert response.status_code == 200
    assert response.streaming, response.context["form"].errors
    return b"".join(response.streaming_content)


def rows_of_csv(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


# --- Formats ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_tsv_has_texts_byte_for_byte_and_all_digits(admin_client, dsr):
    number = dsr.pk
    tail = "\t".join(["", *BLANKS, "reported"])
    header = "\t".join(["dsr\tline\tdsp_id\ttitle\tartists\tisrc\tusages\trevenue", *OF_MESSAGES, "revenue_kind"])
    assert export(admin_client, LINES, TSV).decode() == header + "\r\n" + "".join(
        row + tail + "\r\n"
        for row in (
            f"{number}\t2\t=1+1\t+cmd|' /C calc'!A0\tSay \"hi\"\t\t1\t2.220446049250313000000000000000000000001",
            f"{number}\t3\t-id\t@sum\ta|b\tESABC2000001\t\t-0.10",
            f"{number}\t4\tid,3\t日本語 é\t spaces \t\t9223372036854775807\t",
        )
    )


@pytest.mark.django_db
def test_csv_escapes_formulas_and_keeps_negative_numbers(admin_client, dsr):
    number = str(dsr.pk)
    tail = [*BLANKS, "reported"]
    rows = rows_of_csv(export(admin_client, LINES, CSV))[1:]
    assert [row[8:] for row in rows] == [tail] * 3
    assert [row[:8] for row in rows] == [
        [number, "2", "'=1+1", "'+cmd|' /C calc'!A0", 'Say "hi"', "", "1", "2.220446049250313000000000000000000000001"],
        [number, "3", "'-id", "'@sum", "a|b", "ESABC2000001", "", "-0.10"],
        [number, "4", "id,3", "日本語 é", " spaces ", "", "9223372036854775807", ""],
    ]


@pytest.mark.django_db
def test_json_has_exact_numbers_and_nulls(admin_client, dsr):
    text = export(admin_client, LINES, JSON)
    first, second, _ = json.loads(text, parse_float=Decimal)
    assert first == {
        "dsr": dsr.pk,
        "line": 2,
        "dsp_id": "=1+1",
        "title": "+cmd|' /C calc'!A0",
        "artists": 'Say "hi"',
        "isrc": None,
        "usages": 1,
        "revenue": Decimal("2.220446049250313000000000000000000000001"),
        **dict.fromkeys(OF_MESSAGES),
        "revenue_kind": "reported",
    }
    assert (second["usages"], second["revenue"]) == (None, Decimal("-0.10"))


@pytest.mark.django_db
def test_xlsx_has_texts_as_they_are_and_amounts_as_numbers_and_with_all_digits(admin_client, dsr):
    sheet = load_workbook(io.BytesIO(export(admin_client, LINES, XLSX))).active
    header, first, second, third = sheet.iter_rows()
    columns = ["dsr", "line", *HEADER.split("\t"), *OF_MESSAGES, "revenue_kind", "revenue_exact"]
    assert [cell.value for cell in header] == columns
    assert [cell.value for cell in first] == [
        *(dsr.pk, 2, "=1+1", "+cmd|' /C calc'!A0", 'Say "hi"', None),
        *(1, 2.220446049250313, *[None] * 11, "reported", "2.220446049250313000000000000000000000001"),
    ]
    assert {cell.data_type for cell in (*first, *second, *third)} <= {"n", "s"}  # never "f", a formula
    assert [cell.value for cell in second[2:8]] == ["-id", "@sum", "a|b", "ESABC2000001", None, -0.1]
    assert [one[-1].value for one in (second, third)] == ["-0.10", None]
    assert [cell.value for cell in third[6:8]] == ["9223372036854775807", None]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("file_format", "empty"),
    [
        (
            CSV,
            b'"dsr","path","level","code","line","column","value","file","message","before","marked","after"\r\n',
        ),
        (JSON, b"[]\n"),
    ],
)
def test_an_export_without_rows_is_an_empty_file(admin_client, file_format, empty):
    assert export(admin_client, PROBLEMS, file_format) == empty


@pytest.mark.django_db
@pytest.mark.parametrize("rows", ["known beforehand", "found while writing"])
def test_too_many_rows_for_a_sheet_are_refused_and_not_truncated(admin_client, dsr, monkeypatch, rows):
    monkeypatch.setattr(formats.XLSX, "most_rows", 2)
    if rows == "found while writing":
        DSR.objects.update(line_count=0)
        monkeypatch.setattr(services, "catalogue_refresh", lambda: None)
        monkeypatch.setattr("catalogue.admin.exports.Lines.row_count", lambda *_: 0)
    response = admin_client.post(EXPORT, {"resource": LINES, "format": XLSX})
    assert not response.streaming
    assert [str(message) for message in response.context["messages"]] == [
        "A sheet holds 2 rows, and this export has more. Choose another format."
    ]


@pytest.mark.django_db
def test_a_text_too_long_for_a_cell_is_refused(admin_client):
    """Earlier versions had no limit for a cell."""
    add_lines(recipes.dsr.make(), line("a", title="t" * 32_768))
    response = admin_client.post(EXPORT, {"resource": LINES, "format": XLSX})
    assert [str(message) for message in response.context["messages"]] == [
        "A cell of a sheet holds 32,767 characters, and title in row 2 has more. Choose another format."
    ]


@pytest.mark.django_db
def test_the_form_adds_a_byte_order_mark_to_a_csv_unless_told_otherwise(admin_client, dsr):
    page = admin_client.get(EXPORT).content.decode()
    assert re.search('<input type="checkbox" name="bom"[^>]* checked>', page)
    mark = "\ufeff".encode()
    assert export(admin_client, LINES, CSV, bom="on") == mark + export(admin_client, LINES, CSV)
    assert export(admin_client, LINES, TSV, bom="on") == export(admin_client, LINES, TSV)


@pytest.mark.django_db
def test_a_workbook_says_what_it_has_and_so_does_its_name(admin_client, dsr):
    query = "?territory__code_2__exact=NO&period_start=2020-01-01&q=Duo&o=1"
    response = admin_client.post(EXPORT + query, {"resource": TOP, "format": XLSX, "percentile": 50})
    (name,) = re.findall('filename="(.*)"', response["Content-Disposition"])
    assert re.fullmatch(r"top-recordings_NO_2020-01-01_Duo_50-percent_\d{4}-\d\d-\d\d\.xlsx", name)
    book = load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    assert book.sheetnames == ["Top recordings of the DSRs", "Filters"]
    rows = [[cell.value for cell in row] for row in book["Filters"].iter_rows()]
    assert rows[0] == ["Content", "Top recordings of the DSRs"]
    assert rows[1][0] == "Exported at"
    assert rows[2:] == [
        ["territory", "NO"],
        ["period start", "2020-01-01"],
        ["search", "Duo"],
        ["Top N %", "50"],
    ]


@pytest.mark.django_db
def test_an_export_without_filters_says_so(admin_client, dsr):
    response = admin_client.post(EXPORT, {"resource": LINES, "format": XLSX})
    assert re.search(r'filename="lines_\d{4}-\d\d-\d\d\.xlsx"', response["Content-Disposition"])
    book = load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    assert [cell.value for cell in list(book["Filters"].iter_rows())[-1]] == ["Filters", "none"]


# --- Lines as a file for import --------------------------------------------------------------------------------

# Quotes, formulas, markup, blanks, exponents, negative amounts, spellings of numbers and of ISRCs, and the limits.
TO_IMPORT_AGAIN = [
    ("=1+1", '"quoted', 'Say "hi", "bye"', "es-abc-20-00001", "5.0", "2.5e-7"),
    (" =1+1", "\N{NO-BREAK SPACE}=1", "<r>Rock & Roll</r>", "", "", ""),
    ("-5", "", "", "not an isrc", "0", "-12.340"),
    ("+5", " spaces ", "a;b|c", "", "9223372036854775807", "1E2"),
    ("@5", "日本語 é", "e\u0301", "", "-3", "1" + "0" * 29 + "." + "9" * 60),
    ("same", "_x0041_", "\u200b", "", "7", "+.5"),
    ("same", "NULL", "\\N", "", "1e3", "1."),
]
TOTALS = "line_count", "total_usages", "total_revenue", "lowest_revenue", "most_repeats", *DSR.BLANK_COUNTS


@pytest.mark.django_db
@pytest.mark.parametrize("name", [NO_JANUARY, NO_JANUARY + ".gz"])
def test_exported_lines_can_be_imported_again(admin_client, tmp_path, name):
    first = import_report(tmp_path, name, *("\t".join(cells) for cells in TO_IMPORT_AGAIN))
    response = admin_client.post(EXPORT, {"resource": LINES_TO_IMPORT, "format": TSV, "bom": "on"})
    assert response["Content-Disposition"] == f'attachment; filename="{NO_JANUARY}"'
    path = tmp_path / "downloaded" / NO_JANUARY
    path.parent.mkdir()
    path.write_bytes(b"".join(response.streaming_content))
    lines = export(admin_client, LINES, JSON).replace(b'"dsr": %d' % first.pk, b"")
    dsr_delete(dsr_number=first.pk)

    call_command("import_dsr", path)

    second = DSR.objects.get()
    assert [getattr(second, total) for total in TOTALS] == [getattr(first, total) for total in TOTALS]
    # 5 + 0 + (2**63 - 1) - 3 + 7 + 1000, and the revenues, added by hand.
    assert second.total_usages == 9223372036854776816
    assert second.total_revenue == Decimal("1" + "0" * 27 + "90.16000024" + "9" * 52)
    assert second.lowest_revenue == Decimal("-12.34")
    assert export(admin_client, LINES, JSON).replace(b'"dsr": %d' % second.pk, b"") == lines
    # The export of the second DSR is the same file.
    assert export(admin_client, LINES_TO_IMPORT, TSV) == path.read_bytes()


@pytest.mark.django_db
@pytest.mark.parametrize("reports", [[], [NO_JANUARY, ES_JANUARY]])
def test_a_file_for_import_has_the_lines_of_exactly_one_dsr(admin_client, tmp_path, reports):
    recipes.failed_dsr.make()
    for name in reports:
        import_report(tmp_path, name, line("a"))
    response = admin_client.post(EXPORT, {"resource": LINES_TO_IMPORT, "format": TSV})
    assert [str(message) for message in response.context["messages"]] == [
        "A file for import has the lines of one ingested DSR. Select one DSR."
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("file_format", [CSV, XLSX, JSON])
def test_a_file_for_import_is_a_tsv(admin_client, dsr, file_format):
    response = admin_client.post(EXPORT, {"resource": LINES_TO_IMPORT, "format": file_format})
    assert response.context["form"].errors == {"format": ["A file for import is a TSV."]}


# --- Rows ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_dsrs_are_exported_with_all_their_fields(admin_client, dsr):
    header, row = rows_of_csv(export(admin_client, REPORTS, CSV))
    known = dict(zip(header, row, strict=True))
    assert known.pop("imported_at")
    assert known == {
        "id": str(dsr.pk),
        "path": NO_JANUARY,
        "status": "ingested",
        "dsp": "Spotify",
        "offer": "SpotifyDuo",
        "society": "",
        "territory": "NO",
        "currency": "NOK",
        "period_start": "2020-01-01",
        "period_end": "2020-01-31",
        "line_count": "3",
        "total_usages": "9223372036854775808",
        "total_revenue": "2.120446049250313000000000000000000000001",
        "lowest_revenue": "-0.10",
        "blank_title_count": "0",
        "blank_artists_count": "0",
        "blank_isrc_count": "2",
        "blank_usages_count": "1",
        "blank_revenue_count": "1",
        "error_count": "0",
        "warning_count": "0",
        "exchange_rate": "9.9384227272727272727272727272727272727273",
        "rate_method": "ecb_mean",
        "rate_source": "ECB reference rates of 22 days, 2020-01-02 to 2020-01-31",
        "gzip_name": "",
        "sha256": dsr.sha256,
        "imported_by": "",
        "revenue_kind": "reported",
        **dict.fromkeys(["message", "message_id", "summary_id", "commercial_model", "use_type", "subscriber_type"], ""),
        **dict.fromkeys(["subscribers", "declared_usages", "declared_revenue", "unallocated_revenue"], ""),
        **dict.fromkeys(["returns", "usages_without_royalty", "revenue_without_royalty"], ""),
    }


@pytest.mark.django_db
def test_an_export_keeps_the_filters_and_the_search_of_the_list(admin_client, dsr, tmp_path):
    spanish = import_report(tmp_path, ES_JANUARY, line("x"))
    for query, paths in (
        ("", [NO_JANUARY, ES_JANUARY]),
        ("?territory__code_2__exact=ES", [ES_JANUARY]),
        ("?q=Duo", [NO_JANUARY]),
        (f"?id__in={spanish.pk}", [ES_JANUARY]),
        ("?period_start__year=2021", []),
    ):
        assert [row[1] for row in rows_of_csv(export(admin_client, REPORTS, CSV, query))[1:]] == paths
    assert [row[2] for row in rows_of_csv(export(admin_client, LINES, CSV, "?q=Family"))[1:]] == ["x"]


@pytest.mark.django_db
def test_an_invalid_filter_redirects_to_the_list(admin_client):
    assert admin_client.get(EXPORT + "?period_start__gte=soon")["Location"] == "../?e=1"


@pytest.mark.django_db(transaction=True)
def test_problems_of_a_failed_dsr_are_exported(admin_client, tmp_path):
    path = write_report(tmp_path, NO_JANUARY, line("=a", "+b", revenue="=SUM(A1)"), line("", usages="1"))
    with pytest.raises(ReportRefused):
        dsr_import(path=path, name=NO_JANUARY)
    number = str(DSR.objects.get().pk)
    assert rows_of_csv(export(admin_client, PROBLEMS, CSV, f"?id__exact={number}"))[1:] == [
        [
            *(number, NO_JANUARY, "error", "not_a_number", "2", "revenue", "'=SUM(A1)", "", ""),
            *("'=a\t'+b\t\t\t\t", "'=SUM(A1)", ""),
        ],
        # A text that begins with a tab gets an apostrophe too.
        [number, NO_JANUARY, "error", "dsp_id_missing", "3", "dsp_id", "", "", "", "", "", "'\t\t\t\t1\t"],
    ]
    assert rows_of_csv(export(admin_client, LINES, CSV))[1:] == []


@pytest.mark.django_db
def test_the_top_percentile_counts_the_dsrs_of_the_list(admin_client, tmp_path):
    spanish = import_report(tmp_path, ES_JANUARY, line("a", revenue="60"), line("b", title="B", revenue="40"))
    second = ES_JANUARY.replace("FamilyPlan", "Premium")
    other = import_report(tmp_path, second, line("b", usages="3", revenue="30"), line("c", revenue="70"))
    columns = ["rank", "dsp", "dsp_id", "title", "artists", "isrc", "usages", "revenue_eur", "dsrs"]
    both = f"{spanish.pk}|{other.pk}"
    assert rows_of_csv(export(admin_client, TOP, CSV, percentile=50)) == [
        columns,
        ["1", "Spotify", "b", "B", "", "", "3", "70", both],
        ["2", "Spotify", "c", "", "", "", "", "70", str(other.pk)],
    ]
    assert rows_of_csv(export(admin_client, TOP, CSV, "?q=FamilyPlan", percentile=50)) == [
        columns,
        ["1", "Spotify", "a", "", "", "", "", "60", str(spanish.pk)],
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("percentile", ["", "0", "101", "ten"])
def test_an_invalid_percentile_is_refused(admin_client, percentile):
    response = admin_client.post(EXPORT, {"resource": TOP, "format": CSV, "percentile": percentile})
    assert list(response.context["form"].errors) == ["percentile"]


@pytest.mark.django_db
def test_resources_are_exported(admin_client):
    for dsp_id in ("b", "a"):
        recipes.resource.make(dsp_id=dsp_id, title="@title")
    response = admin_client.post("/admin/catalogue/resource/export/", {"resource": 0, "format": TSV})
    assert b"".join(response.streaming_content).decode().splitlines() == [
        "dsp\tdsp_id\ttitle\tartists\tisrc",
        "Spotify\tb\t@title\t\t",
        "Spotify\ta\t@title\t\t",
    ]


# --- Selected rows ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_action_exports_the_selected_rows(admin_client, dsr, tmp_path):
    import_report(tmp_path, ES_JANUARY, line("x"))
    response = admin_client.post(DSRS, {"action": "export_selected", "_selected_action": [dsr.pk], "index": "0"})
    assert response["Location"] == f"export/?id__in={dsr.pk}"
    assert [row[1] for row in rows_of_csv(export(admin_client, REPORTS, CSV, f"?id__in={dsr.pk}"))[1:]] == [NO_JANUARY]


@pytest.mark.django_db
def test_the_action_on_all_rows_keeps_the_filters_of_the_list(admin_client, dsr):
    form = {"action": "export_selected", "_selected_action": [dsr.pk], "select_across": "1", "index": "0"}
    assert admin_client.post(DSRS + "?q=Duo", form)["Location"] == "export/?q=Duo"


# --- Streaming -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_rows_are_read_page_by_page_while_they_are_sent(admin_client, monkeypatch):
    monkeypatch.setattr(tables, "PAGE_ROWS", 2)
    monkeypatch.setattr(formats, "PAGE_ROWS", 2)
    recipes.dsr.make(offer=(f"Offer{number}" for number in range(5)), _quantity=5, _bulk_create=True)
    response = admin_client.post(EXPORT, {"resource": REPORTS, "format": TSV})
    chunks = iter(response.streaming_content)
    reads = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as captured:
            assert next(chunks)
        reads.append(len(captured))
    assert sum(reads) == 3  # The first chunk does not wait for all rows.
    assert list(chunks) == []


@pytest.mark.django_db
def test_deleting_the_dsr_during_a_download_aborts_it(admin_client, tmp_path, monkeypatch):
    monkeypatch.setattr("catalogue.admin.exports.PAGE_ROWS", 1)
    monkeypatch.setattr(tables, "PAGE_ROWS", 1)
    monkeypatch.setattr(formats, "PAGE_ROWS", 1)
    dsr = import_report(tmp_path, NO_JANUARY, line("a"), line("b"))
    chunks = iter(admin_client.post(EXPORT, {"resource": LINES, "format": TSV}).streaming_content)
    assert next(chunks).startswith(b"dsr\t")
    assert next(chunks).startswith(f"{dsr.pk}\t2\ta".encode())
    dsr_delete(dsr_number=dsr.pk)
    with pytest.raises(DSRNotFound):
        list(chunks)


# --- The delivered file ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_delivered_file_is_kept_and_can_be_downloaded_unchanged(admin_client, settings, tmp_path):
    settings.DSRHUB_KEEP_FILES = str(tmp_path / "kept")
    path = write_report(tmp_path, NO_JANUARY + ".gz", line("a"), line("b"))
    delivered = path.read_bytes()
    dsr = dsr_import(path=path, name=NO_JANUARY + ".gz").dsr
    path.unlink()
    assert f"{DSRS}{dsr.pk}/file/" in admin_client.get(f"{DSRS}{dsr.pk}/change/").content.decode()
    response = admin_client.get(f"{DSRS}{dsr.pk}/file/")
    assert b"".join(response.streaming_content) == delivered
    assert response["Content-Disposition"] == f'attachment; filename="{NO_JANUARY}.gz"'
    assert "Content-Encoding" not in response


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("without_versions")
def test_files_of_replaced_and_deleted_dsrs_are_removed(settings, tmp_path):
    settings.DSRHUB_KEEP_FILES = str(tmp_path / "kept")
    import_report(tmp_path, NO_JANUARY, line("a"))
    newer = dsr_import(path=write_report(tmp_path, NO_JANUARY, line("b")), name=NO_JANUARY, replace=True).dsr

    def kept():
        return [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()]

    assert kept() == [f"{newer.sha256}-{newer.pk}"]
    dsr_import(path=write_report(tmp_path, NO_JANUARY, line("c")), name=NO_JANUARY, replace=True, dry_run=True)
    assert kept() == [f"{newer.sha256}-{newer.pk}"]
    dsr_delete(dsr_number=newer.pk)
    assert kept() == []


@pytest.mark.django_db(transaction=True)
def test_a_file_that_cannot_be_kept_is_not_imported(settings, tmp_path):
    (tmp_path / "kept").touch()  # A file, not a folder.
    settings.DSRHUB_KEEP_FILES = str(tmp_path / "kept")
    with pytest.raises(OSError, match="kept"):
        import_report(tmp_path, NO_JANUARY, line("a"))
    assert not DSR.objects.exists()


@pytest.mark.django_db
def test_files_are_not_kept_by_default(admin_client, dsr):
    assert f"{DSRS}{dsr.pk}/file/" not in admin_client.get(f"{DSRS}{dsr.pk}/change/").content.decode()
    assert admin_client.get(f"{DSRS}{dsr.pk}/file/").status_code == 404


@pytest.mark.django_db
def test_users_who_may_only_view_cannot_download_the_file(client, dsr):
    client.force_login(staff_with("view_dsr"))
    assert client.get(f"{DSRS}{dsr.pk}/file/").status_code == 403
