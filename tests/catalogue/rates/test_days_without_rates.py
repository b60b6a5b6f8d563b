"""Periods without any publication of the ECB, and currencies that it stopped publishing.

The expected rates are copied from the ECB's published history (eurofxref-hist), which the first migrations load. Its
last day is 30 October 2026, a Friday.
"""

import io
from bisect import bisect_left
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, EcbRate, ImportJob, OperatorRate, RateChange, RateMethod
from catalogue.rates.ecb import ecb_rates_load
from catalogue.rates.periods import exchange_rate
from catalogue.rates.services import operator_rate_delete, operator_rate_set
from tests.catalogue import recipes
from tests.catalogue.helpers import line, user_with, write_report
from tests.graphql_schema.helpers import ask

pytestmark = pytest.mark.django_db

SATURDAY = {"period_start": date(2020, 1, 4), "period_end": date(2020, 1, 4)}
SATURDAY_NAME = "Spotify_Duo_NO_NOK_20200104-20200104.tsv"
FRIDAYS_SOURCE = "ECB reference rate of 2020-01-03, the last day of publication before the period"


def rate_of(currency, start, end):
    return exchange_rate(currency=currency, period_start=date.fromisoformat(start), period_end=date.fromisoformat(end))


def stored_rate(dsr):
    dsr.refresh_from_db()
    return dsr.exchange_rate, dsr.rate_method, dsr.rate_source


def ecb_file(folder, *lines):
    path = folder / "eurofxref-hist.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


# --- The last rate before the period ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "start", "end", "day", "rate"),
    [
        ("NOK", "2020-01-04", "2020-01-04", "2020-01-03", "9.8315"),  # a Saturday
        ("NOK", "2020-01-05", "2020-01-05", "2020-01-03", "9.8315"),  # a Sunday
        ("NOK", "2020-01-04", "2020-01-05", "2020-01-03", "9.8315"),
        ("NOK", "2020-01-01", "2020-01-01", "2019-12-31", "9.8638"),  # New Year's Day
        ("JPY", "2020-01-01", "2020-01-01", "2019-12-31", "121.94"),
        ("SEK", "2020-04-10", "2020-04-13", "2020-04-09", "10.9455"),  # Good Friday to Easter Monday
        ("HRK", "2022-12-31", "2022-12-31", "2022-12-30", "7.5365"),  # the last day of the kuna, a Saturday
        ("BGN", "2025-12-25", "2025-12-26", "2025-12-24", "1.9558"),
        ("ISK", "2018-02-03", "2018-02-04", "2018-02-02", "125.2"),  # published again since 1 February 2018
    ],
)
def test_the_last_rate_before_a_period_without_publication_holds(currency, start, end, day, rate):
    found = rate_of(currency, start, end)

    assert (found.value, found.method) == (Decimal(rate), RateMethod.ECB_LAST)
    assert found.source == f"ECB reference rate of {day}, the last day of publication before the period"


def test_one_day_of_publication_is_enough_for_a_mean():
    found = rate_of("NOK", "2020-01-03", "2020-01-05")

    assert (found.value, found.method) == (Decimal("9.8315"), RateMethod.ECB_MEAN)


def test_an_operators_rate_takes_precedence():
    operator_rate_set(currency="NOK", **SATURDAY, rate=Decimal("9.9"), note="own")

    assert rate_of("NOK", "2020-01-04", "2020-01-04").method == RateMethod.OPERATOR


def test_a_rate_takes_as_many_queries_for_a_day_without_publication_in_any_year():
    counts = set()
    for start in ("2000-01-01", "2020-01-04", "2026-10-25"):
        with CaptureQueriesContext(connection) as queries:
            rate_of("NOK", start, start)
        counts.add(len(queries))
    assert len(counts) == 1


FIRST = date(2024, 1, 1)


