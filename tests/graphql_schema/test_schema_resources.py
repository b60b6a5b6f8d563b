"""`resources` and `topResources`: searches, sums and orders."""

from decimal import Decimal

import pytest

from catalogue.dsrs.services import dsr_delete
from catalogue.imports.services import dsr_import
from catalogue.models import Resource
from catalogue.resources import browsing
from catalogue.resources.services import catalogue_refresh
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, write_report
from tests.graphql_schema.helpers import ask, nodes, pages, refusal

pytestmark = pytest.mark.django_db

ES_FEBRUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200201-20200229.tsv"
DEEZER_JANUARY = "Deezer_Free_FR_EUR_20200101-20200131.tsv"


@pytest.fixture(params=[0, 20_000], ids=["by resource", "added up"])
def either_way(request, monkeypatch):
    """Resources are found in two ways. With few lines, the lines themselves are added up."""
    monkeypatch.setattr(browsing, "FEW_LINES", request.param)


@pytest.fixture(scope="module", autouse=True)
def dsrs(module_db, tmp_path_factory):
    """Spain in January and February (EUR), Norway in January (NOK at 9.938...), and another DSP in France.

    Totals of Spotify: a has 10 usages, 1.5 EUR and 10 NOK; b has 5 usages and 0.5 EUR; c has no revenue.
    Totals of Deezer: d has 7 usages and 3 EUR; a has 0.25 EUR.
    """
    reports = {
        ES_JANUARY: [
            line("a", "Zebra", "Ana|Eva", "ESABC2000001", "5", "0.5"),
            line("a", "Zebra", "Ana|Eva", "ESABC2000001", "2", "0.5"),
            line("b", "apple Pie", "Bo", "ESABC2000002", "5", "0.5"),
        ],
        ES_FEBRUARY: [line("a", "Zebra", "Ana|Eva", "ESABC2000001", "2", "0.5"), line("c", "", "Cy D'Arc", "", "0")],
        NO_JANUARY: [line("a", "Old", "Ana", "", "1", "10")],
        DEEZER_JANUARY: [line("a", "Banana", "Ana", "", "", "0.25"), line("d", "AC/DC live", "Hot-Dog", "", "7", "3")],
    }
    folder = tmp_path_factory.mktemp("reports")
    return {name: import_report(folder, name, *lines).pk for name, lines in reports.items()}


def found(arguments=""):
    return [
        (node["dsp"], node["dspId"])
        for node in nodes(f"{{ resources{arguments} {{ edges {{ node {{ dsp dspId }} }} }} }}")
    ]


A, B, C = (("Spotify", dsp_id) for dsp_id in "abc")
DEEZER_A, DEEZER_D = ("Deezer", "a"), ("Deezer", "d")

# --- Fields ----------------------------------------------------------------------------------------------------

REPORTS = """{ resources(dspId: "a") { totalCount edges { node {
    dsp title artists isrc usages revenueEur
    reports { totalCount edges { node { dsr { id currency { code } } usages revenue revenueEur } } }
} } } }"""


@pytest.mark.usefixtures("either_way")
def test_a_resource_has_the_dsrs_that_report_it_and_its_sums(dsrs):
    of_deezer, of_spotify = nodes(REPORTS)
    assert [(of_deezer.pop(name)) for name in ("dsp", "title", "artists", "isrc")] == ["Deezer", "Banana", "Ana", None]
    assert of_deezer == {
        "usages": None,
        "revenueEur": "0.25",
        "reports": {
            "totalCount": 1,
            "edges": [
                {
                    "node": {
                        "dsr": {"id": str(dsrs[DEEZER_JANUARY]), "currency": {"code": "EUR"}},
                        "usages": None,
                        "revenue": "0.25",
                        "revenueEur": "0.25",
                    }
                }
            ],
        },
    }
    assert [of_spotify[name] for name in ("title", "artists", "isrc")] == ["Zebra", "Ana|Eva", "ESABC2000001"]
    assert of_spotify["usages"] == "10"
    # 10 / 9.9384227272727272727272727272727272727273 is 1.0061958798108168801250244116841295010686|22... by `bc`.
    assert of_spotify["revenueEur"] == "2.5061958798108168801250244116841295010686"
    assert of_spotify["reports"]["totalCount"] == 3
    assert [
        (node["dsr"]["id"], node["dsr"]["currency"]["code"], node["usages"], node["revenue"], node["revenueEur"])
        for node in (edge["node"] for edge in of_spotify["reports"]["edges"])
    ] == [
        (str(dsrs[ES_JANUARY]), "EUR", "7", "1.0", "1"),
        (str(dsrs[ES_FEBRUARY]), "EUR", "2", "0.5", "0.5"),
        (str(dsrs[NO_JANUARY]), "NOK", "1", "10", "1.0061958798108168801250244116841295010686"),
    ]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("scope", "usages", "names"),
    [
        ('territory: "es"', "9", [ES_JANUARY, ES_FEBRUARY]),
        ('periodEnd: "2020-01-31", territory: "ES"', "7", [ES_JANUARY]),
        ('periodStart: "2020-02-01"', "2", [ES_FEBRUARY]),
        ('periodEnd: "2020-01-31"', "8", [ES_JANUARY, NO_JANUARY]),
    ],
)
def test_only_the_dsrs_in_scope_are_added_up_and_shown(dsrs, scope, usages, names):
    query = f"""{{ resources(dspId: "a", {scope}) {{ edges {{ node {{
        dsp usages reports {{ totalCount edges {{ node {{ dsr {{ id }} }} }} }}
    }} }} }} }}"""
    node = next(node for node in nodes(query) if node["dsp"] == "Spotify")
    assert node["usages"] == usages
    assert [edge["node"]["dsr"]["id"] for edge in node["reports"]["edges"]] == [str(dsrs[name]) for name in names]
    assert node["reports"]["totalCount"] == len(names)


