"""The breakdown: the sums of groups of DSRs, as a table, a pivot, a chart and a file."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.questions.page import GROUPINGS, LineSearchForm, QuestionPage
from catalogue.dsrs.statistics.groups import DSRStatistic, Grouping, dsr_statistics, group_columns
from dsrhub.import_export.tables import Table
from dsrhub.pages.charts import Chart, Series
from dsrhub.values.cells import plain, rounded

# The most columns of a pivot, and the most bars of a chart. Nobody can read more.
MOST_COLUMNS, MOST_BARS = 36, 30
ROWS_ON_A_PAGE = 1000

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


class BreakdownForm(LineSearchForm):
    by = forms.ChoiceField(label=gettext_lazy("Rows"), choices=GROUPINGS.items, required=False)
    then_by = forms.ChoiceField(
        label=gettext_lazy("Columns"), choices=lambda: [("", _("No columns")), *GROUPINGS.items()], required=False
    )
    show = forms.ChoiceField(label=gettext_lazy("Show"), choices=MEASURES.items, required=False)
    field_order = ("by", "then_by", "show")

    def clean_by(self) -> Grouping:
        return Grouping(self.cleaned_data["by"] or Grouping.TERRITORY)

    def clean_show(self) -> str:
        return self.cleaned_data["show"] or next(iter(MEASURES))

    def clean(self) -> dict[str, Any]:
        chosen = super().clean()
        if chosen.get("then_by") and chosen["then_by"] == chosen.get("by"):
            self.add_error("then_by", _("Choose another group than that of the rows."))
        return chosen


class Pivot(NamedTuple):
    """The headings, and for each row its name and its cells."""

    headings: list[str]
    rows: list[tuple[str, list[str | None]]]
    hidden_column_count: int = 0


def group_name(statistic: DSRStatistic, grouping: Grouping) -> str:
    if grouping == Grouping.PERIOD:
        return f"{statistic.period_start} – {statistic.period_end}"
    name = getattr(statistic, grouping)
    if name is None and statistic.period_start is not None:
        return f"{statistic.period_start} – {statistic.period_end}"
    return str(name) if name is not None else _("none")


def _cell(statistic: DSRStatistic, measure: str) -> str | None:
    value: Decimal | int | None = getattr(statistic, measure)
    if value is None or measure not in DECIMALS:
        return plain(value)
    return rounded(value, DECIMALS[measure])


def flat_table(statistics: Sequence[DSRStatistic], grouping: Grouping) -> Pivot:
    """Each group with all measures."""
    rows = [(group_name(one, grouping), [_cell(one, name) for name in MEASURES]) for one in statistics]
    return Pivot([str(label) for label in MEASURES.values()], rows)


def pivot_table(statistics: Sequence[DSRStatistic], rows: Grouping, columns: Grouping, measure: str) -> Pivot:
    """One measure of each pair of groups."""
    names = sorted({group_name(one, columns) for one in statistics})
    cells: dict[str, dict[str, str | None]] = {}
    for one in statistics:
        cells.setdefault(group_name(one, rows), {})[group_name(one, columns)] = _cell(one, measure)
    shown = names[:MOST_COLUMNS]
    return Pivot(
        shown,
        [(name, [of_row.get(column) for column in shown]) for name, of_row in cells.items()],
        len(names) - len(shown),
    )


def charts(statistics: Sequence[DSRStatistic], grouping: Grouping) -> list[Chart]:
    """The revenue and the usages of the rows with most revenue."""
    largest = sorted(statistics, key=lambda one: -one.revenue_eur)[:MOST_BARS]
    query = {"status__exact": "ingested"}
    shown: dict[str, Any] = {
        "labels": [group_name(one, grouping) for one in largest],
        "addresses": [
            reverse("admin:catalogue_dsr_changelist", query=query | _list_query(one, grouping)) for one in largest
        ],
        "is_across": True,
    }
    revenue = Series(name=_("Revenue in EUR"), values=[one.revenue_eur for one in largest], color=1)
    usages = Series(name=_("Usages"), values=[one.usages for one in largest], color=2)
    return [
        Chart(chart_id="revenue", title=revenue.name, series=[revenue], unit="EUR", **shown),
        Chart(chart_id="usages", title=usages.name, series=[usages], **shown),
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


class BreakdownPage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.breakdown_view)
        return [path("breakdown/", view, name="catalogue_dsr_breakdown"), *super().get_urls()]

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
        if (file := self._sent(request, form, "breakdown", lambda: exported(statistics, groupings))) is not None:
            return file
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
            "charts": charts(by_row, rows),
            "query": request.GET.urlencode(),
        }
        return self._question(request, "breakdown", context)
