"""Answers during writes, refreshes and purges on other connections. All commits are real."""

from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier, Event

import pytest
from django.db import connection, transaction
from psycopg2 import sql

from subscriptions.aggregates.over_price import subscription_list_over_price
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_check, daily_usage_refresh
from subscriptions.exceptions import DaySealed, UsageBusy, UsageConflict, UsageRecordNotFound
from subscriptions.models import DataUsageRecord
from subscriptions.records import ingestion
from subscriptions.records import partitions as partitions_module
from subscriptions.records.ingestion import usage_records_ingest
from subscriptions.records.services import usage_record_edit, usage_records_delete
from subscriptions.retention import services
from subscriptions.retention.services import usage_records_purge
from tests.subscriptions.helpers import DATA, VOICE, add, event, fetch, marks, noon, partitions, subscribe, sums
from tests.waiting import PATIENCE, wait_for_lock_waiter

pytestmark = pytest.mark.usefixtures("real_commits")


class HeldOpen:
    """A write in a transaction that stays open until `commit` is called."""

    def __init__(self, in_thread, write):
        self.has_written, self.go_on = Event(), Event()
        self.done = in_thread(self._run, write)
        assert self.has_written.wait(PATIENCE)

    def _run(self, write):
        with transaction.atomic():
            write()
            self.has_written.set()
            assert self.go_on.wait(PATIENCE)

    def commit(self):
        self.go_on.set()
        self.done.result(PATIENCE)


def only_price(subscription, **options):
    return sums(**options)[subscription.pk, "data"][0]


# --- Writers ---------------------------------------------------------------------------------------------------


def test_writers_of_one_day_lose_nothing(in_thread):
    someone = subscribe()

    def write(price):
        for _ in range(25):
            add(event(someone, price=price))

    writers = [in_thread(write, price) for price in ("1", "10", "100", "1000")]
    while not all(writer.done() for writer in writers):
        daily_usage_refresh()
    [writer.result(PATIENCE) for writer in writers]

    assert sums() == {(someone.pk, "data"): ("27775.00", 100)}
    daily_usage_refresh()
    assert sums() == {(someone.pk, "data"): ("27775.00", 100)}
    assert daily_usage_check().differences == []


@pytest.mark.parametrize("count", [1, 3, 1001])
def test_writers_that_create_the_same_partition_at_once_all_succeed(in_thread, count):
    someone = subscribe()
    start = Barrier(6, timeout=PATIENCE)

    def write():
        start.wait()
        return add(*[event(someone, 7)] * count).added

    assert [writer.result(PATIENCE) for writer in [in_thread(write) for _ in range(6)]] == [count] * 6
    assert only_price(someone) == f"{6 * count}.00"
    assert partitions() == ["subscriptions_datausagerecord_20260107"]


def test_a_writer_of_a_new_day_blocks_nobody(in_thread):
    someone = subscribe()
    slow = HeldOpen(in_thread, lambda: add(*[event(someone, 7)] * 1001))
    # Records of the same new day, and of another one.
    add(event(someone, 7), event(someone, 8))
    assert only_price(someone) == "2.00"
    slow.commit()
    assert only_price(someone) == "1003.00"


def test_of_two_writers_of_one_external_id_one_adds_it(in_thread):
    someone = subscribe()
    record = event(someone, external_id="a")
    slow = HeldOpen(in_thread, lambda: add(record))
    second = in_thread(add, record)
    slow.commit()
    assert second.result(PATIENCE).repeated == 1
    assert only_price(someone) == "1.00"


def test_of_two_writers_of_one_external_id_on_two_days_the_second_is_refused(in_thread):
    someone = subscribe()
    slow = HeldOpen(in_thread, lambda: add(event(someone, 5, external_id="a")))
    second = in_thread(add, event(someone, 6, external_id="a"))
    wait_for_lock_waiter("transactionid")
    slow.commit()
    with pytest.raises(UsageConflict):
        second.result(PATIENCE)
    assert only_price(someone) == "1.00"