def test_reports_can_be_read_page_by_page(dsrs):
    query = """query ($after: String) { resources(isrc: "ESABC2000001") { edges { node {
        reports(first: 2, after: $after) {
            pageInfo { hasNextPage hasPreviousPage endCursor } edges { node { dsr { id } } }
        }
    } } } }"""
    (node,) = nodes(query)
    first = node["reports"]
    assert [edge["node"]["dsr"]["id"] for edge in first["edges"]] == [str(dsrs[ES_JANUARY]), str(dsrs[ES_FEBRUARY])]
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    (node,) = nodes(query, after=first["pageInfo"]["endCursor"])
    assert [edge["node"]["dsr"]["id"] for edge in node["reports"]["edges"]] == [str(dsrs[NO_JANUARY])]
    assert (node["reports"]["pageInfo"]["hasNextPage"], node["reports"]["pageInfo"]["hasPreviousPage"]) == (False, True)


# --- Searches --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_way", "dsrs")
@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ('dspId: "a"', [DEEZER_A, A]),
        ('dspId: "A"', []),
        ('dspId: ""', []),
        ('isrc: "ESABC2000001"', [A]),
        ('isrc: "isrc es-abc-20-00001"', [A]),
        ('isrc: "ESABC200000"', []),
        ('words: "zebra"', [A]),
        ('words: "ZEB"', [A]),
        ('words: "ana"', [DEEZER_A, A]),
        ('words: "eva an"', [A]),
        ('words: "ana bo"', []),
        ('words: "pie  apple"', [B]),
        ('words: "ac/dc"', [DEEZER_D]),
        ('words: "hot-d"', [DEEZER_D]),
        ('words: "d\'arc"', [C]),
        ('words: "zebra | apple"', []),
        ('words: "!zebra"', [A]),
        ('words: "zebra:b"', []),
        ('words: "(ana"', [DEEZER_A, A]),
        ('words: "\\\\ana\'"', [DEEZER_A, A]),
        ('words: "&"', []),
        ('territory: "FR"', [DEEZER_D, DEEZER_A]),
        ('territory: "NO", words: "zebra"', [A]),
        ('territory: "SE"', []),
        ('periodStart: "2020-02-01"', [A, C]),
        ('periodStart: "2020-02-01", isrc: "ESABC2000002"', []),
    ],
)
def test_resources_are_found_by_search_and_scope(search, expected):
    assert found(f"({search})") == expected
    assert ask(f"{{ resources({search}) {{ totalCount }} }}")["resources"]["totalCount"] == len(expected)


@pytest.mark.usefixtures("either_way")
def test_resources_of_one_dsr(dsrs):
    assert found(f"(dsr: {dsrs[ES_FEBRUARY]})") == [A, C]
    assert found(f"(dsr: {dsrs[ES_FEBRUARY]}, territory: NO)".replace("NO", '"NO"')) == []
    assert found("(dsr: 2147483647)") == []


