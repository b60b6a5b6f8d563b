"""The page of a recording: how it is reported, by which DSRs, and how much of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from catalogue.admin.cells import link, recording_link, revenue_kind, terms
from catalogue.dsrs.selectors import dsrs_by_id
from catalogue.lines.scope import ALL, Scope
from catalogue.models import DSR, Territory
from catalogue.resources.found import FoundResource, ResourceKey, ResourceSearch, ResourceSums
from catalogue.resources.reported import (
    ResourceDescription,
    ResourceReport,
    SumsByTerritory,
    reports_by_resource,
    resource_descriptions,
    resource_facts,
    resource_territories,
)
from catalogue.resources.same_isrc import IsrcSums, same_isrc
from catalogue.resources.selectors import resource_list
from dsrhub.pages.charts import Chart, Series
from dsrhub.values.cells import grouped, money, plain, rounded

# DSRs, descriptions of the resource in them, and line numbers for each description.
DSRS_ON_A_PAGE, DESCRIPTIONS_ON_A_PAGE, LINES_OF_A_DESCRIPTION = 200, 1000, 5
# Nobody can read more bars.
MOST_BARS = 30


def known_resource(key: ResourceKey) -> FoundResource | None:
    """Return the resource as the catalogue has it, or None before the catalogue refresh."""
    search = ResourceSearch(dsp_id=key.dsp_id, scope=Scope(dsp=key.dsp))
    same = resource_list(search=search, after=None, limit=1)
    return same[0] if same else None


def facts_of_messages(key: ResourceKey) -> list[tuple[str, str]]:
    """Return what only messages tell of a resource, by the labels of the page: each the most recent value."""
    facts = resource_facts(resources=[key], scope=Scope(dsp=key.dsp))[key]
    labelled = [
        ("ISWC", facts.iswc),
        (_("composers"), _listed(facts.composers)),
        (_("label"), facts.label),
        ("ICPN", facts.icpn),
        (_("all ISRCs"), _listed(facts.isrcs)),
    ]
    return [(label, value) for label, value in labelled if value]


def _listed(values: str | None) -> str | None:
    return None if values is None else ", ".join(values.split("|"))


@dataclass
class Reported:
    """The DSRs on a page of a resource, and the totals over all DSRs that report it, also by territory."""

    usages: str | None
    revenue_eur: SafeString | None
    territories: list[dict[str, Any]]
    charts: list[Chart]
    dsr_count: str
    rows: list[dict[str, Any]]
    isrcs: list["Origin"]
    is_cut: bool
    last: int | None


@dataclass
class Origin:
    """A value with the DSRs and lines that it comes from."""

    value: str
    line_count: int = 0
    dsrs: list[tuple[DSR, SafeString]] = field(default_factory=list)


def reported_on_page(key: ResourceKey, *, after: int | None) -> Reported:
    # Only DSRs of this DSP can report the resource.
    scope = Scope(dsp=key.dsp)
    sums = resource_territories(resource=key, scope=scope)
    reports = reports_by_resource(resources=[key], scope=scope, after=after, limit=DSRS_ON_A_PAGE + 1).get(key, [])
    descriptions = resource_descriptions(
        resource=key, scope=scope, after=after, limit=DESCRIPTIONS_ON_A_PAGE + 1, lines=LINES_OF_A_DESCRIPTION
    )
    shown = reports[:DSRS_ON_A_PAGE]
    dsrs = dsrs_by_id(report.dsr_id for report in shown)
    called = defaultdict(list)
    for description in descriptions[:DESCRIPTIONS_ON_A_PAGE]:
        if description.dsr_id in dsrs:
            called[description.dsr_id].append(description)
    known = (report for report in shown if report.dsr_id in dsrs)
    latest = sorted(known, key=lambda report: dsrs[report.dsr_id].recency)
    rows = [_report_row(dsrs[report.dsr_id], report, called[report.dsr_id]) for report in reversed(latest)]
    return Reported(
        usages=plain(sums.total.usages),
        revenue_eur=rounded(sums.total.revenue_eur),
        territories=_territory_rows(sums),
        charts=_territory_charts(sums),
        dsr_count=grouped(sums.total.report_count),
        rows=rows,
        isrcs=_isrc_origins(rows),
        is_cut=len(descriptions) > DESCRIPTIONS_ON_A_PAGE,
        last=shown[-1].dsr_id if len(reports) > len(shown) else None,
    )


def _chart(
    chart_id: str,
    title: str,
    revenues: Sequence[tuple[str, Decimal | None]],
    addresses: Sequence[str] = (),
    *,
    is_across: bool,
) -> Chart:
    """Return the revenue in EUR of each label as bars."""
    return Chart(
        chart_id=chart_id,
        title=title,
        labels=[label for label, _revenue_eur in revenues],
        series=[Series(name=title, values=[revenue_eur for _label, revenue_eur in revenues])],
        addresses=addresses,
        is_across=is_across,
        unit="EUR",
    )


# --- By territory ----------------------------------------------------------------------------------------------


def _by_revenue(sums: SumsByTerritory) -> list[tuple[str, ResourceSums]]:
    """Return the sums of the territories, the highest revenue first, and those without any last."""

    def revenue(one: tuple[str, ResourceSums]) -> tuple[bool, Decimal]:
        revenue_eur = one[1].revenue_eur
        return revenue_eur is not None, revenue_eur or Decimal(0)

    return sorted(sums.territories.items(), key=revenue, reverse=True)


def _territory_rows(sums: SumsByTerritory) -> list[dict[str, Any]]:
    territories = Territory.objects.in_bulk(sums.territories)
    return [
        {
            "code": code,
            "name": territories[code].shown_name,
            "usages": plain(of_territory.usages),
            "revenue_eur": rounded(of_territory.revenue_eur),
        }
        for code, of_territory in _by_revenue(sums)
    ]


def _territory_charts(sums: SumsByTerritory) -> list[Chart]:
    """Return the revenue of the first territories as bars. One bar would say nothing."""
    if len(sums.territories) <= 1:
        return []
    revenues = [(code, of_territory.revenue_eur) for code, of_territory in _by_revenue(sums)[:MOST_BARS]]
    return [_chart("own-by-territory", _("Revenue in EUR by territory"), revenues, is_across=True)]


# --- The same ISRC ---------------------------------------------------------------------------------------------


@dataclass
class SameIsrcElsewhere:
    """The recordings with the same ISRC, and the rows and bars of their sums by territory and by month."""

    isrc: str
    rows: list[dict[str, Any]]
    has_more: bool
    # For each table the heading of its groups, what it is called, and its rows.
    parts: list[tuple[str, str, list[dict[str, Any]]]]
    charts: list[Chart]


def same_isrc_elsewhere(known: FoundResource) -> SameIsrcElsewhere | None:
    """Return the recordings of all DSPs with the ISRC of this one; None if no other DSP has one."""
    isrc = known.isrc or ""
    same = same_isrc(isrcs=[isrc], scope=ALL)[isrc]
    if all(resource.dsp == known.dsp for resource in same.resources):
        return None
    territories = [_group(sums, sums.territory or "") for sums in same.territories]
    months = [_group(sums, sums.month or f"{sums.period_start} – {sums.period_end}") for sums in same.months]
    by_revenue = sorted(same.resources, key=_revenue, reverse=True)
    return SameIsrcElsewhere(
        isrc=isrc,
        rows=[_same_isrc_row(resource, known) for resource in by_revenue],
        has_more=same.has_more,
        parts=[
            (_("Territory"), _("All of them by territory"), territories),
            (_("Month"), _("All of them by month"), months),
        ],
        charts=[
            _group_chart("by-territory", _("Revenue in EUR of all of them by territory"), territories, is_across=True),
            _group_chart("by-month", _("Revenue in EUR of all of them by month"), months),
        ],
    )


def _revenue(resource: FoundResource) -> Decimal:
    return (resource.sums and resource.sums.revenue_eur) or Decimal(0)


def _same_isrc_row(resource: FoundResource, known: FoundResource) -> dict[str, Any]:
    return {
        "dsp": resource.dsp,
        "link": recording_link(resource),
        "is_this": resource.key == known.key,
        "usages": resource.sums and plain(resource.sums.usages),
        "revenue_eur": resource.sums and rounded(resource.sums.revenue_eur),
    }


def _group(sums: IsrcSums, name: str) -> dict[str, Any]:
    query = {"status__exact": "ingested"}
    if sums.territory is not None:
        query["territory__code_2__exact"] = sums.territory
    return {
        "name": name,
        "usages": plain(sums.usages),
        "revenue_eur": rounded(sums.revenue_eur),
        "sums": sums,
        "address": reverse("admin:catalogue_dsr_changelist", query=query),
    }


def _group_chart(chart_id: str, title: str, groups: list[dict[str, Any]], *, is_across: bool = False) -> Chart:
    revenues = [(group["name"], group["sums"].revenue_eur) for group in groups]
    return _chart(chart_id, title, revenues, [group["address"] for group in groups], is_across=is_across)


# --- The DSRs --------------------------------------------------------------------------------------------------


def _report_row(dsr: DSR, report: ResourceReport, descriptions: list[ResourceDescription]) -> dict[str, Any]:
    return {
        "dsr": dsr,
        "terms": f"{dsr.offer} · {terms(dsr)}" if dsr.message_id is not None else "",
        "revenue_kind": revenue_kind(dsr),
        "descriptions": [(description, _line_links(dsr, description)) for description in descriptions],
        "usages": plain(report.usages),
        "revenue": money(report.revenue, dsr.currency_id),
        "revenue_eur": rounded(report.revenue_eur),
    }


def _line_links(dsr: DSR, description: ResourceDescription) -> list[SafeString]:
    return [link(grouped(line), "dsr_lines", dsr.pk, after=line - 1) for line in description.lines]


def _isrc_origins(rows: Iterable[dict[str, Any]]) -> list[Origin]:
    """Return the ISRCs with the DSRs and lines that they come from. The ISRC with the most lines comes first."""
    origins: dict[str, Origin] = {}
    for row in rows:
        for description, lines in row["descriptions"]:
            if description.isrc is not None:
                origin = origins.setdefault(description.isrc, Origin(description.isrc))
                origin.line_count += description.line_count
                origin.dsrs.append((row["dsr"], lines))
    return sorted(origins.values(), key=attrgetter("line_count"), reverse=True)
