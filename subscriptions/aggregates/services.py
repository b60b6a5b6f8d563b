"""The services for aggregates: refresh them, and compare them with the records."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from dsrhub.metrics.stored import StoredTime
from subscriptions.aggregates import comparing, refreshing
from subscriptions.aggregates.comparing import Difference
from subscriptions.aggregates.ranges import require_order
from subscriptions.aggregates.refreshing import RefreshedMonth
from subscriptions.models import UsageType
from subscriptions.records import partitions

REFRESHED = StoredTime("dsrhub_usage_refreshed_timestamp_seconds", "When the last refresh of all usage days began.")


@dataclass
class CheckReport:
    """The result of a comparison of the aggregates with the records. There should be no differences.

    Sealed days are compared with the kept sums of their records. Keys with marks wait for a refresh and are skipped.
    """

    days_checked: int = 0
    waiting: list[tuple[UsageType, date]] = field(default_factory=list)
    sealed: list[tuple[UsageType, date]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def daily_usage_refresh(
    *,
    start: date = date.min,
    end: date = date.max,
    rebuild: bool = False,
    progress: Callable[[RefreshedMonth], object] | None = None,
) -> list[RefreshedMonth]:
    """Bring the aggregates of the days from `start` to `end` up to date, month by month.

    Answers are exact without a refresh, and faster after it. It blocks nobody. It may be stopped at any time: the next
    one continues. Several at the same time take turns. `rebuild` includes days without changes.

    Raises InvalidUsageQuestion where the range ends before it starts.
    """
    require_order(start, end)
    begun = time.time()
    if rebuild:
        for usage_type in UsageType:
            refreshing.days_mark(usage_type, _known_days(usage_type, start, end))
    refreshed = []
    for usage_type in UsageType:
        days = refreshing.stale_days(usage_type, start=start, end=end)
        for month in sorted({day.replace(day=1) for day in days}):
            refreshed.append(refreshing.month_refresh(usage_type, month, start=start, end=end))
            if progress is not None:
                progress(refreshed[-1])
    if (start, end) == (date.min, date.max):
        REFRESHED.set(begun)
    return refreshed


def daily_usage_check(*, start: date = date.min, end: date = date.max) -> CheckReport:
    """Compare days with their raw records, months with their days, and totals with their months.

    Raises InvalidUsageQuestion where the range ends before it starts.
    """
    require_order(start, end)
    report = CheckReport()
    for usage_type in UsageType:
        days = _known_days(usage_type, start, end)
        sealed = partitions.sealed_days(usage_type)
        waiting = refreshing.stale_days(usage_type, start=start, end=end)
        report.waiting += [(usage_type, day) for day in waiting]
        for day in days:
            report.differences += comparing.day_differences(usage_type, day)
        for month in sorted({day.replace(day=1) for day in days}):
            report.differences += comparing.month_differences(usage_type, month)
        report.differences += comparing.total_differences(usage_type)
        report.days_checked += len(days)
        report.sealed += [(usage_type, day) for day in days if day in sealed]
    return report


def _known_days(usage_type: UsageType, start: date, end: date) -> list[date]:
    """The days from `start` to `end` that have records, had records, or have an aggregate."""
    days = partitions.partitioned_days(usage_type) | partitions.sealed_days(usage_type)
    aggregated = comparing.aggregated_days(usage_type, start=start, end=end)
    return sorted({day for day in days if start <= day <= end} | aggregated)
