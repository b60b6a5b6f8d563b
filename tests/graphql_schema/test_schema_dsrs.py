"""`dsr` and `dsrs`: fields, filters, orders and pages; and `deleteDsr`."""

from datetime import date

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.exceptions import ReportRefused
from catalogue.models import DSR
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, user_with
from tests.graphql_schema.helpers import ask, nodes, pages, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def norway(tmp_path):
    return import_report(
        tmp_path,
        NO_JANUARY,
        line("a", "One", "Ana|Eva", "NOABC2000001", "9223372036854775807", "0.10"),
        line("b", isrc="x"),
        line("c", usages="9223372036854775807", revenue="1.5e-7"),
    )


def failed(tmp_path):
    with pytest.raises(ReportRefused) as refused:
        import_report(tmp_path, ES_JANUARY, line("a", isrc="x"), "b", line("c", usages="1.5"))
    return refused.value.extra["dsr"]


# --- Fields ----------------------------------------------------------------------------------------------------


def test_a_dsr_has_its_description_and_its_totals(norway):
    query = """query ($id: ID!) { dsr(id: $id) {
        id path gzipName dsp offer society territory { code2 name localCurrency { code } } currency { code name symbol }
        periodStart periodEnd status exchangeRate rateMethod rateSource lineCount totalUsages totalRevenue
        totalRevenueEur blankTitleCount blankArtistsCount blankIsrcCount blankUsagesCount blankRevenueCount
        errorCount warningCount
    } }"""
    assert ask(query, id=norway.pk)["dsr"] == {
        "id": str(norway.pk),
        "path": NO_JANUARY,
        "gzipName": None,
        "dsp": "Spotify",
        "offer": "SpotifyDuo",
        "society": None,
        "territory": {"code2": "NO", "name": "Norway", "localCurrency": {"code": "NOK"}},
        "currency": {"code": "NOK", "name": "Norwegian Krone", "symbol": "NOK"},
        "periodStart": "2020-01-01",
        "periodEnd": "2020-01-31",
        "status": "ingested",
        "exchangeRate": "9.9384227272727272727272727272727272727273",
        "rateMethod": "ecb_mean",
        "rateSource": "ECB reference rates of 22 days, 2020-01-02 to 2020-01-31",
        "lineCount": "3",
        "totalUsages": "18446744073709551614",
        "totalRevenue": "0.10000015",
        # 0.10000015 / 9.9384227272727272727272727272727272727273, calculated with `bc`. The next digits are 286.
        "totalRevenueEur": "0.0100619738910463659635034459922074702726",
        "blankTitleCount": "2",
        "blankArtistsCount": "2",
        "blankIsrcCount": "1",
        "blankUsagesCount": "1",
        "blankRevenueCount": "1",
        "errorCount": "0",
        "warningCount": "1",
    }


def test_a_dsr_that_failed_has_neither_rate_nor_amount_in_eur(tmp_path):
    query = "query ($id: ID!) { dsr(id: $id) { status exchangeRate rateMethod lineCount totalRevenueEur errorCount } }"
    assert ask(query, id=failed(tmp_path))["dsr"] == {
        "status": "failed",
        "exchangeRate": None,
        "rateMethod": None,
        "lineCount": "0",
        "totalRevenueEur": None,
        "errorCount": "2",
    }


COMPARED = """query ($id: ID!, $lines: BigInt, $usages: BigInt, $revenue: Decimal) { dsr(id: $id) {
    comparedTotals(lines: $lines, usages: $usages, revenue: $revenue) {
        matches lines { difference } usages { difference } revenue { declared found difference }
    }
} }"""


def test_declared_totals_beside_those_that_are_found(norway):
    def compared(**declared):
        return ask(COMPARED, id=norway.pk, **declared)["dsr"]["comparedTotals"]

    revenue = {"declared": "0.1", "found": "0.10000015", "difference": "0.00000015"}
    assert compared(lines="2", usages="18446744073709551614", revenue="0.1") == {
        "matches": False,
        "lines": {"difference": "1"},
        "usages": {"difference": "0"},
        "revenue": revenue,
    }
    assert compared(lines=3) == {"matches": True, "lines": {"difference": "0"}, "usages": None, "revenue": None}


