"""The previous report of a series, and whether a new one is unlike it.

A series has one DSP, offer, society, territory and currency, and one commercial model, use type and subscriber type.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from django.conf import settings

from catalogue.reports.contexts import SalesContext
from dsrhub.database.statements import rows_of
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import ratio


class PreviousReport(NamedTuple):
    """The ingested DSR that a new one is compared with; the revenue is in its currency."""

    id: int
    path: str
    usages: Decimal
    revenue: Decimal


class Amount(NamedTuple):
    """An amount, exactly, and as people read it: a quotient is rounded to 12 decimals."""

    exact: Fraction
    shown: Decimal


class Unlike(NamedTuple):
    """A measure in which a DSR is unlike the previous report of its series."""

    measure: str
    now: Decimal
    before: Decimal


# How a report is unlike the previous one, by the measure.
UNLIKE = {
    "usages": _("usages %(now)s, previously %(before)s (DSR %(id)s, %(path)s)"),
    "revenue": _("revenue %(now)s, previously %(before)s (DSR %(id)s, %(path)s)"),
    "revenue per usage": _("revenue per usage %(now)s, previously %(before)s (DSR %(id)s, %(path)s)"),
}
NAMES = ("dsp", "offer", "society", "territory", "currency", "commercial_model", "use_type", "subscriber_type")

# The DSRs with the names of any of the contexts are grouped by series: a join of them with thousands of contexts would
# take a minute where the planner knows too little. The columns before the id are the fields of a sales context.
# Periods are as long as each other where the shorter one has nine tenths of the days of the longer one: all months are,
# and a month and four weeks, but no month and quarter.
PREVIOUS = """
SELECT dsp, offer, society, territory_id, currency_id, first_day, last_day, commercial_model, use_type, subscriber_type,
    id, path, total_usages, total_revenue
FROM (
    SELECT first_day, last_day,
        (max(ARRAY[period_end - date '0001-01-01', period_start - date '0001-01-01', id]))[3] AS number
    FROM unnest(%(first_days)s::date[], %(last_days)s::date[]) AS asked (first_day, last_day)
    JOIN catalogue_dsr ON period_end < first_day
    CROSS JOIN LATERAL (
        SELECT period_end - period_start + 1 AS before, last_day - first_day + 1 AS now
    ) AS days
    WHERE status = 'ingested' AND NOT id = ANY(%(without)s::integer[])
        AND 10 * least(days.before, days.now) >= 9 * greatest(days.before, days.now)
        AND dsp = ANY(%(dsp)s::text[]) AND offer = ANY(%(offer)s::text[])
        AND territory_id = ANY(%(territory)s::text[]) AND currency_id = ANY(%(currency)s::text[])
        AND coalesce(society, '') = ANY(%(society)s::text[])
        AND coalesce(commercial_model, '') = ANY(%(commercial_model)s::text[])
        AND coalesce(use_type, '') = ANY(%(use_type)s::text[])
        AND coalesce(subscriber_type, '') = ANY(%(subscriber_type)s::text[])
    GROUP BY first_day, last_day, dsp, offer, society, territory_id, currency_id, commercial_model, use_type,
        subscriber_type
) AS latest
JOIN catalogue_dsr ON id = number
"""
CONTEXT_COLUMNS = len(fields(SalesContext))


def previous_reports(
    contexts: Sequence[SalesContext], *, without: Collection[int]
) -> Mapping[SalesContext, PreviousReport]:
    """The last ingested DSR of the series of each context that ends before its period and is as long, if there is one.

    Those DSRs `without` which the question is asked, such as replaced ones, do not count.
    """
    if not any(factors().values()):
        return {}
    periods = sorted({(context.period_start, context.period_end) for context in contexts})
    rows = rows_of(
        PREVIOUS,
        first_days=[first for first, _ in periods],
        last_days=[last for _, last in periods],
        without=list(without),
        **{name: sorted({getattr(context, name) or "" for context in contexts}) for name in NAMES},
    )
    # A series that has the names of several contexts need not be that of any.
    found = {SalesContext(*row[:CONTEXT_COLUMNS]): PreviousReport(*row[CONTEXT_COLUMNS:]) for row in rows}
    return {context: found[context] for context in contexts if context in found}


def factors() -> dict[str, Decimal]:
    """By how much each measure may differ from the previous report; 0 for a measure that is not compared."""
    return {
        "usages": settings.DSRHUB_UNLIKE_USAGES_FACTOR,
        "revenue": settings.DSRHUB_UNLIKE_REVENUE_FACTOR,
        "revenue per usage": settings.DSRHUB_UNLIKE_PRICE_FACTOR,
    }


def unlike_measures(*, usages: Decimal, revenue: Decimal, previous: PreviousReport) -> Iterator[Unlike]:
    """The measures in which a DSR with these totals is unlike the previous one."""
    now, before = _amounts(usages, revenue), _amounts(previous.usages, previous.revenue)
    for measure, factor in factors().items():
        if factor and measure in now and measure in before:
            one, other = now[measure], before[measure]
            if is_beyond(one.exact, other.exact, factor):
                yield Unlike(measure, one.shown, other.shown)


def _amounts(usages: Decimal, revenue: Decimal) -> dict[str, Amount]:
    """What is compared. Without usages, there is no revenue per usage."""
    amounts = {"usages": Amount(Fraction(usages), usages), "revenue": Amount(Fraction(revenue), revenue)}
    price = ratio(revenue, usages)
    if price is not None:
        amounts["revenue per usage"] = Amount(Fraction(revenue) / Fraction(usages), price)
    return amounts


def is_beyond(one: Fraction, other: Fraction, factor: Decimal) -> bool:
    """Whether one amount is more than `factor` times the other, has another sign, or alone is 0."""
    small, large = sorted((abs(one), abs(other)))
    return one != other and (one * other <= 0 or large > Fraction(factor) * small)
