"""`/statistics/comparison/?by=recording` and its twin in GraphQL. Expected values are worked out by hand."""

import re

import pytest

from catalogue.exceptions import RankingNotReady
from catalogue.ranking.cached import resources as cache
from tests.catalogue.helpers import import_report, line
from tests.catalogue.sample_message import import_message
from tests.graphql_schema.helpers import ask as ask_graphql
from tests.graphql_schema.helpers import nodes, pages, refusal

pytestmark = pytest.mark.django_db

ISRC = "ESABC2000001"


@pytest.fixture
def _reports(tmp_path):
    """In January, g has 30 EUR of 46, then a 10.5, k 5 and h 0.5. In February, b has 20 EUR of 40, then a and n."""
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", "Aurora", "Ana", ISRC, usages="4", revenue="10.50"),
        line("b", usages="2"),
        line("g", "Gone", usages="1", revenue="30"),
        line("h", revenue="0.5"),
    )
    import_report(tmp_path, "Deezer_Free_FR_EUR_20200101-20200131.tsv", line("k", usages="3", revenue="5.00"))
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200201-20200229.tsv",
        line("a", usages="5", revenue="11"),
        line("a", usages="1", revenue="0.50"),
        line("b", usages="5", revenue="20"),
        line("n", "New", revenue="8.5"),
    )
    # In two months: of neither.
    import_report(
        tmp_path, "Spotify_Trio_ES_EUR_20200120-20200219.tsv", line("n", revenue="99"), line("g", revenue="9")
    )


@pytest.fixture
def ask(client):
    def answer(expected_status=200, **query):
        query = {"by": "recording", "period": "2020-02", "with": "2020-01", "percentile": "100", **query}
        query = {name: value for name, value in query.items() if value is not None}
        response = client.get("/statistics/comparison/", query)
        assert response.status_code == expected_status, response.content
        return response.json()

    return answer


def sums(usages, revenue):
    return {"usages": usages, "revenue_eur": revenue}


def named(dsp_id, title=None, artists=None, isrc=None, dsp="Spotify"):
    return {"dsp": dsp, "dsp_id": dsp_id, "title": title, "artists": artists, "isrc": isrc}


def ranks(rank, before, change, *, is_new=False):
    return {"rank": rank, "rank_before": before, "rank_change": change, "is_new": is_new}


# The series Trio has no DSR of its own for either month.
PARTIAL = {"incomplete": {"now": ["2020-02"], "before": ["2020-01"]}}


@pytest.mark.usefixtures("_reports")
def test_the_top_of_the_later_period(ask):
    b = {
        **named("b"),
        # It has no revenue before, so it had no rank; but it is not new.
        **ranks(1, None, None),
        "now": sums(5, "20"),
        "before": sums(2, None),
        "difference": sums(3, "20"),
        "percent": sums("150", None),
        **PARTIAL,
    }
    a = {
        **named("a", "Aurora", "Ana", ISRC),
        **ranks(2, 2, 0),
        "now": sums(6, "11.5"),
        "before": sums(4, "10.5"),
        "difference": sums(2, "1"),
        "percent": sums("50", "9.52380952381"),
        **PARTIAL,
    }
    n = {
        **named("n", "New"),
        **ranks(3, None, None, is_new=True),
        "now": sums(None, "8.5"),
        "before": None,
        "difference": sums(0, "8.5"),
        "percent": sums(None, None),
        **PARTIAL,
    }
    assert ask() == ask(show="top") == [b, a, n]
    # The first has exactly half of the revenue.
    assert ask(percentile="50") == [b]
    assert ask(percentile="51") == [b, a]


@pytest.mark.usefixtures("_reports")
def test_what_is_gone(ask):
    g = {
        **named("g", "Gone"),
        **ranks(None, 1, None),
        "now": None,
        "before": sums(1, "30"),
        "difference": sums(-1, "-30"),
        "percent": sums("-100", "-100"),
        **PARTIAL,
    }
    k = {
        **named("k", dsp="Deezer"),
        **ranks(None, 3, None),
        "now": None,
        "before": sums(3, "5"),
        "difference": sums(-3, "-5"),
        "percent": sums("-100", "-100"),
        # A report of Deezer may just be missing.
        "incomplete": {"now": ["2020-02"], "before": []},
    }
    found = ask(show="gone")
    assert found[:2] == [g, k]
    assert [(one["dsp_id"], one["rank_before"], one["before"]) for one in found[2:]] == [("h", 4, sums(None, "0.5"))]
    # 30 EUR are more than 65 % of 46 EUR, and less than 66 %. The next of the top is not gone.
    assert ask(show="gone", percentile="65") == ask(show="gone", percentile="66") == [g]


