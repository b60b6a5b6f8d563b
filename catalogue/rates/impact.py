"""What a change of a rate would do, before anybody does it: the DSRs that it concerns, and the ECB's rates around."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Count, Func, QuerySet, Sum, Value

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing
from catalogue.models import DSR, EcbRate, RateMethod
from catalogue.rates.periods import EURO, ExchangeRate, ecb_exchange_rate, operator_source
from catalogue.rates.services import dsrs_of_period
from dsrhub.values.fields import NumericField

FIRST_DSRS = 20
DAYS_AROUND = 7
# A longer period has no list of daily rates.
LONGEST_PERIOD = 400


@dataclass(frozen=True)
class RatedDSR:
    """A DSR with its revenue in EUR by the present and by another rate."""

    dsr: DSR
    old_eur: Decimal
    new_eur: Decimal


@dataclass(frozen=True)
class RateImpact:
    """What another rate changes: `dsrs` are all DSRs that get it, `first` some of them. Revenues are in EUR, of all.

    `periods` are those of DSRs of the currency that share days with the period, and are another one.
    """

    dsrs: QuerySet[DSR]
    count: int
    first: Sequence[RatedDSR]
    old_eur: Decimal
    new_eur: Decimal
    periods: Sequence[tuple[date, date]]


def rate_impact(*, currency: str, period_start: date, period_end: date, rate: ExchangeRate) -> RateImpact:
    """What changes where the DSRs of a currency and a period get this rate. Both days belong to the period."""
    of_currency = DSR.objects.ingested().filter(currency=currency)
    same = {"exchange_rate": rate.value, "rate_method": rate.method, "rate_source": rate.source}
    of_period = dsrs_of_period(currency=currency, period_start=period_start, period_end=period_end)
    dsrs = of_period.exclude(**same)
    new = Func(
        "total_revenue", Value(rate.value, NumericField()), function="catalogue_eur", output_field=NumericField()
    )
    old = Func("total_revenue", "exchange_rate", function="catalogue_eur", output_field=NumericField())
    rated = dsrs.annotate(old_eur=old, new_eur=new)
    totals = rated.aggregate(count=Count("pk"), old=Sum("old_eur"), new=Sum("new_eur"))
    near = of_currency.filter(period_start__lte=period_end, period_end__gte=period_start)
    others = near.exclude(period_start=period_start, period_end=period_end).order_by("period_start", "period_end")
    return RateImpact(
        dsrs=dsrs.order_by("id"),
        count=totals["count"],
        first=[RatedDSR(dsr, dsr.old_eur, dsr.new_eur) for dsr in rated.order_by("id")[:FIRST_DSRS]],
        old_eur=totals["old"] or Decimal(0),
        new_eur=totals["new"] or Decimal(0),
        periods=list(others.values_list("period_start", "period_end").distinct()[:FIRST_DSRS]),
    )


def operator_rate_impact(
    *, currency: str, period_start: date, period_end: date, rate: Decimal, note: str, number: int | None
) -> RateImpact:
    """What changes where an operator's rate is saved. `number` is its id, if it is stored already."""
    entered = ExchangeRate(rate, RateMethod.OPERATOR, operator_source(note, number))
    return rate_impact(currency=currency, period_start=period_start, period_end=period_end, rate=entered)


def deletion_impact(*, currency: str, period_start: date, period_end: date) -> RateImpact:
    """What changes where an operator's rate is deleted. Raises ExchangeRateMissing and ExchangeRateIncomplete."""
    rate = ecb_exchange_rate(currency=currency, period_start=period_start, period_end=period_end)
    return rate_impact(currency=currency, period_start=period_start, period_end=period_end, rate=rate)


@dataclass(frozen=True)
class EcbSeries:
    """The ECB's daily rates in and around a period, and the rate that they give for it; else why they give none."""

    days: Sequence[tuple[date, Decimal]]
    rate: ExchangeRate | None
    missing: str


def ecb_series(*, currency: str, period_start: date, period_end: date) -> EcbSeries | None:
    """The daily rates of a currency from a week before a period to a week after it.

    None for the euro, and for a period that is reversed or longer than LONGEST_PERIOD days.
    """
    if currency == EURO or not 0 <= (period_end - period_start).days < LONGEST_PERIOD:
        return None
    around = timedelta(DAYS_AROUND)
    start = period_start - min(around, period_start - date.min)
    end = period_end + min(around, date.max - period_end)
    days = EcbRate.objects.filter(currency=currency, day__range=(start, end)).order_by("day")
    try:
        rate = ecb_exchange_rate(currency=currency, period_start=period_start, period_end=period_end)
    except (ExchangeRateMissing, ExchangeRateIncomplete) as error:
        return EcbSeries(list(days.values_list("day", "rate")), None, error.message)
    return EcbSeries(list(days.values_list("day", "rate")), rate, "")
