"""The admin of subscriptions, and of the days whose raw records were purged."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from dsrhub.admin import ChangedAsShownAdmin, ReadOnlyAdmin
from dsrhub.audited import AuditedAdmin
from dsrhub.import_export.button import StreamingExportMixin
from dsrhub.models import Action
from subscriptions.admin.exports import EXPORTS_OF_SUBSCRIPTIONS, SubscriptionExportForm
from subscriptions.admin.questions import QuestionPages
from subscriptions.limits.services import limits_apply_anew
from subscriptions.models import SealedDay, Subscription


@admin.register(Subscription)
class SubscriptionAdmin(QuestionPages, StreamingExportMixin, AuditedAdmin, ChangedAsShownAdmin):
    audited = {ADDITION: Action.SUBSCRIPTION_ADDED, CHANGE: Action.SUBSCRIPTION_CHANGED}
    audited_values = ("carrier", "status")
    resource_classes = EXPORTS_OF_SUBSCRIPTIONS
    export_form_class = SubscriptionExportForm
    list_display = ["id", "carrier", "status", "usage_link"]
    list_filter = ["carrier", "status"]
    lookups = ["id__in"]  # the action "Export selected"
    search_fields = ["=id"]
    search_help_text = _("Id")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Its usage stays. A subscription ends by its status.
        return False

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "carrier" in form.changed_data:
            limits_apply_anew(subscription_id=obj.pk)

    @admin.display(description=_("usage"))
    def usage_link(self, subscription: Subscription) -> SafeString:
        address = reverse("admin:subscriptions_subscription_usage", query={"subscription": subscription.pk})
        return format_html('<a href="{}">{}</a>', address, _("Usage by day"))


@admin.register(SealedDay)
class SealedDayAdmin(ReadOnlyAdmin):
    list_display = ["day", "usage_type", "record_count", "purges", "sealed_at"]
    list_filter = ["usage_type"]