@pytest.mark.usefixtures("_reports")
def test_pages_lead_to_the_next(client, ask):
    for show, expected in (("top", ["b", "a", "n"]), ("gone", ["g", "k", "h"])):
        everything = ask(show=show)
        address = f"/statistics/comparison/?by=recording&period=2020-02&percentile=100&show={show}&limit=1"
        found = []
        while address:
            response = client.get(address)
            found += response.json()
            link = re.fullmatch('<(.+)>; rel="next"', response.get("Link", ""))
            address = link and link[1]
        assert found == everything
        assert [one["dsp_id"] for one in found] == expected
    assert ask(cursor="3") == []


@pytest.mark.usefixtures("_reports")
def test_filters_and_exact_numbers(ask):
    assert [(one["dsp_id"], one["rank_before"]) for one in ask(show="gone", dsp="Deezer")] == [("k", 1)]
    assert ask(dsp="Deezer") == ask(territory="FR") == ask(revenue_kind="allocated") == []
    row = ask(exact="true")[1]
    assert (row["rank"], row["rank_change"], row["now"]["usages"], row["difference"]["usages"]) == ("2", "0", "6", "2")


@pytest.mark.usefixtures("_reports")
def test_without_a_total_above_zero_there_are_no_ranks(ask, tmp_path):
    import_report(tmp_path, "Tidal_HiFi_GB_EUR_20200101-20200131.tsv", line("t", revenue="-1"), line("u", revenue="1"))
    import_report(tmp_path, "Tidal_HiFi_GB_EUR_20200201-20200229.tsv", line("t", revenue="4"))
    (row,) = ask(dsp="Tidal")
    assert (row["rank"], row["rank_before"], row["before"]) == (1, None, sums(None, "-1"))
    assert row["percent"]["revenue_eur"] == "-500"
    assert ask(dsp="Tidal", show="gone") == []


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ({"percentile": None}, "percentile", "required"),
        ({"percentile": "0"}, "percentile", "min_value"),
        ({"percentile": "101"}, "percentile", "max_value"),
        ({"percentile": "ten"}, "percentile", "invalid"),
        ({"show": "new"}, "show", "invalid_choice"),
        ({"limit": "0"}, "limit", "min_value"),
        ({"cursor": "-1"}, "cursor", "min_value"),
        ({"by": "dsp"}, "percentile", "only_by_recording"),
        ({"by": "dsp", "percentile": None, "show": "top"}, "show", "only_by_recording"),
        ({"by": "dsp", "percentile": None, "limit": "5"}, "limit", "only_by_recording"),
        ({"by": "dsp", "percentile": None, "cursor": "5"}, "cursor", "only_by_recording"),
        ({"by": "recordings"}, "by", "invalid_choice"),
    ],
)
def test_wrong_parameters(ask, query, parameter, code):
    refused = ask(400, **query)
    assert {name: [finding["code"] for finding in found] for name, found in refused.items()} == {parameter: [code]}


def test_a_use_type_that_shares_a_dsr_with_others_is_refused(ask, tmp_path):
    import_message(tmp_path, start="2020-02-01", end="2020-02-29")
    (finding,) = ask(400, use_type="OnDemandStream")["use_type"]
    assert finding["code"] == "invalid_argument"
    assert "Recordings are known by whole DSRs only." in finding["message"]


