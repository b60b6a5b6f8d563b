"""The start page: statistics, latest imports and open tasks. It uses the totals of the DSRs, so it is always fast."""

from calendar import monthrange
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Count, Exists, Model, OuterRef
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from catalogue.admin.resources import top_rows
from catalogue.dsrs.statistics import DSRStatistic, Grouping, dsr_statistics
from catalogue.exceptions import RankingNotReady
from catalogue.lines.scope import ALL
from catalogue.models import DSR, ImportJob, RejectedDelivery, Resource
from catalogue.resources import selectors as resource_selectors
from catalogue.resources.found import WIDE
from catalogue.resources.services import catalogue_state
from dsrhub.cells import grouped, rounded
from dsrhub.charts import Chart, Series
from dsrhub.database.time_limits import OutOfTime, answered_within

TERRITORIES, PERIODS, RECENT, TOP = 12, 24, 5, 10
# The start page does not wait longer for a ranking that is not cached. The page of the top does.
TOP_SECONDS = 0.5
# All resources of so few lines are ranked at once. With more lines, a tenth of the revenue is ranked fast.
ALL_RANKED_LINES, TOP_PERCENTILE = 100_000, 10
INGESTED = {"status__exact": DSR.Status.INGESTED}


def start_page(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the template, limited to what the user may view."""
    may_see_dsrs, may_see_resources = _may_see(request, DSR), _may_see(request, Resource)
    page: dict[str, Any] = {"may_search": may_see_resources, "facts": []}
    if may_see_dsrs:
        page |= _statistics() | _latest()
    page["facts"] += _open_tasks(request)
    if may_see_dsrs and may_see_resources and page["line_count"]:
        page |= _top(page["line_count"])
    if _may_see(request, RejectedDelivery):
        page["rejected"] = list(RejectedDelivery.objects.all()[:RECENT])
    return page


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    return admin.site.get_model_admin(model).has_view_permission(request)


@dataclass
class Fact:
    """A number with the address of the list that it counts."""

    name: str
    value: str
    address: str
    needs_care: bool = False


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


def _statistics() -> dict[str, Any]:
    territories = dsr_statistics(group_by=[Grouping.TERRITORY])
    periods = dsr_statistics(group_by=[Grouping.PERIOD])
    total = _group(_("All"), territories, INGESTED)
    by_revenue = sorted(territories, key=lambda each: (-each.revenue_eur, str(each.territory)))
    shown = [_group(str(each.territory), [each], _territory_query(each)) for each in by_revenue[:TERRITORIES]]
    if others := by_revenue[TERRITORIES:]:
        shown.append(_group(_("%s others") % len(others), others, INGESTED))
    latest = [_group(_period_name(each), [each], _period_query(each)) for each in periods[-PERIODS:]]
    names = ["DSRs", _("lines"), _("usages"), _("revenue in EUR"), _("% of lines without ISRC")]
    addresses = [total.address] * 4 + [_dsr_list(**INGESTED, blank_isrc_count__gt=0)]
    return {
        "line_count": total.line_count,
        "facts": [Fact(*fact) for fact in zip(names, total.cells, addresses, strict=True)],
        "columns": names,
        "tables": [(_("By territory"), shown), (_("By period"), latest)] if total.dsr_count else [],
        "hidden_period_count": len(periods) - len(latest),
        "charts": _charts(shown, latest) if total.dsr_count else [],
    }


def _group(name: str, members: Sequence[DSRStatistic], query: dict[str, Any]) -> Group:
    revenue = Decimal(0)
    for member in members:
        revenue = WIDE.add(revenue, member.revenue_eur)
    return Group(
        name,
        dsr_count=sum(member.dsr_count for member in members),
        line_count=sum(member.line_count for member in members),
        blank_isrc_count=sum(member.blank_isrc_count for member in members),
        usages=sum(int(member.usages) for member in members),
        revenue_eur=revenue,
        address=_dsr_list(**query),
    )


def _territory_query(statistic: DSRStatistic) -> dict[str, Any]:
    return {**INGESTED, "territory__code_2__exact": statistic.territory}


def _period_query(statistic: DSRStatistic) -> dict[str, Any]:
    return {**INGESTED, "period_start": statistic.period_start, "period_end": statistic.period_end}


def _period_name(statistic: DSRStatistic) -> str:
    """Return a whole month as 2020-01, and any other period by its first and last day."""
    start, end = statistic.period_start, statistic.period_end
    if start and end and start.day == 1 and end == start.replace(day=monthrange(start.year, start.month)[1]):
        return f"{start:%Y-%m}"
    return f"{start} – {end}"


def _charts(territories: Sequence[Group], periods: Sequence[Group]) -> list[Chart]:
    """The tables as charts."""
    return [
        _chart("revenue-by-territory", _("Revenue in EUR by territory"), territories, "revenue_eur", is_across=True),
        _chart("usages-by-territory", _("Usages by territory"), territories, "usages", is_across=True),
        _chart("revenue-by-period", _("Revenue in EUR by period"), periods, "revenue_eur"),
        _chart("usages-by-period", _("Usages by period"), periods, "usages"),
    ]


def _chart(chart_id: str, title: str, groups: Sequence[Group], measure: str, *, is_across: bool = False) -> Chart:
    is_revenue = measure == "revenue_eur"
    numbers = [getattr(group, measure) for group in groups]
    return Chart(
        chart_id=chart_id,
        title=title,
        labels=[group.name for group in groups],
        series=[Series(name=title, values=numbers, color=1 if is_revenue else 2)],
        addresses=[group.address for group in groups],
        unit="EUR" if is_revenue else "",
        is_across=is_across,
    )


# --- Latest imports and open tasks -----------------------------------------------------------------------------


def _latest() -> dict[str, Any]:
    dsrs = DSR.objects.select_related("imported_by", "message").order_by("-id")
    # A message with thousands of DSRs is one delivery.
    of_message = DSR.objects.filter(message=OuterRef("message"), pk__gt=OuterRef("pk"))
    deliveries = dsrs.ingested().filter(~Exists(of_message))
    return {"imports": list(deliveries[:RECENT]), "failures": list(dsrs.failed()[:RECENT])}


def _open_tasks(request: HttpRequest) -> list[Fact]:
    facts = []
    if _may_see(request, DSR):
        failed = DSR.objects.failed().count()
        behind = catalogue_state()
        facts.append(Fact(_("failed DSRs"), grouped(failed), _dsr_list(status__exact="failed"), needs_care=failed > 0))
        uncatalogued = _dsr_list(**INGESTED, is_catalogued__exact=0)
        facts.append(Fact(_("DSRs not yet searchable"), grouped(behind.uncatalogued_count), uncatalogued))
        if behind.leftover_count:
            facts.append(Fact(_("deleted DSRs to clean up"), grouped(behind.leftover_count), _dsr_list()))
    if _may_see(request, RejectedDelivery):
        rejected = RejectedDelivery.objects.count()
        facts.append(
            Fact(_("rejected deliveries"), grouped(rejected), _list("rejecteddelivery"), needs_care=rejected > 0)
        )
    if _may_see(request, ImportJob):
        facts += _open_imports()
    return facts


def _open_imports() -> list[Fact]:
    """Return the numbers of imports that wait for a worker or for a user."""
    open_jobs = ImportJob.objects.filter(state__in=ImportJob.OPEN).order_by("state")
    return [
        Fact(_("imports %s") % ImportJob.State(state).label, grouped(count), _list("importjob", state__exact=state))
        for state, count in open_jobs.values_list("state").annotate(Count("id"))
    ]


def _top(line_count: int) -> dict[str, Any]:
    percentile = 100 if line_count <= ALL_RANKED_LINES else TOP_PERCENTILE
    top = None
    # If the time is not enough, a worker builds the ranking.
    with suppress(OutOfTime, RankingNotReady), answered_within(TOP_SECONDS):
        top = resource_selectors.resource_top(percentile=percentile, scope=ALL, after=0, limit=TOP)
    address = reverse("admin:catalogue_resource_top", query={"percentile": TOP_PERCENTILE})
    return {"top": top and top_rows(top), "is_top_ready": top is not None, "top_address": address}


# --- Addresses and numbers -------------------------------------------------------------------------------------


def _dsr_list(**query: Any) -> str:
    return _list("dsr", **query)


def _list(model: str, **query: Any) -> str:
    return reverse(f"admin:catalogue_{model}_changelist", query=query)


def _share(part: int, whole: int) -> str:
    return f"{Decimal(100 * part) / whole:.2f}" if whole else "–"
