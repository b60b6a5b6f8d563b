"""The back office: subscriptions and their raw records. Every change of a record goes through the services."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from dsrhub.exceptions import DsrhubError
from subscriptions import services
from subscriptions.events import UsageEvent, usage_day
from subscriptions.models import DataUsageRecord, SealedDay, Subscription, UsageRecord, VoiceUsageRecord

# Counting millions of records takes longer than anybody looks at their pages.
MOST_COUNTED = 10_000
DAYS_SHOWN = 31


class BoundedPaginator(Paginator):
    @cached_property
    def count(self) -> int:
        records = cast(QuerySet, self.object_list)
        return len(records.order_by().values_list("pk")[:MOST_COUNTED])


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):
    list_display = ["id", "carrier", "status", "usage_link"]
    list_filter = ["carrier", "status"]
    search_fields = ["=id"]
    readonly_fields = ["usage_link"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # It ends by its status: its usage is history.
        return False

    @admin.display(description=_("usage"))
    def usage_link(self, subscription: Subscription) -> SafeString | str:
        if subscription._state.adding:
            return ""
        today = usage_day(timezone.now())
        url = reverse(
            "subscription-usage-of-one",
            args=[subscription.pk],
            query={"from": today - timedelta(days=DAYS_SHOWN - 1), "to": today, "group_by": "day"},
        )
        return format_html('<a href="{}">{}</a>', url, _("Last %(days)s days") % {"days": DAYS_SHOWN})


class UsageRecordForm(forms.ModelForm):
    """A record, which is written where the form is checked: the service alone can tell whether it is accepted."""

    backfill = forms.BooleanField(
        label=_("Backfill"), required=False, help_text=_("Add to a day whose raw records were purged, too.")
    )

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        record: UsageRecord = self.instance
        values = UsageEvent(record.subscription_id, record.usage_date, record.price, record.amount, record.external_id)
        try:
            self._write(record, values, backfill=self.cleaned_data["backfill"])
        except DsrhubError as error:
            self.add_error(None, forms.ValidationError(error.message, code=error.code))

    def _write(self, record: UsageRecord, values: UsageEvent, *, backfill: bool) -> None:
        if record.pk is None:
            services.usage_records_add(usage_type=record.usage_type, records=[values], backfill=backfill)
        else:
            services.usage_record_edit(
                usage_type=record.usage_type, record_id=record.pk, values=values, backfill=backfill
            )


class UsageRecordAdmin(admin.ModelAdmin):
    form = UsageRecordForm
    autocomplete_fields = ["subscription"]
    search_fields = ["=subscription__id", "=external_id"]
    list_filter = ["subscription__carrier"]
    list_select_related = ["subscription"]
    show_full_result_count = False
    paginator = BoundedPaginator

    def save_model(self, request: HttpRequest, obj: UsageRecord, form: Any, change: bool) -> None:
        """The form has written it. What was added gets its id, for the log and the page that follows."""
        if not change:
            values = {name: value for name, value in form.cleaned_data.items() if name != "backfill"}
            obj.pk = type(obj)._default_manager.filter(**values).latest("pk").pk

    def delete_model(self, request: HttpRequest, obj: UsageRecord) -> None:
        services.usage_records_delete(usage_type=obj.usage_type, record_ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        asked = list(queryset.values_list("pk", flat=True))
        deleted = services.usage_records_delete(usage_type=self.model.usage_type, record_ids=asked)
        if deleted < len(asked):
            messages.warning(request, _("Some were deleted already."))


@admin.register(DataUsageRecord)
class DataUsageRecordAdmin(UsageRecordAdmin):
    list_display = ["id", "subscription", "usage_date", "price", "kilobytes_used", "external_id"]
    fields = ["subscription", "usage_date", "price", "kilobytes_used", "external_id", "backfill"]


@admin.register(VoiceUsageRecord)
class VoiceUsageRecordAdmin(UsageRecordAdmin):
    list_display = ["id", "subscription", "usage_date", "price", "seconds_used", "external_id"]
    fields = ["subscription", "usage_date", "price", "seconds_used", "external_id", "backfill"]


@admin.register(SealedDay)
class SealedDayAdmin(admin.ModelAdmin):
    list_display = ["day", "usage_type", "record_count", "purges", "sealed_at"]
    list_filter = ["usage_type"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
