"""Exchange rates: the mean of the ECB's rates in a period, or the rate that an operator set."""

import zipfile
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing, InvalidRate, InvalidRateFile
from catalogue.models import DSR, Currency, EcbRate, OperatorRate, RateChange, RateMethod
from catalogue.rates.ecb import ecb_rates_load
from catalogue.rates.periods import ExchangeRate, exchange_rate
from catalogue.rates.services import RatesChanged, ReplacedRate, operator_rate_delete, operator_rate_set, rates_lock
from dsrhub.database import locks
from dsrhub.models import AuditEntry
from tests import recipes as user_recipes
from tests.catalogue import recipes
from tests.catalogue.helpers import other_transaction

pytestmark = pytest.mark.django_db

JANUARY = {"period_start": date(2020, 1, 1), "period_end": date(2020, 1, 31)}
FEBRUARY = {"period_start": date(2020, 2, 1), "period_end": date(2020, 2, 29)}
# A history of two days. The mean is 10.5.
TWO_DAYS = {"2020-01-02": "10", "2020-01-31": "11"}
TWO_DAYS_SOURCE = "ECB reference rates of 2 days, 2020-01-02 to 2020-01-31"
# The rates that the ECB published. Their sum is 218.6453.
NOK_JANUARY = {
    "2020-01-02": "9.8408",
    "2020-01-03": "9.8315",
    "2020-01-06": "9.8488",
    "2020-01-07": "9.8548",
    "2020-01-08": "9.8508",
    "2020-01-09": "9.8665",
    "2020-01-10": "9.8745",
    "2020-01-13": "9.8955",
    "2020-01-14": "9.892",
    "2020-01-15": "9.882",
    "2020-01-16": "9.9058",
    "2020-01-17": "9.889",
    "2020-01-20": "9.8815",
    "2020-01-21": "9.936",
    "2020-01-22": "9.959",
    "2020-01-23": "9.9678",
    "2020-01-24": "9.9375",
    "2020-01-27": "10.0363",
    "2020-01-28": "10.0758",
    "2020-01-29": "10.0563",
    "2020-01-30": "10.1738",
    "2020-01-31": "10.1893",
}


