"""Usage by day, as a table, as charts, and as a file."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dsrhub.import_export.tables import Table
from dsrhub.pages.charts import Chart, Series
from dsrhub.values.cells import plain, rounded
from subscriptions.admin.questions.forms import DayRange, DaysForm
from subscriptions.aggregates.answers import UsageMetric
from subscriptions.aggregates.daily import TypeTotal, day_totals
from subscriptions.aggregates.metrics import usage_metrics
from subscriptions.aggregates.ranges import Step
from subscriptions.models import RECORD_MODELS, UsageType

NAMES = {UsageType.DATA: gettext_lazy("Data"), UsageType.VOICE: gettext_lazy("Voice")}
UNITS = {UsageType.DATA: gettext_lazy("Kilobytes"), UsageType.VOICE: gettext_lazy("Seconds")}
CHART_TITLES = {UsageType.DATA: gettext_lazy("Kilobytes by day"), UsageType.VOICE: gettext_lazy("Seconds by day")}
Cells = list[str | None]


class UsageByDay(NamedTuple):
    """A range, and a row for each usage type and day with usage in it."""

    days: DayRange
    metrics: list[UsageMetric]


class DayTable(NamedTuple):
    """The headings of each usage type, a row for each day of the range, and the totals. Without usage, a cell is None.

    `groups` has the name of each usage type, and the headings of its columns.
    """

    groups: list[tuple[str, list[str]]]
    rows: list[tuple[date, Cells]]
    totals: Cells


def usage_by_day(form: DaysForm, *, subscription_id: int | None, **filters: Any) -> UsageByDay:
    """The usage of the days of a valid form."""
    days = form.days(subscription_id=subscription_id)
    answer = usage_metrics(start=days.start, end=days.end, subscription_id=subscription_id, by=Step.DAY, **filters)
    return UsageByDay(days, answer.rows)


def days_of(days: DayRange) -> Iterator[date]:
    return (days.start + timedelta(days=number) for number in range((days.end - days.start).days + 1))


def day_table(usage: UsageByDay, *, is_of_one: bool) -> DayTable:
    """The prices and the usage of each day; and the number of subscriptions, unless it is the usage of one."""
    totals = {total.usage_type: total for total in day_totals(days=usage.metrics)}
    counts = [] if is_of_one else [_("Subscriptions")]
    by_key = {(one.usage_type, one.day): one for one in usage.metrics}

    def cells(found: UsageMetric | TypeTotal | None) -> Cells:
        sums: Cells = [rounded(found.total_price), plain(found.total_usage)] if found else [None, None]
        # A subscription may have usage on several days, so the counts have no total.
        count = plain(found.subscription_count) if isinstance(found, UsageMetric) else None
        return sums if is_of_one else [*sums, count]

    return DayTable(
        [(str(NAMES[usage_type]), [_("Price"), str(UNITS[usage_type]), *counts]) for usage_type in totals],
        [(day, [cell for kind in totals for cell in cells(by_key.get((kind, day)))]) for day in days_of(usage.days)],
        [cell for total in totals.values() for cell in cells(total)],
    )


def day_charts(usage: UsageByDay) -> list[Chart]:
    """A chart of the prices of all usage types, and one of the usage of each, as its unit is another."""
    labels = [day.isoformat() for day in days_of(usage.days)]
    by_type = {kind: {one.day: one for one in usage.metrics if one.usage_type == kind} for kind in UsageType}
    used = {kind: by_day for kind, by_day in by_type.items() if by_day}
    prices = [
        Series(name=str(NAMES[kind]), values=_values(by_day, labels, "total_price"), color=_color(kind))
        for kind, by_day in used.items()
    ]
    amounts = [
        Chart(
            chart_id=f"{kind.value}-by-day",
            title=str(CHART_TITLES[kind]),
            labels=labels,
            series=[Series(name=str(UNITS[kind]), values=_values(by_day, labels, "total_usage"), color=_color(kind))],
        )
        for kind, by_day in used.items()
    ]
    return [Chart(chart_id="price-by-day", title=_("Price by day"), labels=labels, series=prices), *amounts]


def _color(usage_type: UsageType) -> int:
    return list(UsageType).index(usage_type) + 1


def _values(by_day: Mapping[date | None, UsageMetric], labels: Sequence[str], name: str) -> list[Any]:
    found = [by_day.get(date.fromisoformat(label)) for label in labels]
    return [None if one is None else getattr(one, name) for one in found]


def exported(metrics: Sequence[UsageMetric]) -> Table:
    """A row for each usage type and day with usage."""
    columns = ("usage_type", "day", "subscription_count", "total_price", "total_usage", "unit")
    rows = (
        (one.usage_type.value, one.day, one.subscription_count, one.total_price, one.total_usage, one.unit)
        for one in metrics
    )
    return Table(columns, rows, amounts=("total_price",))


def record_lists(days: DayRange, subscription_id: int) -> list[tuple[Any, str]]:
    """The records of a subscription on some days: for each usage type its model, and the address of the list."""
    behind = days.end + timedelta(days=1)
    query = {"subscription__exact": subscription_id, "day__gte": days.start, "day__lt": behind}
    return [
        (model, reverse(f"admin:subscriptions_{model._meta.model_name}_changelist", query=query))
        for model in RECORD_MODELS.values()
    ]
