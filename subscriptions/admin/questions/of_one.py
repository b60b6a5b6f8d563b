"""The part of a subscription's page about its usage: charts, a table, and whether a price limit is reached."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from dsrhub.access.permissions import may_view
from dsrhub.values.cells import plain, rounded
from subscriptions.admin.questions.days import NAMES, day_charts, day_table, record_lists, usage_by_day
from subscriptions.admin.questions.forms import DayRange, UsageOfOneForm
from subscriptions.admin.questions.page import QuestionPage, answered
from subscriptions.aggregates.answers import UsageMetric
from subscriptions.aggregates.daily import price_limit_by_days
from subscriptions.models import LimitCrossing


class UsageOfOnePart(QuestionPage):
    change_form_template = "admin/subscriptions/subscription/change_form.html"

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        subscription, status = context["original"], 200
        if subscription is not None:
            context["usage"], status = self._usage(request, subscription.pk)
        response = super().render_change_form(request, context, *args, **kwargs)
        response.status_code = status
        return response

    def _usage(self, request: HttpRequest, number: int) -> tuple[dict[str, Any], int]:
        """What the part shows, and the status of the page."""
        form = UsageOfOneForm(request.GET)
        answer, status = answered(form, lambda: usage_by_day(form, subscription_id=number))
        shown: dict[str, Any] = {"form": form}
        if answer is not None:
            shown |= self._links(request, answer.days, number) | {"limits": _limits(form, answer.metrics)}
        if answer is not None and answer.metrics:
            shown |= {"table": day_table(answer, is_of_one=True), "charts": day_charts(answer)}
        return shown, status

    def _links(self, request: HttpRequest, days: DayRange, number: int) -> dict[str, Any]:
        """The addresses of the usage page and, for users who may view them, of the records and the reached limits."""
        query = {"start": days.start, "end": days.end, "subscription": number}
        seen = [
            (model._meta.verbose_name_plural, address)
            for model, address in [*record_lists(days, number), _reached_limits(number)]
            if may_view(request, model)
        ]
        return {"usage_address": reverse("admin:subscriptions_subscription_usage", query=query), "record_lists": seen}


def _reached_limits(number: int) -> tuple[Any, str]:
    """The limits that a subscription reached: their model, and the address of the list."""
    query = {"subscription__exact": number}
    return LimitCrossing, reverse("admin:subscriptions_limitcrossing_changelist", query=query)


def _limits(form: UsageOfOneForm, metrics: Sequence[UsageMetric]) -> list[dict[str, Any]] | None:
    """For each usage type: its name, price and excess, and the day since which the limit is reached."""
    price_limit = form.cleaned_data["price_limit"]
    if price_limit is None:
        return None
    return [
        {
            "usage_type": NAMES[one.usage_type],
            "limit": plain(price_limit),
            "total_price": rounded(one.total_price),
            "exceeded_by": rounded(one.exceeded_by),
            "missing": rounded(-one.exceeded_by),
            "since": one.since,
        }
        for one in price_limit_by_days(days=metrics, price_limit=price_limit)
    ]
