"""The usage of each subscription. Expected values are summed by hand."""

from datetime import UTC, date, datetime

import pytest

from subscriptions.aggregates import totals
from subscriptions.aggregates.answers import UsageKey
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.totals import subscription_usage_totals
from subscriptions.models import Subscription, UsageType
from tests.subscriptions.helpers import DATA, VOICE, add, event, subscribe, sums

pytestmark = pytest.mark.django_db


@pytest.fixture
def winter(state):
    """Two subscriptions with usage from 30 January to 2 March."""
    one, other = subscribe(2)
    add(
        event(one, 30, "0.01", 1),
        event(one, 31, "0.02", 2),
        event(one, 31, "0.02", 2),
        event(one, 1, "0.08", 8, month=2),
        event(one, 15, "0.16", 16, month=2),
        event(one, 28, "0.32", 32, month=2),
        event(one, 2, "0.64", 64, month=3),
        event(other, 15, "5", 5, month=2),
    )
    add(event(one, 15, "100", 3600, month=2), usage_type=VOICE)
    state()
    return one, other


@pytest.mark.parametrize(
    ("start", "end", "price", "usage"),
    [
        # One day, days of a month, a whole month, days around a month, months with days before or after.
        ((1, 31), (1, 31), "0.04", 4),
        ((1, 30), (1, 31), "0.05", 5),
        ((2, 1), (2, 28), "0.56", 56),
        ((2, 2), (2, 28), "0.48", 48),
        ((2, 1), (2, 27), "0.24", 24),
        ((1, 31), (2, 28), "0.60", 60),
        ((2, 1), (3, 1), "0.56", 56),
        ((1, 31), (3, 2), "1.24", 124),
        ((1, 1), (3, 31), "1.25", 125),
        ((1, 2), (3, 30), "1.25", 125),
    ],
)
def test_a_range_has_both_its_ends(winter, start, end, price, usage):
    one = winter[0]
    found = sums(date(2026, *start), date(2026, *end), usage_type=DATA, subscription_id=one.pk)
    assert found == {(one.pk, "data"): (price, usage)}


def test_a_range_of_all_time(winter):
    one, other = winter
    assert sums(date.min, date.max) == {
        (one.pk, "data"): ("1.25", 125),
        (one.pk, "voice"): ("100.00", 3600),
        (other.pk, "data"): ("5.00", 5),
    }


def test_usage_of_one_type_and_of_one_subscription(winter):
    one, other = winter
    february = date(2026, 2, 1), date(2026, 2, 28)
    assert sums(*february, usage_type=VOICE) == {(one.pk, "voice"): ("100.00", 3600)}
    assert sums(*february, subscription_id=other.pk) == {(other.pk, "data"): ("5.00", 5)}
    assert sums(*february, subscription_id=other.pk, usage_type=VOICE) == {}


def test_usage_by_day(winter):
    one, other = winter
    assert sums(date(2026, 1, 31), date(2026, 2, 15), by=Step.DAY) == {
        (one.pk, "data", date(2026, 1, 31)): ("0.04", 4),
        (one.pk, "data", date(2026, 2, 1)): ("0.08", 8),
        (one.pk, "data", date(2026, 2, 15)): ("0.16", 16),
        (one.pk, "voice", date(2026, 2, 15)): ("100.00", 3600),
        (other.pk, "data", date(2026, 2, 15)): ("5.00", 5),
    }


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((1, 31), (3, 2), [("data", 1, "0.04", 4), ("data", 2, "0.56", 56), ("data", 3, "0.64", 64)]),
        ((2, 1), (2, 28), [("data", 2, "0.56", 56)]),
        ((2, 15), (2, 15), [("data", 2, "0.16", 16)]),
        ((1, 1), (2, 27), [("data", 1, "0.05", 5), ("data", 2, "0.24", 24)]),
    ],
)
def test_usage_by_month(winter, start, end, expected):
    one = winter[0]
    found = sums(date(2026, *start), date(2026, *end), subscription_id=one.pk, usage_type=DATA, by=Step.MONTH)
    assert found == {(one.pk, kind, date(2026, month, 1)): (price, usage) for kind, month, price, usage in expected}


def test_usage_by_month_of_all_time(winter):
    one, other = winter
    assert sums(date.min, date.max, by=Step.MONTH) == {
        (one.pk, "data", date(2026, 1, 1)): ("0.05", 5),
        (one.pk, "data", date(2026, 2, 1)): ("0.56", 56),
        (one.pk, "data", date(2026, 3, 1)): ("0.64", 64),
        (one.pk, "voice", date(2026, 2, 1)): ("100.00", 3600),
        (other.pk, "data", date(2026, 2, 1)): ("5.00", 5),
    }


