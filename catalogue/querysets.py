"""Adjectives of DSRs and their lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models
from django.db.models import Func

from catalogue.exceptions import PeriodReversed
from dsrhub.texts.marked import gettext_lazy as _

if TYPE_CHECKING:
    from catalogue.models import DSR, SupersededDSR, UsageLine  # noqa: F401 - named in a base class
    from catalogue.reports.contexts import SalesContext


def require_order(*, start: date | None, end: date | None, argument: str) -> None:
    """Raise PeriodReversed, with the name of the argument of the end, where a range of days ends before it starts."""
    if start is not None and end is not None and start > end:
        raise PeriodReversed(
            _("The range ends before it starts: %(start)s to %(end)s.") % {"start": start, "end": end},
            argument=argument,
        )


def revenue_eur() -> Func:
    """The revenue of a row with the totals of a DSR, in EUR at its own rate."""
    return Func("total_revenue", "exchange_rate", function="catalogue_eur")


Report = TypeVar("Report", bound=models.Model)


class KeyedQuerySet(models.QuerySet[Report]):
    """Rows with the key of a DSR."""

    def near(self, contexts: Collection[SalesContext]) -> Self:
        """The DSRs that may be under the keys of these contexts: compare their `context`."""
        return self.filter(
            dsp__in={context.dsp for context in contexts},
            period_start__in={context.period_start for context in contexts},
            period_end__in={context.period_end for context in contexts},
            territory__in={context.territory for context in contexts},
        )

    def with_revenue_eur(self) -> Self:
        """With `total_revenue_eur`: rounded half-even to 40 decimals, and None for a failed DSR."""
        return self.annotate(total_revenue_eur=Func(revenue_eur(), function="trim_scale"))


class DSRQuerySet(KeyedQuerySet["DSR"]):
    def ingested(self) -> Self:
        """The DSRs that answers are made of. Every question about lines starts here."""
        return self.filter(status="ingested")

    def catalogued(self, dsp: str) -> Self:
        """The ingested DSRs of a DSP whose resources are registered."""
        return self.ingested().filter(dsp=dsp, is_catalogued=True)

    def uncatalogued(self) -> Self:
        """The ingested DSRs whose resources are not registered yet."""
        return self.ingested().filter(is_catalogued=False)

    def failed(self) -> Self:
        return self.filter(status="failed")

    def described(self) -> Self:
        """With their territory and currency, and `total_revenue_eur`."""
        return self.select_related("territory__local_currency", "currency").with_revenue_eur()

    def within(self, *, start: date | None = None, end: date | None = None) -> Self:
        """The DSRs whose whole period lies between the two days, both included."""
        bounds = {"period_start__gte": start, "period_end__lte": end}
        return self.filter(**{lookup: day for lookup, day in bounds.items() if day is not None})

    def with_revenue(self, kind: str) -> Self:
        """The DSRs whose revenue is of this kind, as `DSR.shown_revenue_kind` tells it."""
        of_kind = self.filter(revenue_kind=kind)
        return of_kind | self.ingested().filter(revenue_kind=None) if kind == "reported" else of_kind

    def overlapping(self, contexts: Collection[SalesContext]) -> dict[SalesContext, list[str]]:
        """The file names of the DSRs of the same key but for the period, whose periods share a day, by context."""
        near = self.filter(
            dsp__in={context.dsp for context in contexts},
            period_start__lte=max(context.period_end for context in contexts),
            period_end__gte=min(context.period_start for context in contexts),
        )
        others: dict[SalesContext, list[DSR]] = defaultdict(list)
        for dsr in near.order_by("id"):
            others[dsr.context.beside_period].append(dsr)
        return {
            context: [
                dsr.path
                for dsr in others[context.beside_period]
                if dsr.period_start <= context.period_end and dsr.period_end >= context.period_start
            ]
            for context in contexts
        }


class SupersededQuerySet(KeyedQuerySet["SupersededDSR"]):
    def described(self) -> Self:
        """With their territory and currency, and `total_revenue_eur`."""
        return self.select_related("territory__local_currency", "currency").with_revenue_eur()

    def under(self, contexts: Collection[SalesContext]) -> list[SupersededDSR]:
        """The superseded DSRs under the keys of these contexts, the latest one first."""
        keys = set(contexts)
        return [version for version in self.near(contexts).order_by("-superseded_at", "-id") if version.context in keys]


class UsageLineQuerySet(models.QuerySet["UsageLine"]):
    def of(self, dsrs: Iterable[DSR]) -> Self:
        """The lines of some DSRs. Naming the partitions too lets the database leave the others alone."""
        dsrs = list(dsrs)
        return self.filter(dsr__in=[dsr.pk for dsr in dsrs], partition__in={dsr.partition for dsr in dsrs})
