"""How raw records are added, edited and deleted: always with the marks of their keys, and all or nothing."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction
from psycopg2 import sql

from subscriptions.events import (
    KEYS_MARKED_SINGLY,
    RecordLoad,
    UsageEvent,
    blocks,
    record_problem,
    refuse,
    usage_day,
)
from subscriptions.exceptions import RecordProblem, UsageConflict, UsageRecordNotFound
from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, UsageType
from subscriptions.partitions import days_open, open_days, parent, parent_lock, partitions_notice, sealed_days

# --- Adding ----------------------------------------------------------------------------------------------------

# `given` are the records, with their positions. In the same statement they are checked against what is there, are
# added, and leave their marks: one statement that needs no transaction around it. A record that is there already
# was compared before; it is left out.
ADD = """
WITH given AS MATERIALIZED ({given}),
refused AS MATERIALIZED (
    SELECT 'subscription' AS field, subscription_id::text AS value, min(position) AS position FROM given
    WHERE NOT EXISTS (SELECT FROM subscriptions_subscription WHERE id = subscription_id) GROUP BY subscription_id
    UNION ALL
    SELECT 'day', day::text, min(position) FROM given
    WHERE NOT %(backfill)s AND EXISTS (
        SELECT FROM subscriptions_sealedday AS sealed WHERE sealed.usage_type = {type} AND sealed.day = given.day
    ) GROUP BY day
),
added AS (
    INSERT INTO {table} (subscription_id, usage_date, day, price, {amount}, external_id)
    SELECT subscription_id, usage_date, day, price, amount, external_id FROM given
    WHERE NOT EXISTS (SELECT FROM refused) ORDER BY position
    ON CONFLICT (external_id, subscription_id, day) WHERE external_id IS NOT NULL DO NOTHING
    RETURNING subscription_id, day
),
marked AS (
    INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id)
    SELECT DISTINCT {type}, day, CASE WHEN keys > %(singly)s THEN %(all)s ELSE subscription_id END
    FROM (
        SELECT subscription_id, day, count(*) OVER (PARTITION BY day) AS keys FROM added GROUP BY subscription_id, day
    ) AS touched
)
SELECT (SELECT count(*) FROM added), refused.*
FROM (VALUES (1)) AS always LEFT JOIN refused ON true ORDER BY refused.position
"""
# Written out, as composing a statement takes a client longer than all else.
ADD_ONE = {
    UsageType.DATA: "SELECT subscriptions_datausagerecord_add(%s, %s, %s, %s, %s, %s)",
    UsageType.VOICE: "SELECT subscriptions_voiceusagerecord_add(%s, %s, %s, %s, %s, %s)",
}
GIVEN = sql.SQL(
    """
    SELECT * FROM unnest(%(subscription)s::bigint[], %(usage_date)s::timestamptz[], %(day)s::date[],
        %(price)s::numeric[], %(amount)s::bigint[], %(external_id)s::varchar[]
    ) WITH ORDINALITY AS given (subscription_id, usage_date, day, price, amount, external_id, position)
    """
)
STAGED = sql.SQL("SELECT * FROM usage_staged")
CREATE_STAGED = """
CREATE TEMP TABLE usage_staged (
    subscription_id bigint, usage_date timestamptz, day date, price numeric, amount bigint,
    external_id varchar(255) COLLATE "C", position bigint
)
"""

# Who names external ids queues for each subscription: of two who send one id on two days, the second finds the first.
LOCK_SUBSCRIPTIONS = """
SELECT id FROM subscriptions_subscription WHERE id IN (
    SELECT subscription_id FROM ({given}) AS given WHERE external_id IS NOT NULL
) ORDER BY id FOR NO KEY UPDATE
"""
CONFLICT = """
WITH given AS MATERIALIZED (SELECT * FROM ({given}) AS given WHERE external_id IS NOT NULL),
there AS (
    SELECT subscription_id, external_id, usage_date, price, amount FROM given
    UNION ALL
    SELECT subscription_id, external_id, usage_date, price, {amount} FROM {table} WHERE external_id IS NOT NULL
)
SELECT given.subscription_id, given.external_id, given.position
FROM given JOIN there USING (external_id, subscription_id)
WHERE (there.usage_date, there.price, there.amount) IS DISTINCT FROM (given.usage_date, given.price, given.amount)
ORDER BY position DESC LIMIT 1
"""
# What staged records come to, and how many of them are not there yet.
STAGED_TOTALS = """
SELECT count(*), count(*) FILTER (WHERE external_id IS NULL) + (
    SELECT count(*) FROM (
        SELECT DISTINCT external_id, subscription_id, day FROM usage_staged WHERE external_id IS NOT NULL
    ) AS given
    WHERE NOT EXISTS (
        SELECT FROM {table} AS there
        WHERE (there.external_id, there.subscription_id, there.day)
            = (given.external_id, given.subscription_id, given.day)
    )
), coalesce(sum(price), 0), coalesce(sum(amount), 0), count(DISTINCT day), min(day), max(day)
FROM usage_staged
"""


def records_add(usage_type: UsageType, records: Sequence[UsageEvent], *, backfill: bool) -> int:
    """Add some records and return how many of them were not there yet."""
    refuse([problem for at, record in enumerate(records, 1) if (problem := record_problem(at, record))])
    if len(records) == 1 and records[0].external_id is None and _is_added(usage_type, records[0], backfill):
        return 1
    subscriptions, usage_dates, prices, amounts, external_ids = (list(column) for column in zip(*records, strict=True))
    days = [usage_day(usage_date) for usage_date in usage_dates]
    parameters = {
        "subscription": subscriptions,
        "usage_date": usage_dates,
        "day": days,
        "price": prices,
        "amount": amounts,
        "external_id": external_ids,
    }
    if any(external_ids):
        with transaction.atomic():
            _refuse_conflicts(usage_type, GIVEN, parameters)
            return _add(usage_type, GIVEN, parameters, days, backfill=backfill)
    return _add(usage_type, GIVEN, parameters, days, backfill=backfill)


def records_load(
    usage_type: UsageType, records: Iterator[UsageEvent | RecordProblem], *, backfill: bool
) -> tuple[int, int]:
    """Add any number of records by COPY: how many were given, and how many of them were not there yet."""
    with transaction.atomic(), connection.cursor() as cursor:
        parent_lock(usage_type)
        partitions_notice()
        load = RecordLoad(records, open_days(usage_type), set() if backfill else sealed_days(usage_type))
        cursor.copy_expert(_copy_statement(usage_type), BlockStream(blocks(load.lines())))
        while load.missing_day is not None:
            days_open(usage_type, [load.missing_day])
            load.open_days.add(load.missing_day)
            cursor.copy_expert(_copy_statement(usage_type), BlockStream(blocks(load.lines())))
        added = load.count
        if load.is_unfinished:
            cursor.execute(CREATE_STAGED)
            cursor.copy_expert("COPY usage_staged FROM STDIN", BlockStream(blocks(load.staged_lines())))
            cursor.execute("ANALYZE usage_staged")
        load.refuse_problems(_unknown(load.first_positions))
        _mark(usage_type, load.marks)
        if load.count > added:
            days_open(usage_type, load.staged_days - load.open_days)
            _refuse_conflicts(usage_type, STAGED, {})
            added += _add(usage_type, STAGED, {}, load.staged_days, backfill=backfill)
            cursor.execute("DROP TABLE usage_staged")
    return load.count, added


def records_check(
    usage_type: UsageType, records: Iterator[UsageEvent | RecordProblem], *, backfill: bool
) -> tuple[Any, ...]:
    """What records would come to, refused as by `records_load`. Nobody waits, and no day gets a partition for it."""
    with transaction.atomic(), connection.cursor() as cursor:
        load = RecordLoad(records, set(), set() if backfill else sealed_days(usage_type))
        cursor.execute(CREATE_STAGED)
        cursor.copy_expert("COPY usage_staged FROM STDIN", BlockStream(blocks(load.staged_lines())))
        cursor.execute("ANALYZE usage_staged")
        load.refuse_problems(_unknown(load.first_positions))
        _refuse_found_conflict(usage_type, STAGED, {})
        cursor.execute(_statement(STAGED_TOTALS, usage_type))
        totals: tuple[Any, ...] = cursor.fetchone()
        cursor.execute("DROP TABLE usage_staged")
    return totals


def _add(
    usage_type: UsageType, given: sql.SQL, parameters: dict[str, Any], days: Iterable[date], *, backfill: bool
) -> int:
    parameters = parameters | {"backfill": backfill, "singly": KEYS_MARKED_SINGLY, "all": ALL_SUBSCRIPTIONS}
    rows = _added(usage_type, days, _statement(ADD, usage_type, given), parameters)
    refuse([RecordProblem(position, field, value, REFUSED[field]) for _, field, value, position in rows if field])
    return int(rows[0][0])


def _is_added(usage_type: UsageType, record: UsageEvent, backfill: bool) -> bool:
    """Whether a record is added by the quick way, which does not tell why not."""
    day = usage_day(record.usage_date)
    ((is_added,),) = _added(usage_type, [day], ADD_ONE[usage_type], [*record[:2], day, *record[2:4], backfill])
    return bool(is_added)


def _added(usage_type: UsageType, days: Iterable[date], statement: str | sql.Composed, parameters: Any) -> list[Any]:
    """What a statement that adds records returns, once their days have partitions."""
    try:
        return _rows(statement, parameters)
    except IntegrityError as error:
        if not _lacks_partition(error):
            raise
    days_open(usage_type, set(days) - open_days(usage_type))
    return _rows(statement, parameters)


# Why what is there refuses a record.
REFUSED = {"subscription": "unknown_subscription", "day": "day_sealed"}


def _rows(statement: str | sql.Composed, parameters: Any) -> list[Any]:
    """The rows of a statement, which may fail without breaking the transaction that it may be in."""
    if connection.in_atomic_block:
        with transaction.atomic():
            return _fetched(statement, parameters)
    return _fetched(statement, parameters)


def _fetched(statement: str | sql.Composed, parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows


def _lacks_partition(error: IntegrityError) -> bool:
    """Whether a record's day has no partition: PostgreSQL's code for a failed check, but no check to name."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return diagnosis is not None and diagnosis.sqlstate == "23514" and diagnosis.constraint_name is None


