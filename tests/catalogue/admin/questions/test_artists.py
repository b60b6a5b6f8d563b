"""The page of artists: the table, the shares of the first ones, the chart and the files."""

import csv
import io
import re
from functools import partial

import pytest
from django.db import connection
from openpyxl import load_workbook

from catalogue.admin.questions import artists as page_of_artists
from catalogue.exceptions import RankingNotReady
from catalogue.models import DSR
from catalogue.ranking.artists import selectors as artists
from tests.catalogue.admin.questions.test_questions import answer, table_of
from tests.catalogue.helpers import import_report, line, staff_with
from tests.charts import charts

pytestmark = pytest.mark.django_db

ARTISTS = "/admin/catalogue/dsr/artists/"


@pytest.fixture(scope="module", autouse=True)
def _reports(module_db, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    import_report(
        folder,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", artists="Ana & Eva|Ben", usages="5", revenue="6"),
        line("b", artists="Ben", usages="4", revenue="2"),
        line("c", usages="2", revenue="0.50"),
    )
    import_report(folder, "Deezer_Free_FR_EUR_20200201-20200229.tsv", line("a", artists="Cleo", revenue="1"))


@pytest.fixture
def ask(client):
    client.force_login(staff_with("view_dsr", "export_dsr"))
    return partial(answer, client, ARTISTS)


def test_the_table_and_the_summary(ask):
    response = ask(credit="split")
    assert table_of(response, "artists") == [
        ["Rank", "Artist", "Recordings", "Usages", "Revenue in EUR", "%", "Cumulative share (%)"],
        ["1", "Ben", "2", "6.50", "5.00", "55.56", "55.56"],
        ["2", "Ana & Eva", "1", "2.50", "3.00", "33.33", "88.89"],
        ["3", "Cleo", "1", "0", "1.00", "11.11", "100.00"],
    ]
    content = response.content.decode()
    assert re.findall(r'<dd id="([\w-]+)">(?:<data class="rounded" value="([^"]*)")?', content) == [
        *(("artist-count", ""), ("artists-revenue", "")),
        *(("top-ten", ""), ("hhi", "4320.987654320988")),
    ]
    assert re.search(r"Lines without an artist: 1.*, with 2.* usages and .*0\.50.* EUR", content)
    assert "/admin/catalogue/resource/?q=Ana+%26+Eva" in content
    assert charts(content)["revenue-by-artist"][:2] == [("Ben", 5, "5 EUR"), ("Ana & Eva", 3, "3 EUR")]


def test_filters_and_pages(ask, monkeypatch):
    monkeypatch.setattr(page_of_artists, "ARTISTS_ON_A_PAGE", 1)
    response = ask(territory="ES")
    assert [row[1] for row in table_of(response, "artists")[1:]] == ["Ben"]
    (address,) = re.findall(r'<a href="\?([^"]+)" rel="next">', response.content.decode())
    assert address == "territory=ES&amp;after=1"
    response = ask(territory="ES", after=1)
    assert [row[1] for row in table_of(response, "artists")[1:]] == ["Ana & Eva"]
    assert b'rel="next"' not in response.content
    # A new search starts with the first page.
    assert b'name="after"' not in response.content


def test_all_artists_as_a_file(ask, monkeypatch):
    monkeypatch.setattr(page_of_artists, "PAGE_ROWS", 1)
    response = ask(format="csv", after=1)
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [[row[name] for name in ("rank", "artist", "recording_count", "usages", "revenue_eur")] for row in rows] == [
        ["1", "Ben", "2", "9", "8"],
        ["2", "Ana & Eva", "1", "5", "6"],
        ["3", "Cleo", "1", "0", "1"],
    ]
    response = ask(format="xlsx")
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    heading, ben, *_ = sheet.iter_rows(values_only=True)
    assert dict(zip(heading, ben, strict=True))["revenue_percent_exact"] == "53.333333333333"


def test_a_file_whose_rows_are_gone_breaks_off(ask):
    response = ask(format="csv")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalogue_rankedartist")
    with pytest.raises(LookupError, match="are gone"):
        b"".join(response.streaming_content)


def test_a_file_needs_the_permission_to_export(client):
    client.force_login(staff_with("view_dsr"))
    assert b"format=csv" not in client.get(ARTISTS).content
    assert client.get(ARTISTS, {"format": "csv"}).status_code == 403


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"credit": "half"}, "Select a valid choice."),
        ({"after": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"period_start": "2020-02-01", "period_end": "2020-01-01"}, "The range ends before it starts."),
    ],
)
def test_a_wrong_choice_is_explained(ask, query, message):
    assert message in ask(400, **query).content.decode()


def test_a_ranking_that_is_not_ready(ask, monkeypatch):
    def not_ready(*args):
        raise RankingNotReady("Later.")

    monkeypatch.setattr(artists, "artists_cache", not_ready)
    assert "Ranking in progress. Try again in a minute." in ask(503).content.decode()
    assert "Ranking in progress. Try again in a minute." in ask(503, format="csv").content.decode()


def test_without_dsrs(ask):
    DSR.objects.all().delete()
    assert "No artists found." in ask().content.decode()
