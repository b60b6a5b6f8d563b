"""Adds raw records with the marks of their keys: all of them, or none."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from psycopg2 import sql

from dsrhub.database.copy import copy_blocks
from dsrhub.database.statements import composed, execute, rows_in_savepoint, rows_of
from subscriptions.exceptions import RecordProblem, UsageConflict
from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, UsageType
from subscriptions.records.events import (
    KEYS_MARKED_SINGLY,
    UsageEvent,
    record_problem,
    refuse,
    usage_day,
)
from subscriptions.records.loading import RecordLoad, blocks
from subscriptions.records.partitions import (
    parent_table,
    partitioned_days,
    partitions_create,
    partitions_reload,
    records_write_lock,
    sealed_days,
)

# Checks, adds and marks the records of `given` in one statement, so it needs no transaction around it. Records that are
# already stored are skipped: CONFLICT has compared them before. For one record without an external id, ADD_ONE does
# the same by a function of migrations/0001_initial.py: a change here needs a migration that replaces the function.
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
# The same as ADD for one record without an external id, by PL/pgSQL functions of migrations/0001_initial.py. Complete
# texts, as composing a statement would take more time than the rest of the client's work.
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

# Writers of external ids lock the subscription. If two send the same id for two days, the second finds the first.
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
# The totals of the staged records, and how many of them are not stored yet.
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
    """Add some records by an INSERT, and return how many were added."""
    refuse([problem for at, record in enumerate(records, 1) if (problem := record_problem(at, record))])
    if len(records) == 1 and records[0].external_id is None and _add_one(usage_type, records[0], backfill):
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
    """Add any number of records by COPY. Returns the number of records, and how many of them were added."""
    with transaction.atomic():
        records_write_lock(usage_type)
        partitions_reload()
        load = RecordLoad(records, partitioned_days(usage_type), set() if backfill else sealed_days(usage_type))
        copy_blocks(_copy_statement(usage_type), blocks(load.lines()))
        while load.missing_day is not None:
            partitions_create(usage_type, [load.missing_day])
            load.partitioned_days.add(load.missing_day)
            copy_blocks(_copy_statement(usage_type), blocks(load.lines()))
        added = load.count
        if load.is_unfinished:
            execute(CREATE_STAGED)
            copy_blocks("COPY usage_staged FROM STDIN", blocks(load.staged_lines()))
            execute("ANALYZE usage_staged")
        load.refuse_problems(unknown_subscriptions(load.first_positions))
        _mark(usage_type, load.marks)
        if load.count > added:
            partitions_create(usage_type, load.staged_days - load.partitioned_days)
            _refuse_conflicts(usage_type, STAGED, {})
            added += _add(usage_type, STAGED, {}, load.staged_days, backfill=backfill)
            execute("DROP TABLE usage_staged")
    return load.count, added


def records_check(
    usage_type: UsageType, records: Iterator[UsageEvent | RecordProblem], *, backfill: bool
) -> tuple[Any, ...]:
    """The totals of records. Raises the same errors as `records_load`, takes no locks and creates no partitions."""
    with transaction.atomic():
        load = RecordLoad(records, set(), set() if backfill else sealed_days(usage_type))
        execute(CREATE_STAGED)
        copy_blocks("COPY usage_staged FROM STDIN", blocks(load.staged_lines()))
        execute("ANALYZE usage_staged")
        load.refuse_problems(unknown_subscriptions(load.first_positions))
        _refuse_found_conflict(usage_type, STAGED, {})
        ((*totals,),) = rows_of(statement_for(STAGED_TOTALS, usage_type))
        execute("DROP TABLE usage_staged")
    return tuple(totals)


def _add(
    usage_type: UsageType, given: sql.SQL, parameters: dict[str, Any], days: Iterable[date], *, backfill: bool
) -> int:
    parameters = parameters | {"backfill": backfill, "singly": KEYS_MARKED_SINGLY, "all": ALL_SUBSCRIPTIONS}
    rows = _rows_after_partitions(usage_type, days, statement_for(ADD, usage_type, given), parameters)
    refuse([RecordProblem(position, field, value, REFUSED[field]) for _, field, value, position in rows if field])
    return int(rows[0][0])


def _add_one(usage_type: UsageType, record: UsageEvent, backfill: bool) -> bool:
    """Add a record by the function ADD_ONE, which returns only whether it was added, not why."""
    day = usage_day(record.usage_date)
    ((is_added,),) = _rows_after_partitions(
        usage_type, [day], ADD_ONE[usage_type], [*record[:2], day, *record[2:4], backfill]
    )
    return bool(is_added)


def _rows_after_partitions(
    usage_type: UsageType, days: Iterable[date], statement: str | sql.Composed, parameters: Any
) -> list[Any]:
    """Run a statement that adds records. If a partition is missing, create the partitions and run it again."""
    try:
        return rows_in_savepoint(statement, parameters)
    except IntegrityError as error:
        if not _lacks_partition(error):
            raise
    partitions_create(usage_type, set(days) - partitioned_days(usage_type))
    return rows_in_savepoint(statement, parameters)


# The codes of the problems that ADD finds.
REFUSED = {"subscription": "unknown_subscription", "day": "day_sealed"}


def _lacks_partition(error: IntegrityError) -> bool:
    """Whether the day of a record has no partition: the code of a failed check (23514) without the name of a check."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return diagnosis is not None and diagnosis.sqlstate == "23514" and diagnosis.constraint_name is None


