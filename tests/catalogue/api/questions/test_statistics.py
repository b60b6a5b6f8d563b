"""`/statistics/`: the sums of groups of DSRs. Expected values are worked out by hand, or added up from the files."""

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.services import dsr_delete
from catalogue.imports.services import dsr_import
from catalogue.models import DSR
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line, write_report
from tests.catalogue.sample_message import import_message

pytestmark = pytest.mark.django_db

ISRC = "ESABC2000001"
MARCH_TO_APRIL = "Deezer_Free_ES_EUR_20200315-20200414.tsv"


@pytest.fixture
def _reports(tmp_path):
    import_report(
        tmp_path,
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv",
        line("a", isrc=ISRC, usages="6", revenue="10"),
        line("b", usages="1", revenue="0.5"),
        line("c"),
    )
    import_report(tmp_path, "Spotify_Duo_ES_EUR_20200201-20200229.tsv", line("a", isrc=ISRC, usages="3", revenue="1"))
    # A week of March, and a period that lies in no month, but in a half of the year.
    import_report(tmp_path, "Spotify_Solo_ES_EUR_20200302-20200308.tsv", line("a", usages="8", revenue="2"))
    import_report(tmp_path, MARCH_TO_APRIL, line("a", isrc=ISRC, usages="2", revenue="0.25"), line("b"))
    import_report(tmp_path, "Deezer_Free_FR_EUR_20200101-20200131.tsv")
    recipes.failed_dsr.make(territory_id="ES")


@pytest.fixture
def ask(client):
    def answer(expected_status=200, **query):
        response = client.get("/statistics/", query)
        assert response.status_code == expected_status, response.content
        return response.json()

    return answer


def sums(dsrs, lines, usages, revenue, per_1000, without, **others):
    names = ("lines", "usages", "revenue_eur", "lines_percent", "usages_percent", "revenue_percent")
    return {
        "dsr_count": dsrs,
        "line_count": lines,
        "usages": usages,
        "revenue_eur": revenue,
        "revenue_eur_per_1000_usages": per_1000,
        "unallocated_revenue_eur": "0",
        "revenue_kind": "reported",
        "without_isrc": dict(zip(names, without, strict=True)),
        **others,
    }


NOTHING = sums(1, 0, 0, "0", None, (0, 0, "0", None, None, None))


@pytest.mark.usefixtures("_reports")
def test_by_territory_and_month(ask):
    # 10.5 / 7 * 1000; 2 of 3 lines, 1 of 7 usages and 0.5 of 10.5 EUR.
    january = (2, 1, "0.5", "66.666666666667", "14.285714285714", "4.761904761905")
    assert ask(group_by="territory,month") == [
        {
            "territory": "ES",
            "month": None,
            "period_start": "2020-03-15",
            "period_end": "2020-04-14",
            **sums(1, 2, 2, "0.25", "125", (1, 0, "0", "50", "0", "0")),
        },
        {"territory": "ES", "month": "2020-01", **sums(1, 3, 7, "10.5", "1500", january)},
        {"territory": "ES", "month": "2020-02", **sums(1, 1, 3, "1", "333.333333333333", (0, 0, "0", "0", "0", "0"))},
        {"territory": "ES", "month": "2020-03", **sums(1, 1, 8, "2", "250", (1, 8, "2", "100", "100", "100"))},
        {"territory": "FR", "month": "2020-01", **NOTHING},
    ]


