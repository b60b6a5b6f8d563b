"""The selectors of the pages of the admin. Expected values are summed by hand."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subscriptions.aggregates.daily import LimitOfDays, TypeTotal, day_totals, price_limit_by_days, usage_latest_day
from subscriptions.aggregates.metrics import usage_metrics
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.exceptions import InvalidUsageQuestion
from subscriptions.models import DataUsageRecord
from subscriptions.records.services import usage_records_delete
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, JANUARY, VOICE, add, event, mark_singly, marks, subscribe

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["marked", "whole days marked", "refreshed"])
def state(request, monkeypatch):
    """Brings the aggregates into a state. Call it after adding records: answers must be the same in each state."""
    if request.param == "whole days marked":
        mark_singly(monkeypatch, 0)

    def reach():
        if request.param == "refreshed":
            daily_usage_refresh()

    return reach


@pytest.fixture
def january(state):
    """Two subscriptions of AT&T and one of Sprint, with usage in January and February."""
    one, other = subscribe(2)
    third = recipes.subscription.make(carrier="sprint")
    add(
        *(event(one, 5, "0.10", 1), event(one, 5, "0.2", 2), event(one, 6, "4", 4)),
        *(event(other, 6, "8", 8), event(third, 6, "16", 16), event(third, 1, "32", 32, month=2)),
    )
    add(event(one, 31, "0.0000000001", 60), usage_type=VOICE)
    state()
    return one, other, third


def rows(start=JANUARY[0], end=JANUARY[1], *, by=Step.DAY, **filters):
    """(type, day of the month or None, subscriptions, price, usage) of each row."""
    return [
        (str(row.usage_type), row.day and row.day.day, row.subscription_count, f"{row.total_price:f}", row.total_usage)
        for row in usage_metrics(start=start, end=end, by=by, **filters).rows
    ]


VOICE_ROW = ("voice", 31, 1, "0.0000000001", 60)


def test_filters(january):
    one, _other, third = january
    assert rows() == [("data", 5, 1, "0.30", 3), ("data", 6, 3, "28.00", 28), VOICE_ROW]
    assert rows(usage_type=VOICE) == [VOICE_ROW]
    assert rows(carrier="sprint") == [("data", 6, 1, "16.00", 16)]
    assert rows(carrier="att", usage_type=DATA) == [("data", 5, 1, "0.30", 3), ("data", 6, 2, "12.00", 12)]
    assert rows(subscription_id=one.pk) == [("data", 5, 1, "0.30", 3), ("data", 6, 1, "4.00", 4), VOICE_ROW]
    assert rows(subscription_id=third.pk, carrier="att") == []
    # The sums of a range without its days come from months.
    assert rows(carrier="att", by=None)[0] == ("data", None, 2, "12.30", 15)


def test_the_totals_are_the_sums_of_the_days(january):
    days = usage_metrics(start=JANUARY[0], end=JANUARY[1], by=Step.DAY).rows
    assert day_totals(days=days) == [
        TypeTotal(DATA, Decimal("28.30"), 31),
        TypeTotal(VOICE, Decimal("0.0000000001"), 60),
    ]
    assert day_totals(days=[]) == []


def test_totals_are_exact():
    someone = subscribe()
    add(event(someone, 5, "9" * 30), event(someone, 6, "0." + "0" * 59 + "1"))
    days = usage_metrics(start=JANUARY[0], end=JANUARY[1], by=Step.DAY).rows
    assert f"{day_totals(days=days)[0].total_price:f}" == "9" * 30 + "." + "0" * 59 + "1"


def test_a_hundred_subscriptions_take_as_many_statements_as_one():
    def statements():
        with CaptureQueriesContext(connection) as queries:
            rows()
            usage_latest_day()
            usage_latest_day(subscription_id=1)
        return len(queries)

    add(event(subscribe()))
    daily_usage_refresh()
    assert marks() == []
    one = statements()
    add(*[event(someone) for someone in subscribe(99)])
    daily_usage_refresh()
    assert statements() == one == 5


# --- The latest day --------------------------------------------------------------------------------------------


def test_the_latest_day_of_all_and_of_one(january):
    one, other, third = january
    assert usage_latest_day() == date(2026, 2, 1)
    assert usage_latest_day(subscription_id=one.pk) == date(2026, 1, 31)
    assert usage_latest_day(subscription_id=other.pk) == date(2026, 1, 6)
    assert usage_latest_day(subscription_id=third.pk) == date(2026, 2, 1)


def test_without_usage_there_is_no_latest_day():
    assert usage_latest_day() is None
    assert usage_latest_day(subscription_id=subscribe().pk) is None


def test_deleted_records_have_no_latest_day(state):
    someone = subscribe()
    add(event(someone, 5), event(someone, 7))
    state()
    last = DataUsageRecord.objects.filter(day=date(2026, 1, 7))
    usage_records_delete(usage_type=DATA, record_ids=list(last.values_list("pk", flat=True)))
    assert usage_latest_day(subscription_id=someone.pk) == date(2026, 1, 5)
    daily_usage_refresh()
    assert usage_latest_day() == date(2026, 1, 5)


# --- Since when a limit is reached -----------------------------------------------------------------------------


def reached(limit):
    days = usage_metrics(start=JANUARY[0], end=JANUARY[1], by=Step.DAY).rows
    return price_limit_by_days(days=days, price_limit=Decimal(limit))


def test_the_day_since_which_a_limit_is_reached():
    someone = subscribe()
    add(event(someone, 5, "6"), event(someone, 7, "4"), event(someone, 9, "2.50"))
    add(event(someone, 8, "3"), usage_type=VOICE)
    assert reached("10") == [
        LimitOfDays(DATA, Decimal("12.50"), Decimal("2.50"), date(2026, 1, 7)),
        LimitOfDays(VOICE, Decimal(3), Decimal(-7), None),
    ]
    assert [row.since for row in reached("12.50")] == [date(2026, 1, 9), None]
    assert [row.since for row in reached("12.51")] == [None, None]


def test_after_a_credit_the_limit_is_reached_later():
    someone = subscribe()
    add(event(someone, 5, "11"), event(someone, 6, "-2"), event(someone, 7, "1"), event(someone, 8, "1"))
    assert reached("10") == [LimitOfDays(DATA, Decimal(11), Decimal(1), date(2026, 1, 7))]
    add(event(someone, 9, "-5"))
    assert reached("10") == [LimitOfDays(DATA, Decimal(6), Decimal(-4), None)]


def test_a_limit_is_compared_exactly():
    someone = subscribe()
    add(event(someone, 5, "9" * 30), event(someone, 6, "0." + "0" * 59 + "1"))
    assert [row.since for row in reached("9" * 30 + "." + "0" * 59 + "1")] == [date(2026, 1, 6)]
    assert [row.since for row in reached("9" * 30 + "." + "0" * 59 + "2")] == [None]


def test_without_usage_no_limit_is_reached():
    assert reached("0") == []


def test_a_negative_limit_is_refused():
    with pytest.raises(InvalidUsageQuestion):
        price_limit_by_days(days=[], price_limit=Decimal(-1))
