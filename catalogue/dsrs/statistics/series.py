"""The DSRs before and after another one in its series.

A series has one DSP, offer, society, territory and currency, and one commercial model, use type and subscriber type.
"""

from typing import NamedTuple

from django.db.models import Q

from catalogue.models import DSR

SERIES = ("dsp", "offer", "society", "territory", "currency", "commercial_model", "use_type", "subscriber_type")
ORDER = ("period_start", "period_end")


class Neighbours(NamedTuple):
    """The ingested DSRs next to one in its series, with their revenue in EUR. At the ends there is None."""

    before: DSR | None
    after: DSR | None


def series_neighbours(dsr: DSR) -> Neighbours:
    """The ingested DSRs before and after a DSR in the order of their periods."""
    series = {name: getattr(dsr, f"{name}_id" if name in ("territory", "currency") else name) for name in SERIES}
    same = DSR.objects.ingested().with_revenue_eur()
    for name, value in series.items():
        same = same.filter(**({f"{name}__isnull": True} if value is None else {name: value}))
    return Neighbours(
        before=same.filter(_beyond(dsr, "lt")).order_by(*(f"-{name}" for name in ORDER)).first(),
        after=same.filter(_beyond(dsr, "gt")).order_by(*ORDER).first(),
    )


def _beyond(dsr: DSR, lookup: str) -> Q:
    """The DSRs with an earlier or a later period. DSRs of one series never have the same period."""
    start, end = dsr.period_start, dsr.period_end
    return Q(**{f"period_start__{lookup}": start}) | Q(period_start=start, **{f"period_end__{lookup}": end})
