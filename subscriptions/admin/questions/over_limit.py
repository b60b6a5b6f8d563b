"""The subscriptions whose price reached a limit: a chart, a list in pages, and a file of all."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dsrhub.import_export.button import file_asked_for, form_filters
from dsrhub.import_export.tables import Table
from dsrhub.pages.charts import Chart, Series
from dsrhub.values.cells import plain, rounded
from subscriptions.admin.questions.days import NAMES
from subscriptions.admin.questions.forms import MOST_DAYS, OverLimitForm
from subscriptions.admin.questions.page import QuestionPage, answered
from subscriptions.aggregates.answers import ReachedPrice, SubscriptionOverPrice
from subscriptions.aggregates.over_price import subscription_count_over_price, subscription_list_over_price

SUBSCRIPTIONS_ON_A_PAGE, MOST_BARS = 100, 30
# A file reads many at a time, because each query adds up the whole range.
SUBSCRIPTIONS_READ = 20_000


class OverLimit(NamedTuple):
    """The number of subscriptions over the limit, a page of them, and the id after which the next page starts."""

    subscription_count: int
    page: list[SubscriptionOverPrice]
    next: int | None


def asked(form: OverLimitForm) -> OverLimit:
    """The answer to a valid form."""
    question = _question_of(form)
    after, most = form.cleaned_data["after"], SUBSCRIPTIONS_ON_A_PAGE
    found = subscription_list_over_price(**question, after=after, limit=most + 1).rows
    next_after = found[most - 1].subscription_id if len(found) > most else None
    return OverLimit(subscription_count_over_price(**question), found[:most], next_after)


def _question_of(form: OverLimitForm) -> dict[str, Any]:
    return {name: form.cleaned_data[name] for name in ("price_limit", "start", "end")}


def reached_prices(page: Sequence[SubscriptionOverPrice]) -> list[tuple[int, ReachedPrice]]:
    """A row for each subscription and usage type that reached the limit."""
    return [(subscription_id, reached) for subscription_id, exceeded in page for reached in exceeded]


def exported(question: dict[str, Any]) -> Table:
    """All of them, read page by page while they are sent."""

    def rows() -> Iterator[tuple[Any, ...]]:
        after = None
        while page := subscription_list_over_price(**question, after=after, limit=SUBSCRIPTIONS_READ).rows:
            for subscription_id, reached in reached_prices(page):
                yield subscription_id, reached.usage_type.value, *reached[1:], reached.exceeded_percent
            after = page[-1].subscription_id

    columns = ("subscription_id", "usage_type", "total_price", "exceeded_by", "exceeded_percent")
    return Table(columns, rows(), amounts=columns[2:])


class OverLimitPage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.over_limit_view)
        return [path("over-limit/", view, name="subscriptions_subscription_over_limit"), *super().get_urls()]

    def over_limit_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show the subscriptions that reached a price limit, or send all of them as a file."""
        self._require_view(request)
        # Before a limit is typed, there is nothing to refuse.
        form = OverLimitForm(request.GET or None)
        context: dict[str, Any] = {"title": _("Over a price limit"), "form": form}
        if not form.is_bound:
            return self._question(request, "over_limit", context)
        answer, status = answered(form, lambda: asked(form))
        if answer is None:
            return self._question(request, "over_limit", context, status=status)
        file = file_asked_for(
            request,
            "over-limit",
            gettext_lazy("Over a price limit"),
            lambda: exported(_question_of(form)),
            filters=lambda: form_filters(form),
            may_export=self._may_export(request),
        )
        return file or self._question(request, "over_limit", context | _shown(form, answer))


def _shown(form: OverLimitForm, answer: OverLimit) -> dict[str, Any]:
    reached = reached_prices(answer.page)
    addresses = [_address(form, subscription_id) for subscription_id, _reached in reached]
    return {
        "count": plain(answer.subscription_count),
        "price_limit": plain(form.cleaned_data["price_limit"]),
        "rows": [_row(*one, address) for one, address in zip(reached, addresses, strict=True)],
        "bar_count": MOST_BARS if len(reached) > MOST_BARS else None,
        "charts": [_chart(reached[:MOST_BARS], addresses[:MOST_BARS])],
        "query": form.query(),
        "next": answer.next,
    }


def _row(subscription_id: int, reached: ReachedPrice, address: str) -> dict[str, Any]:
    return {
        "subscription": subscription_id,
        "address": address,
        "usage_type": NAMES[reached.usage_type],
        "cells": [rounded(reached.total_price), rounded(reached.exceeded_by), rounded(reached.exceeded_percent)],
    }


def _chart(reached: Sequence[tuple[int, ReachedPrice]], addresses: Sequence[str]) -> Chart:
    return Chart(
        chart_id="exceeded-by",
        title=_("Exceeded by"),
        labels=[f"{number} ({NAMES[one.usage_type]})" for number, one in reached],
        series=[Series(name=_("Exceeded by"), values=[one.exceeded_by for _number, one in reached])],
        addresses=addresses,
        is_across=True,
    )


def _address(form: OverLimitForm, subscription_id: int) -> str:
    """The page of a subscription; with the limit and the range, if the page can show the days of the range."""
    start, end = form.cleaned_data["start"], form.cleaned_data["end"]
    is_shown = start and end and (end - start).days < MOST_DAYS
    query = _question_of(form) if is_shown else {}
    return reverse("admin:subscriptions_subscription_change", args=[subscription_id], query=query)
