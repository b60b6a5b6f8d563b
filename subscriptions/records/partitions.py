"""The partitions of raw records: one for each usage type and day.

A partition is created and committed on a connection of its own, before its first record is written. So every query
plan that can see the record also has the partition, and other writers do not wait for the transaction of the first.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import connection
from psycopg2 import sql

from dsrhub.database.locks import USAGE_PARTITION
from dsrhub.database.statements import composed, execute, rows_of, wait_for_locks
from subscriptions.models import RECORD_MODELS, SealedDay, UsageType

# Creating a partition only waits for other changes of the same tables, not for readers or writers.
OPEN_LOCK_TIMEOUT = FREEZE_LOCK_TIMEOUT = "5s"
DROP_LOCK_TIMEOUT = "100ms"
# In one round trip: each batch of records begins with it.
RELOAD = """
SAVEPOINT usage_reload;
LOCK TABLE subscriptions_sealedday IN ROW SHARE MODE;
ROLLBACK TO SAVEPOINT usage_reload;
RELEASE SAVEPOINT usage_reload
"""


def parent_table(usage_type: UsageType) -> sql.Identifier:
    return sql.Identifier(RECORD_MODELS[usage_type]._meta.db_table)


def partition(usage_type: UsageType, day: date) -> sql.Identifier:
    return sql.Identifier(_partition_name(usage_type, day))


def _partition_name(usage_type: UsageType, day: date) -> str:
    return f"{RECORD_MODELS[usage_type]._meta.db_table}_{day:%Y%m%d}"


def partitioned_days(usage_type: UsageType) -> set[date]:
    """The days that have a partition."""
    rows = rows_of(
        "SELECT to_date(right(relname, 8), 'YYYYMMDD') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = %(table)s::regclass",
        table=RECORD_MODELS[usage_type]._meta.db_table,
    )
    return {day for (day,) in rows}


def partitions_create(usage_type: UsageType, days: Iterable[date]) -> None:
    """Create and commit the missing partitions of some days, on a connection of its own."""
    days = sorted(days)
    if days:
        _create_committed(usage_type, days)
    partitions_reload()


def partitions_reload() -> None:
    """Make the next statement see the partitions that others have created.

    PostgreSQL reads such changes when a transaction starts and when it locks another table. A statement in a
    transaction that already holds all its locks would miss the new partitions. So this takes a lock that nothing else
    holds, and releases it.
    """
    if connection.in_atomic_block:
        execute(RELOAD)


def _create_committed(usage_type: UsageType, days: list[date]) -> None:
    side = connection.copy()
    try:
        with side.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{OPEN_LOCK_TIMEOUT}'")
        side.set_autocommit(False)
        for day in days:
            with side.cursor() as cursor:
                _create(cursor, usage_type, day)
            side.commit()
    finally:
        side.close()


def _create(cursor: Any, usage_type: UsageType, day: date) -> None:
    name = _partition_name(usage_type, day)
    # A second creator waits here, and then finds the partition.
    USAGE_PARTITION.take_with(cursor, table=name)
    cursor.execute("SELECT to_regclass(%s)", [name])
    if cursor.fetchone() != (None,):
        return
    # CREATE TABLE ... PARTITION OF would wait for every reader. LIKE and ATTACH do not.
    cursor.execute(
        composed(
            "CREATE TABLE {partition} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);"
            "ALTER TABLE {parent} ATTACH PARTITION {partition} FOR VALUES FROM ({day}) TO ({next_day})",
            partition=partition(usage_type, day),
            parent=parent_table(usage_type),
            day=sql.Literal(day.isoformat()),
            next_day=sql.Literal((day + timedelta(days=1)).isoformat()),
        )
    )


def records_write_lock(usage_type: UsageType) -> None:
    """Until the transaction ends, no purge can drop a partition, so no day gets sealed. Other writers do not wait."""
    execute(composed("LOCK TABLE {} IN ROW EXCLUSIVE MODE", parent_table(usage_type)))


def partition_lock(usage_type: UsageType, day: date) -> None:
    """Wait for the writers of a day, and block new writers until the transaction ends. Readers are not blocked."""
    wait_for_locks(FREEZE_LOCK_TIMEOUT)
    execute(composed("LOCK TABLE {} IN SHARE MODE", partition(usage_type, day)))


def partition_drop(usage_type: UsageType, day: date) -> None:
    """Drop the partition of a day. This waits for all readers and writers of the table, and new ones wait for it."""
    wait_for_locks(DROP_LOCK_TIMEOUT)
    execute(composed("DROP TABLE {}", partition(usage_type, day)))


def sealed_days(usage_type: UsageType) -> set[date]:
    return set(SealedDay.objects.filter(usage_type=usage_type).order_by().values_list("day", flat=True))