@settings(max_examples=20)
@given(
    published=st.sets(st.integers(0, 20), min_size=1),
    others_only=st.sets(st.integers(0, 20)),
    start=st.integers(-2, 22),
    length=st.integers(1, 5),
)
def test_rates_follow_the_rule_for_any_calendar(published, others_only, start, length):
    """The reference reads the rule day by day. The rate of day n is n + 1."""
    EcbRate.objects.all().delete()
    days = sorted(published | others_only)
    own = published - others_only
    recipes.ecb_rate.make(
        currency_id="USD", day=(FIRST + timedelta(day) for day in days), _quantity=len(days), _bulk_create=True
    )
    if own:
        recipes.ecb_rate.make(
            currency_id="NOK",
            day=(FIRST + timedelta(day) for day in sorted(own)),
            rate=(Decimal(day + 1) for day in sorted(own)),
            _quantity=len(own),
            _bulk_create=True,
        )
    end = start + length - 1
    inside = [day for day in days if start <= day <= end]
    before = days[: bisect_left(days, start)]
    expected = None
    if days[-1] >= end:
        if inside and own.issuperset(inside):
            expected = ("ecb_mean", Decimal(sum(day + 1 for day in inside)) / len(inside))
        elif not inside and before and before[-1] in own:
            expected = ("ecb_last", Decimal(before[-1] + 1))
    period = {"period_start": FIRST + timedelta(start), "period_end": FIRST + timedelta(end)}

    if expected is None:
        with pytest.raises((ExchangeRateIncomplete, ExchangeRateMissing)):
            exchange_rate(currency="NOK", **period)
    else:
        found = exchange_rate(currency="NOK", **period)
        assert (found.method, round(found.value, 20)) == (expected[0], round(expected[1], 20))


# --- What is refused, and what helps ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "start", "end", "days", "reason"),
    [
        # The only rate of the month is that of the 1st, so not even a Saturday may use it.
        ("RUB", "2022-03-01", "2022-03-31", (1, 23), "the ECB suspended RUB after 2022-03-01"),
        ("RUB", "2022-03-05", "2022-03-05", (0, 0), "the ECB suspended RUB after 2022-03-01"),
        ("RUB", "2025-01-01", "2025-01-31", (0, 22), "the ECB suspended RUB after 2022-03-01"),
        # The loaded history does not reach these periods, and newer ones cannot have rates either.
        ("RUB", "2026-10-31", "2026-10-31", (0, 0), "the ECB suspended RUB after 2022-03-01"),
        ("RUB", "2026-10-01", "2026-11-30", (0, 22), "the ECB suspended RUB after 2022-03-01"),
        (
            "ISK",
            "2015-06-01",
            "2015-06-30",
            (0, 22),
            "the ECB suspended ISK after 2008-12-09 and resumed on 2018-02-01",
        ),
        ("ISK", "2008-12-13", "2008-12-14", (0, 0), "the ECB suspended ISK after 2008-12-09 and resumed on 2018-02-01"),
        ("HRK", "2023-01-01", "2023-01-31", (0, 22), "EUR replaced HRK, whose last rate is of 2022-12-30"),
        ("BGN", "2026-01-03", "2026-01-04", (0, 0), "EUR replaced BGN, whose last rate is of 2025-12-31"),
        ("SKK", "2009-01-05", "2009-01-05", (0, 1), "EUR replaced SKK, whose last rate is of 2008-12-31"),
        ("TRL", "2005-02-01", "2005-02-28", (0, 20), "TRY replaced TRL, whose last rate is of 2004-12-31"),
        ("BRL", "2007-12-29", "2007-12-30", (0, 0), "the ECB publishes BRL from 2008-01-02 on"),
        ("NOK", "1999-01-01", "1999-01-03", (0, 0), "the loaded history begins on 1999-01-04"),
    ],
)
def test_where_no_newer_history_can_help_the_refusal_says_why_and_does_not_advise_it(
    currency, start, end, days, reason
):
    with pytest.raises(ExchangeRateIncomplete) as refused:
        rate_of(currency, start, end)

    error = refused.value
    assert (error.extra["days_found"], error.extra["days_expected"]) == days
    assert error.extra["reason"] == reason
    assert reason[1:] in error.message
    assert "load" not in error.message.partition(reason[1:])[2]
    assert "0 of 0" not in error.message
    assert error.message.endswith(f" Enter a rate of {currency} from {start} to {end}.")


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-10-31", "2026-10-31", (0, 0)),  # the Saturday after the last day: a later day is not loaded
        ("2026-10-31", "2026-11-01", (0, 0)),
        ("2026-10-01", "2026-10-31", (22, 22)),
        ("2026-11-01", "2026-11-30", (0, 0)),
    ],
)
def test_where_newer_history_helps_the_refusal_names_the_day_that_it_must_reach(start, end, days):
    with pytest.raises(ExchangeRateIncomplete) as refused:
        rate_of("NOK", start, end)

    error = refused.value
    assert (error.extra["days_found"], error.extra["days_expected"]) == days
    assert f"ends on 2026-10-30, has {'no rates' if days == (0, 0) else '22 of 22 published'}" in error.message
    assert f"Ask an administrator to load rates that reach {end}." in error.message


