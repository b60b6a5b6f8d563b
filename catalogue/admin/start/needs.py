"""What needs somebody: the first list of the start page. Each entry leads to the list of what it counts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalogue.admin.cells import INGESTED, dsr_list
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.coverage import coverage, month_name
from catalogue.models import DSR, ImportJob, RejectedDelivery, ReportProblem
from catalogue.reports.problems import CommonWarning
from dsrhub.access.permissions import may_view
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.values.cells import grouped

# The page does not wait longer for a count that may be slow.
COUNT_SECONDS = 0.5
# How many complete months are searched for gaps.
GAP_MONTHS = 12
# A warning stays with its DSR, so only those of late imports ask for somebody.
UNLIKE_DAYS = 30
# A coverage reads all DSRs of its series. More of them than this take longer than the page may take.
MOST_COVERED = 20_000
State = ImportJob.State


class Need(NamedTuple):
    """A sentence with a count, and the list of what it counts. Without a count, the list tells it."""

    text: str
    address: str


def needs(request: HttpRequest, search: DSRSearch, filters: Mapping[str, Any]) -> list[Need] | None:
    """What waits for somebody, without what is zero; None if the user may see nothing of it.

    `filters` are the parameters of the search in the list of DSRs. Imports and rejected deliveries have no DSP,
    territory or period: the search does not limit them.
    """
    kinds: dict[type, Callable[[], Iterator[Need]]] = {
        DSR: lambda: _of_dsrs(search, filters),
        ImportJob: _of_imports,
        RejectedDelivery: _of_rejections,
    }
    seen = [found for model, found in kinds.items() if may_view(request, model)]
    return [need for found in seen for need in found()] if seen else None


def _bounded(count: Callable[[], int]) -> int | None:
    """A count, or None if it takes too long."""
    with suppress(OutOfTime), answered_within(COUNT_SECONDS):
        return count()
    return None


# --- DSRs ------------------------------------------------------------------------------------------------------


def _of_dsrs(search: DSRSearch, filters: Mapping[str, Any]) -> Iterator[Need]:
    if failed := search.dsrs().failed().count():
        text = ngettext("%(count)s failed DSR", "%(count)s failed DSRs", failed)
        yield Need(text % {"count": grouped(failed)}, dsr_list(status__exact="failed", **filters))
    yield from _gaps(search)
    yield from _unlike(search, filters)
    if behind := search.dsrs().uncatalogued().count():
        text = ngettext("%(count)s DSR not yet searchable", "%(count)s DSRs not yet searchable", behind)
        address = dsr_list(**INGESTED, is_catalogued__exact=0, **filters)
        yield Need(text % {"count": grouped(behind)}, address)


def _unlike(search: DSRSearch, filters: Mapping[str, Any]) -> Iterator[Need]:
    """The DSRs that were imported lately, and are unlike their previous report."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    since, code = today - timedelta(days=UNLIKE_DAYS), str(CommonWarning.UNLIKE_PREVIOUS_REPORT)
    late = search.dsrs().ingested().filter(imported_at__gte=since)
    unlike = late.filter(Exists(ReportProblem.objects.filter(dsr=OuterRef("pk"), code=code)))
    address = dsr_list(**INGESTED, problems__code__exact=code, imported_at__gte=since.isoformat(), **filters)
    count = _bounded(unlike.count)
    if count is None:
        yield Need(_("DSRs unlike their previous report: counting them takes too long"), address)
    elif count:
        text = ngettext(
            "%(count)s DSR of the last %(days)s days unlike its previous report",
            "%(count)s DSRs of the last %(days)s days unlike their previous reports",
            count,
        )
        yield Need(text % {"count": grouped(count), "days": UNLIKE_DAYS}, address)


def _gaps(search: DSRSearch) -> Iterator[Need]:
    """The months of series of which nothing came, among the last complete ones in the period of the search."""
    months = complete_months(search, today=timezone.localdate())
    if not months:
        return
    of_series = replace(search, period_start=None, period_end=None)  # A gap has DSRs before it.
    chosen = {name: value for name, value in {"dsp": search.dsp, "territory": search.territory}.items() if value}
    query = {"first": month_name(months[0]), "last": month_name(months[-1]), "gaps": "on", **chosen}
    address = reverse("admin:catalogue_dsr_coverage", query=query)
    count = _bounded(lambda: _gap_count(of_series, months))
    if count is None:
        yield Need(_("Missing reports: counting them takes too long"), address)
    elif count:
        text = ngettext("%(count)s missing report", "%(count)s missing reports", count)
        yield Need(text % {"count": grouped(count)}, address)


def _gap_count(search: DSRSearch, months: Sequence[date]) -> int:
    """Raises OutOfTime where a coverage has too many DSRs to read."""
    if search.dsrs().count() > MOST_COVERED:
        raise OutOfTime
    return sum(series.gap_count for series in coverage(first=months[0], last=months[-1], search=search))


def complete_months(search: DSRSearch, *, today: date) -> list[date]:
    """The first days of the last GAP_MONTHS months that are over, and lie in the period of the search as a whole."""
    start, end = search.period_start or date.min, search.period_end or date.max
    after = today if end >= today else end + timedelta(days=1)
    last = after.year * 12 + after.month - 2
    first = max(start.year * 12 + start.month - 1 + (start.day > 1), last - GAP_MONTHS + 1)
    return [date(number // 12, number % 12 + 1, 1) for number in range(first, last + 1)]


# --- Imports and deliveries ------------------------------------------------------------------------------------


def _of_imports() -> Iterator[Need]:
    waiting = ImportJob.objects.filter(state__in=[State.CHECKED, State.REFUSED, State.WAITING]).order_by("state")
    for state, count in waiting.values_list("state").annotate(Count("id")):
        address = reverse("admin:catalogue_importjob_changelist", query={"state__exact": state})
        yield Need(_import_text(State(state), count) % {"count": grouped(count)}, address)


def _import_text(state: State, count: int) -> str:
    if state == State.CHECKED:
        return ngettext("%(count)s import to be confirmed", "%(count)s imports to be confirmed", count)
    if state == State.REFUSED:
        return ngettext("%(count)s refused import", "%(count)s refused imports", count)
    return ngettext(
        "%(count)s file that waits for other files of its message",
        "%(count)s files that wait for other files of their messages",
        count,
    )


def _of_rejections() -> Iterator[Need]:
    if count := RejectedDelivery.objects.count():
        text = ngettext("%(count)s rejected delivery", "%(count)s rejected deliveries", count)
        yield Need(text % {"count": grouped(count)}, reverse("admin:catalogue_rejecteddelivery_changelist"))
