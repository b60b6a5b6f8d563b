"""The coverage of series: which months are ingested, and which are missing."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.questions.page import QuestionPage, SearchForm, query_without_page
from catalogue.dsrs.statistics.coverage import (
    MOST_MONTHS,
    SeriesCoverage,
    State,
    coverage,
    latest_month,
    month_count,
    month_name,
    months_between,
    parse_month,
)
from dsrhub.exceptions import InvalidArgument
from dsrhub.import_export.tables import Table
from dsrhub.values.forms import WholeNumberField

SERIES_ON_A_PAGE = 500
MONTHS_SHOWN = 12


class MonthField(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=forms.TextInput(attrs={"type": "month"}), **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        month = parse_month(text) if text else None
        if text and month is None:
            raise forms.ValidationError(_("Must be a month such as 2020-01."))
        return month


class CoverageForm(SearchForm):
    first = MonthField(label=gettext_lazy("From"))
    last = MonthField(label=gettext_lazy("To (inclusive)"))
    gaps = forms.BooleanField(label=gettext_lazy("Only series with missing or late months"), required=False)
    # The number of series on the pages before.
    after = WholeNumberField(min_value=0, max_value=2**31, required=False, widget=forms.HiddenInput)

    def months(self) -> tuple[date, date]:
        """The chosen range, or the months until now; if those have no DSR, the months until the latest one."""
        last = self.cleaned_data["last"] or _last_month()
        number = last.year * 12 + last.month - MONTHS_SHOWN
        return self.cleaned_data["first"] or date(number // 12, number % 12 + 1, 1), last


def _last_month() -> date:
    now, latest = timezone.localdate(), latest_month()
    return latest if latest and month_count(latest, now) > MONTHS_SHOWN else now.replace(day=1)


def coverage_rows(series: Sequence[SeriesCoverage], months: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": " ".join(filter(None, (one.dsp, one.offer, one.society))),
            "territory": one.territory,
            "currency": one.currency,
            "cells": [_month_cell(one, month) for month in months],
        }
        for one in series
    ]


def exported(series: Sequence[SeriesCoverage], months: Sequence[str]) -> Table:
    """One row for each series, with the state of each month as REST has it."""
    columns = ("dsp", "offer", "society", "territory", "currency")
    rows = ((*(getattr(one, name) for name in columns), *(_state(one, month) for month in months)) for one in series)
    return Table((*columns, *months), rows)


def _state(series: SeriesCoverage, month: str) -> str | None:
    found = series.months.get(month)
    return None if found is None else found.state.value


def _month_cell(series: SeriesCoverage, month: str) -> dict[str, Any] | None:
    """The state of a month, with the address of its DSRs, or of the import of what is missing."""
    found = series.months.get(month)
    if found is None:
        return None
    if len(found.dsrs) == 1:
        address = reverse("admin:catalogue_dsr_change", args=found.dsrs)
    elif found.dsrs:
        address = reverse("admin:catalogue_dsr_changelist", query={"id__in": ",".join(map(str, found.dsrs))})
    else:
        address = reverse("admin:catalogue_dsr_import")
    return {"state": found.state.value, "label": State(found.state).label, "address": address}


class CoveragePage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.coverage_view)
        return [path("coverage/", view, name="catalogue_dsr_coverage"), *super().get_urls()]

    def coverage_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show the months of each series, or send them as a file. A gap leads to the import, a month to its DSRs."""
        self._require_view(request)
        form = CoverageForm(request.GET)
        context: dict[str, Any] = {"title": _("Coverage"), "form": form, "may_export": self._may_export(request)}
        series: list[SeriesCoverage] = []
        if form.is_valid():
            first, last = form.months()
            try:
                series = coverage(first=first, last=last, search=form.search())
            except InvalidArgument:
                form.add_error("last", _("Choose 1 to %s months.") % MOST_MONTHS)
            if form.cleaned_data["gaps"]:
                series = [one for one in series if one.gap_count]
        if not form.is_valid():
            return self._question(request, "coverage", context, status=400)
        months = [month_name(month) for month in months_between(first, last)]
        if (file := self._sent(request, form, "coverage", lambda: exported(series, months))) is not None:
            return file
        after = form.cleaned_data["after"] or 0
        end = after + SERIES_ON_A_PAGE
        context |= {
            "states": State.choices,
            "months": months,
            "rows": coverage_rows(series[after:end], months),
            "query": query_without_page(request),
            "next": end if end < len(series) else None,
        }
        return self._question(request, "coverage", context)