def test_wrong_declared_totals(norway, tmp_path):
    assert refusal(COMPARED, id=norway.pk) == ("invalid_argument", {"argument": "lines"})
    assert refusal(COMPARED, id=norway.pk, usages="-1") == ("invalid_argument", {"argument": "usages"})
    assert ask(COMPARED, id=failed(tmp_path), lines=0)["dsr"] == {"comparedTotals": None}


def test_lines_are_shown_as_delivered_and_blank_cells_are_null(norway):
    query = """query ($id: ID!) { dsr(id: $id) { lines {
        totalCount edges { node { lineNumber dspId title artists isrc usages revenue } }
    } } }"""
    shown = ask(query, id=norway.pk)["dsr"]["lines"]
    blank = {"title": None, "artists": None, "isrc": None}
    assert shown["totalCount"] == 3
    assert [edge["node"] for edge in shown["edges"]] == [
        {
            "lineNumber": 2,
            "dspId": "a",
            "title": "One",
            "artists": "Ana|Eva",
            "isrc": "NOABC2000001",
            "usages": "9223372036854775807",
            "revenue": "0.10",
        },
        {"lineNumber": 3, "dspId": "b", **blank, "isrc": "x", "usages": None, "revenue": None},
        {"lineNumber": 4, "dspId": "c", **blank, "usages": "9223372036854775807", "revenue": "0.00000015"},
    ]


def test_problems_have_their_location_and_value(tmp_path):
    query = """query ($id: ID!) { dsr(id: $id) { problems(first: 2) {
        totalCount pageInfo { hasNextPage } edges { node { level code line column value } }
    } } }"""
    problems = ask(query, user_with("view_dsr"), id=failed(tmp_path))["dsr"]["problems"]
    assert (problems["totalCount"], problems["pageInfo"]) == (3, {"hasNextPage": True})
    assert [edge["node"] for edge in problems["edges"]] == [
        {"level": "warning", "code": "isrc_invalid", "line": 2, "column": "isrc", "value": "x"},
        {"level": "error", "code": "wrong_cell_count", "line": 3, "column": None, "value": "1"},
    ]


@pytest.mark.parametrize("id", ["2147483647", "0", "-1", "-2147483648"])
def test_a_missing_dsr_is_an_error(id):
    assert refusal("query ($id: ID!) { dsr(id: $id) { id } }", id=id) == ("dsr_not_found", {"id": int(id)})


@pytest.mark.parametrize("id", ["", "x", "1.0", "+1", " 1", "2147483648", "-2147483649", "9" * 5000, "٣"])
def test_an_invalid_id_is_refused(id):
    assert refusal("query ($id: ID!) { dsr(id: $id) { id } }", id=id) == ("invalid_argument", {"argument": "id"})


# --- Filters and orders ----------------------------------------------------------------------------------------


