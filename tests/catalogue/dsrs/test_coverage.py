"""Coverage of series, over REST and GraphQL: by hand, and compared with a reference that looks at each day."""

from collections import defaultdict
from datetime import date, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalogue.dsrs.statistics.coverage import coverage
from catalogue.models import DSR
from tests.catalogue import recipes
from tests.graphql_schema.helpers import ask, nodes, refusal, statements

pytestmark = pytest.mark.django_db


def make(start, end, *, recipe=recipes.dsr, offer="Duo", territory="ES", **others):
    return recipe.make(
        dsp="Spotify",
        offer=offer,
        territory_id=territory,
        currency_id="EUR",
        period_start=start,
        period_end=end,
        **others,
    ).pk


@pytest.fixture
def answer(client):
    def get(expected_status=200, **query):
        response = client.get("/coverage/", {"from": "2020-01", "to": "2020-08", **query})
        assert response.status_code == expected_status, response.content
        return response.json()

    return get


def test_each_state(answer, monkeypatch, settings):
    # 31 days after the end of June.
    monkeypatch.setattr(timezone, "localdate", lambda: date(2020, 7, 31))
    january = make("2020-01-01", "2020-01-31")
    first, second = make("2020-02-01", "2020-02-14"), make("2020-02-14", "2020-02-29", sha256="2")
    week = make("2020-04-06", "2020-04-12")
    refused = make("2020-03-01", "2020-03-31", recipe=recipes.failed_dsr)
    settings.DSRHUB_LATE_DAYS = 30
    (series,) = answer()
    assert series == {
        "dsp": "Spotify",
        "offer": "Duo",
        "society": None,
        "territory": "ES",
        "currency": "EUR",
        "months": {
            "2020-01": {"state": "ingested", "dsrs": [january]},
            "2020-02": {"state": "overlapped", "dsrs": [first, second]},
            "2020-03": {"state": "failed", "dsrs": [refused]},
            "2020-04": {"state": "partial", "dsrs": [week]},
            "2020-05": {"state": "late", "dsrs": []},
            "2020-06": {"state": "late", "dsrs": []},
        },
    }
    settings.DSRHUB_LATE_DAYS = 31
    assert [*answer()[0]["months"]][-1] == "2020-05"
    # What came late is ingested, and what is missing before it is not late any more.
    make("2020-07-01", "2020-07-31")
    states = {month: one["state"] for month, one in answer()[0]["months"].items()}
    assert (states["2020-05"], states["2020-06"], states["2020-07"]) == ("missing", "missing", "ingested")


def test_contexts_of_one_month_do_not_overlap(answer):
    whole = [
        make("2020-01-01", "2020-01-31", message=recipes.message.make(message_id=model), commercial_model=model)
        for model in ("SubscriptionModel", "AdvertisementSupportedModel")
    ]
    # Two months in one report, and a quarter that ends with them.
    make("2020-01-01", "2020-02-29", offer="Solo")
    (duo, solo) = answer(to="2020-02")
    assert duo["months"] == {"2020-01": {"state": "ingested", "dsrs": whole}, "2020-02": {"state": "late", "dsrs": []}}
    assert [one["state"] for one in solo["months"].values()] == ["ingested", "ingested"]


def test_a_series_that_has_ended_is_not_late(answer):
    make("2019-03-01", "2019-03-31")
    (series,) = answer()
    # March 2020 is twelve months after the last one.
    assert {month: one["state"] for month, one in series["months"].items()} == dict.fromkeys(
        ["2020-01", "2020-02", "2020-03"], "late"
    )


def test_a_series_of_failures_alone_is_listed(answer):
    refused = make("2020-02-01", "2020-02-29", recipe=recipes.failed_dsr)
    (series,) = answer()
    assert series["months"] == {"2020-02": {"state": "failed", "dsrs": [refused]}}


def test_series_are_ordered_filtered_and_read_page_by_page(answer, client):
    for territory in ("SE", "ES", "FR"):
        for offer in ("Solo", "Duo"):
            make("2020-01-01", "2020-01-31", offer=offer, territory=territory)
    names = [(one["offer"], one["territory"]) for one in answer()]
    assert names == [(offer, territory) for offer in ("Duo", "Solo") for territory in ("ES", "FR", "SE")]
    assert [one["offer"] for one in answer(territory="fr")] == ["Duo", "Solo"]

    walked, address = [], "/coverage/?from=2020-01&to=2020-01&limit=4"
    while address:
        response = client.get(address)
        walked.append([(one["offer"], one["territory"]) for one in response.json()])
        address = response.get("Link", "").partition(">")[0].removeprefix("<")
    assert walked == [names[:4], names[4:]]


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ({"from": "2020-13"}, "from", "invalid"),
        ({"from": "0000-01"}, "from", "invalid"),
        ({"to": "2020-1"}, "to", "invalid"),
        ({"to": "2019-12"}, "to", "before_from"),
        ({"to": "2030-01"}, "to", "too_long"),
        ({"period_start": "2020-01-01"}, "period_start", "unknown"),
    ],
)
def test_wrong_parameters(answer, query, parameter, code):
    refused = answer(400, **query)
    assert {name: [finding["code"] for finding in found] for name, found in refused.items()} == {parameter: [code]}


def test_the_last_months_that_there_are(answer):
    make("9999-11-15", "9999-12-31")
    (series,) = answer(**{"from": "9999-11", "to": "9999-12"})
    assert [one["state"] for one in series["months"].values()] == ["partial", "ingested"]


