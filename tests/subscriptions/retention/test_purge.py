"""`usage_records_purge`: raw records are dropped, and no answer changes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_check, daily_usage_refresh
from subscriptions.exceptions import AggregateDiffers, DaySealed, InvalidPurge, UsageRecordNotFound
from subscriptions.models import DailyUsage, DataUsageRecord, MonthlyUsage, SealedDay
from subscriptions.records.services import usage_record_edit, usage_records_delete
from subscriptions.retention.services import PurgedDay, usage_records_purge
from tests.subscriptions.helpers import DATA, VOICE, add, event, fetch, marks, partitions, subscribe, sums

pytestmark = pytest.mark.usefixtures("real_commits")
BEFORE = date(2026, 1, 7)


def kept():
    return fetch(
        "SELECT subscription_id, usage_type, day, purge, price, amount, record_count "
        "FROM subscriptions_purgedusage ORDER BY day, usage_type, subscription_id, purge"
    )


def test_days_before_the_day_are_purged_and_their_sums_kept():
    one, other = subscribe(2)
    add(event(one, 5, "1.5", 2), event(one, 5, "2", 3), event(other, 5, "4", 5), event(one, 6, "8", 7))
    add(event(one, 7, "16", 11), event(one, 5, "32", 13, month=2))
    add(event(one, 6, "64", 17), usage_type=VOICE)
    before = sums(), sums(by=Step.DAY)

    assert usage_records_purge(before=BEFORE).purged == [
        PurgedDay(DATA, date(2026, 1, 5), 3),
        PurgedDay(DATA, date(2026, 1, 6), 1),
        PurgedDay(VOICE, date(2026, 1, 6), 1),
    ]
    assert kept() == [
        (one.pk, "data", date(2026, 1, 5), 1, Decimal("3.5"), 5, 2),
        (other.pk, "data", date(2026, 1, 5), 1, Decimal(4), 5, 1),
        (one.pk, "data", date(2026, 1, 6), 1, Decimal(8), 7, 1),
        (one.pk, "voice", date(2026, 1, 6), 1, Decimal(64), 17, 1),
    ]
    assert partitions() == ["subscriptions_datausagerecord_20260107", "subscriptions_datausagerecord_20260205"]
    assert (sums(), sums(by=Step.DAY)) == before
    assert before[0] == {
        (one.pk, "data"): ("59.50", 36),
        (one.pk, "voice"): ("64.00", 17),
        (other.pk, "data"): ("4.00", 5),
    }
    # The purge has refreshed the purged days, and no others.
    assert [day for _, day, _ in marks()] == [date(2026, 1, 7), date(2026, 2, 5)]


def test_after_any_refresh_history_is_as_it_was():
    someone = subscribe()
    add(event(someone, 5, "3"), event(someone, 6, "4"))
    usage_records_purge(before=BEFORE)
    for rebuild in (False, True):
        daily_usage_refresh(rebuild=rebuild)
        assert sums(by=Step.DAY) == {
            (someone.pk, "data", date(2026, 1, 5)): ("3.00", 1),
            (someone.pk, "data", date(2026, 1, 6)): ("4.00", 1),
        }
    DailyUsage.objects.all().delete()
    MonthlyUsage.objects.all().delete()
    assert sums() == {}
    daily_usage_refresh(rebuild=True)
    assert sums() == {(someone.pk, "data"): ("7.00", 2)}


def test_a_second_purge_has_nothing_to_do():
    add(event(subscribe(), 5))
    usage_records_purge(before=BEFORE)
    before = kept()
    assert usage_records_purge(before=BEFORE).purged == []
    assert kept() == before


def test_a_late_record_of_a_sealed_day_is_refused():
    someone = subscribe()
    add(event(someone, 5))
    usage_records_purge(before=BEFORE)
    for late in ([event(someone, 5)], [event(someone, 8)] * 2 + [event(someone, 5)], [event(someone, 5)] * 1001):
        with pytest.raises(DaySealed, match="only a backfill can add to it"):
            add(*late)
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}
    # Other usage types and days without records are not sealed.
    add(event(someone, 5), usage_type=VOICE)
    add(event(someone, 4))


def test_a_backfill_is_added_beside_what_was_kept():
    one, other = subscribe(2)
    add(event(one, 5, "1"))
    usage_records_purge(before=BEFORE)
    add(event(one, 5, "2"), event(other, 5, "4"), backfill=True)
    expected = {(one.pk, "data"): ("3.00", 2), (other.pk, "data"): ("4.00", 1)}
    assert sums() == expected
    daily_usage_refresh()
    assert sums() == expected
    # The day stays sealed, and can be purged again.
    with pytest.raises(DaySealed):
        add(event(one, 5))
    assert usage_records_purge(before=BEFORE).purged == [PurgedDay(DATA, date(2026, 1, 5), 2)]
    assert sums() == expected
    assert [row[0:1] + row[3:5] for row in kept()] == [(one.pk, 1, 1), (one.pk, 2, 2), (other.pk, 2, 4)]
    assert (SealedDay.objects.get().purges, SealedDay.objects.get().record_count) == (2, 3)


def test_a_backfilled_record_may_be_edited_and_deleted():
    someone = subscribe()
    add(event(someone, 5, "1"))
    usage_records_purge(before=BEFORE)
    add(event(someone, 5, "2"), backfill=True)
    number = DataUsageRecord.objects.get().pk
    usage_record_edit(usage_type=DATA, record_id=number, values=event(someone, 5, "4"))
    assert sums() == {(someone.pk, "data"): ("5.00", 2)}
    usage_records_delete(usage_type=DATA, record_ids=[number])
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}
    daily_usage_refresh()
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


def test_purged_records_cannot_be_edited_or_deleted():
    someone = subscribe()
    add(event(someone, 5))
    number = DataUsageRecord.objects.get().pk
    usage_records_purge(before=BEFORE)
    with pytest.raises(UsageRecordNotFound):
        usage_record_edit(usage_type=DATA, record_id=number, values=event(someone, 8))
    assert usage_records_delete(usage_type=DATA, record_ids=[number]) == 0
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


def test_a_day_whose_records_are_all_deleted_is_sealed_too():
    someone = subscribe()
    add(event(someone, 5))
    usage_records_delete(usage_type=DATA, record_ids=[DataUsageRecord.objects.get().pk])
    assert usage_records_purge(before=BEFORE).purged == [PurgedDay(DATA, date(2026, 1, 5), 0)]
    assert (kept(), sums()) == ([], {})


def test_an_aggregate_that_differs_stops_the_purge_and_keeps_the_records():
    someone = subscribe()
    add(event(someone, 5, "1"), event(someone, 6, "2"))
    daily_usage_refresh()
    DailyUsage.objects.filter(day=date(2026, 1, 6)).update(price=3)
    with pytest.raises(AggregateDiffers, match="--rebuild --from 2026-01-06 --to 2026-01-06"):
        usage_records_purge(before=BEFORE)
    assert partitions() == ["subscriptions_datausagerecord_20260106"]
    assert list(SealedDay.objects.values_list("day", flat=True)) == [date(2026, 1, 5)]

    daily_usage_refresh(rebuild=True, start=date(2026, 1, 6), end=date(2026, 1, 6))
    usage_records_purge(before=BEFORE)
    assert sums() == {(someone.pk, "data"): ("3.00", 2)}


def test_future_days_cannot_be_purged(settings):
    with pytest.raises(InvalidPurge):
        usage_records_purge(before=timezone.now().date() + timedelta(days=2))


def test_the_zone_of_the_setting_decides_which_days_are_over(settings, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 1, 7, 3, tzinfo=UTC))
    usage_records_purge(before=date(2026, 1, 7))
    settings.DSRHUB_USAGE_TIME_ZONE = "America/New_York"
    with pytest.raises(InvalidPurge):
        usage_records_purge(before=date(2026, 1, 7))


def test_the_check_says_that_sealed_days_cannot_be_compared():
    someone = subscribe()
    add(event(someone, 5), event(someone, 8))
    usage_records_purge(before=BEFORE)
    daily_usage_refresh()
    report = daily_usage_check()
    assert (report.days_checked, report.differences) == (2, [])
    assert report.sealed == [(DATA, date(2026, 1, 5))]
    # They are compared with the kept sums.
    DailyUsage.objects.filter(day=date(2026, 1, 5)).update(price=9)
    assert [one.day for one in daily_usage_check().differences if one.level == "day"] == [date(2026, 1, 5)]
