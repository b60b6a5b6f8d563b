"""Changes of exchange rates: those that operators enter, and the new rates of the DSRs concerned."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from catalogue.exceptions import InvalidRate
from catalogue.models import DSR, Currency, OperatorRate, RateChange
from catalogue.rates.periods import EURO, RATE_DECIMALS, RATE_INTEGER_DIGITS, ExchangeRate, exchange_rate, is_rate
from dsrhub.database import locks
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

LONGEST_NOTE = 200


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


def rates_lock(*, shared: bool) -> None:
    """Keep the rates as they are (shared), or become the only session that changes them, until the transaction ends."""
    locks.RATES.take(shared=shared)


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