@pytest.mark.usefixtures("_reports")
def test_a_period_stands_under_the_quarter_and_the_year_that_it_lies_in(ask):
    def periods(group):
        rows = ask(group_by=group)
        return [(row[group], row.get("period_start"), row["usages"]) for row in rows]

    assert periods("quarter") == [(None, "2020-03-15", 2), ("2020-Q1", None, 18)]
    assert periods("year") == [("2020", None, 20)]
    by_both = [(row["year"], row["month"], row.get("period_end")) for row in ask(group_by="year,month", dsp="Deezer")]
    assert by_both == [("2020", None, "2020-04-14"), ("2020", "2020-01", None)]


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize(
    ("search", "dsr_counts"),
    [
        ({"dsp": "Deezer"}, {"ES": 1, "FR": 1}),
        ({"offer": "Solo"}, {"ES": 1}),
        ({"territory": "fr"}, {"FR": 1}),
        ({"currency": "nok"}, {}),
        ({"society": "SGAE"}, {}),
        ({"period_start": "2020-02-01", "period_end": "2020-03-31T00:00:00Z"}, {"ES": 2}),
        ({"commercial_model": "SubscriptionModel"}, {}),
        ({"use_type": "OnDemandStream"}, {}),
        ({"revenue_kind": "allocated"}, {}),
        ({"revenue_kind": "reported"}, {"ES": 4, "FR": 1}),
    ],
)
def test_the_filters(ask, search, dsr_counts):
    assert {row["territory"]: row["dsr_count"] for row in ask(group_by="territory", **search)} == dsr_counts


@pytest.mark.usefixtures("_reports")
def test_numbers_are_text_if_they_are_to_be_exact(ask):
    (row,) = ask(group_by="dsp", exact="true", offer="Duo")
    assert (row["line_count"], row["usages"], row["without_isrc"]["usages"]) == ("4", "10", "1")


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ({}, "group_by", "required"),
        ({"group_by": ""}, "group_by", "invalid"),
        ({"group_by": "dsp,dsp"}, "group_by", "invalid"),
        ({"group_by": "dsp,offer,month"}, "group_by", "invalid"),
        ({"group_by": "dsp,"}, "group_by", "invalid"),
        ({"group_by": "path"}, "group_by", "invalid"),
        ({"group_by": "dsp", "territory": "Spain"}, "territory", "invalid"),
        ({"group_by": "dsp", "currency": "EU"}, "currency", "invalid"),
        ({"group_by": "dsp", "period_start": "2020-02-01", "period_end": "2020-01-31"}, "period_end", "before_start"),
        ({"group_by": "dsp", "status": "failed"}, "status", "unknown"),
        ({"group_by": "dsp", "dsp": "\0"}, "dsp", "null_characters_not_allowed"),
    ],
)
def test_wrong_parameters(ask, query, parameter, code):
    answer = ask(400, **query)
    assert [*answer] == [parameter]
    assert [finding["code"] for finding in answer[parameter]] == [code]


# --- Messages --------------------------------------------------------------------------------------------------


def test_by_use_type_of_a_message(ask, tmp_path):
    import_message(tmp_path)
    rows = {row["use_type"]: row for row in ask(group_by="use_type", currency="EUR")}
    shop = rows["PermanentDownload"]
    assert (shop["usages"], shop["revenue_eur"], shop["revenue_kind"]) == (7, "6.93", "allocated")
    assert shop["without_isrc"]["revenue_eur"] == "1.98"

    # Of a use type, only its lines are added up: in Britain 600 + 250 - 7 and 50 streams.
    britain = {"group_by": "commercial_model", "territory": "GB", "offer": "TonbankPremium"}
    counts = {
        use_type: [(row["line_count"], row["usages"]) for row in ask(use_type=use_type, **britain)]
        for use_type in ("OnDemandStream", "ContentInfluencedStream", "Download")
    }
    assert counts == {"OnDemandStream": [(3, 843)], "ContentInfluencedStream": [(1, 50)], "Download": []}
    (both,) = ask(**britain)
    assert both["usages"] == 893


def test_reports_and_messages_together_are_mixed(ask, tmp_path):
    import_message(tmp_path)
    import_report(tmp_path, "Spotify_Duo_GB_GBP_20200101-20200131.tsv", line("a", usages="1", revenue="1"))
    assert {row["territory"]: row["revenue_kind"] for row in ask(group_by="territory")} == {
        "GB": "mixed",
        "NO": "allocated",
        "SE": "allocated",
        "WW": "allocated",
    }


