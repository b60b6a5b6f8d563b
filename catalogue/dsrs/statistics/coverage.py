"""Coverage: which months of each series of DSRs are delivered, and which are not."""

import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from django.conf import settings
from django.db.models import Max, TextChoices
from django.utils import timezone, translation

from catalogue.dsrs.selectors import EVERY_DSR, DSRSearch
from catalogue.models import DSR
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _

MOST_MONTHS = 120
MONTH_PATTERN = "[0-9]{4}-(0[1-9]|1[0-2])"
# A series has ended when nothing came for this many months. Then nothing is late.
MONTHS_EXPECTED = 12


class State(TextChoices):
    """What a series has for a month."""

    INGESTED = "ingested", translation.gettext_lazy("ingested")
    PARTIAL = "partial", translation.gettext_lazy("partial")
    OVERLAPPED = "overlapped", translation.gettext_lazy("overlapped")
    FAILED = "failed", translation.gettext_lazy("failed")
    MISSING = "missing", translation.gettext_lazy("missing")
    LATE = "late", translation.gettext_lazy("late")


GAPS = (State.MISSING, State.LATE)


@dataclass(frozen=True)
class CoveredMonth:
    """`dsrs` are the ids of the ingested DSRs of the month, of the failed ones where it has no others."""

    state: State
    dsrs: list[int]


@dataclass
class SeriesCoverage:
    """The months of a series by their names, such as 2020-01, without those for which nothing is expected.

    `position` is its place among all series, from 1.
    """

    dsp: str
    offer: str
    society: str | None
    territory: str
    currency: str
    months: dict[str, CoveredMonth]
    position: int = 0

    @property
    def gap_count(self) -> int:
        """The number of months of which nothing came, not even a DSR that failed."""
        return sum(month.state in GAPS for month in self.months.values())


class Delivered(NamedTuple):
    """What is needed of a DSR. DSRs of one `part` of a series divide its time: two of them should not overlap."""

    id: int
    is_ingested: bool
    start: date
    end: date
    part: tuple[str | None, ...]


class Series(NamedTuple):
    """What all DSRs of a series have alike."""

    dsp: str
    offer: str
    society: str | None
    territory: str
    currency: str


COLUMNS = ("dsp", "offer", "society", "territory_id", "currency_id")
PART = ("commercial_model", "use_type", "subscriber_type")


def coverage(*, first: date, last: date, search: DSRSearch = EVERY_DSR) -> list[SeriesCoverage]:
    """The coverage of the months from that of `first` to that of `last`, ordered by series.

    A month is *missing* where its series has ingested DSRs before and after it, and *late* where it has them before it
    only, in the MONTHS_EXPECTED months before, and the month ended more than DSRHUB_LATE_DAYS days ago.

    Raises InvalidArgument for a range that is reversed, or longer than MOST_MONTHS.
    """
    count = month_count(first, last)
    if count > MOST_MONTHS:
        raise InvalidArgument(_("The range has more than %(most)s months.") % {"most": MOST_MONTHS}, argument="to")
    if count < 1:
        raise InvalidArgument(_("The range ends before it starts."), argument="to")
    months = months_between(first, last)
    due = timezone.localdate() - timedelta(days=settings.DSRHUB_LATE_DAYS)
    found = [
        SeriesCoverage(**series._asdict(), months=_covered(delivered, months, due))
        for series, delivered in _by_series(search).items()
    ]
    found = sorted((one for one in found if one.months), key=_order)
    for position, one in enumerate(found, start=1):
        one.position = position
    return found


def _order(series: SeriesCoverage) -> tuple[str, ...]:
    return series.dsp, series.offer, series.society or "", series.territory, series.currency


def month_count(first: date, last: date) -> int:
    """The number of months from that of `first` to that of `last`, both included; less than 1 for a reversed range."""
    return (last.year - first.year) * 12 + last.month - first.month + 1


def months_between(first: date, last: date) -> list[date]:
    """The first days of these months."""
    numbers = range(first.month - 1, first.month - 1 + month_count(first, last))
    return [date(first.year + number // 12, number % 12 + 1, 1) for number in numbers]


def latest_month() -> date | None:
    """The last month in which a period starts; None without a DSR."""
    latest: date | None = DSR.objects.aggregate(latest=Max("period_start"))["latest"]
    return latest and latest.replace(day=1)


def month_name(day: date) -> str:
    return f"{day.year:04}-{day.month:02}"


def parse_month(text: str) -> date | None:
    """The first day of a month such as 2020-01; None for any other text."""
    if not re.fullmatch(MONTH_PATTERN, text) or text.startswith("0000"):
        return None
    return date.fromisoformat(f"{text}-01")


def _month_end(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])


def _by_series(search: DSRSearch) -> dict[Series, list[Delivered]]:
    rows = search.dsrs().order_by("period_start", "id")
    by_series = defaultdict(list)
    for number, status, start, end, *names in rows.values_list(
        "id", "status", "period_start", "period_end", *COLUMNS, *PART
    ):
        series, part = Series(*names[: len(COLUMNS)]), tuple(names[len(COLUMNS) :])
        by_series[series].append(Delivered(number, status == DSR.Status.INGESTED, start, end, part))
    return by_series


def _covered(delivered: Sequence[Delivered], months: Sequence[date], due: date) -> dict[str, CoveredMonth]:
    ingested = [one for one in delivered if one.is_ingested]
    failed = [one for one in delivered if not one.is_ingested]
    covered = {}
    for month in months:
        state, dsrs = _state_of(month, ingested, failed, due)
        if state is not None:
            covered[month_name(month)] = CoveredMonth(state, [one.id for one in dsrs])
    return covered


def _state_of(
    month: date, ingested: Sequence[Delivered], failed: Sequence[Delivered], due: date
) -> tuple[State | None, list[Delivered]]:
    end = _month_end(month)
    if inside := [one for one in ingested if one.start <= end and one.end >= month]:
        return _completeness(inside, month, end), inside
    if refused := [one for one in failed if one.start <= end and one.end >= month]:
        return State.FAILED, refused
    before = [one.end for one in ingested if one.end < month]
    if before and any(one.start > end for one in ingested):
        return State.MISSING, []
    # The month of the last DSR is not counted.
    is_expected = bool(before) and month_count(max(before), month) - 1 <= MONTHS_EXPECTED
    return (State.LATE if is_expected and end < due else None), []


def _completeness(dsrs: Sequence[Delivered], month: date, end: date) -> State:
    by_part = defaultdict(list)
    for one in dsrs:
        by_part[one.part].append((max(one.start, month), min(one.end, end)))
    if any(after <= before for ranges in by_part.values() for (_, before), (after, _) in pairwise(sorted(ranges))):
        return State.OVERLAPPED
    return State.INGESTED if _days(by_part) == (end - month).days + 1 else State.PARTIAL


def _days(by_part: dict[tuple[str | None, ...], list[tuple[date, date]]]) -> int:
    """The number of days on which there is a DSR."""
    days, last = 0, date.min
    for start, end in sorted(one for ranges in by_part.values() for one in ranges):
        if end > last:
            days += (end - max(start, last + timedelta(days=1))).days + 1
            last = end
    return days
