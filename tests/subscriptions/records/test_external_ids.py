"""An external id of a subscription counts once, whatever the day, the time zone or the spelling of the id."""

from datetime import UTC, date, datetime
from importlib import import_module
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction

from subscriptions.aggregates.ranges import Step
from subscriptions.exceptions import DaySealed, InvalidUsage, UsageConflict
from subscriptions.models import DataUsageRecord, SealedDay, UnplainExternalId
from subscriptions.records import services
from subscriptions.records.repeats import RepeatedUsage, repeated_usage
from subscriptions.records.services import UsageAdded, usage_file_check, usage_file_import, usage_record_edit
from subscriptions.retention.services import usage_records_purge
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, add, event, fetch, noon, partitions, subscribe, sums
from tests.subscriptions.test_concurrency import HeldOpen, only_price
from tests.waiting import PATIENCE, wait_for_lock_waiter

# 2 January in UTC, and 1 January in New York.
MIDNIGHT = datetime(2026, 1, 2, 4, 59, tzinfo=UTC)
NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.fixture(params=["few", "many"])
def way(request, monkeypatch):
    """Records are added by an INSERT, and by COPY."""
    if request.param == "many":
        monkeypatch.setattr(services, "FEW_RECORDS", 0)


@pytest.fixture
def someone(db):
    return subscribe()


def in_new_york(settings):
    settings.DSRHUB_USAGE_TIME_ZONE = "America/New_York"