def test_a_later_day_makes_a_saturday_importable(tmp_path):
    ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", "2026-11-02,10.5"))

    found = rate_of("NOK", "2026-10-31", "2026-10-31")

    assert (found.value, found.method) == (Decimal("10.312"), RateMethod.ECB_LAST)


def test_without_a_history_the_refusal_advises_to_have_one_loaded():
    EcbRate.objects.all().delete()

    with pytest.raises(
        ExchangeRateMissing,
        match=r"^No rates of the ECB are loaded\. Ask an administrator to load them\. Or: Enter a rate of NOK",
    ):
        rate_of("NOK", "2020-01-04", "2020-01-04")


@pytest.mark.django_db(transaction=True)
def test_the_problem_of_a_failed_dsr_says_that_the_currency_is_suspended(tmp_path):
    err = io.StringIO()
    name = "Spotify_Duo_RU_RUB_20220305-20220305.tsv"
    with pytest.raises(CommandError):
        call_command("import_dsr", write_report(tmp_path, name, line("a")), stderr=err)

    assert "  file: exchange_rate_incomplete: 'RUB: the ECB suspended RUB after 2022-03-01'" in err.getvalue()
    problem = DSR.objects.failed().get().problems.get()
    assert problem.value == "RUB: the ECB suspended RUB after 2022-03-01"


# --- Re-rating -------------------------------------------------------------------------------------------------


@pytest.fixture
def saturday():
    return recipes.dsr.make(
        path=SATURDAY_NAME,
        **SATURDAY,
        exchange_rate=Decimal("9.8315"),
        rate_method=RateMethod.ECB_LAST,
        rate_source=FRIDAYS_SOURCE,
    )


def test_a_correction_of_the_last_day_before_the_period_rerates_its_dsrs(tmp_path, saturday):
    changed = ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", "2020-01-03,9.9"))

    assert changed.dsrs == 1
    assert stored_rate(saturday) == (Decimal("9.9"), "ecb_last", FRIDAYS_SOURCE)
    change = RateChange.objects.get()
    assert (change.old_method, change.new_method) == ("ecb_last", "ecb_last")
    assert (change.old_rate, change.new_rate) == (Decimal("9.8315"), Decimal("9.9"))


def test_a_rate_that_is_published_for_the_period_after_all_becomes_its_mean(tmp_path, saturday):
    currencies = list(EcbRate.objects.filter(day="2020-01-03").values_list("currency", flat=True))
    of_saturday = ",".join(["2020-01-04", *("9" for _ in currencies)])

    assert ecb_rates_load(path=ecb_file(tmp_path, f"Date,{','.join(currencies)}", of_saturday)).dsrs == 1

    assert stored_rate(saturday) == (
        Decimal(9),
        "ecb_mean",
        "ECB reference rates of 1 days, 2020-01-04 to 2020-01-04",
    )


@pytest.mark.parametrize("day", ["2020-01-02", "2020-01-06"])
def test_other_corrections_change_nothing(tmp_path, saturday, day):
    assert ecb_rates_load(path=ecb_file(tmp_path, "Date,NOK", f"{day},9.9")).dsrs == 0

    assert stored_rate(saturday) == (Decimal("9.8315"), "ecb_last", FRIDAYS_SOURCE)


