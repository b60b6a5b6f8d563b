"""What can be done with usage. Every door (command, admin) calls these, and they alone write usage."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from django.db import OperationalError, transaction
from django.utils import timezone

from subscriptions import aggregates, partitions, record_storage
from subscriptions.aggregates import Difference, RefreshedMonth
from subscriptions.events import UsageEvent, usage_day
from subscriptions.exceptions import AggregateDiffers, InvalidPurge
from subscriptions.models import SealedDay, UsageType
from subscriptions.usage_files import Progress, usage_file_records

# More records than these go in by COPY.
FEW_RECORDS = 1000
# How often dropping a partition is tried, and the pause between in seconds. What is in use then is left to a later run.
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code
DROP_TRIES, DROP_PAUSE = 3, 0.1


class UsageAdded(NamedTuple):
    """How many records were added, and how many were there already under their external id."""

    added: int
    repeated: int


class UsageChecked(NamedTuple):
    """What a file has, and how many of its records would be added: the others are there already."""

    record_count: int
    to_add: int
    price: Decimal
    amount: Decimal
    day_count: int
    first_day: date | None
    last_day: date | None


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


@dataclass
class CheckReport:
    """How the aggregates compare with the records: no difference is as it should be.

    Sealed days are compared with what is kept of their records. Marked keys wait for a refresh, and are left out.
    """

    days_checked: int = 0
    waiting: list[tuple[UsageType, date]] = field(default_factory=list)
    sealed: list[tuple[UsageType, date]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


# --- Records ---------------------------------------------------------------------------------------------------


def usage_records_add(*, usage_type: UsageType, records: Iterable[UsageEvent], backfill: bool = False) -> UsageAdded:
    """Add raw records, one or a million: all of them, or none.

    A record whose `external_id` its subscription has already is not added again. Only as a `backfill` are records
    added to sealed days.

    Raises InvalidUsage, DaySealed, and UsageConflict where a record with the same external id has other values.
    """
    remaining = iter(records)
    few = list(islice(remaining, FEW_RECORDS + 1))
    if not few:
        return UsageAdded(0, 0)
    if len(few) <= FEW_RECORDS:
        added = record_storage.records_add(usage_type, few, backfill=backfill)
        return UsageAdded(added, len(few) - added)
    given, added = record_storage.records_load(usage_type, chain(few, remaining), backfill=backfill)
    return UsageAdded(added, given - added)


def usage_file_import(
    *, path: Path, usage_type: UsageType | None = None, backfill: bool = False, progress: Progress | None = None
) -> UsageAdded:
    """Add the records of a file: all of them, or none. `progress` is told how many bytes were read since.

    Raises what `usage_records_add` does; the header of the file is its line 1, the first record is on line 2. With a
    `usage_type`, a file of the other one is refused.
    """
    with path.open("rb") as file:
        found, records = usage_file_records(file, progress, usage_type=usage_type)
        given, added = record_storage.records_load(found, records, backfill=backfill)
    return UsageAdded(added, given - added)


def usage_file_check(
    *, path: Path, usage_type: UsageType | None = None, backfill: bool = False, progress: Progress | None = None
) -> UsageChecked:
    """What `usage_file_import` would add now. It raises the same, and writes nothing."""
    with path.open("rb") as file:
        found, records = usage_file_records(file, progress, usage_type=usage_type)
        return UsageChecked(*record_storage.records_check(found, records, backfill=backfill))


def usage_record_edit(*, usage_type: UsageType, record_id: int, values: UsageEvent, backfill: bool = False) -> None:
    """Give a raw record other values. It may move to another day, though to a sealed one only as a `backfill`.

    Raises UsageRecordNotFound, InvalidUsage, DaySealed, and UsageConflict where another record has the external id.
    """
    record_storage.record_edit(usage_type, record_id, values, backfill=backfill)


def usage_records_delete(*, usage_type: UsageType, record_ids: Collection[int]) -> int:
    """Delete raw records, and return how many of them were there."""
    return record_storage.records_delete(usage_type, record_ids)


# --- Aggregates ------------------------------------------------------------------------------------------------


def daily_usage_refresh(
    *,
    start: date = date.min,
    end: date = date.max,
    rebuild: bool = False,
    progress: Callable[[RefreshedMonth], object] | None = None,
) -> list[RefreshedMonth]:
    """Bring the aggregates of the days between two days up to date, month by month.

    Nothing waits for it, answers are exact without it; they only become quicker. Stopped at any moment, it goes on
    where it was; several at once take turns. With `rebuild` all days are made anew, not only those that changed.
    """
    if rebuild:
        for usage_type in UsageType:
            aggregates.days_mark(usage_type, _known_days(usage_type, start, end))
    refreshed = []
    for usage_type in UsageType:
        days = aggregates.stale_days(usage_type, start=start, end=end)
        for month in sorted({day.replace(day=1) for day in days}):
            refreshed.append(aggregates.month_refresh(usage_type, month, start=start, end=end))
            if progress is not None:
                progress(refreshed[-1])
    return refreshed


def daily_usage_check(*, start: date = date.min, end: date = date.max) -> CheckReport:
    """Compare aggregates with raw records, day by day, and months with their days."""
    report = CheckReport()
    for usage_type in UsageType:
        days = _known_days(usage_type, start, end)
        sealed = partitions.sealed_days(usage_type)
        waiting = aggregates.stale_days(usage_type, start=start, end=end)
        report.waiting += [(usage_type, day) for day in waiting]
        for day in days:
            report.differences += aggregates.day_differences(usage_type, day)
        for month in sorted({day.replace(day=1) for day in days}):
            report.differences += aggregates.month_differences(usage_type, month)
        report.differences += aggregates.total_differences(usage_type)
        report.days_checked += len(days)
        report.sealed += [(usage_type, day) for day in days if day in sealed]
    return report


def _known_days(usage_type: UsageType, start: date, end: date) -> list[date]:
    """The days between two days that have records, had some, or have an aggregate."""
    days = partitions.open_days(usage_type) | partitions.sealed_days(usage_type)
    aggregated = aggregates.aggregated_days(usage_type, start=start, end=end)
    return sorted({day for day in days if start <= day <= end} | aggregated)


# --- Retention -------------------------------------------------------------------------------------------------


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
                if not _is_lock_timeout(error):
                    raise
                report.in_use.append((usage_type, day))
                continue
            report.purged.append(purged)
            if progress is not None:
                progress(purged)
    return report


def _day_purge(usage_type: UsageType, day: date) -> int:
    with transaction.atomic(durable=True):
        aggregates.refresh_lock(usage_type)
        if day not in partitions.open_days(usage_type):
            return 0
        partitions.day_freeze(usage_type, day)
        aggregates.days_refresh(usage_type, [day])
        differences = aggregates.day_differences(usage_type, day)
        if differences:
            raise AggregateDiffers(
                f"{usage_type} usage of {day}: {len(differences)} sums are not those of the records, which are kept. "
                f"Mend them with: manage.py refresh_usage --rebuild --from {day} --to {day}",
                differences=differences,
            )
        sealed, _ = SealedDay.objects.get_or_create(usage_type=usage_type, day=day)
        sealed.purges += 1
        count = aggregates.records_sum_keep(usage_type, day, purge=sealed.purges)
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
            if not tries_left or not _is_lock_timeout(error):
                raise
            time.sleep(DROP_PAUSE)


def _is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.__cause__, "pgcode", None) == LOCK_NOT_AVAILABLE
