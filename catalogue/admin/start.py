"""The start page: what there is, what came last, and what needs somebody. From the DSRs' own totals, so always fast."""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Count, Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from catalogue.admin.cells import grouped
from catalogue.admin.resources import top_rows
from catalogue.dsrs.statistics import DSRStatistic, Grouping, dsr_statistics
from catalogue.exceptions import RankingNotReady
from catalogue.lines.scope import ALL
from catalogue.models import DSR, ImportJob, RejectedDelivery, Resource
from catalogue.resources import selectors as resource_selectors
from catalogue.resources.found import WIDE
from catalogue.resources.services import catalogue_state
from dsrhub.database.time_limits import OutOfTime, answered_within

TERRITORIES, PERIODS, RECENT, TOP = 12, 24, 5, 10
# What is not kept and takes longer is not waited for: it has a page of its own.
TOP_SECONDS = 0.5
# Of so few lines all resources are ranked at once. Of more, those with a tenth of the revenue are found fast.
ALL_RANKED_LINES, TOP_PERCENTILE = 100_000, 10
INGESTED = {"status__exact": DSR.Status.INGESTED}


def start_page(request: HttpRequest) -> dict[str, Any]:
    """All that the user may see."""
    may_see_dsrs, may_see_resources = _may_see(request, DSR), _may_see(request, Resource)
    page: dict[str, Any] = {"may_search": may_see_resources, "facts": []}
    if may_see_dsrs:
        page |= _statistics() | _latest()
    page["facts"] += _to_do(request)
    if may_see_dsrs and may_see_resources and page["line_count"]:
        page |= _top(page["line_count"])
    if _may_see(request, RejectedDelivery):
        page["rejected"] = list(RejectedDelivery.objects.all()[:RECENT])
    return page


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    return admin.site.get_model_admin(model).has_view_permission(request)


@dataclass
class Fact:
    """A number, and the list behind it."""

    name: str
    value: str
    address: str
    needs_care: bool = False


@dataclass
class Group:
    """What the DSRs of a territory or a period come to, and where they are listed."""

    name: str
    dsr_count: int
    line_count: int
    blank_isrc_count: int
    usages: int
    revenue_eur: Decimal
    address: str

    @property
    def cells(self) -> list[str]:
        counts = [grouped(self.dsr_count), grouped(self.line_count), grouped(self.usages), _cents(self.revenue_eur)]
        return [*counts, _share(self.blank_isrc_count, self.line_count)]


def _statistics() -> dict[str, Any]:
    territories = dsr_statistics(group_by=Grouping.TERRITORY)
    periods = dsr_statistics(group_by=Grouping.PERIOD)
    total = _group(_("All"), territories, INGESTED)
    by_revenue = sorted(territories, key=lambda one: (-one.revenue_eur, str(one.territory)))
    shown = [_group(str(one.territory), [one], _of_territory(one)) for one in by_revenue[:TERRITORIES]]
    if others := by_revenue[TERRITORIES:]:
        shown.append(_group(_("%s others") % len(others), others, INGESTED))
    latest = [_group(_period(one), [one], _of_period(one)) for one in periods[-PERIODS:]]
    names = ["DSRs", _("lines"), _("usages"), _("revenue in EUR"), _("% of lines without ISRC")]
    addresses = [total.address] * 4 + [_dsrs(**INGESTED, blank_isrc_count__gt=0)]
    return {
        "line_count": total.line_count,
        "facts": [Fact(*fact) for fact in zip(names, total.cells, addresses, strict=True)],
        "columns": names,
        "tables": [(_("By territory"), shown), (_("By period"), latest)] if total.dsr_count else [],
        "hidden_period_count": len(periods) - len(latest),
        "charts": {"territory": _chart(shown), "period": _chart(latest)},
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
        usages=sum(member.usages for member in members),
        revenue_eur=revenue,
        address=_dsrs(**query),
    )


def _of_territory(one: DSRStatistic) -> dict[str, Any]:
    return {**INGESTED, "territory__code_2__exact": one.territory}


def _of_period(one: DSRStatistic) -> dict[str, Any]:
    return {**INGESTED, "period_start": one.period_start, "period_end": one.period_end}


def _period(one: DSRStatistic) -> str:
    """A month by its name."""
    start, end = one.period_start, one.period_end
    if start and end and start.day == 1 and end == start.replace(day=monthrange(start.year, start.month)[1]):
        return f"{start:%Y-%m}"
    return f"{start} – {end}"


def _chart(groups: Iterable[Group]) -> list[dict[str, str | int]]:
    """Drawn, so rounded; the tables have the same numbers."""
    return [
        {"name": one.name, "usages": str(one.usages), "revenue": f"{one.revenue_eur:.2f}", "address": one.address}
        for one in groups
    ]


# --- What came last, and what needs somebody -------------------------------------------------------------------


def _latest() -> dict[str, Any]:
    dsrs = DSR.objects.select_related("imported_by").order_by("-id")
    return {"imports": list(dsrs.ingested()[:RECENT]), "failures": list(dsrs.failed()[:RECENT])}


def _to_do(request: HttpRequest) -> list[Fact]:
    facts = []
    if _may_see(request, DSR):
        failed = DSR.objects.failed().count()
        behind = catalogue_state()
        facts.append(Fact(_("failed DSRs"), grouped(failed), _dsrs(status__exact="failed"), needs_care=failed > 0))
        uncatalogued = _dsrs(**INGESTED, is_catalogued__exact=0)
        facts.append(Fact(_("DSRs to be registered"), grouped(behind.uncatalogued_count), uncatalogued))
        if behind.leftover_count:
            facts.append(Fact(_("deleted DSRs to be cleared up"), grouped(behind.leftover_count), _dsrs()))
    if _may_see(request, RejectedDelivery):
        rejected = RejectedDelivery.objects.count()
        facts.append(
            Fact(_("rejected deliveries"), grouped(rejected), _list("rejecteddelivery"), needs_care=rejected > 0)
        )
    if _may_see(request, ImportJob):
        facts += _jobs()
    return facts


def _jobs() -> list[Fact]:
    """Imports that wait for a worker or for somebody to confirm them."""
    open_jobs = ImportJob.objects.filter(state__in=ImportJob.OPEN).order_by("state")
    return [
        Fact(_("imports %s") % ImportJob.State(state).label, grouped(count), _list("importjob", state__exact=state))
        for state, count in open_jobs.values_list("state").annotate(Count("id"))
    ]


def _top(line_count: int) -> dict[str, Any]:
    percentile = 100 if line_count <= ALL_RANKED_LINES else TOP_PERCENTILE
    top = None
    # Where it is not ready in that time, a worker makes it.
    with suppress(OutOfTime, RankingNotReady), answered_within(TOP_SECONDS):
        top = resource_selectors.resource_top(percentile=percentile, scope=ALL, after=0, limit=TOP)
    address = reverse("admin:catalogue_resource_top", query={"percentile": TOP_PERCENTILE})
    return {"top": top and top_rows(top), "is_top_ready": top is not None, "top_address": address}


# --- How it reads ----------------------------------------------------------------------------------------------


def _dsrs(**query: Any) -> str:
    return _list("dsr", **query)


def _list(model: str, **query: Any) -> str:
    return reverse(f"admin:catalogue_{model}_changelist", query=query)


def _cents(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _share(part: int, whole: int) -> str:
    return f"{Decimal(100 * part) / whole:.2f}" if whole else "–"
