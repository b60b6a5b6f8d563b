"""Adds some records with the marks of their keys by one INSERT: all of them, or none."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from psycopg2 import sql

from dsrhub.database.statements import rows_in_savepoint, rows_of
from subscriptions.exceptions import RecordProblem
from subscriptions.models import ALL_SUBSCRIPTIONS, UsageType
from subscriptions.records.events import KEYS_MARKED_SINGLY, UsageEvent, plain_event, record_problem, refuse, usage_day
from subscriptions.records.partitions import partitioned_days, partitions_create
from subscriptions.records.stored import (
    GIVEN,
    LOCK_SUBSCRIPTIONS,
    STORED,
    Given,
    conflict_error,
    given_parameters,
    statement_for,
    unknown_subscription,
)

# Checks, adds and marks the records of `given` in one statement, so it needs no transaction around it. Records that are
# already stored have been removed before; one that comes twice in `given` is added once. For one record without an
# external id, ADD_ONE does the same by a function of migrations/0001_initial.py: a change here needs a migration that
# replaces the function.
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
# The codes of the problems that ADD finds.
REFUSED = {"subscription": "unknown_subscription", "day": "day_sealed"}


def records_add(usage_type: UsageType, records: Sequence[UsageEvent], *, backfill: bool) -> int:
    """Add some records by an INSERT, and return how many were added."""
    refuse([problem for at, record in enumerate(records, 1) if (problem := record_problem(at, record))])
    records = [plain_event(record) for record in records]
    if len(records) == 1 and records[0].external_id is None and _add_one(usage_type, records[0], backfill):
        return 1
    given = list(enumerate(records, 1))
    if not any(record.external_id for record in records):
        return _add_given(usage_type, given, backfill=backfill)
    with transaction.atomic():
        new = _not_stored(usage_type, given)
        return _add_given(usage_type, new, backfill=backfill) if new else 0


def _not_stored(usage_type: UsageType, given: Sequence[Given]) -> list[Given]:
    """Those of some records that are not stored under their external ids. Locks the ids, and refuses conflicts."""
    parameters = given_parameters(given)
    locked = {number for (number,) in rows_of(statement_for(LOCK_SUBSCRIPTIONS, usage_type), **parameters)}
    # A subscription that is created just now is unknown as well: it is not locked.
    unknown = {record.subscription: at for at, record in reversed(given) if record.external_id is not None}
    refuse([unknown_subscription(at, number) for number, at in unknown.items() if number not in locked])
    stored = rows_of(statement_for(STORED, usage_type), **parameters)
    for position, subscription, external_id, _differs in sorted((row for row in stored if row[-1]), reverse=True):
        raise conflict_error(subscription, external_id, position)
    repeated = {position for position, *_ in stored}
    return [(position, record) for position, record in given if position not in repeated]


def _add_given(usage_type: UsageType, given: Sequence[Given], *, backfill: bool) -> int:
    parameters = given_parameters(given)
    return add_from(GIVEN, usage_type, parameters, parameters["day"], backfill=backfill)


def add_from(
    given: sql.SQL, usage_type: UsageType, parameters: Mapping[str, Any], days: Iterable[date], *, backfill: bool
) -> int:
    """Add the records of a table of some days, none of which is stored, and return how many were added."""
    parameters = {**parameters, "backfill": backfill, "singly": KEYS_MARKED_SINGLY, "all": ALL_SUBSCRIPTIONS}
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


def _lacks_partition(error: IntegrityError) -> bool:
    """Whether the day of a record has no partition: the code of a failed check (23514) without the name of a check."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return diagnosis is not None and diagnosis.sqlstate == "23514" and diagnosis.constraint_name is None
