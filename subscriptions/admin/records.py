"""The admin of raw records: list, add, edit and delete, always through the services."""

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from dsrhub.exceptions import DsrhubError
from dsrhub.import_export.button import StreamingExportMixin
from dsrhub.logs.audited import AuditedAdmin
from dsrhub.models import Action
from dsrhub.pages.autocomplete import AutocompleteMixin
from dsrhub.pages.model_admins import ChangedAsShownAdmin, DeletedByServiceAdmin
from dsrhub.pages.service_forms import ServiceForm
from dsrhub.texts import marked as texts
from dsrhub.texts.spelling import plain_external_id
from dsrhub.values.cells import grouped, rounded
from dsrhub.values.forms import TimeField, WholeNumberField
from subscriptions.admin.exports import DataRecords, DataRecordsToImport, VoiceRecords, VoiceRecordsToImport
from subscriptions.admin.imports import UsageImportMixin
from subscriptions.models import DataUsageRecord, Subscription, UsageRecord, VoiceUsageRecord
from subscriptions.records import services
from subscriptions.records.events import UsageEvent

# The list counts no more records than this, as counting millions is slow. This is also the limit of one deletion: a
# list that shows 10,000 may have millions.
MOST_COUNTED = 10_000
# The confirmation of a deletion lists no more records than this.
RECORDS_IN_A_CONFIRMATION = 100


class TooManyRecords(DsrhubError):
    """A deletion has more records than the list counts."""

    code = "too_many_records"


class BoundedPaginator(Paginator):
    @cached_property
    def count(self) -> int:
        records = cast(QuerySet, self.object_list)
        return len(records.order_by().values_list("pk")[:MOST_COUNTED])


class UsageRecordForm(ServiceForm):
    """A raw record."""

    backfill = forms.BooleanField(
        label=_("Backfill"), required=False, help_text=_("Also add to a day whose raw records were purged.")
    )

    def clean_usage_date(self) -> datetime:
        """The page does not show fractions of a second. Keep them unless the user changes the time."""
        entered: datetime = self.cleaned_data["usage_date"]
        return entered if "usage_date" in self.changed_data else self.initial["usage_date"]

    def clean_subscription(self) -> Subscription:
        """Django would also take `1_0` for 10."""
        chosen: Subscription = self.cleaned_data["subscription"]
        if self["subscription"].data != str(chosen.pk):
            raise forms.ValidationError(_("This is not the id of a subscription."), code="invalid_choice")
        return chosen

    def clean_external_id(self) -> str | None:
        """The form in which the service stores it."""
        entered: str | None = self.cleaned_data["external_id"]
        return plain_external_id(entered) if entered else None

    def write(self) -> None:
        record: UsageRecord = self.instance
        values = UsageEvent(record.subscription_id, record.usage_date, record.price, record.amount, record.external_id)
        backfill = self.cleaned_data["backfill"]
        if record.pk is None:
            services.usage_records_add(usage_type=record.usage_type, records=[values], backfill=backfill)
        else:
            services.usage_record_edit(
                usage_type=record.usage_type, record_id=record.pk, values=values, backfill=backfill
            )


class UsageRecordAdmin(
    AutocompleteMixin, UsageImportMixin, StreamingExportMixin, AuditedAdmin, ChangedAsShownAdmin, DeletedByServiceAdmin
):
    # The services audit the other changes. Programs add millions of records, so the service that adds them does not.
    audited = {ADDITION: Action.USAGE_ADDED}
    audited_values = ("price", "kilobytes_used", "seconds_used", "external_id")
    import_export_change_list_template = "admin/import_export/change_list_import_export.html"
    form = UsageRecordForm
    formfield_overrides = {
        models.BigIntegerField: {"form_class": WholeNumberField},
        models.DateTimeField: {"form_class": TimeField, "widget": AdminSplitDateTime},
    }
    autocomplete_fields = ["subscription"]
    search_fields = ["=subscription__id", "=external_id"]
    search_help_text = _("Subscription or external id")
    list_filter = ["day", "subscription__carrier"]
    # The action "Export selected", and the links of the page of a subscription.
    lookups = ["id__in", "subscription__exact"]
    list_select_related = ["subscription"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator

    @admin.display(description=_("price"), ordering="price")
    def rounded_price(self, record: UsageRecord) -> str:
        price: Decimal = record.price
        return rounded(price)

    def locked(self, ids: Collection[int]) -> Iterable[UsageRecord]:
        return services.usage_records_locked(usage_type=self.model.usage_type, record_ids=ids)

    def save_model(self, request: HttpRequest, obj: UsageRecord, form: Any, change: bool) -> None:
        """The form has already written the record. Find the id of a new one, for the log and the next page."""
        if not change:
            values = {name: value for name, value in form.cleaned_data.items() if name != "backfill"}
            external_id = values.pop("external_id")
            alike = type(obj)._default_manager.filter(**values).order_by("pk")
            # An earlier release may have stored the same id with other bytes.
            obj.pk = (alike.filter(external_id=external_id).last() or alike.latest("pk")).pk

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, Any], set[str], list[str]]:
        """The content of the confirmation: the totals, and the first records."""
        records = list(objs[: MOST_COUNTED + 1])
        if len(records) > MOST_COUNTED:
            raise TooManyRecords(
                texts.gettext_lazy("You can delete at most %(most)s records at once.")
                % {"most": texts.Grouped(MOST_COUNTED)}
            )
        self.note_shown(request, records)
        amount_column = self.model.amount_column
        kept = self.model._default_manager.filter(pk__in=[record.pk for record in records])
        # Summed in the database, as Python's decimals would be rounded to 28 digits.
        sums = kept.aggregate(price=Sum("price"), amount=Sum(amount_column))
        counts: dict[str, Any] = {
            str(self.opts.verbose_name_plural): grouped(len(records)),
            str(_("price")): rounded(sums["price"] or 0),
            str(label_for_field(amount_column, self.model)): grouped(sums["amount"] or 0),
        }
        names = [str(record) for record in records[:RECORDS_IN_A_CONFIRMATION]]
        if len(records) > len(names):
            names.append(_("and %s more") % grouped(len(records) - len(names)))
        return names, counts, set(), []

    def delete_model(self, request: HttpRequest, obj: UsageRecord) -> None:
        self.require_as_shown(request, [obj.pk])
        services.usage_records_delete(usage_type=obj.usage_type, record_ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        self.require_as_shown(request, ids)
        services.usage_records_delete(usage_type=self.model.usage_type, record_ids=ids)


@admin.register(DataUsageRecord)
class DataUsageRecordAdmin(UsageRecordAdmin):
    resource_classes = [DataRecords, DataRecordsToImport]
    list_display = ["id", "subscription", "usage_date", "rounded_price", "kilobytes", "external_id"]
    fields = ["subscription", "usage_date", "price", "kilobytes_used", "external_id", "backfill"]

    @admin.display(description=_("kilobytes used"), ordering="kilobytes_used")
    def kilobytes(self, record: DataUsageRecord) -> str:
        return grouped(record.kilobytes_used)


@admin.register(VoiceUsageRecord)
class VoiceUsageRecordAdmin(UsageRecordAdmin):
    resource_classes = [VoiceRecords, VoiceRecordsToImport]
    list_display = ["id", "subscription", "usage_date", "rounded_price", "seconds", "external_id"]
    fields = ["subscription", "usage_date", "price", "seconds_used", "external_id", "backfill"]

    @admin.display(description=_("seconds used"), ordering="seconds_used")
    def seconds(self, record: VoiceUsageRecord) -> str:
        return grouped(record.seconds_used)