def test_deleting_an_operators_rate_leads_back_to_the_last_rate(saturday):
    operator_rate_set(currency="NOK", **SATURDAY, rate=Decimal("9.9"), note="own")
    assert stored_rate(saturday) == (Decimal("9.9"), "operator", "own")

    assert operator_rate_delete(operator_rate=OperatorRate.objects.get()).dsrs == 1

    assert stored_rate(saturday) == (Decimal("9.8315"), "ecb_last", FRIDAYS_SOURCE)


def test_a_dsr_that_was_rated_before_keeps_its_rate_when_the_package_is_loaded_again():
    """Earlier versions refused such periods, so operators entered rates for them."""
    operator_rate_set(currency="NOK", **SATURDAY, rate=Decimal("9.9"), note="own")
    dsr = recipes.dsr.make(**SATURDAY, exchange_rate=Decimal("9.9"), rate_method="operator", rate_source="own")

    assert ecb_rates_load().dsrs == 0

    assert stored_rate(dsr) == (Decimal("9.9"), "operator", "own")


# --- Where it is shown -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_every_door_shows_the_method(client, admin_client, tmp_path, settings):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    content = write_report(tmp_path, SATURDAY_NAME, line("a", revenue="98.315")).read_bytes()
    client.force_login(user_with("add_dsr"))

    answer = client.post("/dsrs/", {"file": SimpleUploadedFile(SATURDAY_NAME, content)}).json()

    known = {name: answer[name] for name in ("exchange_rate", "rate_method", "rate_source")}
    assert known == {"exchange_rate": "9.8315", "rate_method": "ecb_last", "rate_source": FRIDAYS_SOURCE}
    (revenue,) = [resource["revenue"] for resource in client.get("/resources/percentile/100").json()]
    assert revenue == 10
    dsr = DSR.objects.get()
    assert ask("query ($id: ID!) { dsr(id: $id) { rateMethod exchangeRate } }", id=dsr.pk)["dsr"] == {
        "rateMethod": "ecb_last",
        "exchangeRate": "9.8315",
    }
    page = admin_client.get(f"/admin/catalogue/dsr/{dsr.pk}/change/").content.decode()
    assert "the ECB&#x27;s last reference rate before the period" in page
    assert FRIDAYS_SOURCE in page
    shown = admin_client.get("/admin/catalogue/dsr/?rate_method__exact=ecb_last").content.decode()
    assert SATURDAY_NAME in shown
    export = admin_client.post("/admin/catalogue/dsr/export/", {"resource": "0", "format": "1"})
    assert f"ecb_last\t{FRIDAYS_SOURCE}" in export.getvalue().decode()


@pytest.mark.django_db(transaction=True)
def test_the_preview_of_the_admin_shows_the_rate_in_plain_digits(admin_client, tmp_path, settings):
    """290 króna, as the ECB published it on 9 December 2008: normalized, it would be 2.9E+2."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    for day in ("20081209", "20081206"):
        name = f"Spotify_Duo_IS_ISK_{day}-{day}.tsv"
        content = write_report(tmp_path, name, line("a", revenue="1")).read_bytes()
        file = SimpleUploadedFile(name, content)
        admin_client.post("/admin/catalogue/dsr/import/", {"import_file": file, "format": "0", "resource": "0"})

    mean, last = ImportJob.objects.order_by("id").values_list("preview__rate", flat=True)
    assert mean["value"] == "290"
    assert last["source"] == "ECB reference rate of 2008-12-05, the last day of publication before the period"


@pytest.mark.django_db(transaction=True)
def test_a_context_of_a_saturday_is_rated_beside_one_of_a_month(tmp_path):
    for name in (SATURDAY_NAME, "Spotify_Duo_NO_NOK_20200101-20200131.tsv"):
        dsr_import(path=write_report(tmp_path, name, line("a", revenue="1")), name=name)

    assert sorted(DSR.objects.values_list("rate_method", flat=True)) == ["ecb_last", "ecb_mean"]