def _refuse_conflicts(usage_type: UsageType, given: sql.SQL, parameters: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_statement(LOCK_SUBSCRIPTIONS, usage_type, given), parameters)
    _refuse_found_conflict(usage_type, given, parameters)


def _refuse_found_conflict(usage_type: UsageType, given: sql.SQL, parameters: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_statement(CONFLICT, usage_type, given), parameters)
        conflict = cursor.fetchone()
    if conflict is not None:
        raise _conflict(*conflict)


def _statement(template: str, usage_type: UsageType, given: sql.SQL = GIVEN) -> sql.Composed:
    return sql.SQL(template).format(
        given=given,
        table=parent(usage_type),
        type=sql.Literal(usage_type.value),
        amount=sql.Identifier(RECORD_MODELS[usage_type].amount_column),
    )


def _copy_statement(usage_type: UsageType) -> sql.Composed:
    return sql.SQL("COPY {table} (subscription_id, usage_date, day, price, {amount}) FROM STDIN").format(
        table=parent(usage_type), amount=sql.Identifier(RECORD_MODELS[usage_type].amount_column)
    )


def _unknown(first_positions: dict[int, int]) -> list[RecordProblem]:
    """The problems of ids of no subscription, which are given with the position of the first record of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::bigint[]) AS given (id) "
            "WHERE NOT EXISTS (SELECT FROM subscriptions_subscription AS known WHERE known.id = given.id)",
            [list(first_positions)],
        )
        return [
            RecordProblem(first_positions[number], "subscription", str(number), REFUSED["subscription"])
            for (number,) in cursor.fetchall()
        ]


def _mark(usage_type: UsageType, marks: dict[date, set[int]]) -> None:
    keys = [
        (day, subscription)
        for day, subscriptions in marks.items()
        for subscription in ([ALL_SUBSCRIPTIONS] if len(subscriptions) > KEYS_MARKED_SINGLY else subscriptions)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id) "
            "SELECT %s, * FROM unnest(%s::date[], %s::bigint[])",
            [usage_type, [day for day, _ in keys], [subscription for _, subscription in keys]],
        )


class BlockStream:
    """An iterator of blocks as the file that COPY reads. A read gives a whole block, however much is asked for."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, size: int = -1) -> bytes:
        return next(self._blocks, b"")


