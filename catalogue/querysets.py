"""Adjectives of DSRs and their lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Func

if TYPE_CHECKING:
    from catalogue.models import DSR, UsageLine  # noqa: F401 - named in a base class
    from catalogue.parsing import ReportName

# Of a report: its lines follow.
HEADER_LINE = 1


class DSRQuerySet(models.QuerySet["DSR"]):
    def ingested(self) -> Self:
        """The DSRs that count. Every question about lines starts here: what is not ingested is not there."""
        return self.filter(status="ingested")

    def catalogued(self, dsp: str) -> Self:
        """The ingested DSRs of a DSP whose resources are registered."""
        return self.ingested().filter(dsp=dsp, is_catalogued=True)

    def uncatalogued(self) -> Self:
        """The ingested DSRs whose resources are still to be registered."""
        return self.ingested().filter(is_catalogued=False)

    def failed(self) -> Self:
        return self.filter(status="failed")

    def described(self) -> Self:
        """With their territory and currency, and `total_revenue_eur`."""
        eur = Func("total_revenue", "exchange_rate", function="catalogue_eur")
        return self.select_related("territory__local_currency", "currency").annotate(
            total_revenue_eur=Func(eur, function="trim_scale")
        )

    def within(self, *, start: date | None = None, end: date | None = None) -> Self:
        """Those whose whole period lies between the two days, both included."""
        bounds = {"period_start__gte": start, "period_end__lte": end}
        return self.filter(**{lookup: day for lookup, day in bounds.items() if day is not None})

    def under_key(self, name: ReportName) -> Self:
        """Those under the key of a report: at most one of them is ingested."""
        return self.beside_period(name).filter(period_start=name.period_start, period_end=name.period_end)

    def overlapping(self, name: ReportName) -> Self:
        """Those under the key of a report but for the period, which shares a day with it."""
        return self.beside_period(name).filter(period_start__lte=name.period_end, period_end__gte=name.period_start)

    def beside_period(self, name: ReportName) -> Self:
        society = {"society__isnull": True} if name.society is None else {"society": name.society}
        return self.filter(
            dsp=name.dsp, offer=name.offer, territory_id=name.territory, currency_id=name.currency, **society
        )


class UsageLineQuerySet(models.QuerySet["UsageLine"]):
    def of(self, dsrs: Iterable[DSR]) -> Self:
        """The lines of some DSRs. Naming the partitions too lets the database leave the others alone."""
        dsrs = list(dsrs)
        return self.filter(dsr__in=[dsr.pk for dsr in dsrs], partition__in={dsr.partition for dsr in dsrs})

    def after(self, line_number: int, *, limit: int) -> Self:
        """The next lines of one DSR behind a line.

        Line numbers have no gaps, so a page is a range, which costs the same anywhere in the largest DSR.
        """
        line_number = max(line_number, HEADER_LINE)
        return self.filter(line_number__gt=line_number, line_number__lte=line_number + limit)
