"""`/resources/identification/` and `/resources/same-isrc/`, and the same in GraphQL."""

import pytest

from catalogue.resources import identification
from tests.catalogue.helpers import import_report, line
from tests.graphql_schema.helpers import ask as ask_graphql
from tests.graphql_schema.helpers import nodes, refusal

pytestmark = pytest.mark.django_db

FIRST, SECOND = "ESABC2000001", "ESABC2000002"


@pytest.fixture
def _reports(tmp_path):
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", "Aurora", "Ana|Ben", FIRST, "5", "6"),
        line("b", "Borealis", usages="4", revenue="2.50"),
        line("c", isrc="123", revenue="2"),
        line("d", isrc=SECOND, usages="1", revenue="1"),
        line("d", isrc=FIRST, usages="1", revenue="0.5"),
        line("e", revenue="0.5"),
    )
    import_report(tmp_path, "Deezer_Free_FR_EUR_20200115-20200214.tsv", line("x", isrc=FIRST, usages="2", revenue="1"))


@pytest.fixture
def ask(client):
    def answer(path, expected_status=200, **query):
        response = client.get(f"/resources/{path}/", query)
        assert response.status_code == expected_status, response.content
        return response

    return answer


@pytest.mark.usefixtures("_reports")
def test_recordings_with_a_problem(ask):
    without, last = ask("identification", problem="no_isrc", percentile=100).json()
    assert without == {
        "rank": 2,
        "problem": "no_isrc",
        "dsp": "Spotify",
        "dsp_id": "b",
        "title": "Borealis",
        "artists": None,
        "isrc": None,
        "isrcs": None,
        "usages": 4,
        "revenue_eur": "2.5",
    }
    assert (last["dsp_id"], last["usages"]) == ("e", None)
    (malformed,) = ask("identification", problem="malformed_isrc", percentile=100).json()
    assert (malformed["dsp_id"], malformed["isrc"], malformed["isrcs"]) == ("c", "123", None)
    (several,) = ask("identification", problem="several_isrcs", percentile=100, exact="true").json()
    assert [several[name] for name in ("rank", "isrc", "isrcs", "usages")] == ["4", FIRST, f"{FIRST}|{SECOND}", "2"]


@pytest.mark.usefixtures("_reports")
def test_the_top_ten_per_cent_is_the_default_and_filters_apply(ask):
    # a has 6 of 13.5.
    assert ask("identification", problem="no_isrc").json() == []
    assert [row["dsp_id"] for row in ask("identification", problem="no_isrc", percentile=50).json()] == ["b"]
    assert ask("identification", problem="no_isrc", percentile=100, territory="FR").json() == []


@pytest.mark.usefixtures("_reports")
def test_a_page_without_rows_leads_on(ask, client, monkeypatch):
    monkeypatch.setitem(identification.SEARCHED, identification.IsrcProblem.NO_ISRC, 1)
    response, found = ask("identification", problem="no_isrc", percentile=100, territory="ES"), []
    while "Link" in response:
        found.append([row["rank"] for row in response.json()])
        response = client.get(response["Link"][1:].partition(">")[0])
    assert [*found, [row["rank"] for row in response.json()]] == [[], [2], [], [], [5]]


@pytest.mark.usefixtures("_reports")
def test_recordings_with_the_same_isrc(ask):
    # The most recent line of d has the first ISRC.
    assert ask("same-isrc", isrc="es-abc-20-00001").json() == {
        "isrc": FIRST,
        "resources": [
            {"dsp": dsp, "dsp_id": dsp_id, "title": title, "artists": artists, "usages": usages, "revenue_eur": revenue}
            for dsp, dsp_id, title, artists, usages, revenue in (
                ("Deezer", "x", None, None, 2, "1"),
                ("Spotify", "a", "Aurora", "Ana|Ben", 5, "6"),
                ("Spotify", "d", None, None, 2, "1.5"),
            )
        ],
        "has_more": False,
        "territories": [
            {"territory": "ES", "usages": 7, "revenue_eur": "7.5"},
            {"territory": "FR", "usages": 2, "revenue_eur": "1"},
        ],
        "months": [
            {
                "month": None,
                "period_start": "2020-01-15",
                "period_end": "2020-02-14",
                "usages": 2,
                "revenue_eur": "1",
            },
            {"month": "2020-01", "period_start": None, "period_end": None, "usages": 7, "revenue_eur": "7.5"},
        ],
    }
    narrowed = ask("same-isrc", isrc=FIRST, dsp="Deezer", exact="true").json()
    assert [(one["dsp_id"], one["usages"]) for one in narrowed["resources"]] == [("x", "2")]
    assert ask("same-isrc", isrc="ESABC2000009").json()["resources"] == []


