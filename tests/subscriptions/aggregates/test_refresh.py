"""`daily_usage_refresh` and `daily_usage_check`: aggregates have the sums of the records, and differences are found."""

from datetime import date
from decimal import Decimal

import pytest

from subscriptions.aggregates.comparing import Difference
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.refreshing import RefreshedMonth
from subscriptions.aggregates.services import daily_usage_check, daily_usage_refresh
from subscriptions.models import DailyUsage, DataUsageRecord, MonthlyUsage, TotalUsage
from subscriptions.records.services import usage_records_delete
from tests.subscriptions import recipes
from tests.subscriptions.helpers import ALWAYS, DATA, VOICE, add, event, marks, subscribe, sums

pytestmark = pytest.mark.usefixtures("real_commits")


def daily():
    return list(
        DailyUsage.objects.order_by("subscription", "usage_type", "day").values_list(
            "subscription", "usage_type", "day", "price", "amount", "record_count"
        )
    )


def monthly():
    return list(
        MonthlyUsage.objects.order_by("subscription", "usage_type", "month").values_list(
            "subscription", "usage_type", "month", "price", "amount", "record_count"
        )
    )


def test_each_day_and_each_month_is_summed():
    one, other = subscribe(2)
    add(event(one, 5, "1.25", 1), event(one, 5, "2.5", 2), event(one, 31, "5", 4), event(one, 1, "10", 8, month=2))
    add(event(other, 5, "0", 3600), usage_type=VOICE)
    assert daily_usage_refresh() == [
        RefreshedMonth(DATA, [date(2026, 1, 5), date(2026, 1, 31)], 2),
        RefreshedMonth(DATA, [date(2026, 2, 1)], 1),
        RefreshedMonth(VOICE, [date(2026, 1, 5)], 1),
    ]
    assert daily() == [
        (one.pk, "data", date(2026, 1, 5), Decimal("3.75"), 3, 2),
        (one.pk, "data", date(2026, 1, 31), Decimal(5), 4, 1),
        (one.pk, "data", date(2026, 2, 1), Decimal(10), 8, 1),
        (other.pk, "voice", date(2026, 1, 5), Decimal(0), 3600, 1),
    ]
    assert monthly() == [
        (one.pk, "data", date(2026, 1, 1), Decimal("8.75"), 7, 3),
        (one.pk, "data", date(2026, 2, 1), Decimal(10), 8, 1),
        (other.pk, "voice", date(2026, 1, 1), Decimal(0), 3600, 1),
    ]
    assert list(TotalUsage.objects.order_by("subscription").values_list("subscription", "price", "amount")) == [
        (one.pk, Decimal("18.75"), 15),
        (other.pk, Decimal(0), 3600),
    ]
    assert marks() == []


def test_a_second_refresh_has_nothing_to_do():
    add(event(subscribe()))
    daily_usage_refresh()
    before = daily(), monthly()
    assert daily_usage_refresh() == []
    assert (daily(), monthly()) == before


def test_a_refresh_sets_and_does_not_add():
    someone = subscribe()
    add(event(someone, 5, "1"), event(someone, 6, "2"))
    daily_usage_refresh()
    add(event(someone, 5, "4"))
    daily_usage_refresh()
    assert daily() == [
        (someone.pk, "data", date(2026, 1, 5), Decimal(5), 2, 2),
        (someone.pk, "data", date(2026, 1, 6), Decimal(2), 1, 1),
    ]
    assert monthly() == [(someone.pk, "data", date(2026, 1, 1), Decimal(7), 3, 3)]


def test_only_marked_keys_are_touched():
    one, other = subscribe(2)
    add(event(one, 5), event(other, 5), event(one, 6))
    daily_usage_refresh()
    # Wrong sums show which rows the refresh sets.
    DailyUsage.objects.update(price=100)
    add(event(one, 5))
    assert daily_usage_refresh()[0].key_count == 1
    assert {(row[0], row[2].day): row[3] for row in daily()} == {(one.pk, 5): 2, (one.pk, 6): 100, (other.pk, 5): 100}


def test_a_refresh_of_some_days_leaves_the_others_marked():
    someone = subscribe()
    add(event(someone, 5), event(someone, 6), event(someone, 7), event(someone, 6, month=2))
    (month,) = daily_usage_refresh(start=date(2026, 1, 6), end=date(2026, 1, 7))
    assert month.days == [date(2026, 1, 6), date(2026, 1, 7)]
    assert [day for _, day, _ in marks()] == [date(2026, 1, 5), date(2026, 2, 6)]
    assert sums(*ALWAYS) == {(someone.pk, "data"): ("4.00", 4)}


