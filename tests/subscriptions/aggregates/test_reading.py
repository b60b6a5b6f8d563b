"""How all questions are read: exactly at one time, and by as many statements for many rows as for one."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from subscriptions.aggregates.metrics import usage_metrics
from subscriptions.aggregates.over_price import subscription_count_over_price, subscription_list_over_price
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.aggregates.totals import (
    subscription_usage_totals,
    usage_by_subscription,
    usage_counts_by_subscription,
)
from subscriptions.exceptions import InvalidUsageQuestion
from tests.subscriptions.helpers import add, event, mark_singly, marks, over, subscribe, sums

pytestmark = pytest.mark.django_db


def test_without_records_answers_are_empty():
    assert sums() == {}
    assert over(0) == {}


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


@pytest.mark.parametrize("singly", [0, 500])
def test_a_key_that_is_marked_more_than_once_counts_once(monkeypatch, singly):
    someone = subscribe()
    add(event(someone, price="1"))
    daily_usage_refresh()
    add(event(someone, price="2"))
    add(event(someone, price="4"))
    # With 0, this write marks the whole day.
    mark_singly(monkeypatch, singly)
    add(event(someone, price="8"), event(someone, price="16"))
    assert len(marks()) == 3
    assert sums() == {(someone.pk, "data"): ("31.00", 5)}
    assert sums(by=Step.DAY) == {(someone.pk, "data", date(2026, 1, 5)): ("31.00", 5)}
    assert over("31") == {someone.pk: {"data": ("31.00", "0.00")}}
    daily_usage_refresh()
    assert sums() == {(someone.pk, "data"): ("31.00", 5)}


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