def earlier_release_adds(subscription, external_id, day, usage_date=MIDNIGHT, price="1"):
    """A record as an earlier release stores it. Its day needs a partition."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscriptions_datausagerecord "
            "(subscription_id, usage_date, day, price, kilobytes_used, external_id) VALUES (%s, %s, %s, %s, 1, %s)",
            [subscription.pk, usage_date, day, price, external_id],
        )


def list_unplain_ids():
    migration = import_module("subscriptions.migrations.0004_unplain_external_ids")
    with connection.schema_editor() as editor:
        migration.list_ids(apps, editor)


def listed():
    output = StringIO()
    call_command("list_repeated_usage", stdout=output)
    return output.getvalue().splitlines()


# --- Another day for the same time -----------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_a_record_sent_again_in_another_time_zone_counts_once(someone, settings):
    records = [event(someone, MIDNIGHT, "1.50", 7, "a"), event(someone, MIDNIGHT, "2", 1, "b")]
    add(records[0])
    in_new_york(settings)
    assert add(*records) == UsageAdded(added=1, repeated=1)
    assert sums(by=Step.DAY) == {
        (someone.pk, "data", date(2026, 1, 2)): ("1.50", 7),
        (someone.pk, "data", date(2026, 1, 1)): ("2.00", 1),
    }


@pytest.mark.usefixtures("way")
def test_other_values_in_another_time_zone_are_a_conflict(someone, settings):
    add(event(someone, MIDNIGHT, external_id="a"))
    in_new_york(settings)
    with pytest.raises(UsageConflict, match=r"record 2: .* external id 'a'"):
        add(event(someone), event(someone, MIDNIGHT, "2", external_id="a"))
    assert DataUsageRecord.objects.count() == 1


@pytest.mark.usefixtures("way")
def test_a_repeat_opens_no_day_and_needs_no_open_day(someone, settings):
    days = partitions()
    add(event(someone, MIDNIGHT, external_id="a"))
    recipes.sealed_day.make(day=date(2026, 1, 1))
    in_new_york(settings)
    assert add(event(someone, MIDNIGHT, external_id="a")) == UsageAdded(added=0, repeated=1)
    assert set(partitions()) - set(days) <= {"subscriptions_datausagerecord_20260102"}
    with pytest.raises(DaySealed) as refusal:
        add(*[event(someone, MIDNIGHT, external_id=one) for one in "abc"])
    # By COPY, each record is reported; by INSERT, each day.
    first = refusal.value.extra["problems"][0]
    assert (first.position, first.code) == (2, "day_sealed")


def test_the_check_of_a_file_counts_as_its_import_does(someone, settings, tmp_path):
    add(event(someone, MIDNIGHT, external_id="a"))
    in_new_york(settings)
    file = tmp_path / "usage.csv"
    lines = [f"{someone.pk},2026-01-02T04:59:00Z,1,1,{external_id}" for external_id in ("a", "b", "b", "")]
    file.write_text("\n".join(["subscription_id,usage_date,price,kilobytes_used,external_id", *lines]))
    checked = usage_file_check(path=file)
    assert (checked.record_count, checked.to_add, checked.first_day) == (4, 2, date(2026, 1, 1))
    assert usage_file_import(path=file, confirmed=2) == UsageAdded(added=2, repeated=2)


@pytest.mark.usefixtures("real_commits", "way")
def test_of_two_writers_in_two_time_zones_one_adds_the_record(in_thread, settings):
    someone = subscribe()
    record = event(someone, MIDNIGHT, external_id="a")
    slow = HeldOpen(in_thread, lambda: add(record))
    in_new_york(settings)
    second = in_thread(add, record)
    wait_for_lock_waiter("transactionid")
    slow.commit()
    assert second.result(PATIENCE) == UsageAdded(added=0, repeated=1)
    assert only_price(someone) == "1.00"


@pytest.mark.usefixtures("real_commits", "way")
def test_a_writer_finds_the_record_of_an_earlier_release_beside_it(in_thread, settings):
    someone = subscribe()
    add(event(someone, 2))

    def write():
        # The lock of the first release.
        fetch("SELECT id FROM subscriptions_subscription WHERE id = %s FOR NO KEY UPDATE", someone.pk)
        earlier_release_adds(someone, "a", "2026-01-02")

    slow = HeldOpen(in_thread, write)
    in_new_york(settings)
    second = in_thread(add, event(someone, MIDNIGHT, external_id="a"))
    wait_for_lock_waiter("transactionid")
    slow.commit()
    assert second.result(PATIENCE) == UsageAdded(added=0, repeated=1)


@pytest.mark.usefixtures("real_commits")
def test_an_id_counts_again_once_its_raw_record_is_purged_or_deleted():
    someone = subscribe()
    record = event(someone, 5, external_id="a")
    add(record)
    assert add(record) == UsageAdded(added=0, repeated=1)
    usage_records_purge(before=date(2026, 1, 6))
    assert add(record, backfill=True) == UsageAdded(added=1, repeated=0)
    services.usage_records_delete(usage_type=DATA, record_ids=[DataUsageRecord.objects.get().pk])
    assert add(record, backfill=True) == UsageAdded(added=1, repeated=0)
    assert SealedDay.objects.count() == 1


# --- Spelling --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("stored", "given"),
    [
        (NFC, NFD),
        (NFD, NFC),
        ("a 1", " a 1"),
        ("a 1 ", "a \u00a0 1\u3000"),
        ("a1", "\uff411"),  # full-width
        ("\uff8b\uff9e", "\u30d3"),  # half-width katakana, and one composed letter
    ],
)
def test_an_id_in_another_spelling_is_the_same_id(someone, stored, given):
    assert add(event(someone, external_id=stored), event(someone, external_id=given)) == UsageAdded(1, 1)
    assert add(event(someone, external_id=given)) == UsageAdded(added=0, repeated=1)
    with pytest.raises(UsageConflict):
        add(event(someone, price="2", external_id=given))


@pytest.mark.parametrize(
    "external_id", ["a\u200b", "\ufeffa", "a\u00ad", "a\u034f", "\u3164", "\u2800", "a\ufe0f", "a\u202eb", "a\x7f"]
)
def test_an_id_with_an_invisible_character_is_refused(someone, external_id):
    with pytest.raises(InvalidUsage) as refusal:
        add(event(someone, external_id=external_id))
    assert [problem.code for problem in refusal.value.extra["problems"]] == ["not_printable"]


def test_ids_that_differ_in_case_are_two_ids(someone):
    assert add(event(someone, external_id="aB"), event(someone, external_id="ab")).added == 2


@pytest.mark.parametrize(("cell", "external_id"), [("  ", None), ("\u00a0", None), (f" {NFD}", NFC)])
def test_a_cell_of_a_file_is_read_as_people_see_it(someone, tmp_path, cell, external_id):
    file = tmp_path / "usage.tsv"
    file.write_text(
        "subscription_id\tusage_date\tprice\tkilobytes_used\texternal_id\n"
        f"{someone.pk}\t2026-01-05T12:00Z\t1\t1\t{cell}\n"
    )
    usage_file_import(path=file)
    assert DataUsageRecord.objects.get().external_id == external_id


def test_an_edit_cannot_take_an_id_in_another_spelling(someone):
    add(event(someone, external_id=NFC), event(someone, external_id="b"))
    number = DataUsageRecord.objects.get(external_id="b").pk
    with pytest.raises(UsageConflict):
        usage_record_edit(usage_type=DATA, record_id=number, values=event(someone, external_id=NFD))
    usage_record_edit(usage_type=DATA, record_id=number, values=event(someone, external_id=" c"))
    assert DataUsageRecord.objects.get(pk=number).external_id == "c"


# --- Records of earlier releases -------------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_an_id_that_an_earlier_release_stored_in_another_spelling_counts_once(someone):
    add(event(someone, 2), event(someone, 2, external_id="b"))
    for external_id in (NFD, "a ", "a  ", "\u3000", "plain"):
        earlier_release_adds(someone, external_id, "2026-01-02")
    list_unplain_ids()
    list_unplain_ids()
    found = UnplainExternalId.objects.values_list("usage_type", "subscription", "plain_id", "external_id")
    assert set(found) == {
        ("data", someone.pk, NFC, NFD),
        ("data", someone.pk, "a", "a "),
        ("data", someone.pk, "a", "a  "),
        ("data", someone.pk, "", "\u3000"),
    }

    for external_id in (NFC, NFD, "a", "a  ", "plain"):
        assert add(event(someone, MIDNIGHT, external_id=external_id)) == UsageAdded(added=0, repeated=1)
        with pytest.raises(UsageConflict):
            add(event(someone, MIDNIGHT, "2", external_id=external_id))
    assert add(event(subscribe(), MIDNIGHT, external_id="a")).added == 1
    number = DataUsageRecord.objects.get(external_id="b").pk
    with pytest.raises(UsageConflict):
        usage_record_edit(usage_type=DATA, record_id=number, values=event(someone, external_id="a"))


def test_repeated_records_stay_and_are_listed(someone):
    other = subscribe()
    add(event(someone, 1), event(someone, MIDNIGHT, external_id="a"), event(other, MIDNIGHT, external_id="a"))
    add(event(someone, external_id="a"), usage_type=VOICE)
    earlier_release_adds(someone, "a", "2026-01-01")
    earlier_release_adds(other, NFC, "2026-01-01")
    earlier_release_adds(other, NFD, "2026-01-02")
    list_unplain_ids()
    numbers = list(DataUsageRecord.objects.exclude(external_id=None).order_by("pk").values_list("pk", flat=True))

    first, second = date(2026, 1, 1), date(2026, 1, 2)
    assert list(repeated_usage()) == [
        RepeatedUsage(DATA, someone.pk, "a", [numbers[0], numbers[2]], [second, first]),
        RepeatedUsage(DATA, other.pk, NFC, [numbers[3], numbers[4]], [first, second]),
    ]
    assert listed() == [
        f"data: subscription {someone.pk}, external id 'a': "
        f"records {numbers[0]} (2026-01-02), {numbers[2]} (2026-01-01)",
        f"data: subscription {other.pk}, external id 'caf\u00e9': "
        f"records {numbers[3]} (2026-01-01), {numbers[4]} (2026-01-02)",
        "2 external ids with more than one record.",
    ]
    assert DataUsageRecord.objects.count() == 6
    # Sent again, a repeated record is a repeat; deleted, it is no longer listed.
    assert add(event(someone, MIDNIGHT, external_id="a")) == UsageAdded(added=0, repeated=1)
    services.usage_records_delete(usage_type=DATA, record_ids=[numbers[2], numbers[4]])
    assert listed() == ["0 external ids with more than one record."]


def test_a_subscription_that_is_created_meanwhile_is_unknown(someone):
    """The ids of a subscription that is not locked could be stored by another writer at the same time."""
    unknown = someone.pk + 1000
    with transaction.atomic(), pytest.raises(InvalidUsage, match="No subscription has this id") as refusal:
        add(event(someone, external_id="a"), event(someone, noon(5))._replace(subscription=unknown, external_id="b"))
    assert [(one.position, one.value) for one in refusal.value.extra["problems"]] == [(2, str(unknown))]