def publish(**currencies: dict[str, str]) -> None:
    """Replace the loaded history of the ECB with these rates, by currency and day."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE catalogue_ecbrate")
    for currency, rates in currencies.items():
        days, values = map(date.fromisoformat, rates), map(Decimal, rates.values())
        recipes.ecb_rate.make(currency_id=currency, day=days, rate=values, _quantity=len(rates), _bulk_create=True)


def published() -> set[tuple[str, str, Decimal]]:
    return {
        (currency, day.isoformat(), rate)
        for currency, day, rate in EcbRate.objects.values_list("currency", "day", "rate")
    }


def rate_of(currency: str, start: str, end: str) -> ExchangeRate:
    return exchange_rate(currency=currency, period_start=date.fromisoformat(start), period_end=date.fromisoformat(end))


def stored_rate(dsr: DSR) -> tuple[Decimal, str, str]:
    dsr.refresh_from_db()
    return dsr.exchange_rate, dsr.rate_method, dsr.rate_source


def changes() -> list[tuple[object, ...]]:
    names = ("dsr", "old_rate", "old_method", "old_source", "new_rate", "new_method", "new_source", "changed_by")
    return list(RateChange.objects.order_by("id").values_list(*names))


# --- The mean of the ECB's rates -------------------------------------------------------------------------------


def test_mean_is_of_all_published_days_and_rounded_to_40_decimals():
    publish(NOK=NOK_JANUARY)

    rate = rate_of("NOK", "2020-01-01", "2020-01-31")

    assert len(NOK_JANUARY) == 22
    # 218.6453 / 22 = 9.93842(27)...
    assert rate.value == Decimal("9.9384227272727272727272727272727272727273")
    assert rate.method == RateMethod.ECB_MEAN
    assert rate.source == "ECB reference rates of 22 days, 2020-01-02 to 2020-01-31"


def test_history_of_the_first_migration_gives_the_same_mean():
    assert rate_of("NOK", "2020-01-01", "2020-01-31").value == Decimal("9.9384227272727272727272727272727272727273")


def test_both_ends_of_the_period_belong_to_it():
    publish(NOK={"2020-01-01": "1", "2020-01-02": "20", "2020-01-03": "30", "2020-01-06": "70", "2020-01-07": "5000"})

    assert rate_of("NOK", "2020-01-02", "2020-01-06").value == 40


@pytest.mark.parametrize(
    ("last_digits", "mean_ends"),
    [
        (("1", "2"), "2"),  # 1.5 is halfway between 1 and 2, and 2 is even
        (("2", "3"), "2"),  # 2.5 is halfway between 2 and 3, and 2 is even
        (("1", "1", "2"), "1"),  # 1.33
        (("1", "2", "2"), "2"),  # 1.67
        (("1", "1", "1", "1", "1", "3", "3", "3"), "2"),  # 1.75
    ],
)
def test_mean_is_rounded_half_even_at_the_40th_decimal(last_digits, mean_ends):
    beginning = "7." + 39 * "0"
    publish(NOK={f"2020-01-{day:02}": beginning + digit for day, digit in enumerate(last_digits, start=1)})

    assert rate_of("NOK", "2020-01-01", f"2020-01-{len(last_digits):02}").value == Decimal(beginning + mean_ends)


def test_mean_of_large_numbers_keeps_its_40_decimals():
    publish(TRL={"2020-01-02": "100000000000000000000000000000", "2020-01-03": "1", "2020-01-06": "1"})

    # (10^29 + 2) / 3
    assert rate_of("TRL", "2020-01-02", "2020-01-06").value == Decimal(28 * "3" + "4")


def test_euro_is_one_with_any_history():
    publish()

    assert rate_of("EUR", "2020-01-01", "2020-01-31") == ExchangeRate(Decimal(1), RateMethod.EURO, "")


def test_currency_must_have_a_rate_on_every_day_of_publication():
    publish(
        RUB={"2022-02-28": "115.4842", "2022-03-01": "117.201"},
        USD={"2022-02-28": "1.1199", "2022-03-01": "1.1162", "2022-03-02": "1.1106", "2022-03-31": "1.1101"},
    )

    with pytest.raises(ExchangeRateIncomplete) as refused:
        rate_of("RUB", "2022-03-01", "2022-03-31")

    assert refused.value.code == "exchange_rate_incomplete"
    assert refused.value.extra == {
        "currency": "RUB",
        "period_start": date(2022, 3, 1),
        "period_end": date(2022, 3, 31),
        "days_found": 1,
        "days_expected": 3,
        "reason": "the ECB suspended RUB after 2022-03-01",
    }
    assert "Enter a rate of RUB from 2022-03-01 to 2022-03-31." in refused.value.message


def test_rub_in_march_2022_has_one_of_23_days_in_the_history_of_the_first_migration():
    with pytest.raises(ExchangeRateIncomplete) as refused:
        rate_of("RUB", "2022-03-01", "2022-03-31")

    assert (refused.value.extra["days_found"], refused.value.extra["days_expected"]) == (1, 23)


@pytest.mark.parametrize("end", ["2020-01-31", "2020-02-01"])
def test_history_must_reach_the_end_of_the_period(end):
    publish(NOK={"2020-01-02": "9.8408", "2020-01-30": "10.1738"})

    with pytest.raises(ExchangeRateIncomplete) as refused:
        rate_of("NOK", "2020-01-01", end)

    assert (refused.value.extra["days_found"], refused.value.extra["days_expected"]) == (2, 2)
    assert "ends on 2020-01-30" in refused.value.message


def test_period_that_ends_without_publication_is_complete_with_the_next_one():
    # The last of February 2020 is a Saturday.
    publish(NOK={"2020-02-28": "10.2"}, USD={"2020-02-28": "1.1", "2020-03-02": "1.2"})

    assert rate_of("NOK", "2020-02-01", "2020-02-29").value == Decimal("10.2")


@pytest.mark.parametrize(
    ("currency", "last_day", "first_day_in_euro"),
    [("HRK", "2022-12-30", "2023-01-02"), ("BGN", "2025-12-31", "2026-01-02")],
)
def test_currency_has_a_mean_until_the_euro_replaces_it(currency, last_day, first_day_in_euro):
    publish(**{currency: {last_day: "1.9558"}, "USD": {last_day: "1.175", first_day_in_euro: "1.1721"}})

    assert rate_of(currency, last_day, last_day).value == Decimal("1.9558")
    with pytest.raises(ExchangeRateIncomplete):
        rate_of(currency, last_day, first_day_in_euro)
    with pytest.raises(ExchangeRateIncomplete):
        rate_of(currency, first_day_in_euro, first_day_in_euro)


def test_currency_that_the_ecb_never_published_is_missing():
    publish(NOK=NOK_JANUARY)

    with pytest.raises(ExchangeRateMissing) as refused:
        rate_of("XAF", "2020-01-01", "2020-01-31")

    assert refused.value.code == "exchange_rate_missing"
    assert "Enter a rate of XAF from 2020-01-01 to 2020-01-31." in refused.value.message


def test_without_a_history_the_rate_is_missing():
    publish()

    with pytest.raises(ExchangeRateMissing):
        rate_of("NOK", "2020-01-01", "2020-01-31")


# --- Operator rates --------------------------------------------------------------------------------------------


def test_operators_rate_has_precedence_over_the_mean():
    publish(NOK=TWO_DAYS)

    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"), note="Norges Bank")

    assert rate_of("NOK", "2020-01-01", "2020-01-31") == ExchangeRate(
        Decimal("9.5"), RateMethod.OPERATOR, "Norges Bank"
    )


def test_operators_rate_applies_to_its_exact_period_only():
    publish(NOK=TWO_DAYS)

    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"))

    assert rate_of("NOK", "2020-01-01", "2020-01-31").method == RateMethod.OPERATOR
    assert rate_of("NOK", "2020-01-02", "2020-01-31").value == Decimal("10.5")
    assert rate_of("NOK", "2020-01-01", "2020-01-30").value == 10


def test_operators_rate_without_a_note_is_named_by_its_number():
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"))

    number = OperatorRate.objects.get().pk
    assert rate_of("NOK", "2020-01-01", "2020-01-31").source == f"operator's rate number {number}"


def test_operators_rate_is_used_if_the_ecb_has_none():
    operator_rate_set(currency="XAF", **JANUARY, rate=Decimal("655.957"))

    assert rate_of("XAF", "2020-01-01", "2020-01-31").value == Decimal("655.957")


def test_setting_an_operators_rate_rerates_ingested_dsrs_of_its_currency_and_period_only():
    publish(NOK=TWO_DAYS)
    operator = user_recipes.user.make()
    matching = recipes.dsr.make(offer="Duo", exchange_rate=Decimal("10.5"), rate_source=TWO_DAYS_SOURCE)
    others = [
        recipes.dsr.make(offer="other currency", currency_id="SEK"),
        recipes.dsr.make(offer="other start", period_start=date(2020, 1, 2)),
        recipes.dsr.make(offer="other end", period_end=date(2020, 1, 30)),
        recipes.failed_dsr.make(),
    ]
    before = [stored_rate(dsr) for dsr in others]

    changed = operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"), note="Norges Bank", user=operator)

    assert changed == RatesChanged(rates=1, dsrs=1)
    assert OperatorRate.objects.get().entered_by == operator
    assert stored_rate(matching) == (Decimal("9.5"), "operator", "Norges Bank")
    assert [stored_rate(dsr) for dsr in others] == before
    assert changes() == [
        (
            matching.pk,
            *(Decimal("10.5"), "ecb_mean", TWO_DAYS_SOURCE),
            *(Decimal("9.5"), "operator", "Norges Bank"),
            operator.pk,
        )
    ]


def test_replacing_an_operators_rate_rerates_again():
    publish(NOK=TWO_DAYS)
    dsr = recipes.dsr.make()
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"), note="first")

    changed = operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.6"), note="second")

    replaced = ReplacedRate("NOK", *JANUARY.values(), old=Decimal("9.5"), new=Decimal("9.6"))
    assert changed == RatesChanged(rates=1, dsrs=1, replaced=(replaced,))
    assert stored_rate(dsr) == (Decimal("9.6"), "operator", "second")
    assert OperatorRate.objects.get().rate == Decimal("9.6")
    assert changes()[-1][1:7] == (Decimal("9.5"), "operator", "first", Decimal("9.6"), "operator", "second")


def test_same_operators_rate_again_changes_no_dsr_and_another_note_changes_its_source():
    dsr = recipes.dsr.make()
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"), note="first")

    same = operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.50"), note="first")
    assert (same.dsrs, same.replaced) == (0, ())
    same = operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"), note="second")
    assert (same.dsrs, same.replaced) == (1, ())
    assert stored_rate(dsr) == (Decimal("9.5"), "operator", "second")


def test_deleting_an_operators_rate_gives_its_dsrs_the_mean_again():
    publish(NOK=TWO_DAYS)
    dsr = recipes.dsr.make(exchange_rate=Decimal("10.5"), rate_source=TWO_DAYS_SOURCE)
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"), note="Norges Bank")

    changed = operator_rate_delete(operator_rate=OperatorRate.objects.get())

    assert changed == RatesChanged(rates=1, dsrs=1)
    assert not OperatorRate.objects.exists()
    assert stored_rate(dsr) == (Decimal("10.5"), "ecb_mean", TWO_DAYS_SOURCE)
    assert changes()[-1][1:7] == (
        *(Decimal("9.5"), "operator", "Norges Bank"),
        *(Decimal("10.5"), "ecb_mean", TWO_DAYS_SOURCE),
    )


@pytest.mark.parametrize(("currency", "refusal"), [("NOK", ExchangeRateIncomplete), ("XAF", ExchangeRateMissing)])
def test_deleting_is_refused_if_a_dsr_would_have_no_rate(currency, refusal):
    publish(NOK={"2020-01-02": "10"}, USD=TWO_DAYS)
    dsr = recipes.dsr.make(currency_id=currency)
    operator_rate_set(currency=currency, **JANUARY, rate=Decimal("9.5"), note="own")
    operator_rate = OperatorRate.objects.get()

    with pytest.raises(refusal):
        operator_rate_delete(operator_rate=operator_rate)

    assert OperatorRate.objects.get() == operator_rate
    assert stored_rate(dsr) == (Decimal("9.5"), "operator", "own")
    assert RateChange.objects.count() == 1


def test_deleting_is_allowed_without_a_mean_if_no_dsr_needs_one():
    publish()
    recipes.failed_dsr.make()
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"))

    assert operator_rate_delete(operator_rate=OperatorRate.objects.get()) == RatesChanged(rates=1, dsrs=0)
    assert not OperatorRate.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": Decimal(0)},
        {"rate": Decimal("-9.5")},
        {"rate": Decimal("NaN")},
        {"rate": Decimal("sNaN")},
        {"rate": Decimal("Infinity")},
        {"rate": Decimal("9." + 40 * "0" + "1")},
        {"rate": Decimal("1E-41")},
        {"rate": Decimal("1E+30")},
        {"rate": Decimal("1E+999999")},
        {"currency": "EUR"},
        {"currency": "XYZ"},
        {"currency": "nok"},
        {"period_end": date(2019, 12, 31)},
        {"note": 201 * "n"},
    ],
    ids=str,
)
def test_invalid_operators_rate_is_refused(wrong):
    publish(NOK=TWO_DAYS)
    dsr = recipes.dsr.make()
    before = stored_rate(dsr)

    with pytest.raises(InvalidRate) as refused:
        operator_rate_set(**{"currency": "NOK", **JANUARY, "rate": Decimal("9.5"), **wrong})

    assert refused.value.code == "invalid_rate"
    assert list(refused.value.extra) == list(wrong)
    assert not OperatorRate.objects.exists()
    assert stored_rate(dsr) == before
    assert not RateChange.objects.exists()


@pytest.mark.parametrize(
    "possible",
    [
        {"rate": Decimal("9." + 39 * "0" + "1")},
        {"rate": Decimal("1E-40")},
        {"rate": Decimal(30 * "9" + "." + 40 * "9")},
        {"period_end": date(2020, 1, 1)},
        {"note": 200 * "n"},
    ],
    ids=str,
)
def test_operators_rate_keeps_all_its_digits(possible):
    entered = {"currency": "NOK", **JANUARY, "rate": Decimal("9.5"), **possible}

    operator_rate_set(**entered)

    kept = exchange_rate(currency="NOK", period_start=entered["period_start"], period_end=entered["period_end"])
    assert kept.value.as_tuple() == entered["rate"].as_tuple()


# --- Rates of the ECB ------------------------------------------------------------------------------------------


def ecb_file(folder: Path, *lines: str, name: str = "eurofxref-hist.csv") -> Path:
    """A file of the ECB with these lines, zipped if its name ends in .zip."""
    content = "".join(f"{line}\n" for line in lines)
    path = folder / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("eurofxref-hist.csv", content)
    else:
        path.write_text(content)
    return path


@pytest.mark.parametrize("name", ["eurofxref-hist.csv", "eurofxref-hist.zip"])
def test_history_of_the_ecb_is_loaded(tmp_path, name):
    publish()
    path = ecb_file(
        tmp_path, "Date,USD,NOK,RUB,", "2022-03-02,1.1106,9.8828,N/A,", "2022-03-01,1.1162,9.8708,117.201,", name=name
    )

    assert ecb_rates_load(path=path) == RatesChanged(rates=5, dsrs=0)
    assert published() == {
        ("USD", "2022-03-01", Decimal("1.1162")),
        ("NOK", "2022-03-01", Decimal("9.8708")),
        ("RUB", "2022-03-01", Decimal("117.201")),
        ("USD", "2022-03-02", Decimal("1.1106")),
        ("NOK", "2022-03-02", Decimal("9.8828")),
    }


def test_daily_file_of_the_ecb_continues_the_history(tmp_path):
    publish(USD={"2026-10-29": "1.113"}, JPY={"2026-10-29": "175.2"})
    path = ecb_file(tmp_path, "Date, USD, JPY, ", "30 October 2026, 1.1172, 175.68, ", name="eurofxref.zip")

    assert ecb_rates_load(path=path) == RatesChanged(rates=2, dsrs=0)
    assert published() == {
        ("USD", "2026-10-29", Decimal("1.113")),
        ("JPY", "2026-10-29", Decimal("175.2")),
        ("USD", "2026-10-30", Decimal("1.1172")),
        ("JPY", "2026-10-30", Decimal("175.68")),
    }


def test_file_may_have_a_byte_order_mark_windows_line_ends_and_blank_lines(tmp_path):
    publish()
    path = tmp_path / "saved.csv"
    path.write_bytes(b"\xef\xbb\xbfDate,USD,NOK\r\n\r\n2020-01-02,1.1193,9.8408\r\n\r\n")

    ecb_rates_load(path=path)

    assert published() == {("USD", "2020-01-02", Decimal("1.1193")), ("NOK", "2020-01-02", Decimal("9.8408"))}


def test_newer_file_rerates_the_dsrs_whose_mean_it_changes(tmp_path):
    publish(NOK=TWO_DAYS | {"2020-02-28": "20", "2020-03-02": "21"})
    operator = user_recipes.user.make()
    january = recipes.dsr.make(offer="January", exchange_rate=Decimal("10.5"), rate_source=TWO_DAYS_SOURCE)
    february_source = "ECB reference rates of 1 days, 2020-02-28 to 2020-02-28"
    february = recipes.dsr.make(offer="February", **FEBRUARY, exchange_rate=Decimal(20), rate_source=february_source)
    # A correction of January, and a new day in March.
    path = ecb_file(tmp_path, "Date,NOK", "2020-03-03,22", "2020-01-31,12", "2020-01-02,10")

    changed = ecb_rates_load(path=path, user=operator)

    day = date(2020, 1, 31)
    corrected = ReplacedRate("NOK", day, day, old=Decimal(11), new=Decimal(12))
    assert changed == RatesChanged(rates=2, dsrs=1, replaced=(corrected,))
    details = AuditEntry.objects.get(action="rates_loaded").details
    assert (details["replaced"], details["first_replaced"]) == (1, [str(corrected)])
    assert stored_rate(january) == (Decimal(11), "ecb_mean", TWO_DAYS_SOURCE)
    assert stored_rate(february) == (Decimal(20), "ecb_mean", february_source)
    assert changes() == [
        (
            january.pk,
            *(Decimal("10.5"), "ecb_mean", TWO_DAYS_SOURCE),
            *(Decimal(11), "ecb_mean", TWO_DAYS_SOURCE),
            operator.pk,
        )
    ]


@pytest.mark.parametrize("corrected_day", ["2020-01-02", "2020-01-31"])
def test_newer_file_may_change_the_first_and_the_last_day_of_a_period(tmp_path, corrected_day):
    publish(NOK={"2020-01-02": "10", "2020-01-31": "10"})
    dsr = recipes.dsr.make(period_start=date(2020, 1, 2), exchange_rate=Decimal(10))

    assert ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", f"{corrected_day},11")).dsrs == 1
    # The mean has no trailing zeros.
    assert str(stored_rate(dsr)[0]) == "10.5"


def test_newer_file_does_not_change_operators_rates_failed_dsrs_and_the_euro(tmp_path):
    publish(NOK=TWO_DAYS)
    by_operator = recipes.dsr.make(offer="operator")
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.5"), note="own")
    # The DSR keeps the operator's rate even if its row is gone.
    OperatorRate.objects.all().delete()
    failed = recipes.failed_dsr.make()
    euro = recipes.dsr.make(
        offer="euro", currency_id="EUR", exchange_rate=Decimal(1), rate_method="euro", rate_source=""
    )

    changed = ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", "2020-01-31,12"))

    assert (changed.rates, changed.dsrs, [str(replaced.new) for replaced in changed.replaced]) == (1, 0, ["12"])
    assert stored_rate(by_operator) == (Decimal("9.5"), "operator", "own")
    assert stored_rate(failed) == (None, "", "")
    assert stored_rate(euro) == (1, "euro", "")
    assert RateChange.objects.count() == 1


def test_same_file_again_changes_nothing(tmp_path):
    publish()
    path = ecb_file(tmp_path, "Date,NOK,USD", "2020-01-31,11,1.10", "2020-01-02,10,1.1")
    ecb_rates_load(path=path)
    dsr = recipes.dsr.make(exchange_rate=Decimal("10.5"), rate_source=TWO_DAYS_SOURCE)
    before = published()

    assert ecb_rates_load(path=path) == RatesChanged(rates=0, dsrs=0)
    assert published() == before
    assert stored_rate(dsr) == (Decimal("10.5"), "ecb_mean", TWO_DAYS_SOURCE)
    assert not RateChange.objects.exists()


@pytest.mark.parametrize("nothing", ["N/A", ""])
def test_file_keeps_rates_that_it_does_not_contain(tmp_path, nothing):
    publish(NOK=TWO_DAYS)

    ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK,USD", f"2020-01-31,{nothing},1.1"))

    assert published() == {
        ("NOK", "2020-01-02", Decimal(10)),
        ("NOK", "2020-01-31", Decimal(11)),
        ("USD", "2020-01-31", Decimal("1.1")),
    }


@pytest.mark.parametrize(
    ("loaded_until", "first_day"),
    [
        ("2020-01-30", "2020-01-31"),  # Thursday, Friday
        ("2020-01-31", "2020-02-03"),  # Friday, Monday
        ("2020-01-31", "2020-01-31"),
        ("2020-01-31", "2020-01-02"),
    ],
)
def test_file_continues_the_history_without_a_gap(tmp_path, loaded_until, first_day):
    publish(NOK={loaded_until: "10"})

    assert ecb_rates_load(path=ecb_file(tmp_path, "Date,USD", f"{first_day},1.1")).rates == 1


@pytest.mark.parametrize(
    ("loaded_until", "first_day"),
    [
        ("2020-01-29", "2020-01-31"),  # Wednesday, Friday
        ("2020-01-30", "2020-02-03"),  # Thursday, Monday
        ("2020-01-31", "2020-02-04"),  # Friday, Tuesday
        ("2020-01-31", "2021-01-04"),
    ],
)
def test_file_that_would_leave_a_gap_is_refused(tmp_path, loaded_until, first_day):
    publish(NOK={loaded_until: "10"})
    before = published()

    with pytest.raises(InvalidRateFile) as refused:
        ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", "2021-01-05,12", f"{first_day},11"))

    assert f"starts on {first_day}, but the loaded history ends on {loaded_until}" in refused.value.message
    assert published() == before


def test_file_that_would_leave_a_dsr_without_a_rate_is_refused(tmp_path):
    publish(NOK=TWO_DAYS)
    dsr = recipes.dsr.make(exchange_rate=Decimal("10.5"), rate_source=TWO_DAYS_SOURCE)
    before = published()

    with pytest.raises(ExchangeRateIncomplete):
        ecb_rates_load(path=ecb_file(tmp_path, "Date,USD", "2020-01-03,1.1147", "2020-01-02,1.1193"))

    assert published() == before
    assert stored_rate(dsr) == (Decimal("10.5"), "ecb_mean", TWO_DAYS_SOURCE)


GOOD = ("Date,USD,NOK", "2020-02-03,1.1066,10.1935")


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (["USD,NOK", "1.1066,10.1935"], 1, "the header"),
        (["KEY,FREQ,CURRENCY", "EXR.D.USD.EUR.SP00.A,D,USD"], 1, "the header"),
        (["Date", "2020-02-03"], 1, "the header"),
        (["", *GOOD], 1, "the header"),
        (["Date,USD,USD", "2020-02-03,1.1066,1.1066"], 1, "'USD' is there twice"),
        (["Date,USD,XYZ", "2020-02-03,1.1066,10.1935"], 1, "unknown currency 'XYZ'"),
        (["Date,USD,,NOK", "2020-02-03,1.1066,,10.1935"], 1, "unknown currency ''"),
        ([*GOOD, "2020-02-04,1.1048"], 3, "2 cells, not 3"),
        ([*GOOD, "2020-02-04,1.1048,10.1645,7"], 3, "4 cells, not 3"),
        ([*GOOD, "", "2020-02-30,1.1048,10.1645"], 4, "'2020-02-30' is not a day"),
        ([*GOOD, "04/02/2020,1.1048,10.1645"], 3, "'04/02/2020' is not a day"),
        ([*GOOD, "31 Febuary 2020,1.1048,10.1645"], 3, "'31 Febuary 2020' is not a day"),
        ([*GOOD, GOOD[1]], 3, "2020-02-03 is there twice"),
        ([*GOOD, "3 February 2020,1.1066,10.1935"], 3, "2020-02-03 is there twice"),
        ([*GOOD, "2020-02-03,1.1066,101.935"], 3, "2020-02-03 is there twice: NOK is 10.1935 and 101.935."),
        ([*GOOD, "2020-02-04,1.1048,ten"], 3, "'ten' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,-10.1645"], 3, "'-10.1645' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,0.0"], 3, "'0.0' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,NaN"], 3, "'NaN' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,Infinity"], 3, "'Infinity' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,1_0"], 3, "'1_0' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,1e1"], 3, "'1e1' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,10.16.45"], 3, "'10.16.45' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,١٠"], 3, "'١٠' is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,1" + 30 * "0"], 3, "is not a rate"),
        ([*GOOD, "2020-02-04,1.1048,0." + 40 * "0" + "1"], 3, "is not a rate"),
    ],
)
def test_invalid_line_is_refused_and_nothing_changes(tmp_path, lines, line, words):
    publish(NOK=TWO_DAYS)
    before = published()

    with pytest.raises(InvalidRateFile) as refused:
        ecb_rates_load(path=ecb_file(tmp_path, *lines))

    assert refused.value.code == "invalid_rate_file"
    assert refused.value.extra == {"file": "eurofxref-hist.csv", "line": line}
    assert refused.value.message.startswith(f"eurofxref-hist.csv, line {line}: ")
    assert words in refused.value.message
    assert published() == before


def test_future_day_is_refused(tmp_path):
    publish()
    today = ecb_file(tmp_path, *GOOD)
    tomorrow = ecb_file(tmp_path, *GOOD, "2020-02-04,1.1048,10.1645", name="tomorrow.csv")

    with patch("catalogue.rates.ecb.timezone.localdate", return_value=date(2020, 2, 3)):
        assert ecb_rates_load(path=today).rates == 2
        with pytest.raises(InvalidRateFile, match="line 3: 2020-02-04 is still to come"):
            ecb_rates_load(path=tomorrow)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Date,USD\n",
        b"Date,USD\n2020-02-03,N/A\n",
        b"\xff\xfe\x00rubbish\n",
        bytes(range(256)) * 1000,
        b'"' * 200_000,
        b"PK\x05\x06" + 18 * b"\0",  # an empty zip
        b"PK\x03\x04 and no more",
    ],
    ids=["empty", "header alone", "no rate", "not UTF-8", "binary", "endless cell", "empty zip", "broken zip"],
)
@pytest.mark.parametrize("name", ["eurofxref-hist.csv", "eurofxref-hist.zip"])
def test_content_that_is_not_a_file_of_the_ecb_is_refused_and_nothing_changes(tmp_path, name, content):
    publish(NOK=TWO_DAYS)
    before = published()
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(InvalidRateFile) as refused:
        ecb_rates_load(path=path)

    assert refused.value.message.startswith(name)
    assert published() == before


@pytest.mark.parametrize(
    "damaged_byte",
    [0, 29, 60, 95, 97, 99, 153, 169],
    ids=["file header", "extra length", "content", "zip version", "flags", "compression", "zip's end", "offset"],
)
def test_damaged_zip_is_refused_and_nothing_changes(tmp_path, damaged_byte):
    publish(NOK=TWO_DAYS)
    before = published()
    path = ecb_file(tmp_path, *GOOD, name="eurofxref-hist.zip")
    content = bytearray(path.read_bytes())
    content[damaged_byte] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(InvalidRateFile):
        ecb_rates_load(path=path)

    assert published() == before


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_path_that_is_not_a_file_is_refused(tmp_path, name):
    with pytest.raises(InvalidRateFile):
        ecb_rates_load(path=tmp_path / name)


def test_every_currency_of_the_ecb_is_known():
    header = "USD JPY BGN CYP CZK DKK EEK GBP HUF LTL LVL MTL PLN ROL RON SEK SIT SKK CHF ISK NOK HRK RUB TRL TRY "
    header += "AUD BRL CAD CNY HKD IDR ILS INR KRW MXN MYR NZD PHP SGD THB ZAR"

    assert Currency.objects.filter(code__in=header.split()).count() == 41


# --- Cost and concurrency --------------------------------------------------------------------------------------


def test_rerating_20_dsrs_takes_as_many_queries_as_one(tmp_path):
    publish(NOK=TWO_DAYS)
    recipes.dsr.make(offer="first")
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal(9))

    with CaptureQueriesContext(connection) as for_one:
        assert operator_rate_set(currency="NOK", **JANUARY, rate=Decimal(8)).dsrs == 1
    recipes.dsr.make(offer=(f"another {number}" for number in range(19)), _quantity=19, _bulk_create=True)
    with CaptureQueriesContext(connection) as for_20:
        assert operator_rate_set(currency="NOK", **JANUARY, rate=Decimal(7)).dsrs == 20

    assert len(for_20) == len(for_one)


def test_loading_a_history_takes_as_many_queries_for_20_dsrs_as_for_one(tmp_path):
    publish(NOK=TWO_DAYS)
    recipes.dsr.make(offer="first")

    with CaptureQueriesContext(connection) as for_one:
        assert ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", "2020-01-31,12")).dsrs == 1
    recipes.dsr.make(offer=(f"another {number}" for number in range(19)), _quantity=19, _bulk_create=True)
    with CaptureQueriesContext(connection) as for_20:
        assert ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", "2020-01-31,13")).dsrs == 20

    assert len(for_20) == len(for_one)


SHARED_LOCK = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))"
EXCLUSIVE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def do_not_wait_for_locks() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '50ms'")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("9.6")),
        lambda path: operator_rate_delete(operator_rate=OperatorRate.objects.get()),
        lambda path: ecb_rates_load(path=path),
    ],
    ids=["set", "delete", "load"],
)
def test_rates_cannot_change_while_an_import_uses_them(tmp_path, change):
    publish(NOK=TWO_DAYS)
    recipes.operator_rate.make()
    path = ecb_file(tmp_path, "Date,NOK", "2020-01-31,12")
    do_not_wait_for_locks()

    with other_transaction() as running_import:
        running_import.execute(SHARED_LOCK, [locks.RATES.text])
        with pytest.raises(OperationalError, match="lock timeout"):
            change(path)
        running_import.execute("ROLLBACK")

    assert change(path).rates == 1


def test_imports_do_not_wait_for_each_other():
    do_not_wait_for_locks()

    with other_transaction() as running_import:
        running_import.execute(SHARED_LOCK, [locks.RATES.text])
        rates_lock(shared=True)


def test_import_waits_while_rates_change():
    do_not_wait_for_locks()

    with other_transaction() as operator:
        operator.execute(EXCLUSIVE_LOCK, [locks.RATES.text])
        with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
            rates_lock(shared=True)
        operator.execute("ROLLBACK")

    rates_lock(shared=True)


# --- Amounts in euro -------------------------------------------------------------------------------------------


def in_euro(amount: Decimal, rate: Decimal) -> Decimal:
    with connection.cursor() as cursor:
        cursor.execute("SELECT catalogue_eur(%s::numeric, %s::numeric)", [amount, rate])
        euro: Decimal = cursor.fetchone()[0]
    return euro


@pytest.mark.parametrize(
    ("amount", "rate", "euro"),
    [
        ("1", "3", "0." + 40 * "3"),
        ("2", "3", "0." + 39 * "6" + "7"),
        ("-2", "3", "-0." + 39 * "6" + "7"),
        ("10.5", "10.5", "1"),
        ("0", "7", "0"),
        ("1E-40", "2", "0"),  # 0.5 units of the 40th decimal
        ("3E-40", "2", "2E-40"),  # 1.5
        ("5E-40", "2", "2E-40"),  # 2.5
        ("-1E-40", "2", "0"),
        ("-3E-40", "2", "-2E-40"),
        ("-5E-40", "2", "-2E-40"),
        ("5.000000000000000001E-40", "2", "3E-40"),
        ("4.999999999999999999E-40", "2", "2E-40"),
        ("999999999999999999999999999999", "0.1", "9999999999999999999999999999990"),
        ("1E-60", "1E+29", "0"),
        ("1E-60", "1E-40", "1E-20"),
        # The rate of the euro is 1: only the digits after the 40th decimal are rounded.
        ("2.220446049250313E-16", "1", "2.220446049250313E-16"),
        ("1." + 39 * "0" + "05", "1", "1"),
        ("1." + 39 * "0" + "15", "1", "1." + 39 * "0" + "2"),
        ("-1." + 39 * "0" + "15", "1", "-1." + 39 * "0" + "2"),
        ("1." + 39 * "0" + "25", "1.0", "1." + 39 * "0" + "2"),
        ("1." + 39 * "0" + "25000000000000000001", "1", "1." + 39 * "0" + "3"),
    ],
)
def test_amount_in_euro(amount, rate, euro):
    assert in_euro(Decimal(amount), Decimal(rate)) == Decimal(euro)


def rounded_quotient(amount: Decimal, rate: Decimal) -> Fraction:
    """The quotient, rounded half-even at the 40th decimal by Python's fractions."""
    return Fraction(round(Fraction(amount) / Fraction(rate) * 10**40), 10**40)


