"""Editing and deleting raw records."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.exceptions import DaySealed, InvalidUsage, UsageConflict, UsageRecordNotFound
from subscriptions.models import DataUsageRecord
from subscriptions.records.services import usage_record_edit, usage_records_delete
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, add, event, marks, subscribe, sums

pytestmark = pytest.mark.django_db


@pytest.fixture
def someone():
    """A subscription with one record of 5 January, after a refresh."""
    someone = subscribe()
    add(event(someone, 5, "1.50", 10, "a"))
    daily_usage_refresh()
    return someone


def edit(values, **options):
    usage_record_edit(usage_type=DATA, record_id=DataUsageRecord.objects.earliest("pk").pk, values=values, **options)


def test_an_edit_changes_what_it_is_given(someone):
    moment = datetime(2026, 1, 5, 13, tzinfo=UTC)
    edit(event(someone, moment, "2.75", 20, "b"))
    record = DataUsageRecord.objects.get()
    assert (record.usage_date, record.price, record.kilobytes_used) == (moment, Decimal("2.75"), 20)
    assert record.external_id == "b"
    assert sums() == {(someone.pk, "data"): ("2.75", 20)}
    assert marks() == [("data", date(2026, 1, 5), someone.pk)]


def test_an_edit_to_another_day_moves_the_usage(someone):
    edit(event(someone, 1, "1.50", 10, month=2))
    assert DataUsageRecord.objects.get().day == date(2026, 2, 1)
    expected = {(someone.pk, "data", date(2026, 2, 1)): ("1.50", 10)}
    assert sums(by=Step.DAY) == expected
    daily_usage_refresh()
    assert sums(by=Step.DAY) == expected
    assert sums(date(2026, 1, 1), date(2026, 1, 31)) == {}


def test_an_edit_to_another_subscription_moves_the_usage(someone):
    other = subscribe()
    edit(event(other, 5, "1.50", 10))
    expected = {(other.pk, "data"): ("1.50", 10)}
    assert sums() == expected
    daily_usage_refresh()
    assert sums() == expected


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"price": 1.5}, ("price", "not_a_number")),
        ({"amount": -1}, ("amount", "number_out_of_range")),
        ({"subscription": 10**12}, ("subscription", "unknown_subscription")),
    ],
)
def test_an_edit_to_invalid_values_is_refused(someone, values, problem):
    with pytest.raises(InvalidUsage) as refusal:
        edit(event(someone)._replace(**values))
    assert [(one.field, one.code) for one in refusal.value.extra["problems"]] == [problem]
    assert sums() == {(someone.pk, "data"): ("1.50", 10)}


def test_an_edit_to_a_sealed_day_is_refused_unless_it_is_a_backfill(someone):
    recipes.sealed_day.make(day=date(2026, 1, 6))
    with pytest.raises(DaySealed):
        edit(event(someone, 6))
    assert DataUsageRecord.objects.get().day == date(2026, 1, 5)
    edit(event(someone, 6), backfill=True)
    assert DataUsageRecord.objects.get().day == date(2026, 1, 6)
    # A backfilled record may be edited without backfill.
    edit(event(someone, 6, "9"))
    assert sums() == {(someone.pk, "data"): ("9.00", 1)}


def test_an_edit_may_keep_its_external_id_and_not_take_another_s(someone):
    add(event(someone, 6, external_id="b"), event(subscribe(), 6, external_id="c"))
    edit(event(someone, 7, external_id="a"))
    with pytest.raises(UsageConflict, match="external id 'b'"):
        edit(event(someone, 5, external_id="b"))
    edit(event(someone, 5, external_id="c"))
    assert DataUsageRecord.objects.earliest("pk").external_id == "c"


@pytest.mark.parametrize("usage_type", [DATA, VOICE])
def test_an_edit_of_no_record_is_not_found(someone, usage_type):
    number = DataUsageRecord.objects.get().pk + (usage_type == DATA)
    with pytest.raises(UsageRecordNotFound):
        usage_record_edit(usage_type=usage_type, record_id=number, values=event(someone))


def test_a_deleted_record_is_not_counted(someone):
    add(event(someone, 5, "4"))
    number = DataUsageRecord.objects.earliest("pk").pk
    assert usage_records_delete(usage_type=DATA, record_ids=[number]) == 1
    assert sums() == {(someone.pk, "data"): ("4.00", 1)}
    assert usage_records_delete(usage_type=DATA, record_ids=[number]) == 0


def test_deleting_all_records_leaves_no_usage(someone):
    add(event(someone, 6))
    ids = list(DataUsageRecord.objects.values_list("pk", flat=True))
    assert usage_records_delete(usage_type=DATA, record_ids=ids) == 2
    assert sums() == {}
    daily_usage_refresh()
    assert sums() == {}
    assert sums(by=Step.DAY) == {}


def test_a_deletion_of_very_many_fits_into_the_memory_for_locks():
    add(event(subscribe()))
    record = DataUsageRecord.objects.get().pk
    assert usage_records_delete(usage_type=DATA, record_ids=range(record, record + 20_000)) == 1
