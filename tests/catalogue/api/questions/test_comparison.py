"""`/statistics/comparison/` and its twin in GraphQL. Expected values come from hand or from adding up the files."""

from collections import defaultdict
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.statistics.comparison import Period, earlier_period
from catalogue.models import DSR
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line
from tests.graphql_schema.helpers import nodes, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def _reports(tmp_path):
    for name, usages, revenue in [
        ("Spotify_Duo_ES_EUR_20200101-20200131", "4", "10"),
        ("Spotify_Solo_ES_EUR_20200201-20200229", "1", "0.5"),
        ("Spotify_Duo_ES_EUR_20200201-20200229", "6", "11"),
        # In two months: of neither.
        ("Spotify_Trio_ES_EUR_20200120-20200219", "100", "100"),
        ("Deezer_Free_FR_EUR_20200101-20200131", "3", "3"),
        ("Deezer_Free_CH_CHF_20200203-20200209", "8", "0"),
        ("Deezer_Free_ES_EUR_20190201-20190228", "14", "23"),
    ]:
        import_report(tmp_path, f"{name}.tsv", line("a", usages=usages, revenue=revenue))


@pytest.fixture
def ask(client):
    def answer(expected_status=200, **query):
        response = client.get("/statistics/comparison/", {"by": "territory", "period": "2020-02", **query})
        assert response.status_code == expected_status, response.content
        return response.json()

    return answer


def sums(dsrs, lines, usages, revenue):
    return {"dsr_count": dsrs, "line_count": lines, "usages": usages, "revenue_eur": revenue}


@pytest.mark.usefixtures("_reports")
def test_two_months(ask):
    rows = ask(**{"with": "2020-01"})
    assert rows == ask(**{"with": "previous"}) == ask()
    assert rows == [
        {
            "territory": "CH",
            "now": sums(1, 1, 8, "0"),
            "before": None,
            "difference": {"usages": 8, "revenue_eur": "0"},
            "percent": {"usages": None, "revenue_eur": None},
            # A week of February.
            "incomplete": {"now": ["2020-02"], "before": []},
        },
        {
            "territory": "ES",
            "now": sums(2, 2, 7, "11.5"),
            "before": sums(1, 1, 4, "10"),
            "difference": {"usages": 3, "revenue_eur": "1.5"},
            "percent": {"usages": "75", "revenue_eur": "15"},
            # The DSR of Trio in January and February; Deezer's, which came last in February 2019, is late.
            "incomplete": {"now": ["2020-02"], "before": ["2020-01"]},
        },
        {
            "territory": "FR",
            "now": None,
            "before": sums(1, 1, 3, "3"),
            "difference": {"usages": -3, "revenue_eur": "-3"},
            "percent": {"usages": "-100", "revenue_eur": "-100"},
            "incomplete": {"now": ["2020-02"], "before": []},
        },
    ]


@pytest.mark.usefixtures("_reports")
def test_a_year_before_quarters_and_years(ask):
    def usages(**query):
        rows = ask(territory="ES", by="dsp", **query)
        return [[row["dsp"], *((row[name] or {}).get("usages") for name in ("now", "before"))] for row in rows]

    assert usages(**{"with": "year_before"}) == [["Deezer", None, 14], ["Spotify", 7, None]]
    # The DSR of two months lies in the quarter.
    assert usages(period="2020-Q1") == [["Spotify", 111, None]]
    assert usages(period="2020-Q1", **{"with": "year_before"}) == [["Deezer", None, 14], ["Spotify", 111, None]]
    assert usages(period="2020") == [["Deezer", None, 14], ["Spotify", 111, None]]


@pytest.mark.parametrize(
    ("now", "before", "difference"), [("1.05", "0.05", "1"), ("100.5", "0.50", "100"), ("1.50", "1.25", "0.25")]
)
def test_a_difference_has_no_zeros_at_its_end(ask, tmp_path, now, before, difference):
    import_report(tmp_path, "Spotify_Duo_ES_EUR_20200101-20200131.tsv", line("a", revenue=before))
    import_report(tmp_path, "Spotify_Duo_ES_EUR_20200201-20200229.tsv", line("a", revenue=now))
    assert ask()[0]["difference"]["revenue_eur"] == difference
    query = '{ comparison(by: DSP, period: "2020-02") { edges { node { revenueEurDifference } } } }'
    assert nodes(query) == [{"revenueEurDifference": difference}]


@pytest.mark.usefixtures("_reports")
def test_filters_and_exact_numbers(ask):
    (row,) = ask(by="offer", offer="Duo", exact="true")
    assert (row["offer"], row["now"]["usages"], row["difference"]["usages"]) == ("Duo", "6", "2")
    assert ask(dsp="Tidal") == []


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ({"by": "month"}, "by", "invalid_choice"),
        ({"period": "2020-13"}, "period", "invalid"),
        ({"period": "0000"}, "period", "invalid"),
        ({"with": "2019"}, "with", "not_comparable"),
        ({"with": "2019-Q1"}, "with", "not_comparable"),
        ({"with": "last"}, "with", "invalid"),
        ({"period": "0001-01"}, "with", "not_comparable"),
        ({"period_start": "2020-01-01"}, "period_start", "unknown"),
    ],
)
def test_wrong_parameters(ask, query, parameter, code):
    refused = ask(400, **query)
    assert {name: [finding["code"] for finding in found] for name, found in refused.items()} == {parameter: [code]}


