"""The exports of subscriptions and raw records. Rows are read page by page while the file is sent."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from import_export.forms import ExportForm

from dsrhub.import_export import tables
from dsrhub.import_export.button import StreamedExportForm
from dsrhub.import_export.tables import Filter, StreamedResource, Table, rows_by_id
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.totals import usage_totals_of_one_time
from subscriptions.models import UsageType
from subscriptions.records.events import usage_day
from subscriptions.records.files import usage_file_columns

DAYS_SHOWN = 31
DAILY_OPTIONS = ("start", "end", "usage_type")


class SubscriptionExportForm(StreamedExportForm):
    start = forms.DateField(label=_("From"), required=False, help_text=_("For the daily usage: first day."))
    end = forms.DateField(label=_("To"), required=False, help_text=_("Last day (inclusive)."))
    usage_type = forms.ChoiceField(label=_("Usage type"), required=False, choices=[("", _("both")), *UsageType.choices])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = usage_day(timezone.now())
        for name, day in (("start", today - timedelta(days=DAYS_SHOWN - 1)), ("end", today)):
            self.fields[name].initial = day
            self.fields[name].widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": "vTextField"})

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if EXPORTS_OF_SUBSCRIPTIONS[int(cleaned.get("resource") or 0)] is not DailyUsage or self.errors:
            return cleaned
        for name in ("start", "end"):
            if cleaned[name] is None:
                self.add_error(name, _("Select a day."))
        if not self.errors and cleaned["start"] > cleaned["end"]:
            self.add_error("end", _("The range ends before it starts."))
        return cleaned


class DailyUsage(StreamedResource):
    """The exact usage of the listed subscriptions: a row for each subscription, usage type and day with a record.

    All rows are of one time, which the name of the file and the sheet of filters say.
    """

    title, file_name = _("Daily usage of the subscriptions"), "daily-usage"
    columns = ("subscription_id", "usage_type", "day", "total_price", "total_usage", "unit")
    amounts = ("total_price",)

    def options(self, export_form: ExportForm) -> list[Filter]:
        chosen = ((export_form.fields[name].label, export_form.cleaned_data[name]) for name in DAILY_OPTIONS)
        return [Filter(str(label), str(value)) for label, value in chosen if value]

    def export(
        self, queryset: QuerySet, export_form: ExportForm, *, filters: Sequence[Filter] = (), **kwargs: Any
    ) -> Table:
        """Raises UsageBusy and AnswerTooLarge."""
        chosen = export_form.cleaned_data
        as_of, totals = usage_totals_of_one_time(
            subscriptions=queryset,
            start=chosen["start"],
            end=chosen["end"],
            usage_type=UsageType(chosen["usage_type"]) if chosen["usage_type"] else None,
            by=Step.DAY,
            page_rows=tables.PAGE_ROWS,
        )
        rows = (
            (one.subscription_id, one.usage_type.value, one.day, one.total_price, one.total_usage, one.unit)
            for one in totals
        )
        return Table(self.columns, rows, self.amounts, str(self.title), [_time_filter(as_of), *filters])


def _time_filter(as_of: datetime) -> Filter:
    time = as_of.astimezone(UTC)
    return Filter("as of", f"{time:%Y-%m-%d %H:%M:%S} UTC", f"as-of-{time:%Y-%m-%dT%H%M%SZ}")


class Subscriptions(StreamedResource):
    """A row for each subscription."""

    title, file_name = _("Subscriptions"), "subscriptions"
    columns = ("id", "carrier", "status")

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        return rows_by_id(queryset, *self.columns)

    def row_count(self, queryset: QuerySet, most: int) -> int:
        return queryset.count()


EXPORTS_OF_SUBSCRIPTIONS = [DailyUsage, Subscriptions]


class Records(StreamedResource):
    """A row for each raw record."""

    amounts = ("price",)

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        return rows_by_id(queryset, *self.columns)

    def row_count(self, queryset: QuerySet, most: int) -> int:
        return len(queryset.order_by().values_list("pk")[: most + 1])


class DataRecordsToImport(Records):
    columns = usage_file_columns(UsageType.DATA)
    title, file_name = _("Data usage records, as a file for import"), "data-usage"


class DataRecords(Records):
    columns = ("id", "day", *DataRecordsToImport.columns)
    title, file_name = _("Data usage records"), "data-usage-records"


class VoiceRecordsToImport(Records):
    columns = usage_file_columns(UsageType.VOICE)
    title, file_name = _("Voice usage records, as a file for import"), "voice-usage"


class VoiceRecords(Records):
    columns = ("id", "day", *VoiceRecordsToImport.columns)
    title, file_name = _("Voice usage records"), "voice-usage-records"