@pytest.mark.parametrize(
    ("path", "query", "parameter", "code"),
    [
        ("identification", {}, "problem", "required"),
        ("identification", {"problem": "none"}, "problem", "invalid_choice"),
        ("identification", {"problem": "no_isrc", "percentile": "0"}, "percentile", "min_value"),
        ("identification", {"problem": "no_isrc", "percentile": "101"}, "percentile", "max_value"),
        ("identification", {"problem": "no_isrc", "isrc": FIRST}, "isrc", "unknown"),
        ("same-isrc", {}, "isrc", "required"),
        ("same-isrc", {"isrc": "123"}, "isrc", "invalid"),
        (
            *("same-isrc", {"isrc": FIRST, "period_start": "2020-02-01", "period_end": "2020-01-01"}),
            *("period_end", "before_start"),
        ),
    ],
)
def test_wrong_parameters(ask, path, query, parameter, code):
    refused = ask(path, 400, **query).json()
    assert {name: [finding["code"] for finding in found] for name, found in refused.items()} == {parameter: [code]}


# --- GraphQL ---------------------------------------------------------------------------------------------------

PAGE = """query ($first: Int, $after: String) {
    identification(problem: NO_ISRC, percentile: 100, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage startCursor endCursor }
        edges { node { rank problem isrcs resource { dsp dspId title usages revenueEur } } }
    }
}"""


@pytest.mark.usefixtures("_reports")
def test_graphql_identification(monkeypatch):
    page = ask_graphql(PAGE, first=1)["identification"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (2, True)
    resource = {"dsp": "Spotify", "dspId": "b", "title": "Borealis", "usages": "4", "revenueEur": "2.5"}
    assert page["edges"] == [{"node": {"rank": 2, "problem": "no_isrc", "isrcs": None, "resource": resource}}]

    monkeypatch.setitem(identification.SEARCHED, identification.IsrcProblem.NO_ISRC, 1)
    ranks, page = [], ask_graphql(PAGE)["identification"]
    while page["pageInfo"]["hasNextPage"]:
        ranks.append([edge["node"]["rank"] for edge in page["edges"]])
        page = ask_graphql(PAGE, after=page["pageInfo"]["endCursor"])["identification"]
    assert [*ranks, [edge["node"]["rank"] for edge in page["edges"]]] == [[], [2], [], [], [], [6]]

    assert refusal("{ identification(problem: NO_ISRC, percentile: 0) { totalCount } }") == (
        "invalid_argument",
        {"argument": "percentile"},
    )


@pytest.mark.usefixtures("_reports")
def test_graphql_several_isrcs():
    query = '{ identification(problem: SEVERAL_ISRCS, percentile: 100, dsp: "Spotify") { edges { node { isrcs } } } }'
    assert nodes(query) == [{"isrcs": f"{FIRST}|{SECOND}"}]


@pytest.mark.usefixtures("_reports")
def test_graphql_the_same_isrc():
    query = """{ resources(orderBy: DSP_ID) { edges { node { dspId sameIsrc {
        isrc hasMore
        resources { edges { node { dsp dspId usages } } }
        territories { edges { node { territory { code2 } usages revenueEur } } }
        months { edges { node { month periodStart periodEnd usages revenueEur } } }
    } } } } }"""
    by_id = {node["dspId"]: node["sameIsrc"] for node in nodes(query)}
    assert [dsp_id for dsp_id, same in by_id.items() if same is None] == ["b", "c", "e"]
    assert by_id["a"] == by_id["d"] == by_id["x"]
    same = by_id["a"]
    assert (same["isrc"], same["hasMore"]) == (FIRST, False)
    assert [edge["node"] for edge in same["resources"]["edges"]] == [
        {"dsp": "Deezer", "dspId": "x", "usages": "2"},
        {"dsp": "Spotify", "dspId": "a", "usages": "5"},
        {"dsp": "Spotify", "dspId": "d", "usages": "2"},
    ]
    assert [edge["node"] for edge in same["territories"]["edges"]] == [
        {"territory": {"code2": "ES"}, "usages": "7", "revenueEur": "7.5"},
        {"territory": {"code2": "FR"}, "usages": "2", "revenueEur": "1"},
    ]
    assert [list(edge["node"].values()) for edge in same["months"]["edges"]] == [
        [None, "2020-01-15", "2020-02-14", "2", "1"],
        ["2020-01", None, None, "7", "7.5"],
    ]
