"""Statistics of DSRs, from the totals that each DSR and each of its use types have: no line is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import Count, DecimalField, Func, Sum
from django.db.models.functions import Coalesce

from catalogue.dsrs.selectors import EVERY_DSR, DSRSearch
from dsrhub.database.statements import rows_of


class Grouping(StrEnum):
    """The key by which DSRs are grouped."""

    TERRITORY = "territory"
    PERIOD = "period"
    OFFER = "offer"
    DSP = "dsp"
    CURRENCY = "currency"
    COMMERCIAL_MODEL = "commercial_model"
    USE_TYPE = "use_type"


COLUMNS = {
    Grouping.TERRITORY: ("territory",),
    Grouping.PERIOD: ("period_start", "period_end"),
    Grouping.OFFER: ("offer",),
    Grouping.DSP: ("dsp",),
    Grouping.CURRENCY: ("currency",),
    Grouping.COMMERCIAL_MODEL: ("commercial_model",),
    Grouping.USE_TYPE: ("use_type",),
}


@dataclass
class DSRStatistic:
    """The totals of the ingested DSRs of a group, and the key of the group. Amounts are exact.

    A commercial model or a use type of None is the group of the DSRs and the lines that have none.
    """

    dsr_count: int
    line_count: int
    blank_isrc_count: int
    usages: int
    revenue_eur: Decimal
    unallocated_revenue_eur: Decimal
    territory: str | None = None
    period_start: date | None = None
    period_end: date | None = None
    offer: str | None = None
    dsp: str | None = None
    currency: str | None = None
    commercial_model: str | None = None
    use_type: str | None = None

    @property
    def without_isrc_share(self) -> Decimal | None:
        """The share of lines without ISRC in per cent, to 4 decimals; None where there is no line."""
        return round(Decimal(100 * self.blank_isrc_count) / self.line_count, 4) if self.line_count else None


def dsr_statistics(*, group_by: Grouping, search: DSRSearch = EVERY_DSR) -> list[DSRStatistic]:
    """The groups, in no order. Amounts in EUR are those of whole DSRs, each rounded to 40 decimals.

    Groups of use types add up to the same totals, but a DSR with several use types is counted in each of them.
    """
    columns = COLUMNS[group_by]
    rows = _by_use_type(search) if group_by == Grouping.USE_TYPE else _by_columns(search, columns)
    return [
        DSRStatistic(dsrs, int(lines), int(without_isrc), int(usages), *eur, **dict(zip(columns, group, strict=True)))
        for (dsrs, lines, without_isrc, usages, *eur), group in rows
    ]


# The sums of a group, in the order of the fields of DSRStatistic, and its key.
Group = tuple[Sequence[Any], Sequence[Any]]


def _by_columns(search: DSRSearch, columns: Sequence[str]) -> Iterator[Group]:
    groups = search.dsrs().ingested().order_by(*columns).values(*columns)
    sums = groups.annotate(
        dsrs=Count("id"),
        lines=Sum("line_count"),
        without_isrc=Sum("blank_isrc_count"),
        usages=Sum("total_usages"),
        revenue_eur=_sum_of_eur("total_revenue"),
        unallocated_eur=_sum_of_eur("unallocated_revenue"),
    )
    names = ("dsrs", "lines", "without_isrc", "usages", "revenue_eur", "unallocated_eur")
    for row in sums.values_list(*names, *columns):
        yield row[: len(names)], row[len(names) :]


def _sum_of_eur(amount: str) -> Func:
    eur = Func(amount, "exchange_rate", function="catalogue_eur", output_field=DecimalField())
    return Func(Coalesce(Sum(eur), Decimal(0)), function="trim_scale", output_field=DecimalField())


# The part of each DSR that a use type has. The amounts in EUR of the parts of a DSR add up to that of the DSR: each is
# the difference between two running sums, which are rounded as the DSR is. Unallocated revenue is that of usages which
# are not in the report, so only the use type of the DSR itself is known.
BY_USE_TYPE = """
WITH dsr AS MATERIALIZED (SELECT * FROM catalogue_dsr WHERE id = ANY(%(ids)s) AND status = 'ingested'),
total AS MATERIALIZED (
    SELECT total.*, dsr.use_type AS dsr_use_type, unallocated_revenue, exchange_rate,
        catalogue_eur(sum(total.total_revenue) OVER parts, exchange_rate) AS running
    FROM dsr JOIN catalogue_usetypetotal AS total ON total.dsr_id = dsr.id
    WINDOW parts AS (PARTITION BY total.dsr_id ORDER BY total.id)
),
part AS (
    SELECT id, use_type, line_count, blank_isrc_count, total_usages,
        catalogue_eur(total_revenue, exchange_rate) AS eur, catalogue_eur(unallocated_revenue, exchange_rate) AS rest
    FROM dsr WHERE id NOT IN (SELECT dsr_id FROM total)
    UNION ALL
    SELECT dsr_id, use_type, line_count, blank_isrc_count, total_usages,
        running - lag(running, 1, 0.0) OVER (PARTITION BY dsr_id ORDER BY id), NULL
    FROM total
    UNION ALL
    SELECT DISTINCT dsr_id, dsr_use_type, 0, 0, 0, 0, catalogue_eur(unallocated_revenue, exchange_rate)
    FROM total WHERE unallocated_revenue <> 0
)
SELECT count(DISTINCT id), sum(line_count), sum(blank_isrc_count), sum(total_usages), trim_scale(sum(eur)),
    trim_scale(coalesce(sum(rest), 0)), use_type
FROM part GROUP BY use_type
"""


def _by_use_type(search: DSRSearch) -> Iterator[Group]:
    ids = list(search.dsrs().ingested().values_list("pk", flat=True))
    for *sums, use_type in rows_of(BY_USE_TYPE, ids=ids):
        yield sums, (use_type,)
