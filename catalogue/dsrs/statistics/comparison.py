"""Comparison of two months, quarters or years, by what the DSRs of each have in common."""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Protocol, Self

from catalogue.dsrs.selectors import EVERY_DSR, DSRSearch
from catalogue.dsrs.statistics.coverage import State, coverage
from catalogue.dsrs.statistics.groups import DSRStatistic, Grouping, dsr_statistics
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import difference, ratio

# What series of DSRs have, too: so it is known whether a group is complete.
GROUPINGS = (Grouping.DSP, Grouping.OFFER, Grouping.SOCIETY, Grouping.TERRITORY, Grouping.CURRENCY)
PREVIOUS, YEAR_BEFORE = "previous", "year_before"
PERIOD = re.compile(r"(?P<year>(?!0000)[0-9]{4})(?:-(?:(?P<month>0[1-9]|1[0-2])|Q(?P<quarter>[1-4])))?")
PERIOD_PATTERN = r"(?!0000)[0-9]{4}(-(0[1-9]|1[0-2]|Q[1-4]))?"
YEAR, QUARTER = 12, 3


@dataclass(frozen=True)
class Period:
    """A calendar month, quarter or year: its first month, counted from year 0, and its number of months."""

    first_month: int
    month_count: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The period with a name such as 2020-01, 2020-Q1 or 2020; None for any other text."""
        match = PERIOD.fullmatch(text)
        if match is None:
            return None
        months = int(match["year"]) * YEAR
        if match["month"]:
            return cls(months + int(match["month"]) - 1, 1)
        if match["quarter"]:
            return cls(months + (int(match["quarter"]) - 1) * QUARTER, QUARTER)
        return cls(months, YEAR)

    def __str__(self) -> str:
        year, month = self.first_month // YEAR, self.first_month % YEAR + 1
        names = {1: f"{year:04}-{month:02}", QUARTER: f"{year:04}-Q{month // QUARTER + 1}", YEAR: f"{year:04}"}
        return names[self.month_count]

    @property
    def start(self) -> date:
        return date(self.first_month // YEAR, self.first_month % YEAR + 1, 1)

    @property
    def end(self) -> date:
        """The last day."""
        last = self.first_month + self.month_count - 1
        year, month = last // YEAR, last % YEAR + 1
        return date(year, month, monthrange(year, month)[1])

    def earlier(self, months: int) -> "Period":
        """Raises InvalidArgument where there is no such period in the calendar."""
        if self.first_month - months < YEAR:
            raise InvalidArgument(_("There is no earlier period."), argument="with")
        return replace(self, first_month=self.first_month - months)

    def narrow(self, search: DSRSearch) -> DSRSearch:
        """The search for those of its DSRs whose whole period lies in this one. Its own days are not used."""
        return replace(search, period_start=self.start, period_end=self.end)


class Sums(Protocol):
    """What something has in a period. What has no value is None."""

    @property
    def usages(self) -> Decimal | int | None: ...

    @property
    def revenue_eur(self) -> Decimal | None: ...


class Change:
    """What changed from `before` to `now`, either of which may be None.

    What is not there counts as 0 in a difference. A change in per cent is rounded half-even to 12 decimals, and None
    where there was nothing before. No number has zeros at the end of its decimals.
    """

    now: Sums | None
    before: Sums | None

    @cached_property
    def usages_difference(self) -> Decimal:
        return difference(_usages(self.now), _usages(self.before))

    @cached_property
    def revenue_difference(self) -> Decimal:
        return difference(_revenue(self.now), _revenue(self.before))

    @property
    def usages_percent(self) -> Decimal | None:
        return ratio(self.usages_difference, _usages(self.before), times=100)

    @property
    def revenue_percent(self) -> Decimal | None:
        return ratio(self.revenue_difference, _revenue(self.before), times=100)


def _usages(sums: Sums | None) -> Decimal:
    return Decimal(sums.usages or 0) if sums else Decimal(0)


def _revenue(sums: Sums | None) -> Decimal:
    return sums.revenue_eur or Decimal(0) if sums else Decimal(0)


@dataclass
class Compared(Change):
    """A group in both periods: `now` or `before` is None where it has no DSRs there.

    `incomplete_now` and `incomplete_before` are the months for which a series of the group is not ingested completely.
    """

    grouping: Grouping
    name: str | None
    now: DSRStatistic | None
    before: DSRStatistic | None
    incomplete_now: list[str]
    incomplete_before: list[str]

    @property
    def key(self) -> str:
        return self.name or ""


def earlier_period(period: Period, text: str) -> Period:
    """The period to compare with: PREVIOUS, YEAR_BEFORE, or a name as of the period itself.

    Raises InvalidArgument for a text that is none of them, and for a period that is not as long.
    """
    if text == PREVIOUS:
        return period.earlier(period.month_count)
    if text == YEAR_BEFORE:
        return period.earlier(YEAR)
    other = Period.parse(text)
    if other is None:
        raise InvalidArgument(_("Must be previous, year_before, or a period such as 2020-01."), argument="with")
    if other.month_count != period.month_count:
        raise InvalidArgument(
            _("Compare a month with a month, a quarter with a quarter, a year with a year."), argument="with"
        )
    return other


def comparison(*, by: Grouping, period: Period, other: Period, search: DSRSearch = EVERY_DSR) -> list[Compared]:
    """The groups of both periods, ordered by name. Only DSRs whose whole period lies in one of them are compared.

    `by` is one of GROUPINGS. The days of `search` are not used.
    """
    now, before = (_groups(by, one, search) for one in (period, other))
    incomplete_now, incomplete_before = (incomplete_months(by, one, search) for one in (period, other))
    return [
        Compared(
            by,
            name,
            now.get(name),
            before.get(name),
            incomplete_now.get(name, []),
            incomplete_before.get(name, []),
        )
        for name in sorted(now.keys() | before.keys(), key=lambda name: name or "")
    ]


def _groups(by: Grouping, period: Period, search: DSRSearch) -> dict[str | None, DSRStatistic]:
    return {getattr(one, by): one for one in dsr_statistics(group_by=[by], search=period.narrow(search))}


def incomplete_months(by: Grouping, period: Period, search: DSRSearch) -> Mapping[str | None, list[str]]:
    """For each group, the months of the period for which one of its series is not ingested completely."""
    everything = replace(search, period_start=None, period_end=None)
    months: dict[str | None, set[str]] = {}
    for series in coverage(first=period.start, last=period.end, search=everything):
        not_whole = {month for month, one in series.months.items() if one.state != State.INGESTED}
        months.setdefault(getattr(series, by), set()).update(not_whole)
    return {name: sorted(names) for name, names in months.items()}
