"""The pages of questions: the breakdown with its chart, the comparison, their files, and the coverage."""

import csv
import html
import io
import re
from functools import partial

import pytest
from django.utils.html import strip_tags
from openpyxl import load_workbook

from catalogue.models import DSR
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line, staff_with
from tests.charts import charts

pytestmark = pytest.mark.django_db

BREAKDOWN, COVERAGE = "/admin/catalogue/dsr/breakdown/", "/admin/catalogue/dsr/coverage/"
COMPARISON = "/admin/catalogue/dsr/comparison/"
ISRC = "ESABC2000001"


@pytest.fixture(scope="module", autouse=True)
def _reports(module_db, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    import_report(
        folder,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", isrc=ISRC, usages="6", revenue="10"),
        line("b", usages="2", revenue="0.500"),
    )
    import_report(folder, "Spotify_Duo_ES_EUR_20200201-20200229.tsv", line("a", isrc=ISRC, usages="3", revenue="1"))
    import_report(folder, "Deezer_Free_FR_EUR_20200115-20200214.tsv", line("a", isrc=ISRC, usages="5", revenue="7"))


def answer(client, address, expected_status=200, **query):
    response = client.get(address, query)
    assert response.status_code == expected_status
    return response


@pytest.fixture
def ask(client):
    client.force_login(staff_with("view_dsr", "export_dsr"))
    return partial(answer, client)


def table_of(response, name):
    """The texts of a table, row by row."""
    (table,) = re.findall(rf'<table[^>]*id="{name}">(.*?)</table>', response.content.decode(), re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [[html.unescape(strip_tags(cell)) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)] for row in rows]


def test_a_breakdown_by_one_group_has_all_measures(ask):
    heading, *rows = table_of(ask(BREAKDOWN), "breakdown")
    assert heading[:6] == ["Territory", "Revenue in EUR", "Usages", "DSRs", "Lines", "EUR per 1,000 usages"]
    assert rows == [
        ["ES", "11.50", "11", "2", "3", "1,045.4545", "0.00", "1", "2", "0.50", "4.35"],
        ["FR", "7.00", "5", "1", "1", "1,400.0000", "0.00", "0", "0", "0.00", "0.00"],
    ]
    assert (
        'title="1,045.454545454545" data-full="1,045.454545454545" tabindex="0"><span>1,045.4545</span>'
        in ask(BREAKDOWN).content.decode()
    )


def test_a_breakdown_by_two_groups_is_a_pivot(ask):
    assert table_of(ask(BREAKDOWN, by="territory", then_by="month", show="usages"), "breakdown") == [
        ["Territory", "2020-01", "2020-01-15 – 2020-02-14", "2020-02"],
        ["ES", "8", "–", "3"],
        ["FR", "–", "5", "–"],
    ]
    narrowed = ask(BREAKDOWN, by="dsp", then_by="month", period_end="2020-01-31", territory="ES")
    assert table_of(narrowed, "breakdown") == [["DSP", "2020-01"], ["Spotify", "10.50"]]


def test_a_breakdown_as_a_file(ask):
    response = ask(BREAKDOWN, by="territory", then_by="month", format="csv")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["territory"], row["month"], row["period_start"], row["revenue_eur"]) for row in rows] == [
        ("ES", "2020-01", "", "10.5"),
        ("ES", "2020-02", "", "1"),
        ("FR", "", "2020-01-15", "7"),
    ]
    response = ask(BREAKDOWN, by="offer", format="xlsx")
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    heading, duo, free = sheet.iter_rows(values_only=True)
    at = heading.index("revenue_eur_exact")
    assert [(row[0], row[at]) for row in (duo, free)] == [("Duo", "11.5"), ("Free", "7")]


def test_a_file_needs_the_permission_to_export(client):
    client.force_login(staff_with("view_dsr"))
    assert b"format=csv" not in client.get(BREAKDOWN).content
    assert client.get(BREAKDOWN, {"format": "csv"}).status_code == 403


def test_coverage_says_its_states_in_the_language_of_the_page(admin_client):
    recipes.dsr.make()
    months = {"first": "2020-01", "last": "2020-02", "territory": "NO"}
    page = admin_client.get(COVERAGE, months, headers={"accept-language": "es"})
    assert [row[-2:] for row in table_of(page, "coverage")[1:]] == [["importado", "con retraso"]]


def test_coverage_has_pages_and_files(ask, admin_client, monkeypatch):
    query = {"first": "2020-01", "last": "2020-02"}
    monkeypatch.setattr("catalogue.admin.questions.coverage.SERIES_ON_A_PAGE", 1)
    page = ask(COVERAGE, **query)
    assert [row[0] for row in table_of(page, "coverage")[1:]] == ["Deezer Free"]
    (following,) = re.findall('href="([^"]+)" rel="next"', page.content.decode())
    page = admin_client.get(COVERAGE + following.replace("&amp;", "&"))
    assert [row[0] for row in table_of(page, "coverage")[1:]] == ["Spotify Duo"]
    assert 'rel="next"' not in page.content.decode()
    sent = admin_client.get(COVERAGE, query | {"format": "csv"}).getvalue().decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(sent))) == [
        ["dsp", "offer", "society", "territory", "currency", "2020-01", "2020-02"],
        ["Deezer", "Free", "", "FR", "EUR", "partial", "partial"],
        ["Spotify", "Duo", "", "ES", "EUR", "ingested", "ingested"],
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"by": "dsp", "then_by": "dsp"}, "Choose another group than that of the rows."),
        ({"by": "path"}, "Select a valid choice."),
        ({"period_start": "2020-02-01", "period_end": "2020-01-01"}, "The range ends before it starts."),
        ({"period_start": "soon"}, "Enter a valid date."),
        ({"territory": "XX"}, "Select a valid choice."),
    ],
)
def test_a_wrong_choice_is_explained(ask, query, message):
    assert message in html.unescape(ask(BREAKDOWN, 400, **query).content.decode())


