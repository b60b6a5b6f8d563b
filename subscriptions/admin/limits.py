"""The admin of price limits, and of the days on which they were reached."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from dsrhub.pages.autocomplete import AutocompleteMixin
from dsrhub.pages.model_admins import (
    ChangedAsShownAdmin,
    DeletedByServiceAdmin,
    LoggedInEnglishAdmin,
    ReadOnlyAdmin,
)
from dsrhub.pages.service_forms import ServiceForm
from dsrhub.values.cells import rounded
from subscriptions.admin.questions.forms import DayField
from subscriptions.limits.services import limits_lock, price_limit_delete, price_limit_set
from subscriptions.models import LimitCrossing, LimitSpan, PriceLimit, Subscription, UsageType
from subscriptions.records.events import usage_day


class PriceLimitForm(ServiceForm):
    """A price limit."""

    since = DayField(
        label=_("Since"),
        required=False,
        help_text=_("A day of the first month that has the limit. A limit of the total has none."),
    )

    def clean_since(self) -> date | None:
        since: date | None = self.cleaned_data["since"]
        span = self.cleaned_data.get("span") or self.instance.span
        if span == LimitSpan.TOTAL:
            return since
        return (since or usage_day(timezone.now())).replace(day=1)

    def write(self) -> None:
        limit: PriceLimit = self.instance
        written = price_limit_set(
            usage_type=UsageType(limit.usage_type),
            span=LimitSpan(limit.span),
            price=limit.price,
            subscription_id=limit.subscription_id,
            carrier=limit.carrier or None,
            since=limit.since,
        )
        limit.pk = written.pk


@admin.register(PriceLimit)
class PriceLimitAdmin(AutocompleteMixin, LoggedInEnglishAdmin, ChangedAsShownAdmin, DeletedByServiceAdmin):
    form = PriceLimitForm
    list_display = ["limit_of", "usage_type", "span", "since_month", "rounded_price", "changed_at"]
    list_filter = ["usage_type", "span", "carrier"]
    list_select_related = ["subscription"]
    search_fields = ["=subscription__id"]
    search_help_text = _("Subscription or carrier")
    autocomplete_fields = ["subscription"]
    fields = ["subscription", "carrier", "usage_type", "span", "since", "price"]
    # Another limit has another key.
    key: ClassVar = ["subscription", "carrier", "usage_type", "span"]

    def get_readonly_fields(self, request: HttpRequest, obj: PriceLimit | None = None) -> Any:
        return [] if obj is None else self.key

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PriceLimit], search_term: str
    ) -> tuple[QuerySet[PriceLimit], bool]:
        """Also find the limits of a carrier whose name contains the text."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        text = search_term.casefold()
        carriers = [code for code, name in Subscription.Carrier.choices if text in str(name).casefold()]
        return queryset.filter(Q(pk__in=found.values("pk")) | Q(carrier__in=carriers)), may_repeat

    def locked(self, ids: Collection[Any]) -> Iterable[Model]:
        # The service takes this lock before it writes to a row.
        limits_lock()
        return super().locked(ids)

    def save_model(self, request: HttpRequest, obj: PriceLimit, form: Any, change: bool) -> None:
        """The form has already written the limit."""

    def delete_model(self, request: HttpRequest, obj: PriceLimit) -> None:
        self.require_as_shown(request, [obj.pk])
        price_limit_delete(limit_number=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        numbers = list(queryset.values_list("pk", flat=True))
        self.require_as_shown(request, numbers)
        for number in numbers:
            price_limit_delete(limit_number=number)

    @admin.display(description=_("limit of"), ordering="subscription")
    def limit_of(self, limit: PriceLimit) -> str:
        return limit.whose

    @admin.display(description=_("since"), ordering="since")
    def since_month(self, limit: PriceLimit) -> str | None:
        return f"{limit.since:%Y-%m}" if limit.since else None

    @admin.display(description=_("price limit"), ordering="price")
    def rounded_price(self, limit: PriceLimit) -> SafeString:
        price: Decimal = limit.price
        return rounded(price)


@admin.register(LimitCrossing)
class LimitCrossingAdmin(ReadOnlyAdmin):
    list_display = [
        *("subscription", "usage_type", "span", "month_name", "day", "rounded_limit", "scope", "withdrawn_at"),
    ]
    list_filter = ["usage_type", "span", "scope", "withdrawn_at"]
    # The page of a subscription leads here.
    lookups = ["subscription__exact"]
    list_select_related = ["subscription"]
    search_fields = ["=subscription__id"]
    search_help_text = _("Subscription")
    date_hierarchy = "day"
    show_full_result_count = False
    fields = ["subscription", "usage_type", "span", "month_name", "day", "rounded_limit", "scope", "found_at"]
    fields += ["withdrawn_at"]
    readonly_fields = ["month_name", "rounded_limit"]

    @admin.display(description=_("month"), ordering="month")
    def month_name(self, crossing: LimitCrossing) -> str | None:
        return f"{crossing.month:%Y-%m}" if crossing.month else None

    @admin.display(description=_("price limit"), ordering="price_limit")
    def rounded_limit(self, crossing: LimitCrossing) -> SafeString:
        price: Decimal = crossing.price_limit
        return rounded(price)
