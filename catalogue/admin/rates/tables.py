"""Tables and charts of exchange rates: the ECB's around a period, and what another rate changes."""

from calendar import monthrange
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from catalogue.admin.cells import dsr_link, link
from catalogue.models import OperatorRate
from catalogue.rates.impact import EcbSeries, RateImpact, ecb_series
from dsrhub.pages.charts import Chart, Series
from dsrhub.values.cells import grouped, money, plain, rounded

# A rate is a ratio: its decimals matter more than those of an amount.
DECIMALS = 6


def series_table(
    *, currency: str, period_start: date, period_end: date, entered: Decimal | None = None
) -> dict[str, Any] | None:
    """Return the chart and the table of the ECB's daily rates around a period; None where there are none to show.

    A rate that somebody has `entered` is a line of the chart.
    """
    series = ecb_series(currency=currency, period_start=period_start, period_end=period_end)
    if series is None:
        return None
    return {
        "currency": currency,
        "start": period_start,
        "end": period_end,
        "mean": series.rate and rounded(series.rate.value, DECIMALS),
        "method": series.rate and series.rate.method.label,
        "missing": series.missing,
        "chart": _chart(series, period_start, period_end, entered) if series.days else None,
        "days": [
            {"day": day, "rate": plain(rate), "belongs": _("yes") if period_start <= day <= period_end else _("no")}
            for day, rate in series.days
        ],
    }


def _chart(series: EcbSeries, start: date, end: date, entered: Decimal | None) -> Chart:
    lines = [Series(name=_("Rate of the ECB"), values=[rate for _day, rate in series.days])]
    mean = None if series.rate is None else series.rate.value
    for name, used in ((_("Rate of the ECB for the period"), mean), (_("Entered rate"), entered)):
        if used is not None:
            values = [used if start <= day <= end else None for day, _rate in series.days]
            lines.append(Series(name=name, values=values))
    return Chart(
        chart_id="ecb-rates",
        title=_("Units of the currency for one euro"),
        labels=[day.isoformat() for day, _rate in series.days],
        series=lines,
        is_line=True,
        is_from_zero=False,
    )


def impact_table(found: RateImpact, rate: OperatorRate) -> dict[str, Any]:
    """Return what a page shows of the DSRs that a rate concerns."""
    period = {"period_start": rate.period_start, "period_end": rate.period_end}
    return {
        "count": link(grouped(found.count), "dsr_changelist", currency__code__exact=rate.currency_id, **period),
        "is_empty": found.count == 0,
        "more": grouped(found.count - len(found.first)) if found.count > len(found.first) else "",
        "is_whole": is_whole_months(rate.period_start, rate.period_end),
        "periods": [f"{start} – {end}" for start, end in found.periods],
        "rows": [
            {
                "dsr": dsr_link(one.dsr),
                "cells": [
                    money(one.dsr.total_revenue, one.dsr.currency_id),
                    rounded(one.dsr.exchange_rate, DECIMALS),
                    *_change(one.old_eur, one.new_eur),
                ],
            }
            for one in found.first
        ],
        "totals": _change(found.old_eur, found.new_eur),
    }


def _change(old: Decimal, new: Decimal) -> list[Any]:
    return [rounded(old), rounded(new), rounded(new - old)]


def is_whole_months(start: date, end: date) -> bool:
    """Whether a period is one or several whole months."""
    return start.day == 1 and end.day == monthrange(end.year, end.month)[1]
