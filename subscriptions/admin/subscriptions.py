"""The admin of subscriptions, and of the days whose raw records were purged."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from dsrhub.import_export.button import StreamingExportMixin
from dsrhub.pages.model_admins import ChangedAsShownAdmin, ReadOnlyAdmin
from subscriptions.admin.exports import EXPORTS_OF_SUBSCRIPTIONS, SubscriptionExportForm
from subscriptions.admin.questions import QuestionPages
from subscriptions.models import SealedDay, Subscription
from subscriptions.subscribers.services import subscription_change, subscription_create


@admin.register(Subscription)
class SubscriptionAdmin(QuestionPages, StreamingExportMixin, ChangedAsShownAdmin):
    resource_classes = EXPORTS_OF_SUBSCRIPTIONS
    export_form_class = SubscriptionExportForm
    list_display = ["id", "carrier", "status", "usage_link"]
    list_filter = ["carrier", "status"]
    lookups = ["id__in"]  # the action "Export selected"
    search_fields = ["=id"]
    search_help_text = _("Id")

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        values = {"carrier": obj.carrier, "status": obj.status}
        saved = subscription_change(subscription_id=obj.pk, **values) if change else subscription_create(**values)
        obj.pk = saved.pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Its usage stays. A subscription ends by its status.
        return False

    @admin.display(description=_("usage"))
    def usage_link(self, subscription: Subscription) -> SafeString:
        address = reverse("admin:subscriptions_subscription_usage", query={"subscription": subscription.pk})
        return format_html('<a href="{}">{}</a>', address, _("Usage by day"))


@admin.register(SealedDay)
class SealedDayAdmin(ReadOnlyAdmin):
    list_display = ["day", "usage_type", "record_count", "purges", "sealed_at"]
    list_filter = ["usage_type"]