def test_days_of_more_than_two_months_by_day(winter):
    assert len(sums(date(2026, 1, 1), date(2026, 12, 31), by=Step.DAY)) == 8


def test_usage_in_the_last_moment_of_a_day_belongs_to_it(state):
    someone = subscribe()
    add(
        event(someone, datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        event(someone, datetime(2026, 2, 1, tzinfo=UTC)),
    )
    state()
    assert sums(date(2026, 1, 31), date(2026, 1, 31)) == {(someone.pk, "data"): ("1.00", 1)}
    assert sums(date(2026, 2, 1), date(2026, 2, 28)) == {(someone.pk, "data"): ("1.00", 1)}


def test_a_record_with_zero_values_is_counted(state):
    someone = subscribe()
    add(event(someone, price="0", amount=0))
    state()
    assert sums() == {(someone.pk, "data"): ("0.00", 0)}


@pytest.mark.parametrize(
    ("prices", "total"),
    [
        (["1.10", "2.2"], "3.30"),
        (["0.1", "0.2"], "0.30"),
        (["9" * 30, "-" + "9" * 30, "1e-30"], "0.000000000000000000000000000001"),
        (["2.220446049250313e-16", "1"], "1.0000000000000002220446049250313"),
        (["1.000", "1.0"], "2.00"),
        (["-5", "2"], "-3.00"),
    ],
)
def test_prices_are_added_exactly(state, prices, total):
    someone = subscribe()
    add(*[event(someone, 5, price) for price in prices])
    state()
    assert sums() == {(someone.pk, "data"): (total, len(prices))}


def test_usage_of_one_carrier(carriers):
    one, two, sprint = carriers
    year = date(2026, 1, 1), date(2026, 12, 31)
    assert sums(*year, carrier="sprint") == {(sprint.pk, "voice"): ("7.00", 70)}
    assert sums(*year, carrier="att") == {(one.pk, "data"): ("6.00", 60), (two.pk, "data"): ("2.00", 20)}


def test_pages_of_one_carrier_do_not_stop_at_subscriptions_of_others(monkeypatch):
    monkeypatch.setattr(totals, "FEWEST_SUBSCRIPTIONS", 1)
    many = subscribe(6)
    Subscription.objects.filter(pk__in=[one.pk for one in many[1:]]).update(carrier="sprint")
    add(*(event(one, 5) for one in many))
    rows = subscription_usage_totals(start=date(2026, 1, 1), end=date(2026, 1, 31), carrier="sprint", limit=2).rows
    assert [row.subscription_id for row in rows] == [many[1].pk, many[2].pk]


def test_rows_come_by_subscription_type_and_day(winter):
    one, other = winter
    rows = subscription_usage_totals(start=date(2026, 1, 1), end=date(2026, 3, 31)).rows
    assert [(row.subscription_id, row.usage_type) for row in rows] == [
        (one.pk, DATA),
        (one.pk, VOICE),
        (other.pk, DATA),
    ]
    assert [row.unit for row in rows] == ["kilobytes", "seconds", "kilobytes"]
    days = subscription_usage_totals(start=date(2026, 1, 1), end=date(2026, 3, 31), by=Step.DAY).rows
    keys = [(row.subscription_id, str(row.usage_type), row.day) for row in days]
    assert keys == sorted(keys)


@pytest.mark.parametrize("by", [None, *Step])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_of_any_size_make_the_whole(winter, by, limit):
    question = {"start": date(2026, 1, 1), "end": date(2026, 3, 31), "by": by}
    whole = subscription_usage_totals(**question).rows
    pages, after = [], None
    while rows := subscription_usage_totals(**question, after=after, limit=limit).rows:
        assert len(rows) <= limit
        pages += rows
        after = rows[-1].key
    assert pages == whole


def test_a_page_finds_the_few_that_have_usage_among_many():
    many = subscribe(30)
    add(event(many[29]), event(many[14]))
    rows = subscription_usage_totals(start=date(2026, 1, 1), end=date(2026, 1, 31), limit=2).rows
    assert [row.subscription_id for row in rows] == [many[14].pk, many[29].pk]
    rows = subscription_usage_totals(
        start=date(2026, 1, 1), end=date(2026, 1, 31), limit=2, after=UsageKey(many[14].pk, UsageType.DATA)
    ).rows
    assert [row.subscription_id for row in rows] == [many[29].pk]