@pytest.mark.usefixtures("dsrs", "either_way")
def test_resources_of_deleted_dsrs_alone_are_not_found(dsrs):
    dsr_delete(dsr_number=dsrs[DEEZER_JANUARY])
    # The catalogue still contains the resources.
    assert Resource.objects.filter(dsp="Deezer").count() == 2
    assert found() == [B, A, C]
    assert found('(dspId: "d")') == []
    assert ask("{ resources { totalCount } }")["resources"]["totalCount"] == 3
    catalogue_refresh()
    assert found() == [B, A, C]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("words", ""),
        ("words", " \t"),
        ("words", "\0"),
        ("words", "a" * 501),
        ("words", "a " * 21),
        ("isrc", "a" * 1001),
        ("dspId", "\ud800"),
        ("territory", "ESP"),
    ],
)
def test_an_invalid_search_is_refused_with_its_name(argument, value):
    query = f"query ($value: String) {{ resources({argument}: $value) {{ totalCount }} }}"
    assert refusal(query, value=value) == ("invalid_argument", {"argument": argument})


# --- Orders ----------------------------------------------------------------------------------------------------

ORDERS = {
    "TITLE": [DEEZER_D, B, DEEZER_A, A, C],
    "DSP_ID": [A, DEEZER_A, B, C, DEEZER_D],
    "REVENUE": [DEEZER_D, A, B, DEEZER_A],
    # c has no revenue, so it is left out.
    "USAGES": [A, DEEZER_D, B],
}


@pytest.mark.usefixtures("dsrs", "either_way")
@pytest.mark.parametrize(("order", "expected"), ORDERS.items())
@pytest.mark.parametrize("first", [1, 2, 6])
def test_every_order_can_be_read_page_by_page(order, expected, first):
    query = f"""query ($after: String) {{ resources(orderBy: {order}, first: {first}, after: $after) {{
        edges {{ cursor node {{ dsp dspId }} }} pageInfo {{ hasNextPage endCursor }}
    }} }}"""
    # Resources with the same dspId come in the order in which the catalogue registered them.
    walked = pages(query)
    assert [len(page) for page in walked] == [
        len(expected[start : start + first]) for start in range(0, len(expected), first)
    ]
    assert [(node["dsp"], node["dspId"]) for page in walked for node in page] == expected


@pytest.mark.usefixtures("dsrs", "either_way")
@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ('minRevenue: "0.5"', [DEEZER_D, B, A]),
        ('minRevenue: "0.5000001"', [DEEZER_D, A]),
        ('minRevenue: "0.25", orderBy: REVENUE', [DEEZER_D, A, B, DEEZER_A]),
        ('minRevenue: "2.6", orderBy: REVENUE', [DEEZER_D]),
        ('minRevenue: "3.1", orderBy: REVENUE', []),
        ("minUsages: 5", [DEEZER_D, B, A]),
        ('minUsages: "7", orderBy: USAGES', [A, DEEZER_D]),
        ("minUsages: 11", []),
        ("minUsages: 0", [DEEZER_D, B, A]),
        ("minUsages: 0, orderBy: REVENUE", [DEEZER_D, A, B]),
        ('minRevenue: "0.3", orderBy: USAGES', [A, DEEZER_D, B]),
        ('minUsages: 7, minRevenue: "2.6"', [DEEZER_D]),
        ('territory: "ES", minUsages: 6, orderBy: REVENUE', [A]),
        ('words: "an", orderBy: REVENUE', [A, DEEZER_A]),
    ],
)
def test_resources_with_enough_revenue_or_usages(search, expected):
    assert found(f"({search})") == expected
    assert ask(f"{{ resources({search}) {{ totalCount }} }}")["resources"]["totalCount"] == len(expected)


def test_a_search_that_would_add_up_too_many_resources_is_refused(dsrs, monkeypatch):
    monkeypatch.setattr(browsing, "FEW_LINES", 0)
    monkeypatch.setattr(browsing, "FEW_RESOURCES", 1)
    assert found('(isrc: "ESABC2000001", orderBy: USAGES)') == [A]
    query = '{ resources(dspId: "a", orderBy: USAGES) { totalCount } }'
    assert refusal(query) == ("search_too_wide", {"limit": 1})