@pytest.mark.usefixtures("_reports")
def test_a_ranking_that_is_not_ready_is_told(ask, monkeypatch):
    def not_ready(*args):
        raise RankingNotReady("Later.")

    ask(percentile="50")  # Which caches the ranking of everything before.
    monkeypatch.setattr(cache, "ranking_cache", not_ready)
    assert ask(503) == {"detail": "Later.", "code": "ranking_not_ready"}
    assert [one["dsp_id"] for one in ask(percentile="40")] == ["b"]


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize("show", ["top", "gone"])
def test_the_number_of_statements_does_not_grow(ask, tmp_path, show, django_assert_num_queries):
    def statements():
        ask(show=show)  # Which caches the rankings.
        with django_assert_num_queries(STATEMENTS[show]):
            return len(ask(show=show))

    few = statements()
    lines = [line(f"{number}", revenue="1") for number in range(50)]
    import_report(tmp_path, "Spotify_Solo_ES_EUR_20200101-20200131.tsv", *lines)
    lines = [line(f"{number}", revenue="1") for number in range(40, 90)]
    import_report(tmp_path, "Spotify_Solo_ES_EUR_20200201-20200229.tsv", *lines)
    assert statements() > few + 30


# The DSRs of both periods and their states, twice; the coverage of both; and of each ranking its finding and releasing.
# Of the top: a page, the sums before, whether they are current, and the ranks. Of what is gone: a page.
STATEMENTS = {"top": 8 + 2 + 4 + 4, "gone": 8 + 2 + 2 + 1}


# --- GraphQL ---------------------------------------------------------------------------------------------------

QUERY = """
query ($show: ComparedResources = TOP, $first: Int = 10, $after: String) {
    recordingComparison(
        period: "2020-02", with: "2020-01", percentile: 100, show: $show, dsp: "Spotify", first: $first, after: $after
    ) {
        totalCount
        pageInfo { hasNextPage endCursor }
        edges { cursor node {
            rank rankBefore rankChange isNew now { usages revenueEur } before { usages revenueEur }
            usagesDifference revenueEurDifference usagesPercent revenueEurPercent incomplete { now before }
            resource { dspId title revenueEur reports { edges { node { dsr { periodStart } } } } }
        } }
    }
}
"""


def reports(*days):
    return {"edges": [{"node": {"dsr": {"periodStart": day}}} for day in days]}


@pytest.mark.usefixtures("_reports")
def test_graphql():
    found = nodes(QUERY)
    assert [one["resource"]["dspId"] for one in found] == ["b", "a", "n"]
    assert found[1] == {
        "rank": 2,
        "rankBefore": 2,
        "rankChange": 0,
        "isNew": False,
        "now": {"usages": "6", "revenueEur": "11.5"},
        "before": {"usages": "4", "revenueEur": "10.5"},
        "usagesDifference": "2",
        "revenueEurDifference": "1",
        "usagesPercent": "50",
        "revenueEurPercent": "9.52380952381",
        "incomplete": {"now": ["2020-02"], "before": ["2020-01"]},
        "resource": {"dspId": "a", "title": "Aurora", "revenueEur": "11.5", "reports": reports("2020-02-01")},
    }
    gone, other = nodes(QUERY, show="GONE")
    assert other["resource"]["dspId"] == "h"
    assert (gone["rank"], gone["rankBefore"], gone["now"], gone["isNew"]) == (None, 1, None, False)
    # What is gone has its sums and reports in the earlier period.
    assert gone["resource"] == {
        "dspId": "g",
        "title": "Gone",
        "revenueEur": "30",
        "reports": reports("2020-01-01"),
    }


@pytest.mark.usefixtures("_reports")
def test_pages_of_graphql():
    for show, expected in (("TOP", [["b", "a"], ["n"]]), ("GONE", [["g", "h"]])):
        assert [[one["resource"]["dspId"] for one in page] for page in pages(QUERY, show=show, first=2)] == expected
        assert ask_graphql(QUERY, show=show)["recordingComparison"]["totalCount"] == sum(map(len, expected))


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ('period: "2020-02", percentile: 0', "percentile"),
        ('period: "soon", percentile: 10', "period"),
        ('period: "2020", with: "2019-01", percentile: 10', "with"),
    ],
)
def test_wrong_arguments_of_graphql(arguments, argument):
    query = f"{{ recordingComparison({arguments}) {{ edges {{ node {{ rank }} }} }} }}"
    assert refusal(query) == ("invalid_argument", {"argument": argument})


def test_a_use_type_that_shares_a_dsr_with_others_is_refused_by_graphql(tmp_path):
    import_message(tmp_path, start="2020-02-01", end="2020-02-29")
    query = '{ recordingComparison(period: "2020-02", percentile: 10, useType: "OnDemandStream") { totalCount } }'
    assert refusal(query) == ("invalid_argument", {"argument": "use_type"})