@pytest.fixture
def four():
    """Four DSRs that differ in month, currency, DSP, offer and status."""
    january, february = (
        {"period_start": date(2020, month, 1), "period_end": date(2020, month, day)}
        for month, day in ((1, 31), (2, 29))
    )
    return [
        recipes.dsr.make(**february),
        recipes.dsr.make(**january, dsp="Deezer", offer="Free"),
        recipes.dsr.make(**january, territory_id="ES", currency_id="EUR"),
        recipes.failed_dsr.make(**january),
    ]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("(orderBy: ID)", [0, 1, 2, 3]),
        ("(orderBy: NEWEST)", [3, 2, 1, 0]),
        ("(orderBy: PERIOD)", [1, 2, 3, 0]),
        ("(status: ingested)", [0, 1, 2]),
        ("(status: failed)", [3]),
        ('(dsp: "Deezer")', [1]),
        ('(offer: "SpotifyDuo")', [0, 2, 3]),
        ('(territory: "es")', [2]),
        ('(territory: "SE")', []),
        ('(currency: "NOK", status: ingested)', [0, 1]),
        ('(periodStart: "2020-02-01")', [0]),
        ('(periodStart: "2020-02-02")', []),
        ('(periodEnd: "2020-01-31")', [1, 2, 3]),
        ('(periodEnd: "2020-01-30")', []),
        ('(periodStart: "2020-01-01", periodEnd: "2020-02-29")', [0, 1, 2, 3]),
    ],
)
def test_dsrs_are_filtered(four, search, found):
    ids = [int(node["id"]) for node in nodes(f"{{ dsrs{search} {{ edges {{ node {{ id }} }} }} }}")]
    assert ids == [four[number].pk for number in found]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("territory", "E"),
        ("territory", "ESP"),
        ("territory", "E1"),
        ("territory", ""),
        ("currency", "EU"),
        ("dsp", "\0"),
    ],
)
def test_an_invalid_filter_is_refused_with_its_name(argument, value):
    query = f"query ($value: String) {{ dsrs({argument}: $value) {{ totalCount }} }}"
    assert refusal(query, value=value) == ("invalid_argument", {"argument": argument})


@pytest.mark.parametrize(("order", "found"), [("ID", [0, 1, 2, 3]), ("NEWEST", [3, 2, 1, 0]), ("PERIOD", [1, 2, 3, 0])])
@pytest.mark.parametrize("first", [1, 2, 3, 4, 5])
def test_every_order_can_be_read_page_by_page(four, order, found, first):
    query = f"""query ($after: String) {{ dsrs(orderBy: {order}, first: {first}, after: $after) {{
        edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage endCursor }}
    }} }}"""
    walked = pages(query)
    assert [len(page) for page in walked] == [len(found[start : start + first]) for start in range(0, 4, first)]
    assert [int(node["id"]) for page in walked for node in page] == [four[number].pk for number in found]


@pytest.mark.parametrize("limit_bytes", [0, 1024**2], ids=["own partition", "shared partition"])
def test_lines_can_be_read_page_by_page(tmp_path, settings, limit_bytes):
    settings.DSRHUB_SHARED_PARTITION_BYTES = limit_bytes
    import_report(tmp_path, NO_JANUARY, line("x"), line("y"))
    dsr = import_report(tmp_path, ES_JANUARY, *[line(f"a{number}") for number in range(5)])
    query = """query ($id: ID!, $after: String) { dsr(id: $id) { lines(first: 2, after: $after) {
        edges { cursor node { lineNumber } } pageInfo { hasNextPage endCursor }
    } } }"""
    walked, after = [], None
    for _ in range(3):
        page = ask(query, id=dsr.pk, after=after)["dsr"]["lines"]
        walked.append([edge["node"]["lineNumber"] for edge in page["edges"]])
        after = page["pageInfo"]["endCursor"]
    assert walked == [[2, 3], [4, 5], [6]]
    assert not page["pageInfo"]["hasNextPage"]


# --- Deleting --------------------------------------------------------------------------------------------------

DELETE = "mutation ($id: ID!) { deleteDsr(id: $id) { id } }"


def test_a_user_with_the_permission_deletes_a_dsr(norway):
    assert ask(DELETE, user_with("delete_dsr"), id=norway.pk) == {"deleteDsr": {"id": str(norway.pk)}}
    assert not DSR.objects.exists()


def test_a_user_without_the_permission_deletes_no_dsr(norway):
    assert refusal(DELETE, AnonymousUser(), id=norway.pk)[0] == "not_authenticated"
    assert refusal(DELETE, user_with("change_dsr"), id=norway.pk)[0] == "permission_denied"
    assert list(DSR.objects.all()) == [norway]


def test_a_missing_dsr_cannot_be_deleted(norway):
    assert refusal(DELETE, user_with("delete_dsr"), id=norway.pk + 1) == ("dsr_not_found", {"id": norway.pk + 1})
