"""Statistics of DSRs, from the totals that each DSR and each of its use types have: no line is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter

from catalogue.dsrs.selectors import EVERY_DSR, DSRSearch
from dsrhub.database.statements import rows_of
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import ratio

MOST_GROUPINGS = 2


class Grouping(StrEnum):
    """The key by which DSRs are grouped."""

    TERRITORY = "territory"
    PERIOD = "period"
    OFFER = "offer"
    DSP = "dsp"
    CURRENCY = "currency"
    COMMERCIAL_MODEL = "commercial_model"
    USE_TYPE = "use_type"
    SOCIETY = "society"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


# The columns of a group in an answer, and what they are of a DSR.
COLUMNS = {
    Grouping.TERRITORY: {"territory": "territory_id"},
    Grouping.PERIOD: {"period_start": "period_start", "period_end": "period_end"},
    Grouping.OFFER: {"offer": "offer"},
    Grouping.DSP: {"dsp": "dsp"},
    Grouping.CURRENCY: {"currency": "currency_id"},
    Grouping.COMMERCIAL_MODEL: {"commercial_model": "commercial_model"},
    Grouping.USE_TYPE: {"use_type": "part.use_type"},
    Grouping.SOCIETY: {"society": "society"},
}
# How a month, a quarter and a year are called. A DSR belongs to the one in which its whole period lies.
LABELS = {Grouping.MONTH: "YYYY-MM", Grouping.QUARTER: 'YYYY-"Q"Q', Grouping.YEAR: "YYYY"}


@dataclass
class DSRStatistic:
    """The totals of the ingested DSRs of a group, and the key of the group. Amounts are exact.

    A society, commercial model or use type of None is the group of the DSRs and the lines that have none. Where a
    period lies in no month, quarter or year, its days are the key instead. What lines without ISRC have is None until
    a worker has counted it.
    """

    dsr_count: int
    line_count: int
    blank_isrc_count: int
    usages: Decimal
    revenue_eur: Decimal
    unallocated_revenue_eur: Decimal
    blank_isrc_usages: Decimal | None
    blank_isrc_revenue_eur: Decimal | None
    # As of a DSR, or "mixed".
    revenue_kind: str
    territory: str | None = None
    period_start: date | None = None
    period_end: date | None = None
    offer: str | None = None
    dsp: str | None = None
    currency: str | None = None
    commercial_model: str | None = None
    use_type: str | None = None
    society: str | None = None
    month: str | None = None
    quarter: str | None = None
    year: str | None = None
    # One text for all columns of the group, by which groups are ordered: what is missing comes first.
    key: str = ""

    @property
    def without_isrc_share(self) -> Decimal | None:
        """The share of lines without ISRC in per cent, to 4 decimals; None where there is no line."""
        return round(Decimal(100 * self.blank_isrc_count) / self.line_count, 4) if self.line_count else None

    @property
    def revenue_eur_per_1000_usages(self) -> Decimal | None:
        """To 12 decimals, as all quotients; None where there are no usages."""
        return ratio(self.revenue_eur, self.usages, times=1000)

    @property
    def blank_isrc_percent(self) -> Decimal | None:
        return ratio(self.blank_isrc_count, self.line_count, times=100)

    @property
    def blank_isrc_usages_percent(self) -> Decimal | None:
        return None if self.blank_isrc_usages is None else ratio(self.blank_isrc_usages, self.usages, times=100)

    @property
    def blank_isrc_revenue_percent(self) -> Decimal | None:
        blank = self.blank_isrc_revenue_eur
        return None if blank is None else ratio(blank, self.revenue_eur, times=100)


def dsr_statistics(*, group_by: Sequence[Grouping], search: DSRSearch = EVERY_DSR) -> list[DSRStatistic]:
    """The groups, ordered by their keys. Amounts in EUR are those of whole DSRs, each rounded to 40 decimals.

    Groups of use types add up to the same totals, but a DSR with several use types is counted in each of them. Of a
    `use_type` in the search, only the lines are added up that have it.

    Raises InvalidArgument unless there are one or two different groupings.
    """
    if not 1 <= len(group_by) <= MOST_GROUPINGS or len(set(group_by)) < len(group_by):
        raise InvalidArgument(_("Group by one or two different columns."), argument="group_by")
    columns = group_expressions(group_by)
    parts = BY_USE_TYPE if Grouping.USE_TYPE in group_by or search.use_type is not None else WHOLE
    statement = SUMS.format(
        parts=parts,
        columns="".join(f", {sql} AS {name}" for name, sql in columns.items()),
        keys=", ".join(str(SUM_COUNT + number) for number in range(1, len(columns) + 1)),
    )
    ids = list(search.dsrs().ingested().order_by().values_list("pk", flat=True))
    rows = rows_of(statement, ids=ids, use_type=search.use_type)
    statistics = []
    for row in rows:
        statistic = DSRStatistic(*row[:SUM_COUNT], **dict(zip(columns, row[SUM_COUNT:], strict=True)))
        statistic.key = _key(row[SUM_COUNT:])
        statistics.append(statistic)
    return sorted(statistics, key=attrgetter("key"))


def _key(values: Iterable[object]) -> str:
    return "\t".join("" if value is None else str(value) for value in values)


def group_columns(group_by: Sequence[Grouping]) -> list[str]:
    """The fields of DSRStatistic that are the key of these groups."""
    return [*group_expressions(group_by)]


def group_expressions(group_by: Sequence[Grouping]) -> dict[str, str]:
    """These fields, and what they are of a row of `catalogue_dsr` in SQL."""
    labels = {grouping.value: _label(grouping) for grouping in group_by if grouping in LABELS}
    columns: dict[str, str] = {}
    for grouping in group_by:
        columns |= COLUMNS.get(grouping) or {grouping.value: labels[grouping.value]}
    if labels and Grouping.PERIOD not in group_by:
        is_in_none = " OR ".join(f"{label} IS NULL" for label in labels.values())
        columns |= {day: f"CASE WHEN {is_in_none} THEN {day} END" for day in ("period_start", "period_end")}
    return columns


def _label(grouping: Grouping) -> str:
    start, end = (f"date_trunc('{grouping.value}', {day})" for day in ("period_start", "period_end"))
    return f"CASE WHEN {start} = {end} THEN to_char(period_start, '{LABELS[grouping]}') END"


# A part of a DSR: its rows have an id of the DSR, and what to add up.
WHOLE = """
SELECT id, use_type, line_count, blank_isrc_count, total_usages AS usages, blank_isrc_usages AS blank_usages,
    catalogue_eur(total_revenue, exchange_rate) AS eur, catalogue_eur(blank_isrc_revenue, exchange_rate) AS blank_eur,
    catalogue_eur(unallocated_revenue, exchange_rate) AS rest