def _refuse_conflicts(usage_type: UsageType, given: sql.SQL, parameters: dict[str, Any]) -> None:
    rows_of(statement_for(LOCK_SUBSCRIPTIONS, usage_type, given), **parameters)
    _refuse_found_conflict(usage_type, given, parameters)


def _refuse_found_conflict(usage_type: UsageType, given: sql.SQL, parameters: dict[str, Any]) -> None:
    for conflict in rows_of(statement_for(CONFLICT, usage_type, given), **parameters):
        raise conflict_error(*conflict)


def statement_for(template: str, usage_type: UsageType, given: sql.SQL = GIVEN) -> sql.Composed:
    return composed(
        template,
        given=given,
        table=parent_table(usage_type),
        type=sql.Literal(usage_type.value),
        amount=sql.Identifier(RECORD_MODELS[usage_type].amount_column),
    )


def _copy_statement(usage_type: UsageType) -> sql.Composed:
    return composed(
        "COPY {table} (subscription_id, usage_date, day, price, {amount}) FROM STDIN",
        table=parent_table(usage_type),
        amount=sql.Identifier(RECORD_MODELS[usage_type].amount_column),
    )


def unknown_subscriptions(first_positions: dict[int, int]) -> list[RecordProblem]:
    """A problem for each id without a subscription. The ids come with the position of their first record."""
    rows = rows_of(
        "SELECT id FROM unnest(%(ids)s::bigint[]) AS given (id) "
        "WHERE NOT EXISTS (SELECT FROM subscriptions_subscription AS known WHERE known.id = given.id)",
        ids=list(first_positions),
    )
    return [
        RecordProblem(first_positions[number], "subscription", str(number), REFUSED["subscription"])
        for (number,) in rows
    ]


def _mark(usage_type: UsageType, marks: dict[date, set[int]]) -> None:
    keys = [
        (day, subscription)
        for day, subscriptions in marks.items()
        for subscription in ([ALL_SUBSCRIPTIONS] if len(subscriptions) > KEYS_MARKED_SINGLY else subscriptions)
    ]
    execute(
        "INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id) "
        "SELECT %(type)s, * FROM unnest(%(days)s::date[], %(subscriptions)s::bigint[])",
        type=usage_type,
        days=[day for day, _ in keys],
        subscriptions=[subscription for _, subscription in keys],
    )


def conflict_error(subscription: int, external_id: str, position: int) -> UsageConflict:
    return UsageConflict(
        f"record {position}: subscription {subscription} has another record with the external id {external_id!r}.",
        external_id=external_id,
        subscription=subscription,
        position=position,
    )