@pytest.mark.parametrize(
    ("period", "other", "expected"),
    [
        ("2020-01", "previous", (date(2019, 12, 1), date(2019, 12, 31))),
        ("2020-02", "year_before", (date(2019, 2, 1), date(2019, 2, 28))),
        ("2020-Q1", "previous", (date(2019, 10, 1), date(2019, 12, 31))),
        ("2020-Q4", "2024-Q1", (date(2024, 1, 1), date(2024, 3, 31))),
        ("2020", "previous", (date(2019, 1, 1), date(2019, 12, 31))),
        ("9999-12", "9999-12", (date(9999, 12, 1), date(9999, 12, 31))),
    ],
)
def test_periods(period, other, expected):
    found = earlier_period(Period.parse(period), other)
    assert (found.start, found.end) == expected


@pytest.mark.usefixtures("_reports")
def test_the_number_of_statements_does_not_grow(ask, django_assert_num_queries):
    for count in (0, 10):
        for number in range(count):
            recipes.dsr.make(offer=f"Offer {number}", period_start="2020-02-01", period_end="2020-02-29")
        with django_assert_num_queries(6):
            ask(by="offer")


@pytest.mark.usefixtures("_reports")
def test_graphql():
    query = """{ comparison(by: TERRITORY, period: "2020-02", with: "2020-01", dsp: "Spotify", first: 10) {
        edges { node {
            name now { dsrCount lineCount usages revenueEur } before { usages } usagesDifference revenueEurDifference
            usagesPercent revenueEurPercent incomplete { now before }
        } } } }"""
    assert (
        nodes(query)
        == nodes(query.replace('"2020-01"', "null"))
        == [
            {
                "name": "ES",
                "now": {"dsrCount": 2, "lineCount": "2", "usages": "7", "revenueEur": "11.5"},
                "before": {"usages": "4"},
                "usagesDifference": "3",
                "revenueEurDifference": "1.5",
                "usagesPercent": "75",
                "revenueEurPercent": "15",
                # The DSR of Trio in January and February.
                "incomplete": {"now": ["2020-02"], "before": ["2020-01"]},
            }
        ]
    )
    assert nodes(
        '{ comparison(by: DSP, period: "2020-02", territory: "FR") { edges { node { name now { usages } } } } }'
    ) == [{"name": "Deezer", "now": None}]
    for arguments, argument in (
        ('by: MONTH, period: "2020-02"', "by"),
        ('by: DSP, period: "soon"', "period"),
        ('by: DSP, period: "2020", with: "2019-01"', "with"),
    ):
        assert refusal(f"{{ comparison({arguments}) {{ totalCount }} }}") == (
            "invalid_argument",
            {"argument": argument},
        )


# --- Any reports -----------------------------------------------------------------------------------------------

MONTHS = ["20200101-20200131", "20200201-20200229", "20200301-20200331"]
REPORTS = st.dictionaries(
    st.tuples(st.sampled_from(["ES", "FR"]), st.sampled_from(["Duo", "Solo"]), st.integers(0, 2)),
    st.tuples(st.integers(0, 10**12), st.integers(-(10**6), 10**9)),
    max_size=8,
)


@settings(max_examples=15)
@given(reports=REPORTS, by=st.sampled_from(["territory", "offer"]))
def test_any_reports(client, tmp_path, reports, by):
    DSR.objects.all().delete()
    expected = defaultdict(lambda: [[0, Fraction(0), False], [0, Fraction(0), False]])
    for (territory, offer, month), (usages, cents) in reports.items():
        name = f"Spotify_{offer}_{territory}_EUR_{MONTHS[month]}.tsv"
        import_report(tmp_path, name, line("a", usages=str(usages), revenue=f"{cents}e-2"))
        if month:
            of_group = expected[territory if by == "territory" else offer][2 - month]
            of_group[:] = [of_group[0] + usages, of_group[1] + Fraction(cents, 100), True]

    found = {}
    query = {"by": by, "period": "2020-03", "with": "2020-02"}
    for row in client.get("/statistics/comparison/", query).json():
        both = [row["now"], row["before"]]
        sums = [[one["usages"], Fraction(one["revenue_eur"]), True] if one else [0, Fraction(0), False] for one in both]
        (now, revenue_now, _), (before, revenue_before, _) = sums
        assert row["difference"]["usages"] == now - before
        assert Fraction(row["difference"]["revenue_eur"]) == revenue_now - revenue_before
        for name, old, new in (("usages", before, now), ("revenue_eur", revenue_before, revenue_now)):
            percent = row["percent"][name]
            assert (percent is None) == (old == 0)
            assert percent is None or abs(Fraction(percent) - 100 * Fraction(new - old) / Fraction(old)) <= Fraction(
                1, 2 * 10**12
            )
        found[row[by]] = sums
    assert found == expected
