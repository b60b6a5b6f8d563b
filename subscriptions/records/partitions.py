"""The tables of raw records: a partition for each usage type and day.

A partition is opened in a transaction of its own, so that it is there for everybody before the first record is: no
plan that could see the record misses the partition, and nobody waits for the writer who came first.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from psycopg2 import sql

from dsrhub.database.locks import USAGE_PARTITION
from dsrhub.database.statements import composed, execute, rows_of, wait_for_locks
from subscriptions.models import RECORD_MODELS, SealedDay, UsageType

# Opening a partition waits for nobody but those who change the tables themselves.
OPEN_LOCK_TIMEOUT = FREEZE_LOCK_TIMEOUT = "5s"
DROP_LOCK_TIMEOUT = "100ms"


def parent(usage_type: UsageType) -> sql.Identifier:
    return sql.Identifier(RECORD_MODELS[usage_type]._meta.db_table)


def partition(usage_type: UsageType, day: date) -> sql.Identifier:
    return sql.Identifier(_partition_name(usage_type, day))


def _partition_name(usage_type: UsageType, day: date) -> str:
    return f"{RECORD_MODELS[usage_type]._meta.db_table}_{day:%Y%m%d}"


def open_days(usage_type: UsageType) -> set[date]:
    """The days that have a partition."""
    rows = rows_of(
        "SELECT to_date(right(relname, 8), 'YYYYMMDD') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = %(table)s::regclass",
        table=RECORD_MODELS[usage_type]._meta.db_table,
    )
    return {day for (day,) in rows}


def days_open(usage_type: UsageType, days: Iterable[date]) -> None:
    """Make the partitions of days, unless they are there: committed by a connection of its own."""
    days = sorted(days)
    if days:
        _committed_apart(usage_type, days)
    partitions_notice()


def partitions_notice() -> None:
    """Make the next statement know the partitions that others have opened.

    A statement that begins a transaction does, and so does one that locks another table. One in a transaction that
    has all its locks does not, and would miss them. Here a lock is taken that nothing else ever holds.
    """
    if not connection.in_atomic_block:
        return
    savepoint = transaction.savepoint()
    execute("LOCK TABLE subscriptions_sealedday IN ROW SHARE MODE")
    transaction.savepoint_rollback(savepoint)


def _committed_apart(usage_type: UsageType, days: list[date]) -> None:
    side = connection.copy()
    try:
        with side.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{OPEN_LOCK_TIMEOUT}'")
        side.set_autocommit(False)
        for day in days:
            with side.cursor() as cursor:
                _day_open(cursor, usage_type, day)
            side.commit()
    finally:
        side.close()


def _day_open(cursor: Any, usage_type: UsageType, day: date) -> None:
    name = _partition_name(usage_type, day)
    # Who comes second waits here, and finds the partition there.
    USAGE_PARTITION.take_with(cursor, table=name)
    cursor.execute("SELECT to_regclass(%s)", [name])
    if cursor.fetchone() != (None,):
        return
    # CREATE TABLE ... PARTITION OF would wait for every reader; LIKE and ATTACH wait for none.
    cursor.execute(
        composed(
            "CREATE TABLE {partition} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);"
            "ALTER TABLE {parent} ATTACH PARTITION {partition} FOR VALUES FROM ({day}) TO ({next_day})",
            partition=partition(usage_type, day),
            parent=parent(usage_type),
            day=sql.Literal(day.isoformat()),
            next_day=sql.Literal((day + timedelta(days=1)).isoformat()),
        )
    )


def parent_lock(usage_type: UsageType) -> None:
    """From here on no day is sealed: a purge cannot drop a partition. Nobody else is kept waiting."""
    execute(composed("LOCK TABLE {} IN ROW EXCLUSIVE MODE", parent(usage_type)))


def day_freeze(usage_type: UsageType, day: date) -> None:
    """Wait for the writers of a day, and let no other in until the transaction ends. Readers do not notice."""
    wait_for_locks(FREEZE_LOCK_TIMEOUT)
    execute(composed("LOCK TABLE {} IN SHARE MODE", partition(usage_type, day)))


def day_drop(usage_type: UsageType, day: date) -> None:
    """Drop the partition of a day. Whoever reads or writes any day makes this wait, and others wait behind it."""
    wait_for_locks(DROP_LOCK_TIMEOUT)
    execute(composed("DROP TABLE {}", partition(usage_type, day)))


def sealed_days(usage_type: UsageType) -> set[date]:
    return set(SealedDay.objects.filter(usage_type=usage_type).order_by().values_list("day", flat=True))
