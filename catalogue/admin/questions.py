"""The pages of questions about DSRs: the breakdown, the comparison of periods, and the coverage of series."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.cells import amount, grouped
from catalogue.dsrs.comparison import GROUPINGS as COMPARED
from catalogue.dsrs.comparison import PREVIOUS, YEAR_BEFORE, Compared, Period, comparison, earlier_period
from catalogue.dsrs.coverage import (
    MOST_MONTHS,
    SeriesCoverage,
    State,
    coverage,
    month_name,
    months_between,
    parse_month,
)
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics import DSRStatistic, Grouping, dsr_statistics, group_columns
from catalogue.models import DSR
from dsrhub.exceptions import InvalidArgument
from dsrhub.import_export.button import streamed
from dsrhub.import_export.formats import CSV, XLSX, ExportFormat
from dsrhub.import_export.tables import Table, dated_name

# The most columns of a pivot, and the most bars of a chart. Nobody can read more.
MOST_COLUMNS, MOST_BARS = 36, 30
ROWS_ON_A_PAGE, SERIES_ON_A_PAGE = 1000, 500
MONTHS_SHOWN = 12

GROUPINGS = {
    Grouping.TERRITORY: gettext_lazy("Territory"),
    Grouping.MONTH: gettext_lazy("Month"),
    Grouping.QUARTER: gettext_lazy("Quarter"),
    Grouping.YEAR: gettext_lazy("Year"),
    Grouping.PERIOD: gettext_lazy("Period"),
    Grouping.DSP: gettext_lazy("DSP"),
    Grouping.OFFER: gettext_lazy("Offer"),
    Grouping.SOCIETY: gettext_lazy("Society"),
    Grouping.CURRENCY: gettext_lazy("Currency"),
    Grouping.COMMERCIAL_MODEL: gettext_lazy("Commercial model"),
    Grouping.USE_TYPE: gettext_lazy("Use type"),
}
# What a breakdown shows of a group, and how it is called. The first is the measure of a pivot unless another is chosen.
MEASURES = {
    "revenue_eur": gettext_lazy("Revenue in EUR"),
    "usages": gettext_lazy("Usages"),
    "dsr_count": gettext_lazy("DSRs"),
    "line_count": gettext_lazy("Lines"),
    "revenue_eur_per_1000_usages": gettext_lazy("EUR per 1,000 usages"),
    "unallocated_revenue_eur": gettext_lazy("Unallocated revenue in EUR"),
    "blank_isrc_count": gettext_lazy("Lines without ISRC"),
    "blank_isrc_usages": gettext_lazy("Usages without ISRC"),
    "blank_isrc_revenue_eur": gettext_lazy("Revenue without ISRC in EUR"),
    "blank_isrc_revenue_percent": gettext_lazy("% of revenue without ISRC"),
}
# The decimals that a table shows; the exact value is its title. All others are whole numbers.
DECIMALS = {
    "revenue_eur": 2,
    "revenue_eur_per_1000_usages": 4,
    "unallocated_revenue_eur": 2,
    "blank_isrc_revenue_eur": 2,
    "blank_isrc_revenue_percent": 2,
}
FILES: Mapping[str, type[ExportFormat]] = {"csv": CSV, "xlsx": XLSX}

# --- Forms -----------------------------------------------------------------------------------------------------


class SearchForm(forms.Form):
    """Selects DSRs by what they have."""

    # The fields of choices, with their columns.
    FILTERS = {
        "dsp": (gettext_lazy("DSP"), "dsp"),
        "offer": (gettext_lazy("Offer"), "offer"),
        "society": (gettext_lazy("Society"), "society"),
        "territory": (gettext_lazy("Territory"), "territory_id"),
        "currency": (gettext_lazy("Currency"), "currency_id"),
        "commercial_model": (gettext_lazy("Commercial model"), "commercial_model"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, column) in self.FILTERS.items():
            values = DSR.objects.exclude(**{column: None}).order_by(column).values_list(column, flat=True).distinct()
            choices = [("", _("All")), *((value, value) for value in values)]
            # A filter without a choice to make is left out.
            if len(choices) > 2 or self.data.get(name):  # noqa: PLR2004
                self.fields[name] = forms.ChoiceField(label=label, choices=choices, required=False)

    def search(self) -> DSRSearch:
        chosen = {name: self.cleaned_data[name] for name in self._search_fields() if self.cleaned_data.get(name)}
        return DSRSearch(**chosen)

    def _search_fields(self) -> Iterable[str]:
        return self.FILTERS


class BreakdownForm(SearchForm):
    by = forms.ChoiceField(label=gettext_lazy("Rows"), choices=GROUPINGS.items, required=False)
    then_by = forms.ChoiceField(
        label=gettext_lazy("Columns"), choices=lambda: [("", _("None")), *GROUPINGS.items()], required=False
    )
    show = forms.ChoiceField(label=gettext_lazy("Show"), choices=MEASURES.items, required=False)
    use_type = forms.CharField(label=gettext_lazy("Use type"), max_length=100, required=False)
    period_start = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    period_end = forms.DateField(
        label=gettext_lazy("To (inclusive)"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean_by(self) -> Grouping:
        return Grouping(self.cleaned_data["by"] or Grouping.TERRITORY)

    def clean_show(self) -> str:
        return self.cleaned_data["show"] or next(iter(MEASURES))

    def clean(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        if chosen.get("then_by") and chosen["then_by"] == chosen.get("by"):
            self.add_error("then_by", _("Choose another group than that of the rows."))
        start, end = chosen.get("period_start"), chosen.get("period_end")
        if start and end and start > end:
            self.add_error("period_end", _("The range ends before it starts."))
        return chosen

    def _search_fields(self) -> Iterable[str]:
        return [*self.FILTERS, "use_type", "period_start", "period_end"]


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

    def months(self) -> tuple[date, date]:
        """The chosen range, or the months until now."""
        last = self.cleaned_data["last"] or timezone.localdate().replace(day=1)
        number = last.year * 12 + last.month - MONTHS_SHOWN
        return self.cleaned_data["first"] or date(number // 12, number % 12 + 1, 1), last


# --- Tables ----------------------------------------------------------------------------------------------------


class Pivot(NamedTuple):
    """The headings, and for each row its name and its cells."""

    headings: list[str]
    rows: list[tuple[str, list[SafeString | None]]]
    hidden_column_count: int = 0


def group_name(statistic: DSRStatistic, grouping: Grouping) -> str:
    if grouping == Grouping.PERIOD:
        return f"{statistic.period_start} – {statistic.period_end}"
    name = getattr(statistic, grouping)
    if name is None and statistic.period_start is not None:
        return f"{statistic.period_start} – {statistic.period_end}"
    return str(name) if name is not None else _("none")


def _cell(statistic: DSRStatistic, measure: str) -> SafeString | None:
    value = getattr(statistic, measure)
    if value is None or measure not in DECIMALS:
        return amount(value)
    return _rounded(value, DECIMALS[measure])


def _rounded(value: Decimal | None, decimals: int = 2) -> SafeString | None:
    """Return a rounded number whose title is the exact one."""
    return (
        None if value is None else format_html('<span title="{}">{}</span>', grouped(value), f"{value:,.{decimals}f}")
    )


def flat_table(statistics: Sequence[DSRStatistic], grouping: Grouping) -> Pivot:
    """Each group with all measures."""
    rows = [(group_name(one, grouping), [_cell(one, name) for name in MEASURES]) for one in statistics]
    return Pivot([str(label) for label in MEASURES.values()], rows)


def pivot_table(statistics: Sequence[DSRStatistic], rows: Grouping, columns: Grouping, measure: str) -> Pivot:
    """One measure of each pair of groups."""
    names = sorted({group_name(one, columns) for one in statistics})
    cells: dict[str, dict[str, SafeString | None]] = {}
    for one in statistics:
        cells.setdefault(group_name(one, rows), {})[group_name(one, columns)] = _cell(one, measure)
    shown = names[:MOST_COLUMNS]
    return Pivot(
        shown,
        [(name, [of_row.get(column) for column in shown]) for name, of_row in cells.items()],
        len(names) - len(shown),
    )


def bars(statistics: Sequence[DSRStatistic], grouping: Grouping) -> list[dict[str, str]]:
    """The revenue and the usages of the rows with most revenue, for the chart."""
    largest = sorted(statistics, key=lambda one: -one.revenue_eur)[:MOST_BARS]
    query = {"status__exact": "ingested"}
    return [
        {
            "name": group_name(one, grouping),
            "usages": str(one.usages),
            "revenue": f"{one.revenue_eur:.2f}",
            "address": reverse("admin:catalogue_dsr_changelist", query=query | _list_query(one, grouping)),
        }
        for one in largest
    ]


def _list_query(statistic: DSRStatistic, grouping: Grouping) -> dict[str, str]:
    """The filter of the list of DSRs for a group, as far as the list has one."""
    value = getattr(statistic, grouping, None)
    if value is None:
        return {}
    lookups = {
        Grouping.TERRITORY: "territory__code_2__exact",
        Grouping.CURRENCY: "currency__code__exact",
        Grouping.DSP: "dsp__exact",
        Grouping.OFFER: "offer__exact",
        Grouping.SOCIETY: "society__exact",
        Grouping.COMMERCIAL_MODEL: "commercial_model__exact",
    }
    return {lookups[grouping]: value} if grouping in lookups else {}


def exported(statistics: Sequence[DSRStatistic], groupings: Sequence[Grouping]) -> Table:
    """One row for each group, with the columns that REST has."""
    columns = [*group_columns(groupings), *MEASURES, "revenue_kind"]
    rows = (tuple(getattr(one, name) for name in columns) for one in statistics)
    return Table(tuple(columns), rows, amounts=tuple(name for name in MEASURES if "revenue" in name))


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


def comparison_rows(rows: Sequence[Compared]) -> list[dict[str, Any]]:
    """The groups, those whose revenue rose most first, and those whose revenue fell most last."""
    return [
        {
            "name": one.name or _("none"),
            "cells": [
                *(amount(part.usages if part else None) for part in (one.before, one.now)),
                amount(one.usages_difference),
                _rounded(one.usages_percent),
                *(_rounded(part.revenue_eur if part else None) for part in (one.before, one.now)),
                _rounded(one.revenue_difference),
                _rounded(one.revenue_percent),
            ],
            "incomplete": ", ".join([*one.incomplete_before, *one.incomplete_now]),
        }
        for one in sorted(rows, key=lambda one: (-one.revenue_difference, one.key))
    ]


# --- Pages -----------------------------------------------------------------------------------------------------


class QuestionPages(admin.ModelAdmin):
    """The pages, for users who may view DSRs."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("breakdown/", view(self.breakdown_view), name="catalogue_dsr_breakdown"),
            path("comparison/", view(self.comparison_view), name="catalogue_dsr_comparison"),
            path("coverage/", view(self.coverage_view), name="catalogue_dsr_coverage"),
            *super().get_urls(),
        ]

    def breakdown_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show the sums of groups as a table and a chart, or send them as a file."""
        self._require_view(request)
        form = BreakdownForm(request.GET)
        context: dict[str, Any] = {"title": _("Breakdown"), "form": form, "may_export": self._may_export(request)}
        if not form.is_valid():
            return self._question(request, "breakdown", context, status=400)
        rows, columns = form.cleaned_data["by"], form.cleaned_data["then_by"]
        groupings = [rows, *([Grouping(columns)] if columns else [])]
        statistics = dsr_statistics(group_by=groupings, search=form.search())
        if (file := FILES.get(request.GET.get("format", ""))) is not None:
            if not self._may_export(request):
                raise PermissionDenied
            file_format = file()
            name = dated_name("breakdown", file_format.get_extension())
            return streamed(exported(statistics, groupings), file_format, name, bom=True)
        by_row = statistics if not columns else dsr_statistics(group_by=[rows], search=form.search())
        table = (
            pivot_table(statistics, rows, groupings[1], form.cleaned_data["show"])
            if columns
            else flat_table(statistics, rows)
        )
        context |= {
            "table": table._replace(rows=table.rows[:ROWS_ON_A_PAGE]),
            "hidden_row_count": max(len(table.rows) - ROWS_ON_A_PAGE, 0),
            "row_heading": GROUPINGS[rows],
            "measure": MEASURES[form.cleaned_data["show"]] if columns else "",
            "bars": {"rows": bars(by_row, rows)},
            "query": request.GET.urlencode(),
        }
        return self._question(request, "breakdown", context)

    def comparison_view(self, request: HttpRequest) -> HttpResponse:
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

    def coverage_view(self, request: HttpRequest) -> HttpResponse:
        """Show the months of each series. A gap leads to the import, and a month to its DSRs."""
        self._require_view(request)
        form = CoverageForm(request.GET)
        context: dict[str, Any] = {"title": _("Coverage"), "form": form, "states": State.choices}
        series: list[SeriesCoverage] = []
        if form.is_valid():
            first, last = form.months()
            try:
                series = coverage(first=first, last=last, search=form.search())
            except InvalidArgument:
                form.add_error("last", _("Choose 1 to %s months.") % MOST_MONTHS)
        if not form.is_valid():
            return self._question(request, "coverage", context, status=400)
        months = [month_name(month) for month in months_between(first, last)]
        context |= {
            "months": months,
            "rows": coverage_rows(series[:SERIES_ON_A_PAGE], months),
            "hidden_row_count": max(len(series) - SERIES_ON_A_PAGE, 0),
        }
        return self._question(request, "coverage", context)

    def _may_export(self, request: HttpRequest) -> bool:
        return bool(self.has_export_permission(request))  # type: ignore[attr-defined]

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _question(
        self, request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200
    ) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/catalogue/questions/{name}.html", context, status=status)