def test_two_who_edit_a_record_and_one_who_deletes_it_take_turns(in_thread):
    someone = subscribe()
    add(event(someone, 5, "1"))
    number = DataUsageRecord.objects.get().pk

    def edit(day, price):
        usage_record_edit(usage_type=DATA, record_id=number, values=event(someone, day, price))

    first = HeldOpen(in_thread, lambda: edit(6, "2"))
    second = in_thread(edit, 7, "4")
    wait_for_lock_waiter("advisory")
    assert only_price(someone) == "1.00"
    first.commit()
    second.result(PATIENCE)
    assert sums(by=Step.DAY) == {(someone.pk, "data", date(2026, 1, 7)): ("4.00", 1)}

    delete = HeldOpen(in_thread, lambda: usage_records_delete(usage_type=DATA, record_ids=[number]))
    third = in_thread(edit, 8, "8")
    wait_for_lock_waiter("advisory")
    delete.commit()
    with pytest.raises(UsageRecordNotFound):
        third.result(PATIENCE)
    assert sums() == {}


# --- Refreshes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 1001])
def test_a_write_that_is_open_across_a_refresh_is_not_lost(in_thread, count):
    someone = subscribe()
    add(event(someone, price="1000"))
    slow = HeldOpen(in_thread, lambda: add(*[event(someone)] * count))
    daily_usage_refresh()
    assert marks() == []
    assert only_price(someone) == "1000.00"

    slow.commit()
    assert only_price(someone) == f"{1000 + count}.00"
    daily_usage_refresh()
    assert only_price(someone) == f"{1000 + count}.00"
    assert daily_usage_check().differences == []


def test_an_edit_and_a_delete_that_are_open_across_a_refresh_are_not_lost(in_thread):
    someone = subscribe()
    add(event(someone, 5, "1"), event(someone, 6, "2"))
    one, other = DataUsageRecord.objects.order_by("day").values_list("pk", flat=True)
    edit = HeldOpen(
        in_thread, lambda: usage_record_edit(usage_type=DATA, record_id=one, values=event(someone, 1, "4", month=2))
    )
    delete = HeldOpen(in_thread, lambda: usage_records_delete(usage_type=DATA, record_ids=[other]))
    daily_usage_refresh()
    assert only_price(someone) == "3.00"
    edit.commit()
    assert only_price(someone) == "6.00"
    delete.commit()
    assert sums(by=Step.DAY) == {(someone.pk, "data", date(2026, 2, 1)): ("4.00", 1)}
    daily_usage_refresh()
    assert sums(by=Step.DAY) == {(someone.pk, "data", date(2026, 2, 1)): ("4.00", 1)}
    assert daily_usage_check().differences == []


def test_a_refresh_that_is_not_committed_is_not_seen(in_thread):
    someone = subscribe()
    add(event(someone))
    refresh = HeldOpen(in_thread, daily_usage_refresh)
    assert len(marks()) == 1
    add(event(someone, price="2"))
    assert only_price(someone) == "3.00"
    refresh.commit()
    assert len(marks()) == 1
    assert only_price(someone) == "3.00"
    daily_usage_refresh()
    assert marks() == []
    assert only_price(someone) == "3.00"


def test_of_two_refreshes_at_once_the_second_waits_and_sees_what_came_since(in_thread):
    someone = subscribe()
    add(event(someone, 5), event(someone, 6))
    first = HeldOpen(in_thread, daily_usage_refresh)
    add(event(someone, 5, "2"))
    second = in_thread(daily_usage_refresh)
    wait_for_lock_waiter("advisory")
    first.commit()
    (refreshed,) = second.result(PATIENCE)
    assert (refreshed.days, refreshed.key_count) == ([date(2026, 1, 5)], 1)
    assert only_price(someone) == "4.00"
    assert marks() == []
    assert daily_usage_check().differences == []


def test_many_refreshes_at_once_leave_what_one_leaves(in_thread):
    subscriptions = subscribe(20)
    days = [noon(1) + timedelta(days=number) for number in range(60)]
    start = Barrier(4, timeout=PATIENCE)

    def refresh():
        start.wait()
        daily_usage_refresh()

    add(*[event(one, day, "0.5") for one in subscriptions for day in days])
    [one.result(PATIENCE) for one in [in_thread(refresh) for _ in range(4)]]
    assert marks() == []
    assert sums() == {(one.pk, "data"): ("30.00", 60) for one in subscriptions}
    assert daily_usage_check().differences == []


