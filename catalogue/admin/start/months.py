"""Revenue and usages over time by DSP: the lines of the start page, and the tables beside them.

A DSR belongs to the month in which its whole period lies. A line has the DSRs of months only. The others, such as those
of a quarter, are in a row of their own at the end of the tables.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalogue.admin.cells import INGESTED, dsr_list
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.coverage import month_count, month_name, months_between
from catalogue.dsrs.statistics.groups import DSRStatistic, Grouping
from dsrhub.pages.charts import Chart, Series
from dsrhub.values.cells import grouped, plain, rounded
from dsrhub.values.numbers import exact_sum

# Nobody can tell more lines apart, or read a longer table.
MOST_DSPS, MOST_MONTHS = 7, 24


class Sums(NamedTuple):
    """What DSRs make together."""

    revenue_eur: Decimal
    usages: Decimal


def _sums(statistics: Sequence[DSRStatistic]) -> Sums | None:
    """None where there is no DSR: nothing is known, which is not zero."""
    if not statistics:
        return None
    return Sums(exact_sum(one.revenue_eur for one in statistics), exact_sum(one.usages for one in statistics))


@dataclass
class Months:
    """The sums of the DSPs with most revenue, and of the other ones together, by month and in no month.

    `cells` has a sum for each place in `names`; the last one is that of all DSPs. `months` has no gap in it. Earlier
    months with DSRs are hidden.
    """

    names: list[str]
    months: list[date]
    cells: dict[date | None, list[Sums | None]] = field(default_factory=dict)
    hidden_count: int = 0

    @property
    def has_others(self) -> bool:
        """Whether there are DSRs whose period lies in no month."""
        return None in self.cells


def months_by_dsp(statistics: Sequence[DSRStatistic]) -> Months:
    """The latest months of groups by period and DSP."""
    by_month: dict[date | None, list[DSRStatistic]] = defaultdict(list)
    for one in statistics:
        by_month[_month_of(one)].append(one)
    known = sorted(month for month in by_month if month)
    shown = _latest(known)
    dsps, other_count = _largest_dsps(statistics)
    rows = [*shown, None] if None in by_month else shown
    return Months(
        names=[*dsps, *([others_name(other_count)] if other_count else []), _("All")],
        months=shown,
        cells={month: _cells(by_month.get(month, []), dsps, has_others=other_count > 0) for month in rows},
        hidden_count=sum(month < shown[0] for month in known),
    )


def _month_of(statistic: DSRStatistic) -> date | None:
    """The month in which the whole period lies, as Grouping.MONTH has it; None if it lies in none."""
    start, end = statistic.period_start, statistic.period_end
    if start is None or end is None or month_name(start) != month_name(end):
        return None
    return start.replace(day=1)


def _latest(known: Sequence[date]) -> list[date]:
    """The months from the first to the last one with a DSR, without those that are MOST_MONTHS before the last one."""
    late = [month for month in known if month_count(month, known[-1]) <= MOST_MONTHS]
    return months_between(late[0], late[-1]) if late else []


def others_name(count: int) -> str:
    return ngettext("%(count)s other", "%(count)s others", count) % {"count": grouped(count)}


def _largest_dsps(statistics: Sequence[DSRStatistic]) -> tuple[list[str], int]:
    """The DSPs with most revenue, and the number of the other ones."""
    by_dsp: dict[str, list[Decimal]] = defaultdict(list)
    for one in statistics:
        by_dsp[str(one.dsp)].append(one.revenue_eur)
    ordered = sorted(by_dsp, key=lambda dsp: (-exact_sum(by_dsp[dsp]), dsp))
    return ordered[:MOST_DSPS], len(ordered[MOST_DSPS:])


def _cells(of_month: Sequence[DSRStatistic], dsps: Sequence[str], *, has_others: bool) -> list[Sums | None]:
    columns = [[one for one in of_month if one.dsp == dsp] for dsp in dsps]
    if has_others:
        columns.append([one for one in of_month if one.dsp not in dsps])
    return [_sums(column) for column in [*columns, of_month]]


# --- What the page shows ---------------------------------------------------------------------------------------


class MonthRow(NamedTuple):
    name: str
    address: str
    cells: list[Any]


class MonthTable(NamedTuple):
    """The table beside a chart."""

    table_id: str
    title: str
    rows: list[MonthRow]


# What each chart and its table show: the id, the title, the field of the sums, and the unit.
MEASURES = (
    ("revenue-by-month", gettext_lazy("Revenue in EUR by month and DSP"), "revenue_eur", "EUR"),
    ("usages-by-month", gettext_lazy("Usages by month and DSP"), "usages", ""),
)


def month_charts(months: Months, search: DSRSearch, filters: Mapping[str, Any]) -> list[Chart]:
    """A line for each DSP; none for all of them together, which would dwarf the others."""
    if not months.months:
        return []
    return [
        Chart(
            chart_id=chart_id,
            title=str(title),
            labels=[month_name(month) for month in months.months],
            series=[
                Series(name=name, values=[_value(months.cells[month][place], measure) for month in months.months])
                for place, name in enumerate(months.names[:-1])
            ],
            addresses=[_address(month, search, filters) for month in months.months],
            unit=unit,
            is_line=True,
        )
        for chart_id, title, measure, unit in MEASURES
    ]


def month_tables(months: Months, search: DSRSearch, filters: Mapping[str, Any]) -> list[MonthTable]:
    """The last row of a table has the DSRs that lie in no month."""
    return [
        MonthTable(
            f"{chart_id}-table",
            str(title),
            [
                MonthRow(
                    month_name(month) if month else _("In no single month"),
                    _address(month, search, filters),
                    [_cell(_value(sums, measure), measure) for sums in cells],
                )
                for month, cells in months.cells.items()
            ],
        )
        for chart_id, title, measure, _unit in MEASURES
    ]


def _value(sums: Sums | None, measure: str) -> Decimal | None:
    return None if sums is None else getattr(sums, measure)


def _cell(value: Decimal | None, measure: str) -> str | None:
    return rounded(value) if measure == "revenue_eur" else plain(value)


def _address(month: date | None, search: DSRSearch, filters: Mapping[str, Any]) -> str:
    """The list of the DSRs of a month. Those in no month are among the rows of the breakdown by month."""
    if month is None:
        chosen = {name: getattr(search, name) for name in ("dsp", "territory", "period_start", "period_end")}
        query = {name: value for name, value in chosen.items() if value}
        return reverse("admin:catalogue_dsr_breakdown", query={"by": Grouping.MONTH.value, **query})
    last = month.replace(day=monthrange(month.year, month.month)[1])
    days = {
        "period_start__gte": max(month, search.period_start or month),
        "period_end__lte": min(last, search.period_end or last),
    }
    return dsr_list(**{**INGESTED, **filters, **days})