def test_a_rebuild_builds_all_aggregates_again():
    someone = subscribe()
    add(event(someone, 5, "2"), event(someone, 6, "3"))
    daily_usage_refresh()
    DailyUsage.objects.filter(day=date(2026, 1, 5)).update(price=100)
    DailyUsage.objects.filter(day=date(2026, 1, 6)).delete()
    MonthlyUsage.objects.update(amount=7)
    assert daily_usage_refresh() == []
    assert daily_usage_refresh(rebuild=True) == [RefreshedMonth(DATA, [date(2026, 1, 5), date(2026, 1, 6)], 2)]
    assert [(row[2].day, row[3]) for row in daily()] == [(5, 2), (6, 3)]
    assert monthly() == [(someone.pk, "data", date(2026, 1, 1), Decimal(5), 2, 2)]


def test_a_rebuild_forgets_sums_of_days_without_records():
    someone = subscribe()
    recipes.daily_usage.make(subscription=someone, day=date(2026, 1, 9))
    assert sums(by=Step.DAY) != {}
    daily_usage_refresh(rebuild=True)
    assert sums() == sums(by=Step.DAY) == {}


# --- The check -------------------------------------------------------------------------------------------------


def test_the_check_finds_every_difference():
    one, other = subscribe(2)
    add(event(one, 5, "2", 3), event(one, 6, "4", 5), event(other, 7, "1", 1))
    add(event(one, 5), usage_type=VOICE)
    daily_usage_refresh()
    assert daily_usage_check().differences == []

    of_one = DailyUsage.objects.filter(subscription=one, usage_type="data")
    of_one.filter(day=date(2026, 1, 5)).update(price=Decimal("2.5"))
    of_one.filter(day=date(2026, 1, 6)).update(record_count=2)
    DailyUsage.objects.filter(subscription=other).delete()
    DailyUsage.objects.filter(usage_type="voice").update(amount=9)
    MonthlyUsage.objects.filter(usage_type="voice").update(amount=9)
    TotalUsage.objects.filter(usage_type="data", subscription=one).update(price=6)
    MonthlyUsage.objects.filter(usage_type="data", subscription=one).update(price=7)
    report = daily_usage_check()
    assert report.days_checked == 4
    assert report.differences == [
        Difference("day", DATA, date(2026, 1, 5), one.pk, (Decimal("2.5"), 3, 1), (2, 3, 1)),
        Difference("day", DATA, date(2026, 1, 6), one.pk, (4, 5, 2), (4, 5, 1)),
        Difference("day", DATA, date(2026, 1, 7), other.pk, (None, None, None), (1, 1, 1)),
        Difference("month", DATA, date(2026, 1, 1), one.pk, (7, 8, 2), (Decimal("6.5"), 8, 3)),
        Difference("month", DATA, date(2026, 1, 1), other.pk, (1, 1, 1), (None, None, None)),
        Difference("total", DATA, None, one.pk, (6, 8, 2), (7, 8, 2)),
        Difference("day", VOICE, date(2026, 1, 5), one.pk, (1, 9, 1), (1, 1, 1)),
        Difference("total", VOICE, None, one.pk, (1, 1, 1), (1, 9, 1)),
    ]
    assert daily_usage_check(start=date(2026, 1, 6), end=date(2026, 1, 6)).days_checked == 1

    daily_usage_refresh(rebuild=True)
    assert daily_usage_check().differences == []


def test_keys_that_wait_for_a_refresh_are_no_difference_and_are_reported():
    someone = subscribe()
    add(event(someone, 5), event(someone, 6))
    daily_usage_refresh()
    add(event(someone, 5, "7"))
    report = daily_usage_check()
    assert (report.differences, report.waiting) == ([], [(DATA, date(2026, 1, 5))])
    daily_usage_refresh()
    assert daily_usage_check().waiting == []


def test_deleted_records_leave_no_difference():
    someone = subscribe()
    add(event(someone))
    daily_usage_refresh()
    usage_records_delete(usage_type=DATA, record_ids=[DataUsageRecord.objects.get().pk])
    daily_usage_refresh()
    assert [row[3:] for row in daily()] == [(0, 0, 0)]
    assert daily_usage_check().differences == []