def test_a_refresh_continues_after_an_interruption():
    someone = subscribe()
    add(event(someone, 5), event(someone, 5, month=2))

    def die(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        daily_usage_refresh(progress=die)
    assert marks() == [("data", date(2026, 2, 5), someone.pk)]
    assert only_price(someone) == "2.00"
    assert [month.days for month in daily_usage_refresh()] == [[date(2026, 2, 5)]]
    assert only_price(someone) == "2.00"


# --- A reader between others' commits --------------------------------------------------------------------------


@contextmanager
def just_before_reading(act, times=1):
    """Call a function after a reader has asked for the days with marks, and before it reads the sums."""
    left = [act] * times

    def wrapper(execute, statement, parameters, many, context):
        text = statement.as_string(context["cursor"].cursor) if isinstance(statement, sql.Composable) else statement
        if "AS (" in text and "statement_timestamp()" in text and left:
            left.pop()()
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(wrapper):
        yield
    assert not left


def test_the_first_record_of_a_day_is_counted_if_it_is_added_in_between(in_thread):
    someone = subscribe()
    add(event(someone, 5))
    new_days = iter(range(10, 20))
    with just_before_reading(lambda: in_thread(add, event(someone, next(new_days))).result(PATIENCE), times=3):
        assert only_price(someone) == "4.00"


def test_a_transaction_sees_partitions_that_others_create(in_thread):
    someone = subscribe()

    def elsewhere(day):
        in_thread(add, event(someone, day)).result(PATIENCE)

    with transaction.atomic():
        # After these writes, the transaction holds all its locks, so nothing else makes it see new partitions.
        add(event(someone, 1), event(someone, 1))
        add(event(someone, 1))
        assert only_price(someone) == "3.00"
        daily_usage_refresh()
        elsewhere(2)
        assert only_price(someone) == "4.00"
        elsewhere(3)
        add(event(someone, 3))
        elsewhere(4)
        add(event(someone, 4), event(someone, 5))
        elsewhere(6)
        add(*[event(someone, 6), event(someone, 7)] * 501)
        elsewhere(8)
        usage_record_edit(usage_type=DATA, record_id=_latest(), values=event(someone, 8))
        elsewhere(9)
        daily_usage_refresh()
        assert only_price(someone) == "1014.00"
    assert only_price(someone) == "1014.00"
    daily_usage_refresh()
    assert daily_usage_check().differences == []


def _latest():
    return DataUsageRecord.objects.latest("pk").pk


def test_a_refresh_in_between_changes_nothing(in_thread):
    someone = subscribe()
    add(event(someone, 5))
    with just_before_reading(lambda: in_thread(daily_usage_refresh).result(PATIENCE)):
        assert only_price(someone) == "1.00"


def test_a_purge_in_between_changes_nothing(in_thread):
    someone = subscribe()
    add(event(someone, 5))
    with just_before_reading(lambda: in_thread(usage_records_purge, before=date(2026, 2, 1)).result(PATIENCE)):
        assert only_price(someone) == "1.00"
    assert partitions() == []


def test_a_purge_and_a_backfill_of_one_day_in_between_count(in_thread):
    someone = subscribe()
    add(event(someone, 5))

    def purge_and_backfill():
        usage_records_purge(before=date(2026, 2, 1))
        add(event(someone, 5, "2"), backfill=True)

    with just_before_reading(lambda: in_thread(purge_and_backfill).result(PATIENCE)):
        assert only_price(someone) == "3.00"


def test_a_partition_that_is_created_while_a_reader_plans_is_read(in_thread):
    someone = subscribe()
    add(event(someone, 5))
    add(event(someone, 5), usage_type=VOICE)

    def lock_voice():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE subscriptions_voiceusagerecord_20260105 IN ACCESS EXCLUSIVE MODE")

    def read():
        # The day has a mark. A purge drops its partition, the reader plans without it, and then it is created again.
        with just_before_reading(lambda: in_thread(purge_data_alone).result(PATIENCE)):
            return only_price(someone)

    def purge_data_alone():
        services._day_purge(DATA, date(2026, 1, 5))

    voice = HeldOpen(in_thread, lock_voice)
    reader = in_thread(read)
    # The reader has planned the query of data, and waits for the partition of voice.
    wait_for_lock_waiter("relation")
    add(event(someone, 5, "2"), backfill=True)
    voice.commit()
    assert reader.result(PATIENCE) == "3.00"


def test_no_answer_shows_an_intermediate_state(in_thread, monkeypatch):
    """Records move between days and months during refreshes and purges. Their sum never changes."""
    monkeypatch.setattr(services, "DROP_TRIES", 3)
    one, other = subscribe(2)
    add(*[event(one, 20 + number % 8, "1") for number in range(40)])
    numbers = list(DataUsageRecord.objects.values_list("pk", flat=True))
    stop = Event()

    def move(own):
        turn = 0
        while not stop.is_set():
            turn += 1
            day, month = (20 + turn % 8, 1) if turn % 3 else (1 + turn % 8, 2)
            values = event((one, other)[turn % 2], day, "1", month=month)
            usage_record_edit(usage_type=DATA, record_id=own[turn % len(own)], values=values)

    def refresh():
        while not stop.is_set():
            daily_usage_refresh()

    def purge():
        day = 0
        while not stop.is_set():
            day = day % 19 + 1
            add(event(one, day, "0"), backfill=True)
            usage_records_purge(before=date(2026, 1, day + 1))

    workers = [in_thread(move, numbers[:20]), in_thread(move, numbers[20:]), in_thread(refresh), in_thread(purge)]
    totals = set()
    try:
        for _ in range(50):
            totals.add(sum(Decimal(price) for price, _ in sums().values()))
            totals.add(sum(Decimal(price) for price, _ in sums(by=Step.DAY).values()))
            over = subscription_list_over_price(price_limit=Decimal(0)).rows
            totals.add(sum(reached.total_price for row in over for reached in row.exceeded))
    finally:
        stop.set()
    [worker.result(PATIENCE) for worker in workers]
    assert totals == {Decimal("40.00")}
    daily_usage_refresh()
    assert daily_usage_check().differences == []


# --- Purges ----------------------------------------------------------------------------------------------------


def test_a_purge_waits_briefly_and_lets_readers_through(in_thread, monkeypatch):
    someone = subscribe()
    add(event(someone, 5), event(someone, 6))

    def read_raw():
        assert DataUsageRecord.objects.count() == 2

    # A reader with an open transaction blocks the drop of the partition.
    reader = HeldOpen(in_thread, read_raw)
    with monkeypatch.context() as patched:
        patched.setattr(services, "DROP_TRIES", 3)
        report = usage_records_purge(before=date(2026, 1, 6))
    assert (report.purged, report.in_use) == ([], [(DATA, date(2026, 1, 5))])
    # The purge was rolled back.
    assert fetch("SELECT 1 FROM subscriptions_purgedusage") == fetch("SELECT 1 FROM subscriptions_sealedday") == []

    # A new reader waits only for the present try of the purge, not for the first reader.
    purge = in_thread(usage_records_purge, before=date(2026, 1, 6))
    wait_for_lock_waiter("relation")
    assert in_thread(only_price, someone).result(PATIENCE) == "2.00"
    assert partitions_module.DROP_LOCK_TIMEOUT == "100ms"

    reader.commit()
    assert len(purge.result(PATIENCE).purged) == 1
    assert only_price(someone) == "2.00"


def test_a_late_record_that_waited_for_a_purge_is_refused(in_thread, monkeypatch):
    someone = subscribe()
    add(event(someone, 5))
    has_dropped, go_on = Event(), Event()
    drop = partitions_module.partition_drop

    def drop_and_wait(usage_type, day):
        drop(usage_type, day)
        has_dropped.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(partitions_module, "partition_drop", drop_and_wait)
    purge = in_thread(usage_records_purge, before=date(2026, 1, 6))
    assert has_dropped.wait(PATIENCE)
    late = in_thread(add, event(someone, 5))
    wait_for_lock_waiter("relation")
    go_on.set()
    assert len(purge.result(PATIENCE).purged) == 1
    with pytest.raises(DaySealed):
        late.result(PATIENCE)
    assert only_price(someone) == "1.00"


def test_a_writer_of_a_day_is_waited_for_before_it_is_purged(in_thread, monkeypatch):
    someone = subscribe()
    add(event(someone, 5))
    slow = HeldOpen(in_thread, lambda: add(event(someone, 5, "2")))
    with monkeypatch.context() as patched:
        patched.setattr(partitions_module, "FREEZE_LOCK_TIMEOUT", "100ms")
        assert usage_records_purge(before=date(2026, 1, 6)).in_use == [(DATA, date(2026, 1, 5))]
    slow.commit()
    assert usage_records_purge(before=date(2026, 1, 6)).purged[0].record_count == 2
    assert only_price(someone) == "3.00"


def test_two_purges_at_once_purge_each_day_once(in_thread):
    someone = subscribe()
    add(*[event(someone, day) for day in range(1, 11)])
    start = Barrier(2, timeout=PATIENCE)

    def purge():
        start.wait()
        return usage_records_purge(before=date(2026, 1, 11))

    reports = [one.result(PATIENCE) for one in [in_thread(purge), in_thread(purge)]]
    assert sum(day.record_count for report in reports for day in report.purged) == 10
    assert only_price(someone) == "10.00"
    assert fetch("SELECT count(*), max(purges) FROM subscriptions_sealedday") == [(10, 1)]


# --- Records that programs send --------------------------------------------------------------------------------


def sent(*events, usage_type=DATA):
    return [(usage_type, one) for one in events]


def test_of_two_requests_with_the_same_id_the_second_finds_the_record(in_thread):
    someone = subscribe()
    records = sent(event(someone, external_id="a"), event(someone, 6, external_id="b"))
    first = HeldOpen(in_thread, lambda: usage_records_ingest(records=records))
    second = in_thread(usage_records_ingest, records=records, partial=True)
    wait_for_lock_waiter("transactionid")
    first.commit()
    done = second.result(PATIENCE)
    assert (done.added, done.repeated, done.refused) == (0, 2, 0)
    assert sums() == {(someone.pk, "data"): ("2.00", 2)}


def test_a_request_that_would_wait_long_gives_up_and_changes_nothing(in_thread, monkeypatch):
    someone = subscribe()
    first = HeldOpen(in_thread, lambda: add(event(someone, external_id="a")))
    monkeypatch.setattr(ingestion, "LOCK_TIMEOUT", "1ms")
    for partial in (False, True):
        with pytest.raises(UsageBusy) as busy:
            usage_records_ingest(records=sent(event(someone), event(someone, external_id="b")), partial=partial)
        assert busy.value.retry_seconds > 0
    first.commit()
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


def test_a_request_that_meets_a_purge_gives_up_and_changes_nothing(in_thread, monkeypatch):
    """COPY waits for the lock of a partition, and tells by the error of the driver."""
    someone = subscribe()
    add(event(someone))
    monkeypatch.setattr(ingestion, "FEW_RECORDS", 0)
    first = HeldOpen(in_thread, lambda: partitions_module.partition_lock(DATA, date(2026, 1, 5)))
    monkeypatch.setattr(ingestion, "LOCK_TIMEOUT", "1ms")
    with pytest.raises(UsageBusy):
        usage_records_ingest(records=sent(event(someone)))
    first.commit()
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


def test_requests_with_both_usage_types_do_not_block_each_other(in_thread):
    """Each would hold what the other waits for, if it locked one usage type after the other."""
    one, other = subscribe(2)
    there = sent(event(one, external_id="a")) + sent(event(other, external_id="a"), usage_type=VOICE)
    back = sent(event(other, external_id="b")) + sent(event(one, external_id="b"), usage_type=VOICE)
    writers = [
        in_thread(lambda records=records: [usage_records_ingest(records=records) for _ in range(10)])
        for records in (there, back, there, back)
    ]
    assert sum(done.added for writer in writers for done in writer.result(PATIENCE)) == 4
    assert set(sums().values()) == {("1.00", 1)}
