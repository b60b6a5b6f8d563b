"""`statistics`: groups of DSRs, from their totals. The expected sums were added up by hand."""

import pytest

from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line
from tests.graphql_schema.helpers import ask, nodes, pages, refusal, statements

pytestmark = pytest.mark.django_db

DEEZER_FEBRUARY = "Deezer_Free_FR_EUR_20200201-20200229.tsv"


@pytest.fixture(autouse=True)
def _dsrs(tmp_path):
    isrc = "ESABC2000001"
    import_report(
        tmp_path,
        ES_JANUARY,
        line("a", isrc=isrc, usages="9223372036854775807", revenue="0.5"),
        line("b", usages="9223372036854775807", revenue="2.220446049250313e-16"),
        line("c", isrc=isrc),
    )
    import_report(tmp_path, NO_JANUARY, line("a", isrc=isrc, usages="3", revenue="10"))
    import_report(tmp_path, DEEZER_FEBRUARY)


SPAIN = {
    "dsrCount": 1,
    "lineCount": "3",
    "usages": "18446744073709551614",
    "revenueEur": "0.5000000000000002220446049250313",
}
# 10 NOK at 9.9384227272727272727272727272727272727273 for one EUR are 1.0061958798108168801250244116841295010686|22...
NORWAY = {"dsrCount": 1, "lineCount": "1", "usages": "3", "revenueEur": "1.0061958798108168801250244116841295010686"}
FRANCE = {"dsrCount": 1, "lineCount": "0", "usages": "0", "revenueEur": "0"}
SUMS = "dsrCount lineCount usages revenueEur"


def grouped(group, fields, search=""):
    return nodes(f"{{ statistics(groupBy: {group}{search}) {{ edges {{ node {{ {fields} }} }} }} }}")


def test_by_territory():
    assert grouped("TERRITORY", f"territory {{ code2 name }} {SUMS} withoutIsrcShare currency {{ code }} dsp") == [
        {"territory": {"code2": code, "name": name}, **sums, "withoutIsrcShare": share, "currency": None, "dsp": None}
        for code, name, sums, share in (
            ("ES", "Spain", SPAIN, "33.3333"),
            ("FR", "France", FRANCE, None),
            ("NO", "Norway", NORWAY, "0.0000"),
        )
    ]


def test_by_period():
    # January: 0.5000000000000002220446049250313 and 1.0061958798108168801250244116841295010686.
    january = {
        "dsrCount": 2,
        "lineCount": "4",
        "usages": "18446744073709551617",
        "revenueEur": "1.5061958798108171021696293367154295010686",
    }
    assert grouped("PERIOD", f"periodStart periodEnd {SUMS} withoutIsrcShare") == [
        {"periodStart": "2020-01-01", "periodEnd": "2020-01-31", **january, "withoutIsrcShare": "25.0000"},
        {"periodStart": "2020-02-01", "periodEnd": "2020-02-29", **FRANCE, "withoutIsrcShare": None},
    ]


def test_by_offer_dsp_and_currency():
    assert grouped("OFFER", f"offer {SUMS}") == [
        {"offer": "Free", **FRANCE},
        {"offer": "SpotifyDuo", **NORWAY},
        {"offer": "SpotifyFamilyPlan", **SPAIN},
    ]
    assert grouped("DSP", "dsp dsrCount") == [{"dsp": "Deezer", "dsrCount": 1}, {"dsp": "Spotify", "dsrCount": 2}]
    assert grouped("CURRENCY", f"currency {{ code symbol }} {SUMS}") == [
        {"currency": {"code": "EUR", "symbol": "€"}, **SPAIN, "dsrCount": 2},
        {"currency": {"code": "NOK", "symbol": "NOK"}, **NORWAY},
    ]


@pytest.mark.parametrize(
    ("search", "codes"),
    [
        (', territory: "no"', ["NO"]),
        (', currency: "EUR"', ["ES", "FR"]),
        (', dsp: "Spotify"', ["ES", "NO"]),
        (', offer: "Free"', ["FR"]),
        (', periodStart: "2020-01-02"', ["FR"]),
        (', periodEnd: "2020-01-31"', ["ES", "NO"]),
        (', dsp: "Tidal"', []),
    ],
)
def test_only_the_selected_dsrs_are_added_up(search, codes):
    assert [node["territory"]["code2"] for node in grouped("TERRITORY", "territory { code2 }", search)] == codes


@pytest.mark.parametrize("group", ["TERRITORY", "PERIOD", "OFFER", "DSP", "CURRENCY"])
def test_groups_can_be_read_page_by_page(group):
    fields = "territory { code2 } periodStart offer dsp currency { code }"
    query = f"""query ($after: String) {{ statistics(groupBy: {group}, first: 1, after: $after) {{
        totalCount edges {{ cursor node {{ {fields} }} }} pageInfo {{ hasNextPage endCursor }}
    }} }}"""
    walked = pages(query)
    assert [node for page in walked for node in page] == grouped(group, fields)
    assert ask(query)["statistics"]["totalCount"] == len(walked)


def test_a_cursor_of_another_grouping_is_refused():
    query = "query ($after: String) { statistics(groupBy: %s, first: 1, after: $after) { pageInfo { endCursor } } }"
    cursor = ask(query % "DSP")["statistics"]["pageInfo"]["endCursor"]
    assert refusal(query % "OFFER", after=cursor) == ("invalid_cursor", {"argument": "after"})


def test_no_line_is_read():
    query = f"{{ statistics(groupBy: TERRITORY) {{ totalCount edges {{ node {{ {SUMS} withoutIsrcShare }} }} }} }}"
    assert not any("usageline" in sql for sql in statements(query))
