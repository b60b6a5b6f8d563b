"""Telling webhooks of the months of a series of DSRs for which nothing came: each gap once."""

from datetime import date
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from catalogue.dsrs.statistics.coverage import GAPS, MOST_MONTHS, SeriesCoverage, State, coverage, month_name
from catalogue.models import ToldGap
from dsrhub.database.statements import rows_of
from dsrhub.webhooks.models import EventType
from dsrhub.webhooks.outbox import NewEvent, events_write
from dsrhub.webhooks.payloads import Missing

# Of two workers that find a gap at once, one inserts its row.
INSERT = """
INSERT INTO catalogue_toldgap (dsp, offer, society, territory, currency, month)
SELECT * FROM unnest(
    %(dsps)s::text[], %(offers)s::text[], %(societies)s::text[], %(territories)s::text[], %(currencies)s::text[],
    %(months)s::date[]
)
ON CONFLICT DO NOTHING RETURNING dsp, offer, society, territory, currency, month
"""


class Gap(NamedTuple):
    """A month of a series without a DSR."""

    dsp: str
    offer: str
    society: str | None
    territory: str
    currency: str
    month: date


def missing_reports_tell() -> int:
    """Write an event for each new gap, and return the number of new gaps.

    A gap is new if `ToldGap` has no row of it. It gets a row even if no webhook listens: a webhook gets only events of
    what happens after it was registered, and `coverage` shows the rest. The row of a gap that is filled is deleted, so
    a month that becomes a gap again gets another event. Only the last MOST_MONTHS months count.
    """
    found = _gaps()
    with transaction.atomic():
        told = {Gap(*row): number for number, *row in ToldGap.objects.values_list("id", *Gap._fields)}
        ToldGap.objects.filter(pk__in=[number for gap, number in told.items() if gap not in found]).delete()
        new = _inserted(sorted(found.keys() - told.keys(), key=lambda gap: (gap.month, *map(str, gap))))
        events_write(EventType.REPORT_MISSING, [_event(gap, found[gap]) for gap in new])
    return len(new)


def _gaps() -> dict[Gap, State]:
    # Not up to the latest DSR: of a month that is still to come, nothing is missing.
    last = timezone.localdate()
    months = last.year * 12 + last.month - MOST_MONTHS
    first = date(months // 12, months % 12 + 1, 1)
    return {
        _gap(series, name): month.state
        for series in coverage(first=first, last=last)
        for name, month in series.months.items()
        if month.state in GAPS
    }


def _gap(series: SeriesCoverage, month: str) -> Gap:
    first = date.fromisoformat(f"{month}-01")
    return Gap(series.dsp, series.offer, series.society, series.territory, series.currency, first)


def _inserted(gaps: list[Gap]) -> list[Gap]:
    if not gaps:
        return []
    dsps, offers, societies, territories, currencies, months = (list(column) for column in zip(*gaps, strict=True))
    rows = rows_of(
        INSERT,
        dsps=dsps,
        offers=offers,
        societies=societies,
        territories=territories,
        currencies=currencies,
        months=months,
    )
    return [Gap(*row) for row in rows]


def _event(gap: Gap, state: State) -> NewEvent:
    data = Missing(
        dsp=gap.dsp,
        offer=gap.offer,
        society=gap.society,
        territory=gap.territory,
        currency=gap.currency,
        month=month_name(gap.month),
        state=state.value,
    )
    return NewEvent(f"dsp:{gap.dsp}", data)
