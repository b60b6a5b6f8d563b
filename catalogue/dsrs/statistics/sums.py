"""The sums of any DSRs or earlier versions, from the totals that each of them has: no line is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Count, Func, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Cast, Coalesce

from catalogue.models import DSR
from catalogue.querysets import revenue_eur
from dsrhub.values.fields import NumericField
from dsrhub.values.numbers import exact_sum

INGESTED = Q(status="ingested")


class CurrencySums(NamedTuple):
    """The sums of the ingested DSRs of one currency, and how many have failed. Amounts are exact.

    Only DSRs of messages have declared and unallocated revenue.
    """

    currency: str
    dsr_count: int
    failed_count: int
    line_count: int
    usages: Decimal
    revenue: Decimal
    revenue_eur: Decimal
    declared_revenue: Decimal
    unallocated_revenue: Decimal


@dataclass(frozen=True)
class Sums:
    """The sums of all DSRs. `currencies` are in the order of their codes."""

    currencies: Sequence[CurrencySums]

    @property
    def dsr_count(self) -> int:
        return sum(one.dsr_count for one in self.currencies)

    @property
    def failed_count(self) -> int:
        return sum(one.failed_count for one in self.currencies)

    @property
    def line_count(self) -> int:
        return sum(one.line_count for one in self.currencies)

    @property
    def usages(self) -> Decimal:
        return exact_sum(one.usages for one in self.currencies)

    @property
    def revenue_eur(self) -> Decimal:
        return exact_sum(one.revenue_eur for one in self.currencies)


def dsr_sums(dsrs: QuerySet) -> Sums:
    """The sums of these DSRs or earlier versions, by one query.

    Revenue in EUR is that of whole DSRs, each rounded to 40 decimals, as in `dsr_statistics`.
    """
    rows = (
        dsrs.order_by("currency")
        .values_list("currency")
        .annotate(
            dsr_count=Count("pk", filter=INGESTED),
            failed_count=Count("pk", filter=~INGESTED),
            lines=Cast(_sum("line_count"), BigIntegerField()),
            usages=_sum("total_usages"),
            revenue=_sum("total_revenue"),
            revenue_eur=Func(_sum(revenue_eur()), function="trim_scale"),
            declared=_sum("declared_revenue"),
            unallocated=_sum("unallocated_revenue"),
        )
    )
    return Sums([CurrencySums._make(row) for row in rows])


def _sum(expression: str | Func) -> Coalesce:
    return Coalesce(Sum(expression, filter=INGESTED), 0, output_field=NumericField())


def with_dsr_sums(rows: QuerySet[Any], key: str) -> QuerySet[Any]:
    """The rows with `ingested_count`, `line_count` and `total_revenue_eur`: sums of the ingested DSRs of each.

    A DSR names its row in the field `key`. These are subqueries, not a join: only the rows of a page are added up.
    """
    dsrs = DSR.objects.ingested().filter(**{key: OuterRef("pk")}).order_by().values(key)
    lines = dsrs.annotate(sum=Cast(Sum("line_count"), BigIntegerField())).values("sum")
    eur = dsrs.annotate(sum=Func(Sum(revenue_eur()), function="trim_scale")).values("sum")
    described: QuerySet[Any] = rows.annotate(
        ingested_count=Coalesce(Subquery(dsrs.annotate(count=Count("pk")).values("count")), 0),
        line_count=Coalesce(Subquery(lines), 0),
        total_revenue_eur=Coalesce(Subquery(eur), Value(Decimal(0), NumericField())),
    )
    return described
