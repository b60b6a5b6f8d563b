"""The pages of questions: the breakdown with its chart, the comparison, their files, and the coverage."""

import csv
import html
import io
import re

import pytest
from django.contrib.auth.models import User
from django.utils.html import strip_tags
from openpyxl import load_workbook
from playwright.sync_api import expect

from catalogue.admin.questions import recordings
from catalogue.exceptions import RankingNotReady
from catalogue.models import DSR
from catalogue.ranking import cache
from dsrhub.database.time_limits import OutOfTime
from tests.browser import signed_in
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line, permitted, staff_with
from tests.charts import charts

pytestmark = pytest.mark.django_db

BREAKDOWN, COVERAGE = "/admin/catalogue/dsr/breakdown/", "/admin/catalogue/dsr/coverage/"
COMPARISON = "/admin/catalogue/dsr/comparison/"
ISRC = "ESABC2000001"


@pytest.fixture
def _reports(tmp_path):
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", isrc=ISRC, usages="6", revenue="10"),
        line("b", usages="2", revenue="0.500"),
    )
    import_report(tmp_path, "Spotify_Duo_ES_EUR_20200201-20200229.tsv", line("a", isrc=ISRC, usages="3", revenue="1"))
    import_report(tmp_path, "Deezer_Free_FR_EUR_20200115-20200214.tsv", line("a", isrc=ISRC, usages="5", revenue="7"))


@pytest.fixture
def ask(client):
    client.force_login(staff_with("view_dsr", "export_dsr"))

    def answer(address, expected_status=200, **query):
        response = client.get(address, query)
        assert response.status_code == expected_status
        return response

    return answer


def table_of(response, name):
    """The texts of a table, row by row."""
    (table,) = re.findall(rf'<table[^>]*id="{name}">(.*?)</table>', response.content.decode(), re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [[html.unescape(strip_tags(cell)) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)] for row in rows]


@pytest.mark.usefixtures("_reports")
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


@pytest.mark.usefixtures("_reports")
def test_a_breakdown_by_two_groups_is_a_pivot(ask):
    assert table_of(ask(BREAKDOWN, by="territory", then_by="month", show="usages"), "breakdown") == [
        ["Territory", "2020-01", "2020-01-15 – 2020-02-14", "2020-02"],
        ["ES", "8", "–", "3"],
        ["FR", "–", "5", "–"],
    ]
    narrowed = ask(BREAKDOWN, by="dsp", then_by="month", period_end="2020-01-31", territory="ES")
    assert table_of(narrowed, "breakdown") == [["DSP", "2020-01"], ["Spotify", "10.50"]]


@pytest.mark.usefixtures("_reports")
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


@pytest.mark.usefixtures("_reports")
def test_a_file_needs_the_permission_to_export(client):
    client.force_login(staff_with("view_dsr"))
    assert b"format=csv" not in client.get(BREAKDOWN).content
    assert client.get(BREAKDOWN, {"format": "csv"}).status_code == 403


def test_coverage_says_its_states_in_the_language_of_the_page(admin_client):
    recipes.dsr.make()
    page = admin_client.get(COVERAGE, {"first": "2020-01", "last": "2020-02"}, headers={"accept-language": "es"})
    assert [row[-2:] for row in table_of(page, "coverage")[1:]] == [["importado", "con retraso"]]


@pytest.mark.usefixtures("_reports")
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


@pytest.mark.usefixtures("_reports")
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


@pytest.mark.usefixtures("_reports")
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


# --- A comparison by recording ---------------------------------------------------------------------------------

MOVES = {"by": "recording", "percentile": "100"}


@pytest.fixture
def _moves(tmp_path):
    """In January a is first, b second, c third, and g fourth. In February c is first, b second, n third, a fourth."""
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", "Aurora", "Ana", usages="4", revenue="8"),
        line("b", "Borealis", usages="1", revenue="5"),
        line("c", revenue="3"),
        line("g", "Gone", usages="2", revenue="0.5"),
    )
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200201-20200229.tsv",
        line("a", "Aurora", "Ana", usages="1", revenue="2"),
        line("b", "Borealis", usages="1", revenue="5.00"),
        line("c", revenue="9.25"),
        line("n", "<New>", revenue="4"),
    )