# --- Changing --------------------------------------------------------------------------------------------------

# Both the day that a record leaves and the one that it comes to are marked.
EDIT = """
WITH old AS (SELECT subscription_id, day FROM {table} WHERE id = %(id)s AND day = %(old_day)s),
edited AS (
    UPDATE {table} SET subscription_id = %(subscription)s, usage_date = %(usage_date)s, day = %(day)s,
        price = %(price)s, {amount} = %(amount)s, external_id = %(external_id)s
    WHERE id = %(id)s AND day = %(old_day)s RETURNING subscription_id, day
)
INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id)
SELECT {type}, day, subscription_id FROM old UNION SELECT {type}, day, subscription_id FROM edited
"""
DELETE = """
WITH deleted AS (DELETE FROM {table} WHERE id = ANY(%(ids)s) RETURNING subscription_id, day),
marked AS (
    INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id)
    SELECT DISTINCT {type}, day, subscription_id FROM deleted
)
SELECT count(*) FROM deleted
"""
# Of more records, all are locked by one lock: the database has room for some thousands, those of others included.
RECORDS_LOCKED_SINGLY = 100
SAME_EXTERNAL_ID = """
SELECT 1 FROM {table}
WHERE external_id = %(external_id)s AND subscription_id = %(subscription)s AND id <> %(id)s LIMIT 1
"""


