"""Drops raw records that are no longer needed. What they come to is kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from django.db import OperationalError, transaction
from django.utils import timezone

from dsrhub.database.locks import USAGE_AGGREGATES
from dsrhub.database.statements import composed, is_lock_timeout, rows_of
from subscriptions.aggregates.comparing import day_differences
from subscriptions.aggregates.ranges import UsageRange
from subscriptions.aggregates.refreshing import days_refresh
from subscriptions.exceptions import AggregateDiffers, InvalidPurge
from subscriptions.models import SealedDay, UsageType
from subscriptions.records import partitions
from subscriptions.records.events import usage_day

# How often dropping a partition is tried, and the pause between in seconds. What is in use then is left to a later run.
DROP_TRIES, DROP_PAUSE = 3, 0.1


@dataclass(frozen=True)
class PurgedDay:
    usage_type: UsageType
    day: date
    record_count: int


@dataclass
class PurgeReport:
    """What was purged, and the days that were in use and wait for a later run."""

    purged: list[PurgedDay] = field(default_factory=list)
    in_use: list[tuple[UsageType, date]] = field(default_factory=list)


def usage_records_purge(*, before: date, progress: Callable[[PurgedDay], object] | None = None) -> PurgeReport:
    """Drop the raw records of all days before a day. Their sums are kept for good, so no answer changes.

    Day by day, each in a transaction of its own, which is not begun anew for days that are done. Readers wait a
    moment at the most; a day that is in use is left to a later run.

    Raises InvalidPurge, and AggregateDiffers where a day cannot be trusted to be summed; that day keeps its records.
    """
    today = usage_day(timezone.now())
    if before > today:
        raise InvalidPurge(f"{before} is later than today, {today}: its records are still coming.", before=before)
    report = PurgeReport()
    for usage_type in UsageType:
        for day in sorted(day for day in partitions.open_days(usage_type) if day < before):
            try:
                purged = PurgedDay(usage_type, day, _day_purge(usage_type, day))
            except OperationalError as error:
                if not is_lock_timeout(error):
                    raise
                report.in_use.append((usage_type, day))
                continue
            report.purged.append(purged)
            if progress is not None:
                progress(purged)
    return report


def _day_purge(usage_type: UsageType, day: date) -> int:
    with transaction.atomic(durable=True):
        USAGE_AGGREGATES.take(usage_type=usage_type)
        if day not in partitions.open_days(usage_type):
            return 0
        partitions.day_freeze(usage_type, day)
        days_refresh(usage_type, [day])
        differences = day_differences(usage_type, day)
        if differences:
            raise AggregateDiffers(
                f"{usage_type} usage of {day}: {len(differences)} sums are not those of the records, which are kept. "
                f"Mend them with: manage.py refresh_usage --rebuild --from {day} --to {day}",
                differences=differences,
            )
        sealed, _ = SealedDay.objects.get_or_create(usage_type=usage_type, day=day)
        sealed.purges += 1
        count = _sums_keep(usage_type, day, purge=sealed.purges)
        sealed.record_count += count
        sealed.save()
        _drop_patiently(usage_type, day)
    return count


def _drop_patiently(usage_type: UsageType, day: date) -> None:
    for tries_left in reversed(range(DROP_TRIES)):
        try:
            with transaction.atomic():
                partitions.day_drop(usage_type, day)
            return
        except OperationalError as error:
            if not tries_left or not is_lock_timeout(error):
                raise
            time.sleep(DROP_PAUSE)


def _sums_keep(usage_type: UsageType, day: date, *, purge: int) -> int:
    """Keep what the raw records of a day come to, and count them."""
    statement = composed(
        """
        WITH kept AS (
            INSERT INTO subscriptions_purgedusage
                (subscription_id, usage_type, day, price, amount, record_count, purge)
            SELECT subscription_id, usage_type, day, sum(price), sum(amount), count(*), %(purge)s
            FROM ({}) AS part GROUP BY subscription_id, usage_type, day
            RETURNING record_count
        )
        SELECT coalesce(sum(record_count), 0) FROM kept
        """,
        UsageRange().raw(usage_type, [day]),
    )
    ((count,),) = rows_of(statement, purge=purge)
    return int(count)
