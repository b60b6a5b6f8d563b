"""The comparison of two periods, by what their DSRs have in common."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.cells import amount
from catalogue.admin.questions.page import GROUPINGS, QuestionPage, SearchForm, rounded
from catalogue.dsrs.comparison import GROUPINGS as COMPARED
from catalogue.dsrs.comparison import PREVIOUS, YEAR_BEFORE, Compared, Period, comparison, earlier_period
from catalogue.dsrs.coverage import month_name
from catalogue.dsrs.statistics import Grouping
from catalogue.models import DSR
from dsrhub.exceptions import InvalidArgument


class ComparisonForm(SearchForm):
    by = forms.ChoiceField(
        label=gettext_lazy("Rows"), choices=lambda: [(one, GROUPINGS[one]) for one in COMPARED], required=False
    )
    period = forms.CharField(
        label=gettext_lazy("Month, quarter or year"),
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "2020-02, 2020-Q1, 2020", "size": 20}),
    )
    other = forms.CharField(
        label=gettext_lazy("Compared with"),
        required=False,
        widget=forms.TextInput(attrs={"placeholder": PREVIOUS, "list": "other-periods", "size": 20}),
    )

    def clean_by(self) -> Grouping:
        return Grouping(self.cleaned_data["by"] or Grouping.TERRITORY)

    def clean(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        last = DSR.objects.ingested().order_by("-period_end").values_list("period_end", flat=True).first()
        default = last or timezone.localdate()
        chosen["period"] = Period.parse(chosen.get("period") or month_name(default))
        if chosen["period"] is None:
            self.add_error("period", _("Must be a month, quarter or year, such as 2020-02, 2020-Q1 or 2020."))
            return chosen
        try:
            chosen["other"] = earlier_period(chosen["period"], chosen.get("other") or PREVIOUS)
        except InvalidArgument as error:
            self.add_error("other", error.message)
        return chosen


def comparison_rows(rows: Sequence[Compared]) -> list[dict[str, Any]]:
    """The groups, those whose revenue rose most first, and those whose revenue fell most last."""
    return [
        {
            "name": one.name or _("none"),
            "cells": [
                *(amount(part.usages if part else None) for part in (one.before, one.now)),
                amount(one.usages_difference),
                rounded(one.usages_percent),
                *(rounded(part.revenue_eur if part else None) for part in (one.before, one.now)),
                rounded(one.revenue_difference),
                rounded(one.revenue_percent),
            ],
            "incomplete": ", ".join([*one.incomplete_before, *one.incomplete_now]),
        }
        for one in sorted(rows, key=lambda one: (-one.revenue_difference, one.key))
    ]


class ComparisonPage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.comparison_view)
        return [path("comparison/", view, name="catalogue_dsr_comparison"), *super().get_urls()]

    def comparison_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show what changed between two periods, the largest rise first and the largest fall last."""
        self._require_view(request)
        form = ComparisonForm(request.GET)
        context: dict[str, Any] = {"title": _("Comparison"), "form": form, "choices": [PREVIOUS, YEAR_BEFORE]}
        if not form.is_valid():
            return self._question(request, "comparison", context, status=400)
        chosen = form.cleaned_data
        rows = comparison(by=chosen["by"], period=chosen["period"], other=chosen["other"], search=form.search())
        context |= {
            "rows": comparison_rows(rows),
            "row_heading": GROUPINGS[chosen["by"]],
            "periods": [chosen["other"], chosen["period"]],
        }
        return self._question(request, "comparison", context)
