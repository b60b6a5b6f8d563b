"""Adds raw records with the marks of their keys: all of them, or none."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from psycopg2 import sql

from dsrhub.database.copy import copy_blocks
from dsrhub.database.statements import composed, execute, rows_in_savepoint, rows_of
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.exceptions import RecordProblem, UsageConflict
from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, UsageType
from subscriptions.records.events import (
    KEYS_MARKED_SINGLY,
    UsageEvent,
    day_sealed,
    plain_event,
    record_problem,
    refuse,
    usage_day,
)
from subscriptions.records.loading import PROBLEM_LIMIT, RecordLoad, blocks
from subscriptions.records.partitions import (
    parent_table,
    partitioned_days,
    partitions_create,
    partitions_reload,
    records_write_lock,
    sealed_days,
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
GIVEN = sql.SQL(
    """
    SELECT * FROM unnest(%(subscription)s::bigint[], %(usage_date)s::timestamptz[], %(day)s::date[],
        %(price)s::numeric[], %(amount)s::bigint[], %(external_id)s::varchar[], %(position)s::bigint[]
    ) AS given (subscription_id, usage_date, day, price, amount, external_id, position)
    """
)
STAGED = sql.SQL("SELECT * FROM usage_staged")
# The table stays with the session, and is empty after each transaction. Creating it anew for each request would take a
# tenth of the time of 1,000 records, and leave dead rows in the catalog of the database.
CREATE_STAGED = """
CREATE TEMP TABLE IF NOT EXISTS usage_staged (
    subscription_id bigint, usage_date timestamptz, day date, price numeric, amount bigint,
    external_id varchar(255) COLLATE "C", position bigint
) ON COMMIT DELETE ROWS;
DELETE FROM usage_staged
"""
# The planner needs no statistics of fewer staged records than this.
FEW_STAGED = 10_000

# Writers of external ids lock the subscription until they commit. So the second of two writers of one id finds the
# record of the first, whatever the day: no unique index can span the partitions. Earlier releases take the same lock.
LOCK_SUBSCRIPTIONS = """
SELECT id FROM subscriptions_subscription WHERE id IN (
    SELECT subscription_id FROM ({given}) AS given WHERE external_id IS NOT NULL
) ORDER BY id FOR NO KEY UPDATE
"""
# The given records whose external id is stored already, and whether the stored values differ. Ids in another than
# their plain form are those of earlier releases.
STORED_NOW = """
SELECT wanted.position, wanted.subscription_id, wanted.external_id,
    (there.usage_date, there.price, there.{amount}) IS DISTINCT FROM (wanted.usage_date, wanted.price, wanted.amount)
        AS differs
FROM (
    SELECT *, external_id AS stored_id FROM ({given}) AS given WHERE external_id IS NOT NULL
    UNION ALL
    SELECT given.*, unplain.external_id FROM ({given}) AS given JOIN subscriptions_unplainexternalid AS unplain
    ON (unplain.usage_type, unplain.plain_id, unplain.subscription_id)
        = ({type}, given.external_id, given.subscription_id)
) AS wanted JOIN {table} AS there
ON (there.external_id, there.subscription_id) = (wanted.stored_id, wanted.subscription_id)
"""
# The same, and a given record that differs from another given one.
STORED = (
    STORED_NOW
    + """
UNION ALL
SELECT max(position), subscription_id, external_id, true FROM ({given}) AS given WHERE external_id IS NOT NULL
GROUP BY subscription_id, external_id
HAVING (min(usage_date), min(price), min(amount)) IS DISTINCT FROM (max(usage_date), max(price), max(amount))
"""
)
# Removes the staged records that are stored already, and returns the last conflict.
STAGED_REPEATS = f"""
WITH stored AS MATERIALIZED ({STORED}),
removed AS (DELETE FROM usage_staged USING stored WHERE usage_staged.position = stored.position)
SELECT * FROM stored WHERE differs ORDER BY position DESC LIMIT 1
"""  # noqa: S608 - no value is in it
STAGED_DAYS = "SELECT DISTINCT day FROM usage_staged WHERE day = ANY(%(days)s::date[])"
STAGED_TOTALS = """
SELECT count(*), coalesce(sum(price), 0), coalesce(sum(amount), 0), count(DISTINCT day), min(day), max(day)
FROM usage_staged
"""
# The number of staged records that would be added, after STAGED_REPEATS.
STAGED_NEW = """
SELECT count(*) FILTER (WHERE external_id IS NULL) + count(DISTINCT (external_id, subscription_id))
    FILTER (WHERE external_id IS NOT NULL)