def numbers(smallest: int, largest: int, decimals: int) -> st.SearchStrategy[Decimal]:
    return st.builds(
        lambda number, places: Decimal(f"{number}E-{places}"), st.integers(smallest, largest), st.integers(0, decimals)
    )


AMOUNTS = numbers(-(10**30) + 1, 10**30 - 1, 60)
LONG_AMOUNTS = st.integers(-(10**90) + 1, 10**90 - 1).map(lambda number: Decimal(f"{number}E-60"))
RATES = st.just(Decimal(1)) | numbers(1, 10**30 - 1, 40)


@settings(max_examples=300)
@given(amount=AMOUNTS | LONG_AMOUNTS, rate=RATES)
@example(amount=Decimal("0.1"), rate=Decimal("9.9384227272727272727272727272727272727273"))
def test_amount_in_euro_is_the_exact_quotient_rounded_half_even(amount, rate):
    assert Fraction(in_euro(amount, rate)) == rounded_quotient(amount, rate)


@given(digits=st.integers(1, 10**30 - 1), decimals=st.integers(0, 40), units=st.integers(-(10**50), 10**50))
def test_amount_in_euro_is_rounded_to_even_if_it_is_halfway(digits, decimals, units):
    rate = Decimal(f"{digits}E-{decimals}")
    # (units + 1/2) of the 40th decimal, times the rate.
    amount = Decimal(f"{digits * (2 * units + 1) * 5}E-{decimals + 41}")

    even = units if units % 2 == 0 else units + 1
    assert Fraction(in_euro(amount, rate)) == Fraction(even, 10**40)