def test_what_is_not_counted_yet_is_null(ask, tmp_path):
    for offer in ("Duo", "Solo"):
        import_report(tmp_path, f"Spotify_{offer}_ES_EUR_20200101-20200131.tsv", line("a", usages="1", revenue="1"))
    DSR.objects.filter(offer="Duo").update(blank_isrc_usages=None, blank_isrc_revenue=None)
    (row,) = ask(group_by="territory")
    assert row["without_isrc"] == {
        "lines": 2,
        "usages": None,
        "revenue_eur": None,
        "lines_percent": "100",
        "usages_percent": None,
        "revenue_percent": None,
    }
    assert {row["offer"]: row["without_isrc"]["usages"] for row in ask(group_by="offer")} == {"Duo": None, "Solo": 1}


def test_the_number_of_statements_does_not_grow(ask, tmp_path, django_assert_num_queries):
    for count in (1, 12):
        for month in range(1, count + 1):
            recipes.dsr.make(
                offer=f"Offer {month}", period_start=f"2020-{month:02}-01", period_end=f"2020-{month:02}-28"
            )
        with django_assert_num_queries(2):
            assert len(ask(group_by="offer,month")) == count
        DSR.objects.all().delete()


# --- Any reports -----------------------------------------------------------------------------------------------

TERRITORIES, OFFERS = ["ES", "FR"], ["Duo", "Solo"]
PERIODS = ["20200101-20200131", "20200203-20200209", "20200120-20200210", "20201201-20210131"]
LABELS = {
    "month": ["2020-01", "2020-02", None, None],
    "quarter": ["2020-Q1", "2020-Q1", "2020-Q1", None],
    "year": ["2020", "2020", "2020", None],
}
LINES = st.lists(
    st.tuples(st.sampled_from([ISRC, ""]), st.integers(-3, 10**9), st.integers(-(10**6), 10**9)), max_size=3
)
KEYS = st.tuples(st.sampled_from(TERRITORIES), st.sampled_from(OFFERS), st.integers(0, 3))
STEPS = st.lists(st.tuples(KEYS, st.none() | LINES), max_size=8)


@settings(max_examples=15)
@given(steps=STEPS, group_by=st.sampled_from(["territory,month", "quarter", "offer,year", "offer,territory"]))
def test_any_reports_add_up(client, tmp_path, steps, group_by):
    """Reports are imported, replaced and deleted; the sums are added up from the files that are left."""
    DSR.objects.all().delete()
    files = {}
    for (territory, offer, period), lines in steps:
        name = f"Spotify_{offer}_{territory}_EUR_{PERIODS[period]}.tsv"
        key = (territory, offer, period)
        if lines is None:
            if files.pop(key, None) is not None:
                dsr_delete(dsr_number=DSR.objects.ingested().get(path=name).pk)
            continue
        rows = [
            line(f"id-{number}", isrc=isrc, usages=str(usages), revenue=f"{cents}e-2")
            for number, (isrc, usages, cents) in enumerate(lines)
        ]
        dsr_import(path=write_report(tmp_path, name, *rows), name=name, replace=True)
        files[key] = lines

    expected = defaultdict(lambda: [0, 0, 0, Fraction(0), 0, 0, Fraction(0)])
    for (territory, offer, period), lines in files.items():
        of_dsr = {"territory": territory, "offer": offer, **{name: LABELS[name][period] for name in LABELS}}
        labels = [of_dsr[name] for name in group_by.split(",")]
        group = expected[*labels, PERIODS[period] if None in labels else None]
        group[0] += 1
        for isrc, usages, cents in lines:
            amounts = (1, usages, Fraction(cents, 100))
            group[1:4] = [a + b for a, b in zip(group[1:4], amounts, strict=True)]
            if not isrc:
                group[4:7] = [a + b for a, b in zip(group[4:7], amounts, strict=True)]

    found = {}
    for row in client.get("/statistics/", {"group_by": group_by}).json():
        period = f"{row['period_start']}-{row['period_end']}".replace("-", "") if "period_start" in row else None
        without = row["without_isrc"]
        key = (*(row[name] for name in group_by.split(",")), period and f"{period[:8]}-{period[8:]}")
        found[key] = [
            *(row["dsr_count"], row["line_count"], row["usages"], Fraction(row["revenue_eur"])),
            *(without["lines"], without["usages"], Fraction(without["revenue_eur"])),
        ]
    assert found == expected
