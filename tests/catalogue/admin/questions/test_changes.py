"""The comparison of two periods by recording: those that rose, fell, are new or gone, and their file."""

import html
import re
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.utils.html import strip_tags

from catalogue.admin.questions import recordings
from catalogue.exceptions import RankingNotReady
from catalogue.models import DSR
from catalogue.ranking.cached import resources as cache
from dsrhub.database.time_limits import OutOfTime
from tests.catalogue.admin.questions.test_questions import COMPARISON, answer, file_of, table_of
from tests.catalogue.helpers import import_report, line, permitted, staff_with

pytestmark = pytest.mark.django_db

MOVES = {"by": "recording", "percentile": "100"}


@pytest.fixture(scope="module", autouse=True)
def _moves(module_db, tmp_path_factory):
    """In January a is first, b second, c third, and g fourth. In February c is first, b second, n third, a fourth."""
    folder = tmp_path_factory.mktemp("reports")
    import_report(
        folder,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", "Aurora", "Ana", usages="4", revenue="8"),
        line("b", "Borealis", usages="1", revenue="5"),
        line("c", revenue="3"),
        line("g", "Gone", usages="2", revenue="0.5"),
    )
    import_report(
        folder,
        "Spotify_Duo_ES_EUR_20200201-20200229.tsv",
        line("a", "Aurora", "Ana", usages="1", revenue="2"),
        line("b", "Borealis", usages="1", revenue="5.00"),
        line("c", revenue="9.25"),
        line("n", "<New>", revenue="4"),
    )


@pytest.fixture
def ask(client):
    client.force_login(staff_with("view_dsr", "export_dsr"))
    return partial(answer, client)


def sections_of(response):
    """The recordings of each table of a comparison, with their ranks and the difference of their revenue."""
    content = response.content.decode()
    found = {}
    for title, table in re.findall(r"<h2>(.*?)</h2>.*?<tbody>(.*?)</tbody>", content, re.DOTALL):
        rows = [re.findall(r"<t[dh].*?</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
        texts = [[html.unescape(strip_tags(cell)) for cell in row] for row in rows]
        found[title] = [(row[0], *row[3:6], row[12]) for row in texts]
    return found


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


def test_recordings_lead_to_their_pages_for_users_who_may_see_them(client, ask):
    assert "resource/page" not in ask(COMPARISON, **MOVES).content.decode()
    client.force_login(permitted(User.objects.get(), "view_dsr", "export_dsr", "view_resource"))
    addresses = re.findall(r'href="([^"]*resource/page[^"]*)"', ask(COMPARISON, **MOVES).content.decode())
    assert "/admin/catalogue/resource/page/?dsp=Spotify&amp;dsp_id=g" in addresses
    assert len(addresses) == 6
    for address in addresses:
        assert client.get(html.unescape(address)).status_code == 200


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


def test_of_many_new_recordings_the_first_are_shown(ask, monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "SHOWN", 1)
    import_report(tmp_path, "Spotify_Solo_ES_EUR_20200201-20200229.tsv", line("o", revenue="4.5"))
    response = ask(COMPARISON, **MOVES)
    assert sections_of(response)["New"] == [("o", "–", "3", "–", "4.50")]
    assert response.content.decode().count("There are more. Export has all.") == 1


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
    DSR.objects.all().delete()
    assert "No recordings with revenue found." in ask(COMPARISON, **MOVES).content.decode()


def test_a_file_of_recordings_needs_the_permission_to_export(client):
    client.force_login(staff_with("view_dsr"))
    assert b"format=csv" not in client.get(COMPARISON, MOVES).content
    assert client.get(COMPARISON, {**MOVES, "format": "csv"}).status_code == 403
