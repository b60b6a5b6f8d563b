"""Adds any number of records with the marks of their keys by COPY: all of them, or none."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from django.db import transaction
from psycopg2 import sql

from dsrhub.database.copy import copy_blocks
from dsrhub.database.statements import composed, execute, rows_of
from subscriptions.exceptions import RecordProblem
from subscriptions.models import RECORD_MODELS, UsageType
from subscriptions.records.events import UsageEvent, day_sealed, refuse
from subscriptions.records.inserting import add_from
from subscriptions.records.loading import PROBLEM_LIMIT, Accepted, RecordLoad, blocks
from subscriptions.records.partitions import (
    parent_table,
    partitioned_days,
    partitions_create,
    partitions_reload,
    records_write_lock,
    sealed_days,
)
from subscriptions.records.stored import (
    LOCK_SUBSCRIPTIONS,
    STORED,
    any_is_stored,
    conflict_error,
    statement_for,
    subscriptions_lock,
    unknown_subscriptions,
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
# The planner needs no statistics of fewer staged records than this. So many are also held in memory: they are staged
# only if some of them may be stored already.
FEW_STAGED = 10_000

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
        few = load.few_remaining(FEW_STAGED)
        if few is None:
            _stage(load, load.all_remaining())
        load.refuse_problems(unknown_subscriptions(load.first_positions))
        if few:
            added += _add_new(usage_type, load, few)
        _mark(usage_type, load.marked_keys())
        if load.count > added:
            rows_of(statement_for(LOCK_SUBSCRIPTIONS, usage_type, STAGED))
            _remove_staged_repeats(usage_type, load)
            partitions_create(usage_type, _staged_days(load.staged_days - load.partitioned_days))
            added += add_from(STAGED, usage_type, {}, load.staged_days, backfill=backfill)
    return load.count, added


def records_check(
    usage_type: UsageType, records: Iterator[UsageEvent | RecordProblem], *, backfill: bool
) -> tuple[Any, ...]:
    """The totals of records: their number, how many are new, price, amount, number of days, first and last day.

    Raises the same errors as `records_load`, takes no locks and creates no partitions.
    """
    with transaction.atomic():
        load = RecordLoad(records, set(), set() if backfill else sealed_days(usage_type))
        _stage(load, load.all_remaining())
        load.refuse_problems(unknown_subscriptions(load.first_positions))
        ((count, *totals),) = rows_of(STAGED_TOTALS)
        _remove_staged_repeats(usage_type, load)
        ((new,),) = rows_of(STAGED_NEW)
    return count, new, *totals


def _add_new(usage_type: UsageType, load: RecordLoad, remaining: list[Accepted]) -> int:
    """Add all remaining records of a load, and return their number, if each certainly is new. Otherwise stage them, and
    return 0."""
    named = [(subscription, external_id) for _, subscription, external_id, _, _ in remaining if external_id is not None]
    subscriptions_lock(subscription for subscription, _ in named)
    # While this waited for another writer, that one may have added a partition with one of the ids.
    partitions_reload()
    days = {day for *_, day, _ in remaining}
    if days & load.sealed or len(set(named)) < len(named) or any_is_stored(usage_type, named):
        _stage(load, remaining)
        return 0
    if days - load.partitioned_days:
        partitions_create(usage_type, days - load.partitioned_days)
    copy_blocks(_copy_statement(usage_type, "external_id"), blocks(load.named_lines(remaining)))
    return len(remaining)


def _stage(load: RecordLoad, records: Iterable[Accepted]) -> None:
    """Copy remaining records of a load into the staging table."""
    execute(CREATE_STAGED)
    before = load.count
    copy_blocks("COPY usage_staged FROM STDIN", blocks(load.staged_lines(records)))
    if load.count - before > FEW_STAGED:
        execute("ANALYZE usage_staged")


def _remove_staged_repeats(usage_type: UsageType, load: RecordLoad) -> None:
    """Leave the new records in the staging table. Refuses conflicts, and new records of sealed days."""
    for position, subscription, external_id, _differs in rows_of(statement_for(STAGED_REPEATS, usage_type, STAGED)):
        raise conflict_error(subscription, external_id, position)
    if load.staged_days & load.sealed:
        rows = rows_of(
            "SELECT position, usage_date FROM usage_staged WHERE day = ANY(%(days)s::date[]) ORDER BY position",
            days=list(load.staged_days & load.sealed),
        )
        refuse([day_sealed(*row) for row in rows[:PROBLEM_LIMIT]], len(rows))


def _staged_days(days: set[date]) -> list[date]:
    """Those of some days that the staged records have."""
    return [day for (day,) in rows_of(STAGED_DAYS, days=list(days))] if days else []


def _copy_statement(usage_type: UsageType, *more: str) -> sql.Composed:
    columns = ("subscription_id", "usage_date", "day", "price", RECORD_MODELS[usage_type].amount_column, *more)
    return composed(
        "COPY {table} ({columns}) FROM STDIN",
        table=parent_table(usage_type),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
    )


def _mark(usage_type: UsageType, keys: Sequence[tuple[date, int]]) -> None:
    execute(
        "INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id) "
        "SELECT %(type)s, * FROM unnest(%(days)s::date[], %(subscriptions)s::bigint[])",
        type=usage_type,
        days=[day for day, _ in keys],
        subscriptions=[subscription for _, subscription in keys],
    )
