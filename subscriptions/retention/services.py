"""The service that purges old raw records. Their sums are kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from django.db import OperationalError, transaction
from django.utils import timezone

from dsrhub.database.locks import USAGE_AGGREGATES
from dsrhub.database.statements import composed, is_lock_timeout, rows_of
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.aggregates.comparing import day_differences
from subscriptions.aggregates.ranges import UsageRange
from subscriptions.aggregates.refreshing import days_refresh
from subscriptions.exceptions import AggregateDiffers, InvalidPurge
from subscriptions.models import SealedDay, UsageType
from subscriptions.records import partitions
from subscriptions.records.events import usage_day

# Tries to drop a partition, and the pause between them in seconds. A day that is still in use waits for a later run.
DROP_TRIES, DROP_PAUSE = 3, 0.1


@dataclass(frozen=True)
class PurgedDay:
    usage_type: UsageType
    day: date
    record_count: int


@dataclass
class PurgeReport:
    """The purged days, and the days that were in use and wait for a later run."""

    purged: list[PurgedDay] = field(default_factory=list)
    in_use: list[tuple[UsageType, date]] = field(default_factory=list)


def usage_records_purge(*, before: date, progress: Callable[[PurgedDay], object] | None = None) -> PurgeReport:
    """Drop the raw records of all days before a day. Their sums are kept forever, so no answer changes.

    Each day has a transaction of its own, so days that are done stay done if the purge stops. Readers wait for a
    moment at most. A day that is in use waits for a later run.

    Raises InvalidPurge, and AggregateDiffers if an aggregate of a day is wrong: that day keeps its records.
    """
    today = usage_day(timezone.now())
    if before > today:
        raise InvalidPurge(
            _("%(before)s is later than today, %(today)s: its records are still arriving.")
            % {"before": before, "today": today},
            before=before,
        )
    report = PurgeReport()
    for usage_type in UsageType:
        for day in sorted(day for day in partitions.partitioned_days(usage_type) if day < before):
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
        if day not in partitions.partitioned_days(usage_type):
            return 0
        partitions.partition_lock(usage_type, day)
        days_refresh(usage_type, [day])
        differences = day_differences(usage_type, day)
        if differences:
            raise AggregateDiffers(
                _(
                    "%(usage_type)s usage of %(day)s: %(count)s sums differ from the records, which are "
                    "kept. Repair them with: manage.py refresh_usage --rebuild --from %(day)s --to %(day)s"
                )
                % {"usage_type": usage_type, "day": day, "count": len(differences)},
                differences=differences,
            )
        sealed, _is_new = SealedDay.objects.get_or_create(usage_type=usage_type, day=day)
        sealed.purges += 1
        count = _sums_keep(usage_type, day, purge=sealed.purges)
        sealed.record_count += count
        sealed.save()
        _drop_with_retries(usage_type, day)
        audit(Action.USAGE_PURGED, sealed, details={"usage_type": usage_type, "day": day, "records": count})
    return count


def _drop_with_retries(usage_type: UsageType, day: date) -> None:
    for tries_left in reversed(range(DROP_TRIES)):
        try:
            with transaction.atomic():
                partitions.partition_drop(usage_type, day)
            return
        except OperationalError as error:
            if not tries_left or not is_lock_timeout(error):
                raise
            time.sleep(DROP_PAUSE)


def _sums_keep(usage_type: UsageType, day: date, *, purge: int) -> int:
    """Store the sums of the raw records of a day, and return the number of records."""
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
        UsageRange().raw_rows(usage_type, [day]),
    )
    ((count,),) = rows_of(statement, purge=purge)
    return int(count)
