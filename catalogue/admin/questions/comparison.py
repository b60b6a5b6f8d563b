"""The comparison of two periods, by what their DSRs have in common or by recording."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.questions.changes import AMOUNTS, COLUMNS, change_cells, change_values, incomplete_in
from catalogue.admin.questions.page import GROUPINGS, QuestionPage, SearchForm
from catalogue.admin.questions.recordings import exported_recordings, recording_sections
from catalogue.dsrs.statistics.comparison import GROUPINGS as COMPARED
from catalogue.dsrs.statistics.comparison import PREVIOUS, YEAR_BEFORE, Compared, Period, comparison, earlier_period
from catalogue.dsrs.statistics.coverage import month_name
from catalogue.dsrs.statistics.groups import Grouping
from catalogue.exceptions import RankingNotReady
from catalogue.models import DSR, Resource
from catalogue.resources.comparison import RECORDING, ResourceComparison
from dsrhub.access.permissions import may_view
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.exceptions import InvalidArgument
from dsrhub.import_export.tables import Table
from dsrhub.values.forms import WholeNumberField

# Nobody waits longer for rankings that are not cached.
RECORDINGS_SECONDS = 10
# Words for a period to compare with, and what they mean.
OTHERS = {
    PREVIOUS: gettext_lazy("the period before"),
    YEAR_BEFORE: gettext_lazy("the same period of the year before"),
}


class ComparisonForm(SearchForm):
    by = forms.ChoiceField(
        label=gettext_lazy("Rows"),
        # In the order of the labels: the first one is the default, and a browser shows it as chosen.
        choices=lambda: [*(one for one in GROUPINGS.items() if one[0] in COMPARED), (RECORDING, _("Recording"))],
        required=False,
    )
    percentile = WholeNumberField(
        label=gettext_lazy("Recordings: top N %"),
        min_value=1,
        max_value=100,
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": 10}),
    )
    period = forms.CharField(
        label=gettext_lazy("Month, quarter or year"),
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "2020-02, 2020-Q1, 2020", "size": 20}),
    )
    other = forms.CharField(
        label=gettext_lazy("Compared with"),
        required=False,
        widget=forms.TextInput(attrs={"placeholder": OTHERS[PREVIOUS], "list": "other-periods", "size": 20}),
    )

    def clean_by(self) -> str:
        return self.cleaned_data["by"] or Grouping.TERRITORY

    def clean_percentile(self) -> int:
        return self.cleaned_data["percentile"] or 10

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
        {"name": one.name or _("none"), "cells": change_cells(one), "incomplete": incomplete_in(one)}
        for one in sorted(rows, key=lambda one: (-one.revenue_difference, one.key))
    ]


COUNTS = ("dsr_count", "line_count")


def exported_groups(rows: Sequence[Compared], by: Grouping) -> Table:
    """One row for each group, by name, with the columns that REST has."""
    counts = [f"{name}_{period}" for name in COUNTS for period in ("before", "now")]
    values = ((one.name, *_counts(one), *change_values(one)) for one in rows)
    return Table((by, *counts, *COLUMNS), values, amounts=AMOUNTS)


def _counts(one: Compared) -> list[int | None]:
    return [getattr(sums, name) if sums else None for name in COUNTS for sums in (one.before, one.now)]


class ComparisonPage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.comparison_view)
        return [path("comparison/", view, name="catalogue_dsr_comparison"), *super().get_urls()]

    def comparison_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show what changed between two periods, or send it as a file."""
        self._require_view(request)
        form = ComparisonForm(request.GET)
        context: dict[str, Any] = {
            "title": _("Comparison"),
            "form": form,
            "choices": OTHERS.items(),
            "may_export": self._may_export(request),
            "query": request.GET.urlencode(),
        }
        if not form.is_valid():
            return self._question(request, "comparison", context, status=400)
        context["periods"] = [form.cleaned_data["other"], form.cleaned_data["period"]]
        answer = self._recordings if form.cleaned_data["by"] == RECORDING else self._groups
        return answer(request, form, context)

    def _groups(self, request: HttpRequest, form: ComparisonForm, context: dict[str, Any]) -> HttpResponseBase:
        """The largest rise of revenue comes first, and the largest fall last."""
        chosen, by = form.cleaned_data, Grouping(form.cleaned_data["by"])
        rows = comparison(by=by, period=chosen["period"], other=chosen["other"], search=form.search())
        if (file := self._sent(request, form, "comparison", lambda: exported_groups(rows, by))) is not None:
            return file
        context |= {"rows": comparison_rows(rows), "row_heading": GROUPINGS[by]}
        return self._question(request, "comparison", context)

    def _recordings(self, request: HttpRequest, form: ComparisonForm, context: dict[str, Any]) -> HttpResponseBase:
        """Those that moved most, and what is new and gone."""
        chosen = form.cleaned_data
        asked = ResourceComparison(chosen["percentile"], chosen["period"], chosen["other"], form.search())
        has_links = may_view(request, Resource)
        try:
            with answered_within(RECORDINGS_SECONDS):
                context |= recording_sections(asked, has_links=has_links)
        except RankingNotReady:
            form.add_error(None, _("Ranking in progress. Try again in a minute."))
        except OutOfTime:
            form.add_error(None, _("This comparison takes too long. Choose a smaller share, or a filter."))
        if not form.is_valid():
            return self._question(request, "comparison", context, status=503)
        # The rankings are cached now, so that a file starts at once.
        file = self._sent(request, form, "recording-comparison", lambda: exported_recordings(asked))
        return file or self._question(request, "comparison", context)
