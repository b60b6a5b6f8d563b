"""The usage of all subscriptions by day: charts, a table, and a file."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dsrhub.import_export.button import file_asked_for, form_filters
from subscriptions.admin.questions.days import day_charts, day_table, exported, usage_by_day
from subscriptions.admin.questions.forms import UsageForm
from subscriptions.admin.questions.page import QuestionPage, answered


class UsagePage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.usage_view)
        return [path("usage/", view, name="subscriptions_subscription_usage"), *super().get_urls()]

    def usage_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show usage by day as charts and a table, or send it as a file."""
        self._require_view(request)
        form = UsageForm(request.GET)
        answer, status = answered(form, lambda: usage_by_day(form, **form.filters()))
        context: dict[str, Any] = {"title": _("Usage"), "form": form}
        if answer is None:
            return self._question(request, "usage", context, status=status)
        file = file_asked_for(
            request,
            "usage",
            gettext_lazy("Usage"),
            lambda: exported(answer.metrics),
            filters=lambda: form_filters(form),
            may_export=self._may_export(request),
        )
        if file is not None:
            return file
        if answer.metrics:
            is_of_one = form.filters()["subscription_id"] is not None
            context |= {
                "table": day_table(answer, is_of_one=is_of_one),
                "charts": day_charts(answer),
                "query": form.query(),
            }
        return self._question(request, "usage", context)
