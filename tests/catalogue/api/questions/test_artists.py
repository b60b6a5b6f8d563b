"""`/artists/` and the same in GraphQL: artists by revenue, page by page, with what all of them have."""

import pytest

from catalogue.exceptions import RankingNotReady
from catalogue.ranking.artists import selectors as artists
from tests.catalogue.helpers import import_report, line
from tests.catalogue.sample_message import import_message
from tests.graphql_schema.helpers import ask as ask_graphql
from tests.graphql_schema.helpers import refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def _reports(tmp_path):
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", artists="Ana|Ben", usages="5", revenue="6"),
        line("b", artists="Ben", usages="4", revenue="2"),
        line("c", usages="2", revenue="0.50"),
    )
    import_report(
        tmp_path, "Deezer_Free_FR_EUR_20200201-20200229.tsv", line("a", artists="Cleo", usages="1", revenue="1")
    )


@pytest.fixture
def ask(client):
    def answer(expected_status=200, **query):
        response = client.get("/artists/", query)
        assert response.status_code == expected_status, response.content
        return response

    return answer


def artist(rank, name, recordings, usages, revenue, percent, cumulative):
    return {
        "rank": rank,
        "artist": name,
        "recording_count": recordings,
        "usages": usages,
        "revenue_eur": revenue,
        "revenue_percent": percent,
        "cumulative_percent": cumulative,
    }


@pytest.mark.usefixtures("_reports")
def test_split_credit(ask):
    assert ask(credit="split").json() == {
        "artist_count": 3,
        "revenue_eur": "9",
        "without_artists": {"lines": 1, "usages": "2", "revenue_eur": "0.5"},
        "top_ten_percent": "100",
        # 10,000 * (25 + 9 + 1) / 81.
        "hhi": "4320.987654320988",
        "results": [
            artist(1, "Ben", 2, "6.5", "5", "55.555555555556", "55.555555555556"),
            artist(2, "Ana", 1, "2.5", "3", "33.333333333333", "88.888888888889"),
            artist(3, "Cleo", 1, "1", "1", "11.111111111111", "100"),
        ],
    }


@pytest.mark.usefixtures("_reports")
def test_full_credit_is_the_default(ask):
    answer = ask().json()
    assert answer == ask(credit="full").json()
    assert (answer["revenue_eur"], [row["revenue_eur"] for row in answer["results"]]) == ("15", ["8", "6", "1"])


@pytest.mark.usefixtures("_reports")
def test_filters(ask):
    def names(**query):
        return [row["artist"] for row in ask(**query).json()["results"]]

    assert names(territory="fr") == names(dsp="Deezer") == names(period_start="2020-02-01") == ["Cleo"]
    assert names(offer="Duo", credit="split") == names(period_end="2020-01-31") == ["Ben", "Ana"]
    assert ask(dsp="Tidal").json() == {
        "artist_count": 0,
        "revenue_eur": "0",
        "without_artists": {"lines": 0, "usages": "0", "revenue_eur": "0"},
        "top_ten_percent": None,
        "hhi": None,
        "results": [],
    }


@pytest.mark.usefixtures("_reports")
def test_pages(ask, client):
    first = ask(limit=2, credit="split", exact="true")
    assert [row["rank"] for row in first.json()["results"]] == ["1", "2"]
    assert first.json()["without_artists"]["lines"] == "1"
    assert first["Link"] == '<http://testserver/artists/?limit=2&credit=split&exact=true&cursor=2>; rel="next"'
    last = client.get(first["Link"][1:].partition(">")[0])
    assert [row["artist"] for row in last.json()["results"]] == ["Cleo"]
    assert "Link" not in last
    assert last.json()["artist_count"] == "3"
    for cursor, count in ((-(2**63), 3), (2**63 - 1, 0)):
        response = ask(cursor=cursor)
        assert (len(response.json()["results"]), "Link" in response) == (count, False)


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ({"credit": "half"}, "credit", "invalid_choice"),
        ({"limit": "0"}, "limit", "min_value"),
        ({"territory": "Spain"}, "territory", "invalid"),
        ({"period_start": "2020-02-01", "period_end": "2020-01-01"}, "period_end", "before_start"),
        ({"percentile": "10"}, "percentile", "unknown"),
    ],
)
def test_wrong_parameters(ask, query, parameter, code):
    refused = ask(400, **query).json()
    assert {name: [finding["code"] for finding in found] for name, found in refused.items()} == {parameter: [code]}


def test_a_use_type_that_only_some_lines_of_a_dsr_have_is_refused(ask, tmp_path):
    message = import_message(tmp_path)
    use_type = message.dsrs.filter(use_type_totals__use_type__isnull=False).values_list("use_type_totals__use_type")
    mixed = next(name for (name,) in use_type)
    ((parameter, (refused,)),) = ask(400, use_type=mixed).json().items()
    assert (parameter, refused["code"]) == ("use_type", "invalid_argument")


@pytest.mark.usefixtures("_reports")
def test_a_ranking_that_is_not_ready(ask, monkeypatch):
    def not_ready(*args):
        raise RankingNotReady("Later.")

    monkeypatch.setattr(artists, "artists_cache", not_ready)
    assert ask(503).json() == {"detail": "Later.", "code": "ranking_not_ready"}


# --- GraphQL ---------------------------------------------------------------------------------------------------

PAGE = """query ($first: Int, $after: String) { artists(credit: SPLIT, dsp: "Spotify", first: $first, after: $after) {
    totalCount revenueEur withoutArtists { lines usages revenueEur } topTenPercent hhi
    pageInfo { hasNextPage endCursor }
    edges { node { rank artist recordingCount usages revenueEur revenuePercent cumulativePercent } }
} }"""


@pytest.mark.usefixtures("_reports")
def test_graphql():
    page = ask_graphql(PAGE, first=1)["artists"]
    assert page["pageInfo"].pop("hasNextPage")
    cursor = page["pageInfo"].pop("endCursor")
    assert page == {
        "totalCount": 2,
        "revenueEur": "8",
        "withoutArtists": {"lines": "1", "usages": "2", "revenueEur": "0.5"},
        "topTenPercent": "100",
        # 10,000 * (25 + 9) / 64.
        "hhi": "5312.5",
        "pageInfo": {},
        "edges": [
            {
                "node": {
                    "rank": 1,
                    "artist": "Ben",
                    "recordingCount": "2",
                    "usages": "6.5",
                    "revenueEur": "5",
                    "revenuePercent": "62.5",
                    "cumulativePercent": "62.5",
                }
            }
        ],
    }
    page = ask_graphql(PAGE, first=5, after=cursor)["artists"]
    assert [edge["node"]["artist"] for edge in page["edges"]] == ["Ana"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (2, False)
    other = "query ($after: String) { artists(credit: FULL, after: $after) { totalCount } }"
    assert refusal(other, after=cursor) == ("invalid_cursor", {"argument": "after"})


@pytest.mark.parametrize("credit", ["full", "split"])
def test_a_sum_has_no_zeros_at_its_end(ask, tmp_path, credit):
    lines = [line("a", artists="Ana", revenue="0.25"), line("b", artists="Ben", revenue="0.75")]
    import_report(tmp_path, "Spotify_Duo_ES_EUR_20200101-20200131.tsv", *lines)
    assert ask(credit=credit).json()["revenue_eur"] == "1"
