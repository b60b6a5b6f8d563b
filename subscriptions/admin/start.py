"""The part of the start page about the usage of subscriptions."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from dsrhub.access.permissions import may_view
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.pages.charts import Chart, Series
from dsrhub.pages.start_page import StartPart, start_part
from dsrhub.values.cells import grouped, rounded
from subscriptions.aggregates.answers import UsageMetric
from subscriptions.aggregates.daily import usage_latest_day
from subscriptions.aggregates.metrics import usage_metrics
from subscriptions.aggregates.ranges import Step
from subscriptions.models import RECORD_MODELS, Subscription, UsageType
from subscriptions.subscribers.selectors import subscription_list

DAYS = 7
# The start page does not wait longer for the usage.
SECONDS = 0.5


# What the records of a type make together on a day; of all days, where the day is None.
Found = Mapping[tuple[UsageType, date | None], UsageMetric]


class Column(NamedTuple):
    """A column of the table, and how a cell shows the usage of a day."""

    usage_type: UsageType
    heading: str
    cell: Callable[[UsageMetric], str]


class Row(NamedTuple):
    """The days of a row, and for each column a cell with the list of its records; None where there are no records."""

    name: str
    cells: list[tuple[str, str] | None]


@start_part(order=2)
def usage_part(request: HttpRequest) -> StartPart | None:
    """The usage of the latest days, of those types whose records the user may view."""
    types = [usage_type for usage_type, model in RECORD_MODELS.items() if may_view(request, model)]
    if not types:
        return None
    may_view_subscriptions = may_view(request, Subscription)
    pages = [(_("Usage by day"), reverse("admin:subscriptions_subscription_usage"))] if may_view_subscriptions else []
    context: dict[str, Any] = {"is_out_of_time": True, "pages": [*pages, *map(_list_of, types)]}
    with suppress(OutOfTime), answered_within(SECONDS):
        context |= _usage(types) | (_active() if may_view_subscriptions else {})
        context["is_out_of_time"] = False
    return StartPart(template="admin/subscriptions/start.html", context=context)


def _list_of(usage_type: UsageType) -> tuple[str, str]:
    """The name and the address of the list of the records."""
    model = RECORD_MODELS[usage_type]
    return str(model._meta.verbose_name_plural), _records(usage_type)


def _records(usage_type: UsageType, **query: Any) -> str:
    return reverse(f"admin:subscriptions_{RECORD_MODELS[usage_type]._meta.model_name}_changelist", query=query)


def _active() -> dict[str, Any]:
    status = Subscription.Status.ACTIVE
    address = reverse("admin:subscriptions_subscription_changelist", query={"status__exact": status})
    return {"active": grouped(subscription_list(status=status).count()), "active_address": address}


# --- Usage -----------------------------------------------------------------------------------------------------


def _usage(types: Sequence[UsageType]) -> dict[str, Any]:
    """The chart and the table of the days that end with the last one that has usage; empty without any."""
    last = usage_latest_day()
    if last is None:
        return {}
    days = [last - timedelta(days=DAYS - 1 - place) for place in range(DAYS)]
    wanted = types[0] if len(types) == 1 else None
    by_day = usage_metrics(start=days[0], end=last, usage_type=wanted, by=Step.DAY).rows
    together = usage_metrics(start=days[0], end=last, usage_type=wanted).rows
    found = {(one.usage_type, one.day): one for one in [*by_day, *together]}
    columns = [column for usage_type in types for column in _columns(usage_type)]
    return {
        "chart": _chart(days, types, found),
        "columns": columns,
        "rows": [
            *(_row(str(day), found, columns, [day]) for day in days),
            _row(_("All"), found, columns, days),
        ],
    }


def _columns(usage_type: UsageType) -> list[Column]:
    headings = {
        UsageType.DATA: (_("Subscriptions with data"), _("Data in kilobytes"), _("Price of data")),
        UsageType.VOICE: (_("Subscriptions with voice"), _("Voice in seconds"), _("Price of voice")),
    }
    subscriptions, amount, price = headings[usage_type]
    return [
        Column(usage_type, subscriptions, lambda metric: grouped(metric.subscription_count)),
        Column(usage_type, amount, lambda metric: grouped(metric.total_usage)),
        Column(usage_type, price, lambda metric: rounded(metric.total_price)),
    ]


def _row(name: str, found: Found, columns: Sequence[Column], days: Sequence[date]) -> Row:
    day = days[0] if len(days) == 1 else None
    period = {"day__gte": days[0], "day__lt": days[-1] + timedelta(days=1)}
    cells = []
    for column in columns:
        metric = found.get((column.usage_type, day))
        cells.append(metric and (column.cell(metric), _records(column.usage_type, **period)))
    return Row(name, cells)


def _chart(days: Sequence[date], types: Sequence[UsageType], found: Found) -> Chart:
    return Chart(
        chart_id="price-by-day",
        title=_("Price of the usage by day"),
        labels=[str(day) for day in days],
        series=[
            Series(
                name=str(usage_type.label),
                values=[metric and metric.total_price for metric in (found.get((usage_type, day)) for day in days)],
            )
            for usage_type in types
        ],
        is_line=True,
    )