FROM usage_staged
"""

MISSING = """
SELECT id FROM unnest(%(ids)s::bigint[]) AS given (id)
WHERE NOT EXISTS (SELECT FROM subscriptions_subscription AS known WHERE known.id = given.id)
"""

# A record with its position in the call.
Given = tuple[int, UsageEvent]


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
        stored = _stored_positions(usage_type, given)
        new = [(position, record) for position, record in given if position not in stored]
        return _add_given(usage_type, new, backfill=backfill) if new else 0


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
            _stage(load)
        load.refuse_problems(unknown_subscriptions(load.first_positions))
        _mark(usage_type, load.marks)
        if load.count > added:
            rows_of(statement_for(LOCK_SUBSCRIPTIONS, usage_type, STAGED))
            _remove_staged_repeats(usage_type, load)
            partitions_create(usage_type, _staged_days(load.staged_days - load.partitioned_days))
            added += _add(usage_type, STAGED, {}, load.staged_days, backfill=backfill)
    return load.count, added


def records_check(
    usage_type: UsageType, records: Iterator[UsageEvent | RecordProblem], *, backfill: bool
) -> tuple[Any, ...]:
    """The totals of records: their number, how many are new, price, amount, number of days, first and last day.

    Raises the same errors as `records_load`, takes no locks and creates no partitions.
    """
    with transaction.atomic():
        load = RecordLoad(records, set(), set() if backfill else sealed_days(usage_type))
        _stage(load)
        load.refuse_problems(unknown_subscriptions(load.first_positions))
        ((count, *totals),) = rows_of(STAGED_TOTALS)
        _remove_staged_repeats(usage_type, load)
        ((new,),) = rows_of(STAGED_NEW)
    return count, new, *totals


def _stage(load: RecordLoad) -> None:
    """Copy the remaining records into the staging table."""
    execute(CREATE_STAGED)
    before = load.count
    copy_blocks("COPY usage_staged FROM STDIN", blocks(load.staged_lines()))
    if load.count - before > FEW_STAGED:
        execute("ANALYZE usage_staged")


def _remove_staged_repeats(usage_type: UsageType, load: RecordLoad) -> None:
    """Leave the new records in the staging table. Refuses conflicts, and new records of sealed days."""
    for conflict in rows_of(statement_for(STAGED_REPEATS, usage_type, STAGED)):
        _refuse_conflict(*conflict)
    if load.staged_days & load.sealed:
        rows = rows_of(
            "SELECT position, usage_date FROM usage_staged WHERE day = ANY(%(days)s::date[]) ORDER BY position",
            days=list(load.staged_days & load.sealed),
        )
        refuse([day_sealed(*row) for row in rows[:PROBLEM_LIMIT]], len(rows))


def _staged_days(days: set[date]) -> list[date]:
    """Those of some days that the staged records have."""
    return [day for (day,) in rows_of(STAGED_DAYS, days=list(days))] if days else []


def subscriptions_lock(numbers: Iterable[int]) -> None:
    """Lock some subscriptions, as all writers of external ids do. Other writers do not wait."""
    ids = sorted(set(numbers))
    rows_of(
        "SELECT id FROM subscriptions_subscription WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        ids=ids,
    )


def subscriptions_missing(numbers: Iterable[int]) -> set[int]:
    """Those of some ids that no subscription has."""
    return {number for (number,) in rows_of(MISSING, ids=list(set(numbers)))}


def stored_positions(usage_type: UsageType, given: Sequence[Given]) -> dict[int, bool]:
    """The positions of the records that are stored under their external ids, and whether the stored values differ."""
    named = [one for one in given if one[1].external_id is not None]
    if not named:
        return {}
    rows = rows_of(statement_for(STORED_NOW, usage_type), **_parameters(named))
    return {position: differs for position, *_key, differs in rows}


def _stored_positions(usage_type: UsageType, given: Sequence[Given]) -> set[int]:
    """The positions of the records that are stored under their external ids. Locks the ids, and refuses conflicts."""
    parameters = _parameters(given)
    locked = {number for (number,) in rows_of(statement_for(LOCK_SUBSCRIPTIONS, usage_type), **parameters)}
    # A subscription that is created just now is unknown as well: it is not locked.
    unknown = {record.subscription: at for at, record in reversed(given) if record.external_id is not None}
    refuse([unknown_subscription(at, number) for number, at in unknown.items() if number not in locked])
    stored = rows_of(statement_for(STORED, usage_type), **parameters)
    for conflict in sorted((row for row in stored if row[-1]), reverse=True):
        _refuse_conflict(*conflict)
    return {position for position, *_ in stored}


def _add_given(usage_type: UsageType, given: Sequence[Given], *, backfill: bool) -> int:
    parameters = _parameters(given)
    return _add(usage_type, GIVEN, parameters, parameters["day"], backfill=backfill)


def _parameters(given: Sequence[Given]) -> dict[str, Any]:
    """The parameters of GIVEN."""
    columns = {field: [getattr(record, field) for _, record in given] for field in UsageEvent._fields}
    days = [usage_day(usage_date) for usage_date in columns["usage_date"]]
    return columns | {"day": days, "position": [position for position, _ in given]}


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


def _refuse_conflict(position: int, subscription: int, external_id: str, _differs: bool) -> None:
    raise conflict_error(subscription, external_id, position)


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
    missing = subscriptions_missing(first_positions)
    return [unknown_subscription(first_positions[number], number) for number in sorted(missing)]


def unknown_subscription(position: int, number: int) -> RecordProblem:
    return RecordProblem(position, "subscription", str(number), REFUSED["subscription"])


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
        _("record %(position)s: subscription %(subscription)s has another record with the external id %(external_id)s.")
        % {"position": position, "subscription": subscription, "external_id": repr(external_id)},
        external_id=external_id,
        subscription=subscription,
        position=position,
    )
