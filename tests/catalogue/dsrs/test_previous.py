"""The previous report of a series, and what is unlike it: by hand, and compared with a plain reference."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalogue.dsrs.previous import PreviousReport, Unlike, previous_reports, unlike_measures
from catalogue.models import DSR
from catalogue.reports.contexts import SalesContext
from tests.catalogue import recipes

pytestmark = pytest.mark.django_db


def make(start, end, *, recipe=recipes.dsr, **others):
    fields = {"dsp": "Spotify", "offer": "Duo", "territory_id": "ES", "currency_id": "EUR", **others}
    return recipe.make(period_start=start, period_end=end, **fields)


def context_of(start, end, **others):
    names = {"dsp": "Spotify", "offer": "Duo", "society": None, "territory": "ES", "currency": "EUR", **others}
    return SalesContext(period_start=date.fromisoformat(start), period_end=date.fromisoformat(end), **names)


def previous_of(context, *, without=()):
    """The id of the previous report."""
    found = previous_reports([context], without=without).get(context)
    return found and found.id


# --- Which report is the previous one --------------------------------------------------------------------------

MARCH = context_of("2020-03-01", "2020-03-31")


def test_the_last_report_before_the_period_is_the_previous_one():
    january = make(
        "2020-01-01", "2020-01-31", path="january.tsv", total_usages=Decimal(7), total_revenue=Decimal("1.50")
    )
    assert previous_reports([MARCH], without=[]) == {
        MARCH: PreviousReport(january.pk, "january.tsv", Decimal(7), Decimal("1.50"))
    }
    february = make("2020-02-01", "2020-02-29")
    make("2020-03-01", "2020-03-31")
    make("2020-04-01", "2020-04-30")
    assert previous_of(MARCH) == february.pk
    assert previous_of(MARCH, without=[february.pk]) == january.pk
    assert previous_of(context_of("2020-01-01", "2020-01-31")) is None


def test_a_report_that_ends_in_the_period_is_not_previous():
    make("2020-02-02", "2020-03-01")
    assert previous_of(MARCH) is None


def test_failed_dsrs_are_no_reports():
    make("2020-02-01", "2020-02-29", recipe=recipes.failed_dsr)
    assert previous_of(MARCH) is None


@pytest.mark.parametrize(
    "other",
    [
        {"dsp": "Deezer"},
        {"offer": "Solo"},
        {"society": "SGAE"},
        {"territory_id": "FR"},
        {"currency_id": "NOK"},
        {"commercial_model": "SubscriptionModel"},
        {"use_type": "Stream"},
        {"subscriber_type": "Student"},
    ],
)
def test_a_report_of_another_series_is_not_previous(other):
    make("2020-02-01", "2020-02-29", **other)
    assert previous_of(MARCH) is None
    names = {name.removesuffix("_id"): value for name, value in other.items()}
    assert previous_of(context_of("2020-03-01", "2020-03-31", **names)) is not None


# The shorter period must have nine tenths of the days of the longer one.
LENGTHS = {
    ("2021-02-01", "2021-02-28"): {  # 28 days
        ("2021-03-01", "2021-03-31"): True,  # 31, a month
        ("2021-03-01", "2021-04-01"): False,  # 32
        ("2021-03-01", "2021-03-26"): True,  # 26
        ("2021-03-01", "2021-03-25"): False,  # 25
        ("2021-04-01", "2021-06-30"): False,  # a quarter
        ("2021-03-01", "2021-03-07"): False,  # a week
    },
    ("2021-01-01", "2021-03-31"): {("2021-07-01", "2021-09-30"): True},  # 90 and 92 days
    ("2019-01-01", "2019-12-31"): {("2020-01-01", "2020-12-31"): True},
    ("2020-12-28", "2021-01-03"): {("2021-01-04", "2021-01-10"): True, ("2021-01-04", "2021-01-11"): False},
    ("2021-01-01", "2021-01-01"): {("2021-01-02", "2021-01-02"): True, ("2021-01-02", "2021-01-03"): False},
}


@pytest.mark.parametrize(
    ("before", "now", "is_as_long"),
    [(before, now, expected) for before, of_now in LENGTHS.items() for now, expected in of_now.items()],
)
def test_periods_are_compared_that_are_as_long(before, now, is_as_long):
    made = make(*before)
    assert previous_of(context_of(*now)) == (made.pk if is_as_long else None)


def test_a_report_that_is_not_as_long_does_not_hide_one_that_is():
    january = make("2020-01-01", "2020-01-31")
    make("2020-02-10", "2020-02-16")
    make("2019-03-01", "2020-02-29")
    assert previous_of(MARCH) == january.pk


def test_of_two_reports_that_end_on_one_day_the_later_one_is_previous():
    make("2020-01-31", "2020-02-29")
    later = make("2020-02-01", "2020-02-29")
    make("2020-01-30", "2020-02-28")
    assert previous_of(MARCH) == later.pk


def test_one_query_for_any_number_of_contexts(django_assert_num_queries):
    contexts = [context_of("2020-03-01", "2020-03-31", offer=f"Offer {number}") for number in range(100)]
    made = {context: make("2020-02-01", "2020-02-29", offer=context.offer).pk for context in contexts}
    for some in (contexts[:1], contexts):
        with django_assert_num_queries(1):
            found = previous_reports(some, without=[])
        assert {context: one.id for context, one in found.items()} == {context: made[context] for context in some}


def test_without_any_factor_nothing_is_looked_up(settings, django_assert_num_queries):
    for name in ("USAGES", "REVENUE", "PRICE"):
        setattr(settings, f"DSRHUB_UNLIKE_{name}_FACTOR", Decimal(0))
    make("2020-02-01", "2020-02-29")
    with django_assert_num_queries(0):
        assert previous_reports([MARCH], without=[]) == {}


# --- What is unlike --------------------------------------------------------------------------------------------


def unlike(usages, revenue, *before):
    previous = PreviousReport(1, "before.tsv", *map(Decimal, before))
    return list(unlike_measures(usages=Decimal(usages), revenue=Decimal(revenue), previous=previous))


def measures(usages, revenue, *before):
    return [one.measure for one in unlike(usages, revenue, *before)]


def test_a_factor_itself_is_not_beyond_it():
    # By default, 3 for usages and revenue, and 2 for revenue per usage.
    assert measures("300", "30", "100", "10") == []
    assert unlike("301", "30", "100", "10") == [Unlike("usages", Decimal(301), Decimal(100))]
    assert unlike("300", "30.0000000001", "100", "10") == [Unlike("revenue", Decimal("30.0000000001"), Decimal(10))]
    assert measures("100", "10", "300", "30") == []
    assert measures("99", "10", "300", "30") == ["usages"]
    assert measures("100", "9.9999", "300", "30") == ["revenue"]


def test_revenue_per_usage_is_a_measure_of_its_own():
    assert measures("100", "2", "100", "1") == []
    assert unlike("150", "4", "200", "2") == [Unlike("revenue per usage", Decimal("0.026666666667"), Decimal("0.01"))]
    assert unlike("200", "1", "100", "1.5") == [Unlike("revenue per usage", Decimal("0.005"), Decimal("0.015"))]


def test_amounts_are_compared_to_the_last_digit():
    before = 123456789012345678901234567890
    assert measures("1", str(3 * before), "1", str(before)) == ["revenue per usage"]
    assert measures("1", f"{3 * before}.{'0' * 59}1", "1", str(before)) == ["revenue", "revenue per usage"]


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (("0", "0"), ("0", "0"), []),
        (("0", "0"), ("5", "1"), ["usages", "revenue"]),
        (("5", "1"), ("0", "0"), ["usages", "revenue"]),
        # Without usages, there is no revenue per usage.
        (("0", "1"), ("5", "1"), ["usages"]),
        (("5", "0"), ("5", "1"), ["revenue", "revenue per usage"]),
        (("5", "0"), ("5", "0"), []),
        # Adjustments.
        (("-5", "-1"), ("-5", "-1"), []),
        (("-5", "-1"), ("5", "1"), ["usages", "revenue"]),
        (("-5", "1"), ("5", "1"), ["usages", "revenue per usage"]),
        (("-20", "-4"), ("-5", "-1"), ["usages", "revenue"]),
    ],
)
def test_amounts_of_zero_and_less(now, before, expected):
    assert measures(*now, *before) == expected


def test_a_factor_of_zero_turns_a_measure_off(settings):
    settings.DSRHUB_UNLIKE_USAGES_FACTOR = Decimal(0)
    settings.DSRHUB_UNLIKE_REVENUE_FACTOR = Decimal("1.5")
    assert measures("1000", "1.6", "1", "1") == ["revenue", "revenue per usage"]
    settings.DSRHUB_UNLIKE_PRICE_FACTOR = Decimal(0)
    assert measures("1000", "1.5", "1", "1") == []


# --- Any series ------------------------------------------------------------------------------------------------

DAYS = st.dates(date(2020, 1, 1), date(2020, 12, 31))
PERIODS = st.tuples(DAYS, st.sampled_from([1, 7, 8, 27, 28, 30, 31, 34, 90, 92])).map(
    lambda one: (one[0], one[0] + timedelta(days=one[1] - 1))
)
KINDS = st.tuples(st.sampled_from(["A", "B"]), st.sampled_from([None, "X"]), st.sampled_from([None, "X", "Y"]))
AMOUNTS = st.tuples(st.integers(-5, 1000), st.integers(-(10**4), 10**6).map(lambda units: Decimal(units).scaleb(-3)))
REPORTS = st.lists(st.tuples(PERIODS, KINDS, AMOUNTS), max_size=12, unique_by=lambda one: one[:2])
FACTORS = st.sampled_from(["0", "1.01", "1.5", "2", "10"])


def reference(now, others, factors):
    """The measures by name, with the amounts of the previous report, of one report among others."""
    (start, end), kind, amounts = now
    days = (end - start).days + 1
    before = []
    for (first, last), other_kind, other_amounts in others:
        other_days = (last - first).days + 1
        if (
            other_kind == kind
            and last < start
            and Fraction(min(days, other_days), max(days, other_days)) >= Fraction(9, 10)
        ):
            before.append((last, first, other_amounts))
    if not before:
        return []
    found = []
    for measure, factor in zip(("usages", "revenue", "revenue per usage"), factors, strict=True):
        one, other = (value(measure, *of) for of in (amounts, max(before)[2]))
        if not Fraction(factor) or one is None or other is None or one == other:
            continue
        if one == 0 or other == 0 or not Fraction(1) / Fraction(factor) <= one / other <= Fraction(factor):
            found.append(measure)
    return found


def value(measure, usages, revenue):
    if measure == "revenue per usage":
        return Fraction(revenue) / usages if usages else None
    return Fraction(usages if measure == "usages" else revenue)


@hypothesis_settings(max_examples=60)
@given(reports=REPORTS, delivered=REPORTS, factors=st.tuples(FACTORS, FACTORS, FACTORS))
def test_any_series(reports, delivered, factors):
    DSR.objects.all().delete()
    for number, ((start, end), (offer, society, use_type), (usages, revenue)) in enumerate(reports):
        totals = {"total_usages": Decimal(usages), "total_revenue": revenue}
        make(start, end, offer=offer, society=society, use_type=use_type, path=f"{number}.tsv", **totals)
    contexts = [
        SalesContext("Spotify", offer, society, "ES", "EUR", start, end, use_type=use_type)
        for (start, end), (offer, society, use_type), _ in delivered
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name, factor in zip(("USAGES", "REVENUE", "PRICE"), factors, strict=True):
            patch.setattr(f"django.conf.settings.DSRHUB_UNLIKE_{name}_FACTOR", Decimal(factor), raising=False)
        previous = previous_reports(contexts, without=[])
        found = [
            [
                one.measure
                for one in unlike_measures(usages=Decimal(usages), revenue=revenue, previous=previous[context])
            ]
            if context in previous
            else []
            for context, (_, _, (usages, revenue)) in zip(contexts, delivered, strict=True)
        ]
    assert found == [reference(one, reports, factors) for one in delivered]