FROM dsr
"""
# The part of each DSR that a use type has. The amounts in EUR of the parts of a DSR add up to that of the DSR: each is
# the difference between two running sums, which are rounded as the DSR is. Unallocated revenue is that of usages which
# are not in the report, so only the use type of the DSR itself is known.
BY_USE_TYPE = """
SELECT * FROM (
    SELECT id, use_type, line_count, blank_isrc_count, total_usages AS usages, blank_isrc_usages AS blank_usages,
        catalogue_eur(total_revenue, exchange_rate) AS eur,
        catalogue_eur(blank_isrc_revenue, exchange_rate) AS blank_eur,
        catalogue_eur(unallocated_revenue, exchange_rate) AS rest
    FROM dsr WHERE NOT EXISTS (SELECT FROM catalogue_usetypetotal WHERE dsr_id = dsr.id)
    UNION ALL
    SELECT dsr_id, use_type, line_count, blank_isrc_count, total_usages, blank_isrc_usages,
        running - lag(running, 1, 0.0) OVER parts, blank_running - lag(blank_running, 1, 0.0) OVER parts, NULL
    FROM (
        SELECT total.*, catalogue_eur(sum(total.total_revenue) OVER parts, exchange_rate) AS running,
            catalogue_eur(sum(total.blank_isrc_revenue) OVER parts, exchange_rate) AS blank_running
        FROM dsr JOIN catalogue_usetypetotal AS total ON total.dsr_id = dsr.id
        WINDOW parts AS (PARTITION BY total.dsr_id ORDER BY total.id)
    ) AS total
    WINDOW parts AS (PARTITION BY dsr_id ORDER BY id)
    UNION ALL
    SELECT id, use_type, 0, 0, 0, 0, 0, 0, catalogue_eur(unallocated_revenue, exchange_rate)
    FROM dsr WHERE unallocated_revenue <> 0 AND EXISTS (SELECT FROM catalogue_usetypetotal WHERE dsr_id = dsr.id)
) AS part
WHERE %(use_type)s::text IS NULL OR use_type = %(use_type)s
"""
# The sums of a group are in the order of the fields of DSRStatistic. Where a part is not counted yet, nor is the group.
SUMS = """
WITH dsr AS MATERIALIZED (SELECT * FROM catalogue_dsr WHERE id = ANY(%(ids)s) AND status = 'ingested'),
part AS ({parts})
SELECT count(DISTINCT id), sum(line_count)::bigint, sum(part.blank_isrc_count)::bigint, sum(usages),
    trim_scale(sum(eur)), trim_scale(coalesce(sum(rest), 0)),
    CASE WHEN count(blank_usages) = count(*) THEN sum(blank_usages) END,
    CASE WHEN count(blank_eur) = count(*) THEN trim_scale(sum(blank_eur)) END,
    CASE WHEN count(DISTINCT coalesce(revenue_kind, 'reported')) = 1 THEN min(coalesce(revenue_kind, 'reported'))
        ELSE 'mixed' END
    {columns}
FROM part JOIN (
    SELECT id, territory_id, currency_id, dsp, offer, society, period_start, period_end, commercial_model, revenue_kind
    FROM dsr
) AS dsr USING (id)
GROUP BY {keys}
"""
SUM_COUNT = 9
