"""Statistics of DSRs, from the totals that each DSR has: no line is read."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from django.db.models import Count, DecimalField, Func, Sum

from catalogue.dsrs.selectors import EVERY_DSR, DSRSearch
from catalogue.models import DSR


class Grouping(StrEnum):
    """The key by which DSRs are grouped."""

    TERRITORY = "territory"
    PERIOD = "period"
    OFFER = "offer"
    DSP = "dsp"
    CURRENCY = "currency"


COLUMNS = {
    Grouping.TERRITORY: ("territory",),
    Grouping.PERIOD: ("period_start", "period_end"),
    Grouping.OFFER: ("offer",),
    Grouping.DSP: ("dsp",),
    Grouping.CURRENCY: ("currency",),
}


@dataclass
class DSRStatistic:
    """The totals of the ingested DSRs of a group, and the key of the group. `revenue_eur` is exact."""

    dsr_count: int
    line_count: int
    blank_isrc_count: int
    usages: int
    revenue_eur: Decimal
    territory: str | None = None
    period_start: date | None = None
    period_end: date | None = None
    offer: str | None = None
    dsp: str | None = None
    currency: str | None = None

    @property
    def without_isrc_share(self) -> Decimal | None:
        """The share of lines without ISRC in per cent, to 4 decimals; None where there is no line."""
        return round(Decimal(100 * self.blank_isrc_count) / self.line_count, 4) if self.line_count else None


def dsr_statistics(*, group_by: Grouping, search: DSRSearch = EVERY_DSR) -> list[DSRStatistic]:
    """The groups in the order of their keys. Amounts in EUR are those of whole DSRs, each rounded to 40 decimals."""
    columns = COLUMNS[group_by]
    eur = Func("total_revenue", "exchange_rate", function="catalogue_eur", output_field=DecimalField())
    groups = search.dsrs().filter(status=DSR.Status.INGESTED).order_by(*columns).values(*columns)
    sums = groups.annotate(
        dsrs=Count("id"),
        lines=Sum("line_count"),
        without_isrc=Sum("blank_isrc_count"),
        usages=Sum("total_usages"),
        revenue_eur=Func(Sum(eur), function="trim_scale", output_field=DecimalField()),
    )
    rows = sums.values_list("dsrs", "lines", "without_isrc", "usages", "revenue_eur", *columns)
    return [
        DSRStatistic(dsrs, int(lines), int(without_isrc), int(usages), eur, **dict(zip(columns, group, strict=True)))
        for dsrs, lines, without_isrc, usages, eur, *group in rows
    ]
