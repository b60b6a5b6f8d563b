"""`usage_records_add`: added records, errors and marks, by INSERT and by COPY."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subscriptions.aggregates.ranges import Step
from subscriptions.exceptions import DaySealed, InvalidUsage, UsageConflict
from subscriptions.models import DataUsageRecord, VoiceUsageRecord
from subscriptions.records import loading, services
from subscriptions.records.events import UsageEvent
from subscriptions.records.services import UsageAdded, usage_records_add
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, add, event, mark_singly, marks, noon, subscribe, sums

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["few", "many"], autouse=True)
def way(request, monkeypatch):
    """Runs each test twice: records are added by an INSERT, and by COPY."""
    if request.param == "many":
        monkeypatch.setattr(services, "FEW_RECORDS", 0)
    return request.param


# --- Valid records ---------------------------------------------------------------------------------------------


def test_a_record_is_stored_as_it_is():
    someone = subscribe()
    usage_date = datetime(2026, 1, 5, 23, 59, 59, 123456, tzinfo=UTC)
    assert add(event(someone, usage_date, "12.50", 2048, "x-1")) == UsageAdded(added=1, repeated=0)
    record = DataUsageRecord.objects.get()
    assert (record.subscription, record.usage_date, record.day) == (someone, usage_date, date(2026, 1, 5))
    assert (record.price, record.kilobytes_used, record.external_id) == (Decimal("12.50"), 2048, "x-1")


def test_voice_is_another_table():
    someone = subscribe()
    add(event(someone, amount=61), usage_type=VOICE)
    assert VoiceUsageRecord.objects.get().seconds_used == 61
    assert not DataUsageRecord.objects.exists()


def test_no_records_run_no_query():
    with CaptureQueriesContext(connection) as queries:
        assert add() == UsageAdded(added=0, repeated=0)
    assert not queries


@pytest.mark.parametrize(
    "price",
    ["2.220446049250313e-16", "0", "-3.75", "1E+3", "123456789012345678901234567890.5", "0." + 59 * "0" + "1"],
)
def test_every_digit_of_a_price_is_kept(price):
    someone = subscribe()
    add(event(someone, price=price), event(someone, price="1"))
    assert set(DataUsageRecord.objects.values_list("price", flat=True)) == {Decimal(price), Decimal(1)}


def test_the_largest_amount_is_kept():
    someone = subscribe()
    add(event(someone, amount=2**63 - 1), event(someone, amount=2**63 - 1))
    assert sums() == {(someone.pk, "data"): ("2.00", 18446744073709551614)}


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", date(2026, 1, 2)), ("America/New_York", date(2026, 1, 1)), ("Asia/Tokyo", date(2026, 1, 2))],
)
def test_the_zone_of_the_setting_makes_the_day(settings, zone, day):
    settings.DSRHUB_USAGE_TIME_ZONE = zone
    add(event(subscribe(), datetime(2026, 1, 2, 4, 59, tzinfo=UTC)))
    assert DataUsageRecord.objects.get().day == day


def test_midnight_is_that_of_the_zone_whatever_the_zone_of_the_record(settings):
    settings.DSRHUB_USAGE_TIME_ZONE = "America/New_York"
    someone = subscribe()
    five_hours_west = timezone(timedelta(hours=-5))
    add(
        event(someone, datetime(2026, 1, 1, 23, 59, 59, tzinfo=five_hours_west)),
        event(someone, datetime(2026, 1, 2, 0, 0, tzinfo=five_hours_west), "2"),
        event(someone, datetime(2026, 1, 2, 5, 0, tzinfo=UTC), "4"),
        # When daylight saving time starts, the day has 23 hours in New York.
        event(someone, datetime(2026, 3, 9, 3, 59, tzinfo=UTC), "8"),
        event(someone, datetime(2026, 3, 9, 4, 0, tzinfo=UTC), "16"),
    )
    assert sums(by=Step.DAY) == {
        (someone.pk, "data", date(2026, 1, 1)): ("1.00", 1),
        (someone.pk, "data", date(2026, 1, 2)): ("6.00", 2),
        (someone.pk, "data", date(2026, 3, 8)): ("8.00", 1),
        (someone.pk, "data", date(2026, 3, 9)): ("16.00", 1),
    }


def test_records_of_many_days_create_their_partitions():
    someone = subscribe()
    days = [noon(1) + timedelta(days=number) for number in (40, 0, 20, 0, 60)]
    add(*[event(someone, day) for day in days])
    assert sorted(DataUsageRecord.objects.values_list("day", flat=True)) == sorted(day.date() for day in days)


def test_a_generator_is_enough():
    someone = subscribe()
    records = (event(someone, 1 + number % 28) for number in range(1500))
    assert usage_records_add(usage_type=DATA, records=records) == UsageAdded(added=1500, repeated=0)
    assert sums() == {(someone.pk, "data"): ("1500.00", 1500)}


# --- Marks -----------------------------------------------------------------------------------------------------


def test_each_key_is_marked():
    one, other = subscribe(2)
    add(event(one, 5), event(one, 5), event(other, 5), event(one, 6))
    assert marks() == [
        ("data", date(2026, 1, 5), one.pk),
        ("data", date(2026, 1, 5), other.pk),
        ("data", date(2026, 1, 6), one.pk),
    ]


def test_a_write_of_many_keys_marks_the_whole_day(monkeypatch):
    mark_singly(monkeypatch, 2)
    subscriptions = subscribe(3)
    add(*[event(one, 5) for one in subscriptions], event(subscriptions[0], 6))
    assert marks() == [("data", date(2026, 1, 5), 0), ("data", date(2026, 1, 6), subscriptions[0].pk)]
    assert sums() == {
        (subscriptions[0].pk, "data"): ("2.00", 2),
        (subscriptions[1].pk, "data"): ("1.00", 1),
        (subscriptions[2].pk, "data"): ("1.00", 1),
    }


# --- Invalid records -------------------------------------------------------------------------------------------


def refused(*records, error=InvalidUsage, **options):
    """The problems as (position, field, value, code). Nothing may have been added."""
    before = DataUsageRecord.objects.count(), marks()
    with pytest.raises(error) as refusal:
        add(*records, **options)
    assert (DataUsageRecord.objects.count(), marks()) == before
    return [(one.position, one.field, one.value, one.code) for one in refusal.value.extra["problems"]]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("price", 1.5, "not_a_number"),
        ("price", 1, "not_a_number"),
        ("price", "1", "not_a_number"),
        ("price", None, "not_a_number"),
        ("price", Decimal("NaN"), "not_a_number"),
        ("price", Decimal("-Infinity"), "not_a_number"),
        ("price", Decimal("1E+30"), "number_out_of_range"),
        ("price", Decimal("1E-61"), "number_out_of_range"),
        ("price", Decimal("1E+999999"), "number_out_of_range"),
        ("amount", -1, "number_out_of_range"),
        ("amount", 2**63, "number_out_of_range"),
        ("amount", 1.0, "not_a_whole_number"),
        ("amount", True, "not_a_whole_number"),
        ("amount", "1", "not_a_whole_number"),
        ("subscription", 0, "number_out_of_range"),
        ("subscription", 2**63, "number_out_of_range"),
        ("subscription", "1", "not_a_whole_number"),
        ("usage_date", date(2026, 1, 5), "not_a_time"),
        ("usage_date", "2026-01-05T00:00:00Z", "not_a_time"),
        ("usage_date", datetime(2026, 1, 5), "time_zone_missing"),  # noqa: DTZ001
        ("usage_date", datetime(1969, 12, 31, tzinfo=UTC), "time_out_of_range"),
        ("usage_date", datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))), "time_out_of_range"),
        ("external_id", "", "wrong_length"),
        ("external_id", 256 * "x", "wrong_length"),
        ("external_id", "a\tb", "not_printable"),
        ("external_id", "a\u3164", "not_printable"),
        ("external_id", "a\ufe0f", "not_printable"),
        ("external_id", "  ", "wrong_length"),
        ("external_id", "a\x00b", "not_printable"),
        ("external_id", 7, "not_printable"),
    ],
)
def test_an_invalid_value_is_refused(field, value, code):
    right = event(subscribe())
    wrong = right._replace(**{field: value})
    assert refused(right, wrong, right) == [(2, field, str(value)[:255], code)]


def test_all_problems_are_reported():
    someone = subscribe()
    unknown = UsageEvent(10**12, noon(5), Decimal(1), 1)
    wrong = event(someone, amount=-1)
    assert refused(event(someone), wrong, wrong) == [
        (2, "amount", "-1", "number_out_of_range"),
        (3, "amount", "-1", "number_out_of_range"),
    ]
    assert refused(event(someone), unknown, unknown) == [(2, "subscription", str(10**12), "unknown_subscription")]


def test_of_very_many_problems_the_first_are_reported_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(loading, "PROBLEM_LIMIT", 2)
    wrong = event(subscribe(), amount=-1)
    with pytest.raises(InvalidUsage, match=r"^3 errors, nothing was added\. First error: record 1: amount") as refusal:
        add(wrong, wrong, wrong)
    assert refusal.value.extra["error_count"] == 3


def test_an_exception_of_the_iterator_of_records_reaches_the_caller():
    someone = subscribe()

    def records():
        yield from [event(someone)] * 1001
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        usage_records_add(usage_type=DATA, records=records())
    assert not DataUsageRecord.objects.exists()
    assert marks() == []


def test_a_record_of_a_sealed_day_is_refused_unless_it_is_a_backfill():
    someone = subscribe()
    recipes.sealed_day.make(day=date(2026, 1, 5))
    late = event(someone, 5)
    (problem,) = refused(event(someone, 6), late, error=DaySealed)
    assert (problem[0], problem[3]) == (2, "day_sealed")
    assert refused(late, error=DaySealed)[0][0] == 1
    add(late, usage_type=VOICE)
    assert add(late, event(someone, 6), backfill=True).added == 2
    assert add(late, backfill=True).added == 1


# --- External ids ----------------------------------------------------------------------------------------------


def test_a_record_with_an_external_id_can_be_sent_again():
    someone = subscribe()
    records = [event(someone, 5, "1.50", 7, "a"), event(someone, 6, external_id="b"), event(someone, 6)]
    assert add(*records) == UsageAdded(added=3, repeated=0)
    known = marks()
    assert add(*records[:2]) == UsageAdded(added=0, repeated=2)
    assert marks() == known
    # Another form of the same number, and another zone of the same time, are the same values.
    moment = noon(5).astimezone(timezone(timedelta(hours=3)))
    assert add(event(someone, moment, "1.5", 7, "a"), event(someone, 7, external_id="c")) == UsageAdded(1, 1)
    assert sums() == {(someone.pk, "data"): ("4.50", 10)}


def test_a_record_that_comes_twice_in_a_call_goes_in_once():
    someone = subscribe()
    assert add(event(someone, external_id="a"), event(someone, external_id="a")) == UsageAdded(added=1, repeated=1)


@pytest.mark.parametrize(
    "other",
    [{"price": "2"}, {"amount": 2}, {"day": 6}, {"day": noon(5) + timedelta(seconds=1)}, {"day": 5, "month": 2}],
)
def test_another_record_with_the_same_external_id_is_a_conflict_that_names_it(other):
    someone = subscribe()
    add(event(someone, external_id="a-1"))
    with pytest.raises(UsageConflict, match=rf"record 2: subscription {someone.pk} .* external id 'a-1'") as conflict:
        add(event(someone, external_id="b"), event(someone, external_id="a-1", **other))
    assert conflict.value.extra == {"external_id": "a-1", "subscription": someone.pk, "position": 2}
    assert DataUsageRecord.objects.count() == 1


def test_two_records_of_a_call_with_one_external_id_are_a_conflict():
    someone = subscribe()
    with pytest.raises(UsageConflict, match="external id 'a'"):
        add(event(someone, external_id="a"), event(someone, price="2", external_id="a"))
    assert not DataUsageRecord.objects.exists()


def test_another_subscription_or_type_may_have_the_same_external_id():
    one, other = subscribe(2)
    add(event(one, external_id="a"), event(other, external_id="a"))
    add(event(one, external_id="a"), usage_type=VOICE)
    assert sums() == {(one.pk, "data"): ("1.00", 1), (other.pk, "data"): ("1.00", 1), (one.pk, "voice"): ("1.00", 1)}


def test_records_with_and_without_external_ids_may_alternate():
    someone = subscribe()
    records = [event(someone, 1 + number % 5, external_id=f"{number}" if number % 2 else None) for number in range(20)]
    assert add(*records) == UsageAdded(added=20, repeated=0)
    assert add(*records) == UsageAdded(added=10, repeated=10)


def test_an_external_id_is_text_of_any_script_and_sign():
    someone = subscribe()
    odd = ["\\N", "a\\b", '"', "'; --", "%s", "日本", "ü"]
    add(*[event(someone, external_id=one) for one in odd])
    assert sorted(DataUsageRecord.objects.values_list("external_id", flat=True)) == sorted(odd)
    assert add(*[event(someone, external_id=one) for one in odd]).repeated == len(odd)


# --- Cost ------------------------------------------------------------------------------------------------------


def test_a_hundred_records_take_as_many_statements_as_one(way):
    someone = subscribe()
    add(event(someone))

    def statements(*records):
        with CaptureQueriesContext(connection) as queries:
            add(*records)
        return len(queries)

    two, hundred = statements(*[event(someone)] * 2), statements(*[event(someone)] * 100)
    assert two == hundred
    named = [event(someone, external_id=f"a{number}") for number in range(102)]
    assert statements(*named[:2]) == statements(*named[2:])
