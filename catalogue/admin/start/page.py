"""The start page: what needs somebody, statistics, and the latest imports. It uses the totals of the DSRs, so it is
always fast."""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from catalogue.admin.cells import INGESTED, dsr_list
from catalogue.admin.questions.page import PeriodForm, SearchForm
from catalogue.admin.resources.admin import QUICK_PERCENTILE, quick_top
from catalogue.admin.start.months import month_charts, month_tables, months_by_dsp, others_name
from catalogue.admin.start.needs import needs
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.groups import DSRStatistic, Grouping, dsr_statistics
from catalogue.lines.scope import Scope
from catalogue.models import DSR, ImportJob, LeftoverLines, RejectedDelivery, Resource
from dsrhub.access.permissions import may_view
from dsrhub.pages.charts import Chart, Series
from dsrhub.pages.start_page import StartPart, start_part
from dsrhub.values.cells import grouped, rounded
from dsrhub.values.numbers import exact_sum

TERRITORIES, PERIODS, RECENT = 12, 24, 5
State = ImportJob.State
# The parameters of the list of DSRs for what the form selects.
LOOKUPS = {
    "dsp": "dsp__exact",
    "territory": "territory__code_2__exact",
    "period_start": "period_start__gte",
    "period_end": "period_end__lte",
}


class StartForm(PeriodForm, SearchForm):
    """Selects the DSRs of the page."""

    FILTERS = {name: SearchForm.FILTERS[name] for name in ("dsp", "territory")}

    def _search_fields(self) -> Iterable[str]:
        return LOOKUPS

    def chosen(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in LOOKUPS if self.cleaned_data.get(name)}

    def lookups(self) -> dict[str, Any]:
        """What is chosen, as parameters of the list of DSRs."""
        return {LOOKUPS[name]: value for name, value in self.chosen().items()}


@start_part(order=1)
def dsrs_part(request: HttpRequest) -> StartPart | None:
    """The part of the DSRs, limited to what the user may view."""
    if not any(may_view(request, model) for model in (DSR, ImportJob, RejectedDelivery)):
        return None
    form = StartForm(request.GET) if may_view(request, DSR) else None
    is_valid = form is None or form.is_valid()
    return StartPart(
        template="admin/catalogue/start.html",
        context={"form": form} | (_answer(request, form) if is_valid else {}),
        stylesheets=["catalogue/catalogue.css"],
        is_valid=is_valid,
    )


def _answer(request: HttpRequest, form: StartForm | None) -> dict[str, Any]:
    """What the page shows of the DSRs that the form selects. Without the form, nothing is shown of DSRs."""
    search, filters = (form.search(), form.lookups()) if form else (DSRSearch(), {})
    has_others = any(may_view(request, model) for model in (ImportJob, RejectedDelivery))
    page: dict[str, Any] = {
        "needs": needs(request, search, filters),
        "is_filtered": bool(filters),
        "has_unfiltered": bool(filters) and has_others,
        "facts": [],
    }
    if form:
        page |= _statistics(search, filters) | _latest(search)
        if page["line_count"] and may_view(request, Resource):
            page |= _top(page["line_count"], form.chosen())
        page["facts"] += _leftovers()
    if may_view(request, ImportJob):
        page["facts"] += _imports_in_work()
    if may_view(request, RejectedDelivery):
        page["rejected"] = list(RejectedDelivery.objects.all()[:RECENT])
    return page


@dataclass
class Fact:
    """A number with the address of the list that it counts."""

    name: str
    value: str
    address: str


@dataclass
class Group:
    """The totals of the DSRs of a territory or a period, with the address of their list."""

    name: str
    dsr_count: int
    line_count: int
    blank_isrc_count: int
    usages: int
    revenue_eur: Decimal
    address: str

    @property
    def cells(self) -> list[str]:
        counts = [
            grouped(self.dsr_count),
            grouped(self.line_count),
            grouped(self.usages),
            rounded(self.revenue_eur),
        ]
        return [*counts, _share(self.blank_isrc_count, self.line_count)]


# --- Statistics ------------------------------------------------------------------------------------------------


def _statistics(search: DSRSearch, filters: Mapping[str, Any]) -> dict[str, Any]:
    by_territory = dsr_statistics(group_by=[Grouping.TERRITORY], search=search)
    total = _group(_("All"), by_territory, filters)
    page: dict[str, Any] = {"line_count": total.line_count, "facts": _facts(total, filters)}
    if not total.dsr_count:
        return page | {"is_empty": True}
    by_period = dsr_statistics(group_by=[Grouping.PERIOD, Grouping.DSP], search=search)
    months = months_by_dsp(by_period)
    periods = _periods(by_period, filters)
    territories = _territories(by_territory, filters)
    return page | {
        "charts": [*month_charts(months, search, filters), *_territory_charts(territories)],
        "pivots": month_tables(months, search, filters),
        "months": months,
        "columns": [fact.name for fact in page["facts"]],
        "tables": [("territories", _("By territory"), territories), ("periods", _("By period"), periods[-PERIODS:])],
        "hidden_period_count": max(len(periods) - PERIODS, 0),
    }