def sections_of(response):
    """The recordings of each table of a comparison, with their ranks and the difference of their revenue."""
    content = response.content.decode()
    found = {}
    for title, table in re.findall(r"<h2>(.*?)</h2>.*?<tbody>(.*?)</tbody>", content, re.DOTALL):
        rows = [re.findall(r"<t[dh].*?</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
        texts = [[html.unescape(strip_tags(cell)) for cell in row] for row in rows]
        found[title] = [(row[0], *row[3:6], row[12]) for row in texts]
    return found


@pytest.mark.usefixtures("_moves")
def test_recordings_that_moved(ask):
    assert sections_of(ask(COMPARISON, **MOVES)) == {
        "Revenue rose most": [("c", "3", "1", "2", "6.25")],
        "Revenue fell most": [("Aurora", "1", "4", "-3", "-6.00")],
        "Rank rose most": [("c", "3", "1", "2", "6.25")],
        "Rank fell most": [("Aurora", "1", "4", "-3", "-6.00")],
        "New": [("<New>", "–", "3", "–", "4.00")],
        "Gone": [("Gone", "4", "–", "–", "-0.50")],
    }
    # Without a percentage, 10.
    assert sections_of(ask(COMPARISON, by="recording")) == {
        "Revenue rose most": [("c", "3", "1", "2", "6.25")],
        "Rank rose most": [("c", "3", "1", "2", "6.25")],
    }
    # By groups, the percentage of recordings is not used.
    assert table_of(ask(COMPARISON, percentile="5"), "comparison") == table_of(ask(COMPARISON), "comparison")


@pytest.mark.usefixtures("_moves")
def test_recordings_lead_to_their_pages_for_users_who_may_see_them(client, ask):
    assert "resource/page" not in ask(COMPARISON, **MOVES).content.decode()
    client.force_login(permitted(User.objects.get(), "view_dsr", "export_dsr", "view_resource"))
    addresses = re.findall(r'href="([^"]*resource/page[^"]*)"', ask(COMPARISON, **MOVES).content.decode())
    assert "/admin/catalogue/resource/page/?dsp=Spotify&amp;dsp_id=g" in addresses
    assert len(addresses) == 6
    for address in addresses:
        assert client.get(html.unescape(address)).status_code == 200


@pytest.mark.usefixtures("_moves")
def test_only_some_recordings_are_shown_and_all_are_in_the_file(ask, monkeypatch):
    monkeypatch.setattr(recordings, "SHOWN", 1)
    monkeypatch.setattr(recordings, "MOST_COMPARED", 3)
    monkeypatch.setattr(recordings, "PAGE_ROWS", 2)
    response = ask(COMPARISON, **MOVES)
    assert "Only the first 3 recordings are compared here." in response.content.decode()
    # The fourth has fallen.
    assert "Revenue fell most" not in sections_of(response)
    assert "There are more." not in response.content.decode()
    rows = file_of(ask(COMPARISON, **MOVES, format="csv"))
    assert [(row["dsp_id"], row["rank"], row["rank_before"], row["is_new"], row["is_gone"]) for row in rows] == [
        ("c", "1", "3", "false", "false"),
        ("b", "2", "2", "false", "false"),
        ("n", "3", "", "true", "false"),
        ("a", "4", "1", "false", "false"),
        ("g", "", "4", "false", "true"),
    ]
    assert {name: rows[3][name] for name in ("title", "artists", "usages_now", "revenue_eur_percent")} == {
        "title": "Aurora",
        "artists": "Ana",
        "usages_now": "1",
        "revenue_eur_percent": "-75",
    }
    monkeypatch.setattr(recordings, "MOST_COMPARED", 4)
    assert "Only the first" not in ask(COMPARISON, **MOVES).content.decode()


@pytest.mark.usefixtures("_moves")
def test_of_many_new_recordings_the_first_are_shown(ask, monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "SHOWN", 1)
    import_report(tmp_path, "Spotify_Solo_ES_EUR_20200201-20200229.tsv", line("o", revenue="4.5"))
    response = ask(COMPARISON, **MOVES)
    assert sections_of(response)["New"] == [("o", "–", "3", "–", "4.50")]
    assert response.content.decode().count("There are more. Export has all.") == 1


@pytest.mark.usefixtures("_moves")
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RankingNotReady("Later."), "Ranking in progress. Try again in a minute."),
        (OutOfTime(), "This comparison takes too long. Choose a smaller share, or a filter."),
    ],
)
def test_what_takes_too_long_is_explained(ask, monkeypatch, error, message):
    def fail(*args):
        raise error

    monkeypatch.setattr(cache, "ranking_cache", fail)
    for query in ({}, {"format": "csv"}):
        assert message in ask(COMPARISON, 503, **MOVES, **query).content.decode()


@pytest.mark.parametrize("percentile", ["0", "101", "ten"])
def test_a_wrong_percentage_is_explained(ask, percentile):
    assert "errorlist" in ask(COMPARISON, 400, by="recording", percentile=percentile).content.decode()


def test_a_comparison_without_recordings_says_so(ask):
    assert "No recordings with revenue found." in ask(COMPARISON, **MOVES).content.decode()


@pytest.mark.usefixtures("_moves")
def test_a_file_of_recordings_needs_the_permission_to_export(client):
    client.force_login(staff_with("view_dsr"))
    assert b"format=csv" not in client.get(COMPARISON, MOVES).content
    assert client.get(COMPARISON, {**MOVES, "format": "csv"}).status_code == 403


# --- Coverage --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_reports")
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
    for address in (BREAKDOWN, COMPARISON, COVERAGE):
        assert "No DSRs found." in ask(address).content.decode()


@pytest.mark.usefixtures("_reports")
def test_the_chart_has_the_rows_with_most_revenue_first(ask):
    content = ask(BREAKDOWN, by="territory", then_by="month").content.decode()
    assert charts(content) == {
        "revenue": [("ES", 11.5, "11.5 EUR"), ("FR", 7, "7 EUR")],
        "usages": [("ES", 11, "11"), ("FR", 5, "5")],
    }


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_reports")
def test_a_breakdown_in_a_browser(live_server, page, admin_user):
    """From the start page to a pivot; the page logs no error, as its charts are drawn."""
    start = signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")
    start.locator("#nav-sidebar").get_by_role("link", name="Breakdown").click()
    page.get_by_label("Columns").select_option("month")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("columnheader", name="2020-02", exact=True)).to_be_visible()
    page.wait_for_function("() => Array.from(document.querySelectorAll('canvas')).every(one => Chart.getChart(one))")
    start.goto(f"{live_server.url}/admin/")
    start.locator("#nav-sidebar").get_by_role("link", name="Coverage").click()
    page.get_by_label("From").fill("2020-01")
    page.get_by_label("To (inclusive)").fill("2020-03")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="ingested").first.click()
    expect(page.get_by_text("Spotify_Duo_ES_EUR_20200101-20200131.tsv").first).to_be_visible()
