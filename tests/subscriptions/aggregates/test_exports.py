"""Exports: all pages are of the time of the first one, whatever is written meanwhile."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from dsrhub.database.locks import USAGE_EXPORTS
from dsrhub.database.statements import rows_of
from dsrhub.exceptions import AnswerTooLarge
from subscriptions.aggregates import exports
from subscriptions.aggregates.over_price import over_price_export, subscription_list_over_price
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.aggregates.totals import subscription_usage_totals, usage_totals_export
from subscriptions.exceptions import ExportGone, InvalidUsageQuestion, UsageBusy
from subscriptions.models import DataUsageRecord, UsageExport
from subscriptions.records.services import usage_records_delete
from tests.subscriptions.helpers import JANUARY, VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db

RANGE = {"start": JANUARY[0], "end": JANUARY[1]}


@pytest.fixture
def five():
    """Five subscriptions: each has data on two days, and every second one has voice."""
    many = subscribe(5)
    add(*(event(one, day, price=str(place + 1)) for place, one in enumerate(many) for day in (5, 6)))
    add(*(event(one, 5, "7", 60) for one in many[::2]), usage_type=VOICE)
    return many


def all_pages(export, between=lambda: None, **question):
    """The rows of all pages and their times. `between` runs after each page."""
    page = export(**question)
    rows, times = [page.rows], {page.as_of}
    while page.next_place is not None:
        between()
        page = export(**question, export=page.export, after=page.next_place)
        rows.append(page.rows)
        times.add(page.as_of)
    return rows, times


@pytest.mark.parametrize("by", [None, *Step])
@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("is_refreshed", [False, True])
def test_pages_are_of_the_time_of_the_first_one(five, by, limit, is_refreshed):
    if is_refreshed:
        daily_usage_refresh()
    whole = subscription_usage_totals(**RANGE, by=by).rows

    def change():
        add(event(five[0], 5), event(five[-1], 7), event(subscribe(), 5))
        usage_records_delete(usage_type=DataUsageRecord.usage_type, record_ids=[DataUsageRecord.objects.first().pk])
        daily_usage_refresh()

    pages, times = all_pages(usage_totals_export, change, **RANGE, by=by, limit=limit)
    assert [row for page in pages for row in page] == whole
    assert {len(page) for page in pages[:-1]} <= {limit}
    assert len(times) == 1


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_over_a_limit_have_whole_subscriptions(five, limit):
    question = {"price_limit": Decimal(7)}
    whole = subscription_list_over_price(**question).rows
    # Of the data of five, 2 to 10; the voice of every second one.
    assert [len(row.exceeded) for row in whole] == [1, 1, 1, 2]
    pages, times = all_pages(over_price_export, lambda: add(event(five[1], 5, "100")), **question, limit=limit)
    assert [row for page in pages for row in page] == whole
    assert [len(page) for page in pages] == {1: [1, 1, 1, 1], 2: [2, 2], 100: [4]}[limit]
    assert len(times) == 1


def test_filters(five):
    question = {"usage_type": VOICE, "subscription_id": five[0].pk}
    (rows,), _ = all_pages(usage_totals_export, **RANGE, **question, limit=10)
    assert [(row.subscription_id, row.usage_type, row.total_usage) for row in rows] == [(five[0].pk, VOICE, 60)]
    assert usage_totals_export(**RANGE, carrier="sprint", limit=10).rows == []
    assert over_price_export(price_limit=Decimal(7), usage_type=VOICE, carrier="sprint", limit=10).rows == []
    with pytest.raises(InvalidUsageQuestion):
        over_price_export(price_limit=Decimal(-1), limit=10)


def test_an_export_of_another_question_is_refused(five):
    page = usage_totals_export(**RANGE, limit=1)
    for question in (RANGE | {"by": Step.DAY}, RANGE | {"end": date(2026, 1, 30)}, RANGE | {"carrier": "att"}):
        with pytest.raises(ExportGone):
            usage_totals_export(**question, export=page.export, after=1, limit=1)
    with pytest.raises(ExportGone):
        over_price_export(price_limit=Decimal(1), export=page.export, limit=1)


def test_an_export_is_kept_for_an_hour(five, monkeypatch):
    page = usage_totals_export(**RANGE, limit=1)
    began: datetime = UsageExport.objects.get().created_at
    monkeypatch.setattr(timezone, "now", lambda: began + timedelta(minutes=59))
    assert len(usage_totals_export(**RANGE, export=page.export, after=1, limit=1).rows) == 1
    monkeypatch.setattr(timezone, "now", lambda: began + timedelta(minutes=61))
    with pytest.raises(ExportGone):
        usage_totals_export(**RANGE, export=page.export, after=1, limit=1)
    usage_totals_export(**RANGE, limit=1)
    assert UsageExport.objects.count() == 1
    assert rows_of("SELECT DISTINCT export_id FROM subscriptions_exportedusage") != [(page.export,)]


def test_the_oldest_exports_make_room(five, monkeypatch):
    monkeypatch.setattr(exports, "MOST_ROWS", 8)
    monkeypatch.setattr(exports, "MOST_KEPT_ROWS", 24)
    first, *others = [usage_totals_export(**RANGE, limit=1).export for _ in range(4)]
    assert list(UsageExport.objects.order_by("pk").values_list("pk", flat=True)) == others
    with pytest.raises(ExportGone):
        usage_totals_export(**RANGE, export=first, limit=1)


def test_a_too_large_export_is_refused_and_leaves_nothing(five, monkeypatch):
    monkeypatch.setattr(exports, "MOST_ROWS", 7)
    with pytest.raises(AnswerTooLarge):
        usage_totals_export(**RANGE, limit=1)
    assert not UsageExport.objects.exists()
    assert rows_of("SELECT count(*) FROM subscriptions_exportedusage") == [(0,)]


def test_one_export_is_made_at_a_time(five, in_other_session):
    assert in_other_session(USAGE_EXPORTS.try_take, 0)
    with pytest.raises(UsageBusy):
        usage_totals_export(**RANGE, limit=1)
    in_other_session(USAGE_EXPORTS.give_back, 0)
    assert len(usage_totals_export(**RANGE, limit=1).rows) == 1
    assert USAGE_EXPORTS.held_numbers() == set()


def test_a_page_costs_the_same_whatever_is_in_the_export(five, django_assert_num_queries):
    page = usage_totals_export(**RANGE, limit=1)
    with django_assert_num_queries(2):
        usage_totals_export(**RANGE, export=page.export, after=1, limit=1)
    with django_assert_num_queries(2):
        usage_totals_export(**RANGE, export=page.export, after=1, limit=7)
    assert connection.in_atomic_block