def _facts(total: Group, filters: Mapping[str, Any]) -> list[Fact]:
    names = [_("DSRs"), _("lines"), _("usages"), _("revenue in EUR"), _("% of lines without ISRC")]
    addresses = [total.address] * 4 + [dsr_list(**INGESTED, blank_isrc_count__gt=0, **filters)]
    return [Fact(*fact) for fact in zip(names, total.cells, addresses, strict=True)]


def _group(name: str, members: Sequence[DSRStatistic], filters: Mapping[str, Any], **query: Any) -> Group:
    return Group(
        name,
        dsr_count=sum(member.dsr_count for member in members),
        line_count=sum(member.line_count for member in members),
        blank_isrc_count=sum(member.blank_isrc_count for member in members),
        usages=sum(int(member.usages) for member in members),
        revenue_eur=exact_sum(member.revenue_eur for member in members),
        address=dsr_list(**INGESTED, **{**filters, **query}),
    )


def _territories(statistics: Sequence[DSRStatistic], filters: Mapping[str, Any]) -> list[Group]:
    """The territories with most revenue, and the other ones together."""
    ordered = sorted(statistics, key=lambda each: (-each.revenue_eur, str(each.territory)))
    shown = [
        _group(str(each.territory), [each], filters, territory__code_2__exact=each.territory)
        for each in ordered[:TERRITORIES]
    ]
    if others := ordered[TERRITORIES:]:
        shown.append(_group(others_name(len(others)), others, filters))
    return shown


def _periods(statistics: Sequence[DSRStatistic], filters: Mapping[str, Any]) -> list[Group]:
    """The periods of groups by period and DSP, from the earliest one."""
    by_period = [list(members) for _period, members in groupby(statistics, key=_days_of)]
    return [_group(_period_name(one[0]), one, filters, **_days_of(one[0])) for one in by_period]


def _days_of(statistic: DSRStatistic) -> dict[str, Any]:
    return {"period_start": statistic.period_start, "period_end": statistic.period_end}


def _period_name(statistic: DSRStatistic) -> str:
    """Return a whole month as 2020-01, and any other period by its first and last day."""
    start, end = statistic.period_start, statistic.period_end
    if start and end and start.day == 1 and end == start.replace(day=monthrange(start.year, start.month)[1]):
        return f"{start:%Y-%m}"
    return f"{start} – {end}"


def _territory_charts(territories: Sequence[Group]) -> list[Chart]:
    return [
        _chart("revenue-by-territory", _("Revenue in EUR by territory"), territories, "revenue_eur"),
        _chart("usages-by-territory", _("Usages by territory"), territories, "usages"),
    ]


def _chart(chart_id: str, title: str, groups: Sequence[Group], measure: str) -> Chart:
    is_revenue = measure == "revenue_eur"
    numbers = [getattr(group, measure) for group in groups]
    return Chart(
        chart_id=chart_id,
        title=title,
        labels=[group.name for group in groups],
        series=[Series(name=title, values=numbers, color=1 if is_revenue else 2)],
        addresses=[group.address for group in groups],
        unit="EUR" if is_revenue else "",
        is_across=True,
    )


# --- The latest imports, and the top ---------------------------------------------------------------------------


def _latest(search: DSRSearch) -> dict[str, Any]:
    dsrs = search.dsrs().select_related("imported_by", "message").order_by("-id")
    # A message with thousands of DSRs is one delivery.
    of_message = search.dsrs().filter(message=OuterRef("message"), pk__gt=OuterRef("pk"))
    deliveries = dsrs.ingested().filter(~Exists(of_message))
    return {"imports": list(deliveries[:RECENT]), "failures": list(dsrs.failed()[:RECENT])}


def _leftovers() -> list[Fact]:
    """The number of deleted DSRs whose lines a worker has to drop."""
    count = LeftoverLines.objects.count()
    return [Fact(_("deleted DSRs to clean up"), grouped(count), dsr_list())] if count else []


def _imports_in_work() -> list[Fact]:
    """The numbers of imports that wait for a worker."""
    names = {State.TO_CHECK: _("imports to be checked"), State.TO_LOAD: _("imports to be loaded")}
    jobs = ImportJob.objects.filter(state__in=names).order_by("state")
    return [
        Fact(
            names[State(state)],
            grouped(count),
            reverse("admin:catalogue_importjob_changelist", query={"state__exact": state}),
        )
        for state, count in jobs.values_list("state").annotate(Count("id"))
    ]


def _top(line_count: int, chosen: Mapping[str, Any]) -> dict[str, Any]:
    top = quick_top(scope=Scope(**chosen), line_count=line_count)
    address = reverse("admin:catalogue_resource_top", query={"percentile": QUICK_PERCENTILE, **chosen})
    return {"top": top, "is_top_ready": top is not None, "top_address": address}


def _share(part: int, whole: int) -> str:
    return grouped((Decimal(100 * part) / whole).quantize(Decimal("0.01"))) if whole else "–"
