"""The page of recordings that are hard to identify, and the same ISRC on the page of a recording."""

import csv
import io

import pytest
from playwright.sync_api import expect

from catalogue.admin.questions import identification as page_of_identification
from catalogue.exceptions import RankingNotReady
from catalogue.ranking.cached import resources as cache
from catalogue.resources import identification, same_isrc
from tests.browser import signed_in
from tests.catalogue.admin.questions.test_questions import table_of
from tests.catalogue.helpers import import_report, line, staff_with
from tests.charts import charts

pytestmark = pytest.mark.django_db

IDENTIFICATION = "/admin/catalogue/dsr/identification/"
RECORDING = "/admin/catalogue/resource/page/"
FIRST, SECOND = "ESABC2000001", "ESABC2000002"


@pytest.fixture
def _reports(tmp_path):
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", "Aurora", "Ana|Ben", FIRST, "5", "6"),
        line("b", "Borealis", "Cleo", usages="4", revenue="2.50"),
        line("c", isrc="123", revenue="2"),
        line("d", isrc=SECOND, revenue="1"),
        line("d", isrc=FIRST, revenue="0.5"),
        line("e", revenue="0.5"),
    )
    import_report(tmp_path, "Deezer_Free_FR_EUR_20200201-20200229.tsv", line("x", isrc=FIRST, usages="2", revenue="1"))


@pytest.fixture
def ask(client):
    client.force_login(staff_with("view_dsr", "export_dsr", "view_resource"))

    def answer(address=IDENTIFICATION, expected_status=200, **query):
        response = client.get(address, query)
        assert response.status_code == expected_status
        return response

    return answer


def found(response):
    return table_of(response, "identification")[1:]


@pytest.mark.usefixtures("_reports")
def test_each_problem(ask):
    response = ask(percentile=100)
    assert found(response) == [
        ["2", "Borealis", "Spotify", "Cleo", "–", "4", "2.50"],
        ["6", "e", "Spotify", "–", "–", "–", "0.50"],
    ]
    assert "/admin/catalogue/resource/page/?dsp=Spotify&amp;dsp_id=b" in response.content.decode()
    malformed = ask(percentile=100, problem="malformed_isrc")
    assert [row[4] for row in found(malformed)] == ["123"]
    several = ask(percentile=100, problem="several_isrcs", territory="ES")
    assert [row[4] for row in found(several)] == [f"{FIRST}, {SECOND}"]
    assert "No recordings found." in ask().content.decode()


@pytest.mark.usefixtures("_reports")
def test_a_page_says_how_far_it_searched(ask, monkeypatch):
    monkeypatch.setitem(identification.SEARCHED, identification.IsrcProblem.NO_ISRC, 1)
    content = ask(percentile=100).content.decode()
    assert "No recordings found here." in content
    assert "Searched up to rank 1." in content
    assert '<a href="?percentile=100&amp;after=1" rel="next">' in content
    assert [row[1] for row in found(ask(percentile=100, after=1))] == ["Borealis"]


@pytest.mark.usefixtures("_reports")
def test_all_as_a_file(ask, monkeypatch):
    monkeypatch.setitem(identification.SEARCHED, identification.IsrcProblem.NO_ISRC, 1)
    monkeypatch.setattr(page_of_identification, "PAGE_ROWS", 1)
    response = ask(percentile=100, format="csv")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert [list(row.values()) for row in csv.DictReader(io.StringIO(text))] == [
        ["2", "Spotify", "b", "Borealis", "Cleo", "", "", "no_isrc", "4", "2.5"],
        ["6", "Spotify", "e", "", "", "", "", "no_isrc", "", "0.5"],
    ]


@pytest.mark.usefixtures("_reports")
def test_a_file_needs_the_permission_to_export(client):
    client.force_login(staff_with("view_dsr"))
    assert b"format=csv" not in client.get(IDENTIFICATION, {"percentile": 100}).content
    assert client.get(IDENTIFICATION, {"format": "csv"}).status_code == 403


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"problem": "none"}, "Select a valid choice."),
        ({"percentile": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"percentile": "101"}, "Ensure this value is less than or equal to 100."),
    ],
)
def test_a_wrong_choice_is_explained(ask, query, message):
    assert message in ask(expected_status=400, **query).content.decode()


@pytest.mark.usefixtures("_reports")
def test_a_ranking_that_is_not_ready(ask, monkeypatch):
    def not_ready(*args):
        raise RankingNotReady("Later.")

    monkeypatch.setattr(cache, "ranking_cache", not_ready)
    assert "Ranking in progress. Try again in a minute." in ask(expected_status=503).content.decode()


# --- The page of a recording -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_reports")
def test_the_same_isrc_at_other_dsps(ask):
    response = ask(RECORDING, dsp="Spotify", dsp_id="a")
    # The most recent line of d has the same ISRC, too.
    assert table_of(response, "same-isrc") == [
        ["DSP", "recording", "usages", "revenue in EUR"],
        ["Spotify", "Aurora this one", "5", "6.00"],
        ["Spotify", "d", "–", "1.50"],
        ["Deezer", "x", "2", "1.00"],
    ]
    assert table_of(response, "same-isrc-1")[1:] == [["ES", "5", "7.50"], ["FR", "2", "1.00"]]
    assert table_of(response, "same-isrc-2")[1:] == [["2020-01", "5", "7.50"], ["2020-02", "2", "1.00"]]
    # What this recording has alone: d is another one.
    assert table_of(response, "by-territory")[1:] == [["ES", "5", "6.00"], ["Total", "5", "6.00"]]
    assert charts(response.content.decode()) == {
        "by-territory": [("ES", 7.5, "7.5 EUR"), ("FR", 1, "1 EUR")],
        "by-month": [("2020-01", 7.5, "7.5 EUR"), ("2020-02", 1, "1 EUR")],
    }
    assert "/admin/catalogue/resource/page/?dsp=Deezer&amp;dsp_id=x" in response.content.decode()


@pytest.mark.usefixtures("_reports")
def test_a_recording_that_no_other_dsp_has(ask):
    for dsp_id in "bc":
        assert b"same-isrc" not in ask(RECORDING, dsp="Spotify", dsp_id=dsp_id).content


@pytest.mark.usefixtures("_reports")
def test_amounts_are_for_users_who_may_view_dsrs(client):
    client.force_login(staff_with("view_resource"))
    response = client.get(RECORDING, {"dsp": "Spotify", "dsp_id": "a"})
    assert (response.status_code, b"same-isrc" in response.content) == (200, False)


@pytest.mark.usefixtures("_reports")
def test_the_page_says_that_there_are_more(ask, monkeypatch):
    monkeypatch.setattr(same_isrc, "MOST", 2)
    content = ask(RECORDING, dsp="Spotify", dsp_id="a").content.decode()
    assert "There are more: only the first 2 are listed and added up." in content


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_reports")
def test_from_identification_to_a_recording_in_a_browser(live_server, page, admin_user):
    start = signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")
    start.locator("#nav-sidebar").get_by_role("link", name="Identification").click()
    page.get_by_label("Recordings").select_option("several_isrcs")
    page.get_by_label("Of the top N %").fill("100")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="d", exact=True).click()
    expect(page.get_by_role("heading", name="The same ISRC at other DSPs")).to_be_visible()
    page.wait_for_function("() => Array.from(document.querySelectorAll('canvas')).every(one => Chart.getChart(one))")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