def test_the_number_of_statements_does_not_grow(answer, django_assert_num_queries):
    for count in (1, 12):
        for month in range(1, count + 1):
            make(f"2020-{month:02}-01", f"2020-{month:02}-28", offer=f"Offer {month}")
        with django_assert_num_queries(1):
            answer()
        DSR.objects.all().delete()


def test_graphql():
    january = make("2020-01-01", "2020-01-31")
    make("2020-03-01", "2020-03-31")
    query = """{ coverage(from: "2020-01", to: "2020-03", dsp: "Spotify", first: 10) { totalCount edges { node {
        dsp offer society territory { code2 } currency { code }
        months(first: 100) { edges { node { month state dsrs { edges { node { id path } } } } } }
    } } } }"""
    (series,) = nodes(query)
    months = [edge["node"] for edge in series.pop("months")["edges"]]
    assert series == {
        "dsp": "Spotify",
        "offer": "Duo",
        "society": None,
        "territory": {"code2": "ES"},
        "currency": {"code": "EUR"},
    }
    assert [(one["month"], one["state"]) for one in months] == [
        ("2020-01", "ingested"),
        ("2020-02", "missing"),
        ("2020-03", "ingested"),
    ]
    assert [edge["node"]["id"] for edge in months[0]["dsrs"]["edges"]] == [str(january)]
    assert ask('{ coverage(from: "2020-01", to: "2020-01", territory: "FR") { totalCount } }') == {
        "coverage": {"totalCount": 0}
    }
    for first, last, argument in (
        ("2020", "2020-01", "from"),
        ("2020-02", "2020-01", "to"),
        ("0001-01", "2020-01", "to"),
    ):
        query = f'{{ coverage(from: "{first}", to: "{last}") {{ totalCount }} }}'
        assert refusal(query) == ("invalid_argument", {"argument": argument})


def test_graphql_takes_as_many_statements_for_many_series():
    counts = []
    for offers in (["A"], ["B", "C", "D", "E"]):
        for offer in offers:
            make("2020-01-01", "2020-01-31", offer=offer)
        query = """{ coverage(from: "2020-01", to: "2020-02") { edges { node { territory { name } months {
            edges { node { dsrs { edges { node { path territory { name } } } } } } } } } } }"""
        counts.append(len(statements(query)))
    assert counts[0] == counts[1]


# --- Any series ------------------------------------------------------------------------------------------------

DAYS = st.dates(date(2020, 1, 1), date(2021, 6, 30))
PERIODS = st.tuples(DAYS, st.integers(0, 70)).map(lambda one: (one[0], one[0] + timedelta(days=one[1])))
DSRS = st.lists(
    st.tuples(PERIODS, st.sampled_from(["A", "B"]), st.booleans(), st.sampled_from([None, "X"])), max_size=7
)


def reference(dsrs, today, late_days):
    """The states of the months of each offer from January 2020 to December 2021, by looking at each day."""
    months = [date(year, month, 1) for year in (2020, 2021) for month in range(1, 13)]
    by_offer = defaultdict(list)
    for (start, end), offer, is_ingested, model in dsrs:
        by_offer[offer].append((start, end, is_ingested, model))
    found = {}
    for offer, members in by_offer.items():
        states = {f"{month:%Y-%m}": state_of(month, members, today, late_days) for month in months}
        found[offer] = {month: state for month, state in states.items() if state}
    return {offer: states for offer, states in found.items() if states}


def state_of(month, members, today, late_days):
    days = [day for number in range(31) if (day := month + timedelta(days=number)).month == month.month]
    on_day = {day: [model for start, end, good, model in members if good and start <= day <= end] for day in days}
    if any(on_day.values()):
        is_twice = any(len(models) > len(set(models)) for models in on_day.values())
        return "overlapped" if is_twice else "ingested" if all(on_day.values()) else "partial"
    if any(not good and start <= day <= end for start, end, good, _ in members for day in days):
        return "failed"
    before = [end for _, end, good, _ in members if good and end < month]
    if before and any(start > month for start, _, good, _ in members if good):
        return "missing"
    is_expected = before and (month.year - max(before).year) * 12 + month.month - max(before).month <= 12
    return "late" if is_expected and days[-1] + timedelta(days=late_days) < today else None


@hypothesis_settings(max_examples=60)
@given(dsrs=DSRS, late_days=st.sampled_from([0, 45]))
def test_any_series(dsrs, late_days):
    DSR.objects.all().delete()
    kept, keys = [], set()
    for number, (period, offer, is_ingested, model) in enumerate(dsrs):
        # Only one DSR with a key can be ingested.
        if is_ingested and (period, offer, model) in keys:
            continue
        keys |= {(period, offer, model)} if is_ingested else set()
        kept.append((period, offer, is_ingested, model))
        recipe = recipes.dsr if is_ingested else recipes.failed_dsr
        make(*period, recipe=recipe, offer=offer, commercial_model=model, path=f"{number}.tsv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.DSRHUB_LATE_DAYS", late_days, raising=False)
        patch.setattr(timezone, "localdate", lambda: date(2021, 9, 15))
        found = {
            one.offer: {month: covered.state.value for month, covered in one.months.items()}
            for one in coverage(first=date(2020, 1, 1), last=date(2021, 12, 1))
        }
    assert found == reference(kept, date(2021, 9, 15), late_days)