def record_edit(usage_type: UsageType, record_id: int, values: UsageEvent, *, backfill: bool) -> None:
    """Give a record other values, which may move it to another day or subscription."""
    refuse([problem] if (problem := record_problem(1, values)) else [])
    day = usage_day(values.usage_date)
    with transaction.atomic():
        old_day = _locked_day(usage_type, record_id)
        refuse(_unknown({values.subscription: 1}))
        if values.external_id is not None:
            _refuse_taken_id(usage_type, record_id, values)
        if day != old_day and not backfill and day in sealed_days(usage_type):
            refuse([RecordProblem(1, "usage_date", str(values.usage_date), "day_sealed")])
        days_open(usage_type, {day} - open_days(usage_type))
        parameters = values._asdict() | {"id": record_id, "day": day, "old_day": old_day}
        with connection.cursor() as cursor:
            cursor.execute(_statement(EDIT, usage_type), parameters)


def records_delete(usage_type: UsageType, record_ids: Collection[int]) -> int:
    """Delete records, and return how many there were."""
    with transaction.atomic(), connection.cursor() as cursor:
        _lock_records(usage_type, record_ids)
        cursor.execute(_statement(DELETE, usage_type), {"ids": list(record_ids)})
        return int(cursor.fetchone()[0])


def _locked_day(usage_type: UsageType, record_id: int) -> date:
    """The day of a record, which nobody else changes, deletes or purges until the transaction ends."""
    parent_lock(usage_type)
    _lock_records(usage_type, [record_id])
    days = RECORD_MODELS[usage_type]._default_manager.filter(pk=record_id).values_list("day", flat=True)
    for day in days:
        return day
    raise UsageRecordNotFound(f"There is no {usage_type} usage record {record_id}.", id=record_id)


def _lock_records(usage_type: UsageType, record_ids: Collection[int]) -> None:
    """Let nobody else change these records: a row that moves to another partition under somebody is an error."""
    is_many = len(record_ids) > RECORDS_LOCKED_SINGLY
    with connection.cursor() as cursor:
        lock = "pg_advisory_xact_lock" if is_many else "pg_advisory_xact_lock_shared"
        cursor.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [f"dsrhub.usage.{usage_type}.records"])
        for record_id in [] if is_many else sorted(record_ids):
            name = f"dsrhub.usage.{usage_type}.{record_id}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _refuse_taken_id(usage_type: UsageType, record_id: int, values: UsageEvent) -> None:
    parameters = values._asdict() | {"id": record_id}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM subscriptions_subscription WHERE id = %s FOR NO KEY UPDATE", [values.subscription]
        )
        cursor.execute(_statement(SAME_EXTERNAL_ID, usage_type), parameters)
        if cursor.fetchone() is not None:
            raise _conflict(values.subscription, str(values.external_id), 1)


def _conflict(subscription: int, external_id: str, position: int) -> UsageConflict:
    return UsageConflict(
        f"record {position}: subscription {subscription} has another record with the external id {external_id!r}.",
        external_id=external_id,
        subscription=subscription,
        position=position,
    )