def test_a_comparison_starts_with_the_largest_rise(ask, tmp_path):
    import_report(tmp_path, "Tidal_HiFi_GB_GBP_20200201-20200229.tsv", line("a", usages="1", revenue="0"))
    heading, periods, *rows = table_of(ask(COMPARISON), "comparison")
    assert heading == ["Territory", "Usages", "Revenue in EUR", "Incomplete months"]
    assert periods == ["2020-01", "2020-02", "Difference", "%"] * 2
    # The report of France lies in neither month.
    assert rows == [
        ["GB", "–", "1", "1", "–", "–", "0.00", "0.00", "–", ""],
        ["ES", "8", "3", "-5", "-62.50", "10.50", "1.00", "-9.50", "-90.48", ""],
    ]
    # A browser shows the first choice as chosen.
    assert ask(COMPARISON).context["form"].fields["by"].choices[0] == ("territory", "Territory")
    response = ask(COMPARISON, by="dsp", period="2020", other="2019", territory="FR")
    assert table_of(response, "comparison")[2:][0][:3] == ["Deezer", "–", "5"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"period": "soon"}, "Must be a month, quarter or year, such as 2020-02, 2020-Q1 or 2020."),
        ({"period": "2020", "other": "2019-01"}, "Compare a month with a month"),
        ({"period": "2020", "other": "soon"}, "Must be previous, year_before, or a period such as 2020-01."),
        ({"by": "month"}, "Select a valid choice."),
    ],
)
def test_periods_that_cannot_be_compared_are_explained(ask, query, message):
    assert message in ask(COMPARISON, 400, **query).content.decode()


def file_of(response):
    """The rows of a CSV file."""
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_comparison_as_a_file(ask):
    (row,) = file_of(ask(COMPARISON, by="territory", format="csv"))
    assert row == {
        "territory": "ES",
        "dsr_count_before": "1",
        "dsr_count_now": "1",
        "line_count_before": "2",
        "line_count_now": "1",
        "usages_before": "8",
        "usages_now": "3",
        "usages_difference": "-5",
        "usages_percent": "-62.5",
        "revenue_eur_before": "10.5",
        "revenue_eur_now": "1",
        "revenue_eur_difference": "-9.5",
        "revenue_eur_percent": "-90.47619047619",
        "incomplete_before": "",
        "incomplete_now": "",
    }
    response = ask(COMPARISON, by="offer", format="xlsx")
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    heading, duo = sheet.iter_rows(values_only=True)
    assert (duo[0], duo[heading.index("revenue_eur_percent_exact")]) == ("Duo", "-90.47619047619")


# --- Coverage --------------------------------------------------------------------------------------------------


def test_coverage_leads_to_dsrs_and_to_the_import(ask):
    recipes.failed_dsr.make(dsp="Spotify", offer="Duo", territory_id="ES", currency_id="EUR", path="failed.tsv")
    DSR.objects.failed().update(period_start="2020-03-01", period_end="2020-03-31")
    recipes.dsr.make(
        dsp="Spotify",
        offer="Duo",
        territory_id="ES",
        currency_id="EUR",
        period_start="2020-05-01",
        period_end="2020-05-31",
    )
    response = ask(COVERAGE, first="2020-01", last="2020-05")
    assert table_of(response, "coverage") == [
        ["Series", "Territory", "Currency", "2020-01", "2020-02", "2020-03", "2020-04", "2020-05"],
        ["Deezer Free", "FR", "EUR", "partial", "partial", "late", "late", "late"],
        ["Spotify Duo", "ES", "EUR", "ingested", "ingested", "failed", "missing", "ingested"],
    ]
    cells = re.findall(r'<a class="coverage-(\w+)" href="([^"]+)"', response.content.decode())
    january = DSR.objects.get(path__contains="ES_EUR_20200101")
    assert ("ingested", f"/admin/catalogue/dsr/{january.pk}/change/") in cells
    assert ("missing", "/admin/catalogue/dsr/import/") in cells
    for _, address in cells:
        assert "catalogue/dsr" in address


def test_coverage_starts_where_the_latest_dsrs_are(ask):
    recipes.dsr.make(dsp="Later", territory_id="NO", period_start="2021-03-05", period_end="2021-03-05")
    headings = table_of(ask(COVERAGE), "coverage")[0]
    assert [headings[3], headings[-1], len(headings)] == ["2020-04", "2021-03", 3 + 12]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"first": "2020"}, "Must be a month such as 2020-01."),
        ({"first": "2020-02", "last": "2020-01"}, "Choose 1 to 120 months."),
        ({"first": "2000-01", "last": "2020-01"}, "Choose 1 to 120 months."),
    ],
)
def test_a_wrong_range_of_months_is_explained(ask, query, message):
    assert message in ask(COVERAGE, 400, **query).content.decode()


def test_pages_without_dsrs_say_so(ask):
    DSR.objects.all().delete()
    for address in (BREAKDOWN, COMPARISON, COVERAGE):
        assert "No DSRs found." in ask(address).content.decode()


def test_the_chart_has_the_rows_with_most_revenue_first(ask):
    content = ask(BREAKDOWN, by="territory", then_by="month").content.decode()
    assert charts(content) == {
        "revenue": [("ES", 11.5, "11.5 EUR"), ("FR", 7, "7 EUR")],
        "usages": [("ES", 11, "11"), ("FR", 5, "5")],
    }