@pytest.mark.parametrize(
    "field",
    [
        "resources(%s) { totalCount }",
        "topResources(percentile: 10, %s) { totalCount }",
        "dsrs(%s) { totalCount }",
        "statistics(groupBy: TERRITORY, %s) { totalCount }",
    ],
)
def test_a_period_that_ends_before_it_starts_is_refused(client, db, field):
    query = "{ %s }" % (field % 'periodStart: "2020-02-01", periodEnd: "2020-01-31"')
    (error,) = client.post("/graphql", {"query": query}, content_type="application/json").json()["errors"]
    assert error["extensions"] == {"code": "invalid_argument", "argument": "periodEnd"}
    assert error["message"] == "The range ends before it starts: 2020-02-01 to 2020-01-31."


# --- The top ---------------------------------------------------------------------------------------------------

TOP = """query ($percentile: Int!, $territory: String, $from: Date, $to: Date, $after: String) {
    topResources(
        percentile: $percentile, territory: $territory, periodStart: $from, periodEnd: $to, first: 2, after: $after
    ) {
        totalCount pageInfo { hasNextPage endCursor }
        edges { cursor node { rank cumulativeShare resource {
            dsp dspId title artists isrc usages revenueEur reports { edges { node { dsr { id } } } }
        } } }
    }
}"""


@pytest.mark.usefixtures("dsrs")
def test_the_top_has_ranks_and_cumulative_shares():
    top = [node for page in pages(TOP, percentile=100, territory="ES") for node in page]
    # The revenue is 2 EUR: a has 1.5 EUR and b has 0.5 EUR.
    assert [(node["rank"], Decimal(node["cumulativeShare"]), node["resource"]["dspId"]) for node in top] == [
        (1, 75, "a"),
        (2, 100, "b"),
    ]


@pytest.mark.parametrize("percentile", [1, 50, 60, 85, 100])
@pytest.mark.parametrize(
    "scope", [{}, {"territory": "ES"}, {"territory": "SE"}, {"from": "2020-02-01"}, {"to": "2020-01-31"}]
)
@pytest.mark.usefixtures("dsrs")
def test_the_top_is_the_same_as_in_rest(client, percentile, scope):
    names = {"territory": "territory", "from": "period_start", "to": "period_end"}
    rest = client.get(
        f"/resources/percentile/{percentile}", {names[name]: value for name, value in scope.items()}
    ).json()
    walked = pages(TOP, percentile=percentile, **scope)
    assert [len(page) for page in walked[:-1]] == [2] * (len(walked) - 1)
    top = [node["resource"] for page in walked for node in page]
    assert [
        {
            "dsp_id": resource["dspId"],
            "title": resource["title"],
            "artists": resource["artists"],
            "isrc": resource["isrc"],
            "usages": resource["usages"] and int(resource["usages"]),
            "revenue": float(resource["revenueEur"]),
            "dsrs": [int(edge["node"]["dsr"]["id"]) for edge in resource["reports"]["edges"]],
        }
        for resource in top
    ] == [{"title": None, "artists": None, "isrc": None, "usages": None, **resource} for resource in rest]
    assert ask(TOP, percentile=percentile, **scope)["topResources"]["totalCount"] == len(rest)


@pytest.mark.parametrize("percentile", [0, -1, 101])
def test_a_percentile_is_from_1_to_100(percentile):
    assert refusal(TOP, percentile=percentile) == ("invalid_argument", {"argument": "percentile"})


# --- Concurrent changes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["TITLE", "DSP_ID", "USAGES"])
def test_a_query_is_repeated_if_a_dsr_is_replaced_meanwhile(dsrs, tmp_path, monkeypatch, order):
    """The report for Norway is replaced at each statement about lines. The answer has only its last version."""
    rows, replaced = browsing.page_rows, []

    def rows_while_replaced(*statement, **asked):
        if len(replaced) < 3:
            name, revenue = NO_JANUARY, f"{20 + len(replaced)}"
            path = write_report(
                tmp_path, name, line("a", usages="1", revenue=revenue), line("n", usages="1", revenue="1")
            )
            replaced.append(dsr_import(path=path, name=name, replace=True).dsr.pk)
        return rows(*statement, **asked)

    monkeypatch.setattr(browsing, "page_rows", rows_while_replaced)
    query = f"""{{ resources(territory: "NO", orderBy: {order}) {{ edges {{ node {{
        dspId usages reports {{ edges {{ node {{ revenue dsr {{ id }} }} }} }}
    }} }} }} }}"""
    found = {node["dspId"]: node for node in nodes(query)}
    assert found.keys() == {"a", "n"}
    assert [edge["node"] for edge in found["a"]["reports"]["edges"]] == [
        {"revenue": "22", "dsr": {"id": str(replaced[-1])}}
    ]
    assert len(replaced) == 3
