"""The commands that load the rates of the ECB and that set the rates of operators."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from catalogue.management.commands import load_ecb_rates
from catalogue.models import EcbRate, OperatorRate
from tests.catalogue import recipes

pytestmark = pytest.mark.django_db

NOK_JANUARY = ("NOK", "2020-01-01", "2020-01-31")
NOK_MEAN = Decimal("9.9384227272727272727272727272727272727273")


def test_without_a_file_the_history_of_the_package_is_loaded(capsys):
    call_command("load_ecb_rates")

    assert capsys.readouterr().out == "Rates new or changed: 0. DSRs re-rated: 0.\n"


def test_history_of_the_package_adds_and_corrects_rates(capsys):
    dsr = recipes.dsr.make(exchange_rate=Decimal(9))
    EcbRate.objects.filter(day="2026-10-30").delete()
    EcbRate.objects.filter(currency="NOK", day="2020-01-31").update(rate=9)

    call_command("load_ecb_rates")

    # 29 currencies of 30 October 2026, and the Norwegian krone.
    assert capsys.readouterr().out == "Rates new or changed: 30. DSRs re-rated: 1.\n"
    dsr.refresh_from_db()
    assert dsr.exchange_rate == NOK_MEAN


def test_file_of_the_ecb_is_loaded(tmp_path, capsys):
    dsr = recipes.dsr.make()
    path = tmp_path / "eurofxref-hist.csv"
    # 2.2 above the published rate: 0.1 in the mean of 22 days.
    path.write_text("Date,NOK,\n2020-01-31,12.3893,\n")

    call_command("load_ecb_rates", path)

    assert capsys.readouterr().out == "Rates new or changed: 1. DSRs re-rated: 1.\n"
    dsr.refresh_from_db()
    assert dsr.exchange_rate == Decimal("10.0384227272727272727272727272727272727273")


def test_invalid_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / "eurofxref-hist.csv"
    path.write_text("Date,NOK,\n2020-01-31,ten,\n")

    with pytest.raises(CommandError, match=r"^eurofxref-hist\.csv, line 2: 'ten' is not a rate\.$"):
        call_command("load_ecb_rates", path)


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(CommandError, match=r"^missing\.zip cannot be read: "):
        call_command("load_ecb_rates", tmp_path / "missing.zip")


def test_exchange_rate_is_set(capsys):
    dsr = recipes.dsr.make()

    call_command("set_exchange_rate", *NOK_JANUARY, "9.5", "--note", "Norges Bank")

    assert capsys.readouterr().out == "DSRs re-rated: 1.\n"
    entered = OperatorRate.objects.values_list("currency", "period_start", "period_end", "rate", "note").get()
    assert entered == ("NOK", date(2020, 1, 1), date(2020, 1, 31), Decimal("9.5"), "Norges Bank")
    dsr.refresh_from_db()
    assert (dsr.exchange_rate, dsr.rate_method, dsr.rate_source) == (Decimal("9.5"), "operator", "Norges Bank")


def test_a_second_amount_for_one_rate_is_said(capsys):
    call_command("set_exchange_rate", *NOK_JANUARY, "9.85")
    call_command("set_exchange_rate", *NOK_JANUARY, "98.5")
    call_command("set_exchange_rate", *NOK_JANUARY, "98.50", "--note", "the same amount")

    assert capsys.readouterr().out.splitlines() == [
        "DSRs re-rated: 0.",
        "The rate of NOK from 2020-01-01 to 2020-01-31 was 9.85 and is now 98.5.",
        "DSRs re-rated: 0.",
        "DSRs re-rated: 0.",
    ]


def test_corrections_of_published_rates_are_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(load_ecb_rates, "SHOWN_REPLACED", 2)
    path = tmp_path / "eurofxref-hist.csv"
    # The ECB published 10.1893 and 9.8315 for NOK, and 1.1052 for USD.
    path.write_text("Date,NOK,USD\n2020-01-31,101.893,1.1\n2020-01-03,9.8,N/A\n2020-01-02,9.8408,N/A\n")

    call_command("load_ecb_rates", path)

    assert capsys.readouterr().err.splitlines() == [
        "The rate of NOK of 2020-01-03 was 9.8315 and is now 9.8.",
        "The rate of NOK of 2020-01-31 was 10.1893 and is now 101.893.",
        "1 more rates had other amounts before.",
    ]


def test_exchange_rate_is_deleted(capsys):
    dsr = recipes.dsr.make()
    call_command("set_exchange_rate", *NOK_JANUARY, "9.5")
    capsys.readouterr()

    call_command("set_exchange_rate", *NOK_JANUARY, "--delete")

    assert capsys.readouterr().out == "DSRs re-rated: 1.\n"
    assert not OperatorRate.objects.exists()
    dsr.refresh_from_db()
    assert (dsr.exchange_rate, dsr.rate_method) == (NOK_MEAN, "ecb_mean")


def test_exchange_rate_that_a_dsr_needs_cannot_be_deleted():
    of_period = ("RUB", "2022-03-01", "2022-03-31")
    recipes.dsr.make(currency_id="RUB", period_start=date(2022, 3, 1), period_end=date(2022, 3, 31))
    call_command("set_exchange_rate", *of_period, "118.5")

    with pytest.raises(CommandError, match=r"has 1 of 23 published rates of RUB from 2022-03-01 to 2022-03-31\."):
        call_command("set_exchange_rate", *of_period, "--delete")

    assert OperatorRate.objects.count() == 1


def test_exchange_rate_that_was_never_set_cannot_be_deleted():
    call_command("set_exchange_rate", "NOK", "2020-01-01", "2020-01-30", "9.5")

    with pytest.raises(CommandError, match=r"^No rate was set for this currency and period\.$"):
        call_command("set_exchange_rate", *NOK_JANUARY, "--delete")

    assert OperatorRate.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*NOK_JANUARY, "0"), "0 is not a rate"),
        ((*NOK_JANUARY, "-9.5"), "-9.5 is not a rate"),
        ((*NOK_JANUARY, "NaN"), "RATE: 'NaN' is not a number"),
        ((*NOK_JANUARY, "1_000"), "RATE: '1_000' is not a number"),
        ((*NOK_JANUARY, "1e3"), "RATE: '1e3' is not a number"),
        ((*NOK_JANUARY, "nine"), "RATE: 'nine' is not a number"),
        ((*NOK_JANUARY,), "RATE --delete is required"),
        ((*NOK_JANUARY, "9.5", "--delete"), "--delete: not allowed with argument RATE"),
        (("NOK", "1/1/2020", "2020-01-31", "9.5"), "PERIOD_START: '1/1/2020' is not a day"),
        (("NOK", "2020-01-01", "2020-01-32", "9.5"), "PERIOD_END: '2020-01-32' is not a day"),
        (("NOK", "2020-02-01", "2020-01-31", "9.5"), "before it starts"),
        (("EUR", "2020-01-01", "2020-01-31", "9.5"), "The rate of the euro is 1"),
        (("XYZ", "2020-01-01", "2020-01-31", "9.5"), "'XYZ' is not a currency"),
    ],
)
def test_invalid_exchange_rate_is_refused(arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("set_exchange_rate", *arguments)

    assert not OperatorRate.objects.exists()
