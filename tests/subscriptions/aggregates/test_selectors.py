"""The selectors of usage. Expected values are summed by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from subscriptions.aggregates import selectors
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.selectors import (
    MetricKey,
    ReachedPrice,
    SubscriptionOverPrice,
    UsageKey,
    subscription_count_over_price,
    subscription_list_over_price,
    subscription_usage_totals,
    usage_by_subscription,
    usage_counts_by_subscription,
    usage_metrics,
)
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.exceptions import InvalidUsageQuestion
from subscriptions.models import Subscription, UsageType
from subscriptions.records import storage
from tests.subscriptions.helpers import DATA, VOICE, add, event, marks, subscribe, sums

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["marked", "refreshed", "partly"])
def state(request):
    """Brings the aggregates into a state. Call it after adding records: answers must be the same in each state."""

    def reach():
        if request.param == "refreshed":
            daily_usage_refresh()
        elif request.param == "partly":
            daily_usage_refresh(start=date(2026, 1, 31), end=date(2026, 2, 14))

    return reach


def over(price_limit, **options):
    """{subscription: {type: (price, exceeded by)}}"""
    return {
        row.subscription_id: {
            str(one.usage_type): (f"{one.total_price:f}", f"{one.exceeded_by:f}") for one in row.exceeded
        }
        for row in subscription_list_over_price(price_limit=Decimal(price_limit), **options).rows
    }


# --- Usage -----------------------------------------------------------------------------------------------------


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


@pytest.fixture
def carriers(state):
    """AT&T has data for 3 on two days of January and 5 in February, Sprint voice for 7, and no data."""
    one, two, sprint = subscribe(3)
    Subscription.objects.filter(pk=sprint.pk).update(carrier="sprint")
    add(event(one, 5, "1", 10), event(two, 31, "2", 20), event(one, 1, "5", 50, month=2))
    add(event(sprint, 31, "7", 70), usage_type=VOICE)
    state()
    return one, two, sprint


def metrics(**options):
    rows = usage_metrics(start=date(2026, 1, 1), end=date(2026, 2, 28), **options).rows
    return [
        (one.carrier, str(one.usage_type), one.month, one.subscription_count, f"{one.total_price:f}", one.total_usage)
        for one in rows
    ]


def test_metrics_by_carrier_and_month(carriers):
    assert metrics(by_carrier=True) == [
        ("att", "data", None, 2, "8.00", 80),
        ("sprint", "voice", None, 1, "7.00", 70),
    ]
    by_month = [
        ("att", "data", "2026-01", 2, "3.00", 30),
        ("att", "data", "2026-02", 1, "5.00", 50),
        ("sprint", "voice", "2026-01", 1, "7.00", 70),
    ]
    assert metrics(by_carrier=True, by=Step.MONTH) == by_month
    assert metrics(by_carrier=True, by=Step.MONTH, carrier="sprint") == by_month[2:]
    keys = [MetricKey("att", DATA, date(2026, 1, 1)), MetricKey("att", DATA, date(2026, 2, 1))]
    for place, after in enumerate(keys, 1):
        assert metrics(by_carrier=True, by=Step.MONTH, after=after, limit=1) == by_month[place : place + 1]


def test_usage_and_prices_of_one_carrier(carriers):
    one, two, sprint = carriers
    year = date(2026, 1, 1), date(2026, 12, 31)
    assert sums(*year, carrier="sprint") == {(sprint.pk, "voice"): ("7.00", 70)}
    assert sums(*year, carrier="att") == {(one.pk, "data"): ("6.00", 60), (two.pk, "data"): ("2.00", 20)}
    assert over("2", carrier="att").keys() == {one.pk, two.pk}
    assert over("2", usage_type=VOICE).keys() == {sprint.pk}
    assert over("2", usage_type=VOICE, carrier="att") == {}
    assert subscription_count_over_price(price_limit=Decimal(2), usage_type=DATA, carrier="att") == 2
    assert subscription_count_over_price(price_limit=Decimal(2), usage_type=DATA, carrier="sprint") == 0


def test_pages_of_one_carrier_do_not_stop_at_subscriptions_of_others(monkeypatch):
    monkeypatch.setattr(selectors, "FEWEST_SUBSCRIPTIONS", 1)
    many = subscribe(6)
    Subscription.objects.filter(pk__in=[one.pk for one in many[1:]]).update(carrier="sprint")
    add(*(event(one, 5) for one in many))
    rows = subscription_usage_totals(start=date(2026, 1, 1), end=date(2026, 1, 31), carrier="sprint", limit=2).rows
    assert [row.subscription_id for row in rows] == [many[1].pk, many[2].pk]


def test_days_of_more_than_two_months_by_day(winter):
    assert len(sums(date(2026, 1, 1), date(2026, 12, 31), by=Step.DAY)) == 8


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


def test_a_record_with_zero_values_is_counted(state):
    someone = subscribe()
    add(event(someone, price="0", amount=0))
    state()
    assert sums() == {(someone.pk, "data"): ("0.00", 0)}


@pytest.mark.parametrize("singly", [0, 500])
def test_a_key_that_is_marked_more_than_once_counts_once(monkeypatch, singly):
    someone = subscribe()
    add(event(someone, price="1"))
    daily_usage_refresh()
    add(event(someone, price="2"))
    add(event(someone, price="4"))
    # With 0, this write marks the whole day.
    monkeypatch.setattr(storage, "KEYS_MARKED_SINGLY", singly)
    add(event(someone, price="8"), event(someone, price="16"))
    assert len(marks()) == 3
    assert sums() == {(someone.pk, "data"): ("31.00", 5)}
    assert sums(by=Step.DAY) == {(someone.pk, "data", date(2026, 1, 5)): ("31.00", 5)}
    assert over("31") == {someone.pk: {"data": ("31.00", "0.00")}}
    daily_usage_refresh()
    assert sums() == {(someone.pk, "data"): ("31.00", 5)}


def test_without_records_answers_are_empty():
    assert sums() == {}
    assert over(0) == {}


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


# --- Price limits ----------------------------------------------------------------------------------------------


def test_a_price_is_reached_from_the_limit_on(state):
    below, at, above = subscribe(3)
    add(event(below, price="9.999"), event(at, price="10"), event(above, price="12.50"))
    state()
    assert over("10") == {at.pk: {"data": ("10.00", "0.00")}, above.pk: {"data": ("12.50", "2.50")}}


def test_each_usage_type_is_judged_by_itself(state):
    split, both = subscribe(2)
    add(event(split, price="6"), event(both, price="11"))
    add(event(split, price="6"), event(both, price="10.5"), usage_type=VOICE)
    state()
    assert over("10") == {both.pk: {"data": ("11.00", "1.00"), "voice": ("10.50", "0.50")}}
    assert over("6") == {
        split.pk: {"data": ("6.00", "0.00"), "voice": ("6.00", "0.00")},
        both.pk: {"data": ("11.00", "5.00"), "voice": ("10.50", "4.50")},
    }


def test_the_answer_has_rows_of_reached_prices(state):
    someone = subscribe()
    add(event(someone, price="12.50"))
    state()
    assert subscription_list_over_price(price_limit=Decimal(10)).rows == [
        SubscriptionOverPrice(someone.pk, [ReachedPrice(DATA, Decimal("12.50"), Decimal("2.50"))])
    ]


def test_only_the_range_counts(state):
    someone = subscribe()
    add(event(someone, 31, "6"), event(someone, 1, "6", month=2), event(someone, 28, "5", month=2))
    state()
    assert over("11") == {someone.pk: {"data": ("17.00", "6.00")}}
    assert over("11", start=date(2026, 2, 1)) == {someone.pk: {"data": ("11.00", "0.00")}}
    assert over("11", end=date(2026, 2, 1)) == {someone.pk: {"data": ("12.00", "1.00")}}
    assert over("11", start=date(2026, 2, 1), end=date(2026, 2, 27)) == {}
    assert over("6", start=date(2026, 1, 31), end=date(2026, 1, 31)) == {someone.pk: {"data": ("6.00", "0.00")}}


def test_a_limit_of_zero_lists_subscriptions_with_a_record_in_the_range(state):
    free, credited, _idle = subscribe(3)
    add(event(free, price="0"), event(credited, price="-1"))
    state()
    assert over("0") == {free.pk: {"data": ("0.00", "0.00")}}
    assert over("0", start=date(2026, 2, 1)) == {}


@pytest.mark.parametrize(
    "ask",
    [
        lambda days: subscription_list_over_price(price_limit=Decimal(1), **days),
        lambda days: subscription_count_over_price(price_limit=Decimal(1), **days),
        lambda days: subscription_usage_totals(**days),
        lambda days: usage_by_subscription(subscription_ids=[1], limit=1, **days),
        lambda days: usage_counts_by_subscription(subscription_ids=[1], **days),
        lambda days: usage_metrics(**days),
    ],
)
def test_a_range_that_ends_before_it_starts_is_refused(ask):
    with pytest.raises(InvalidUsageQuestion) as refusal:
        ask({"start": date(2026, 1, 2), "end": date(2026, 1, 1)})
    assert refusal.value.extra == {"parameter": "end"}


@pytest.mark.parametrize("ask", [subscription_list_over_price, subscription_count_over_price])
def test_a_negative_price_limit_is_refused(ask):
    with pytest.raises(InvalidUsageQuestion) as refusal:
        ask(price_limit=Decimal("-0.01"))
    assert refusal.value.extra == {"parameter": "price_limit"}


def test_pages_of_subscriptions(state):
    subscriptions = subscribe(5)
    add(*[event(one, price="3") for one in subscriptions])
    state()
    first = over("1", limit=2)
    assert list(first) == [subscriptions[0].pk, subscriptions[1].pk]
    assert list(over("1", after=subscriptions[1].pk, limit=10)) == [one.pk for one in subscriptions[2:]]
    assert over("1", after=2**63 - 1) == {}


def test_the_percentage_above_the_limit_is_exact():
    digits = "1" * 30 + "." + "1" * 20
    assert ReachedPrice(DATA, Decimal("12.50"), Decimal("2.50")).exceeded_percent == Decimal(25)
    assert ReachedPrice(DATA, Decimal(7), Decimal(4)).exceeded_percent == Decimal("133.333333333333")
    assert ReachedPrice(DATA, 2 * Decimal(digits[:20]), Decimal(digits[:20])).exceeded_percent == 100
    assert ReachedPrice(DATA, Decimal(digits), Decimal(0)).exceeded_percent == 0
    assert ReachedPrice(DATA, Decimal(digits), Decimal(digits)).exceeded_percent is None


# --- Statements ------------------------------------------------------------------------------------------------


def test_an_answer_has_the_time_of_its_snapshot(state):
    add(event(subscribe()))
    state()
    before = timezone.now()
    answer = subscription_usage_totals(start=date(2026, 1, 1), end=date(2026, 1, 31))
    assert before <= answer.as_of <= timezone.now()
    assert answer.as_of.utcoffset() is not None


def test_a_hundred_subscriptions_take_as_many_statements_as_one(state):
    def statements():
        with CaptureQueriesContext(connection) as queries:
            sums(by=Step.DAY)
            sums(limit=500)
            over("1", limit=500)
        return len(queries)

    add(event(subscribe()))
    state()
    one = statements()
    add(*[event(someone) for someone in subscribe(99)])
    state()
    assert statements() == one
    # Each question runs two statements: for the days with marks, and for the sums. A page first finds its last id.
    assert marks() or one == 7


def test_without_marks_no_raw_record_is_read():
    add(event(subscribe()))
    daily_usage_refresh()
    assert marks() == []
    with CaptureQueriesContext(connection) as queries:
        over("1")
    assert not any('FROM "subscriptions_datausagerecord"' in query["sql"] for query in queries)


def test_usage_in_the_last_moment_of_a_day_belongs_to_it(state):
    someone = subscribe()
    add(
        event(someone, datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        event(someone, datetime(2026, 2, 1, tzinfo=UTC)),
    )
    state()
    assert sums(date(2026, 1, 31), date(2026, 1, 31)) == {(someone.pk, "data"): ("1.00", 1)}
    assert sums(date(2026, 2, 1), date(2026, 2, 28)) == {(someone.pk, "data"): ("1.00", 1)}
