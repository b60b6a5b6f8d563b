"""Reads exact sums: aggregates, corrected for marked keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from django.db import connection
from psycopg2 import sql

from dsrhub.database.statements import composed, rows_of, union_all
from subscriptions.aggregates.ranges import (
    DAY,
    MARKED,
    MONTHS,
    NEGATED,
    SUMS,
    TOTALS,
    VALUES,
    Step,
    UsageRange,
    days_between,
    days_in,
    marked_rows,
    month_last_day,
)
from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, UsageType
from subscriptions.records.partitions import partitions_reload

PARTITIONS = composed(
    "(SELECT coalesce(string_agg(inhrelid::text, ' ' ORDER BY inhrelid), '') FROM pg_inherits WHERE inhparent IN ({}))",
    sql.SQL(", ").join(composed("{}::regclass", sql.Literal(model._meta.db_table)) for model in RECORD_MODELS.values()),
)
# Runs before READ: the days with marks, the number of marks, and the present partitions.
HINTS = sql.SQL(
    """
    SELECT usage_type, subscription_id = {all}, array_agg(DISTINCT day), {partitions}, count(*)
    FROM ({marks}) AS mark GROUP BY 1, 2
    """
)
# Only the first row has the time: in thousands of rows, it would take longer than the rest. The time is NULL if the
# hints are out of date.
READ = sql.SQL(
    """
    WITH mark AS MATERIALIZED ({marks}), {marked}, answer AS ({answer})
    SELECT CASE WHEN row_number() OVER () = 1 AND {is_exact} THEN statement_timestamp() END, answer.*
    FROM (VALUES (1)) AS always LEFT JOIN answer ON true ORDER BY {order}
    """
)
# Stores the answer instead of returning it, and returns the time, the number of rows and the last place. The condition
# is in the INSERT too, so that nothing is stored if the hints are out of date.
STORE = sql.SQL(
    """
    WITH mark AS MATERIALIZED ({marks}), {marked}, answer ({columns}) AS ({answer}),
    stored AS (
        INSERT INTO subscriptions_exportedusage (export_id, place, {columns})
        SELECT {export}, {place}, {columns} FROM answer WHERE {is_exact} RETURNING place
    )
    SELECT CASE WHEN {is_exact} THEN statement_timestamp() END, count(*), coalesce(max(place), 0) FROM stored
    """
)
NO_PARALLEL = sql.SQL("SET LOCAL max_parallel_workers_per_gather = 0;")
# New rows have no statistics yet. Without them, the planner would look up each marked key in every partition.
NO_NESTED_LOOPS = sql.SQL("SET LOCAL enable_nestloop = off;")
FEW_MARKS = 100

# If each subscription has only one row, nothing is grouped. If only some of them have marks, only those are grouped.
NOT_GROUPED = "SELECT {key}, {type}::text AS usage_type, {values} FROM ({parts}) AS part"
GROUPED = "SELECT {key}, {type}::text AS usage_type, {sums} FROM ({all_parts}) AS part GROUP BY {key}"
BY_MONTH = """
SELECT subscription_id, usage_type, date_trunc('month', day::timestamp)::date AS day, {values} FROM ({parts}) AS dated
"""
GROUPED_WHERE_MARKED = """
SELECT {key}, {type}::text AS usage_type, {values} FROM ({parts}) AS part
WHERE subscription_id NOT IN (SELECT subscription_id FROM key WHERE usage_type = {type})
UNION ALL
SELECT {key}, {type}::text, {sums} FROM (
    SELECT subscription_id, usage_type, day, {values} FROM ({parts}) AS part
    WHERE subscription_id IN (SELECT subscription_id FROM key WHERE usage_type = {type})
    UNION ALL {corrections}
) AS part GROUP BY {key}
"""


@dataclass(frozen=True)
class Marked:
    """The days of a usage type that have marks of the whole day, or of single keys."""

    usage_type: UsageType
    whole_days: bool
    days: list[date]

    def covers(self) -> sql.Composed:
        return composed(
            "(usage_type = {type} AND (subscription_id = {all}) = {whole} AND {days})",
            type=sql.Literal(self.usage_type),
            all=sql.Literal(ALL_SUBSCRIPTIONS),
            whole=sql.Literal(self.whole_days),
            days=days_in(self.days),
        )


def read_exactly(
    answer: Callable[..., sql.Composed],
    wanted: UsageRange,
    *,
    order: str,
    by: Step | None = None,
    few_rows: bool = False,
) -> tuple[datetime, list[tuple[Any, ...]]]:
    """The time of the snapshot, and the rows of a query. Each row starts with a column for internal use.

    See `_run_exactly`.
    """
    as_of, rows = _run_exactly(partial(READ.format, order=sql.SQL(order)), answer, wanted, by=by, few_rows=few_rows)
    # The second column is NULL only in the row that the outer join adds to an empty result.
    return as_of, rows if rows[0][1] is not None else []


def store_exactly(
    answer: Callable[..., sql.Composed],
    wanted: UsageRange,
    *,
    columns: Sequence[str],
    export: int,
    place: str,
    by: Step | None = None,
) -> tuple[datetime, int, int]:
    """Store the rows of a query in an export: the time of the snapshot, their number, and their last place.

    See `_run_exactly`. `columns` are those of the answer, and `place` is the place of a row as SQL.
    """
    statement = partial(
        STORE.format, columns=sql.SQL(", ".join(columns)), export=sql.Literal(export), place=sql.SQL(place)
    )
    as_of, rows = _run_exactly(statement, answer, wanted, by=by)
    return as_of, rows[0][1], rows[0][2]


def _run_exactly(
    statement: Callable[..., sql.Composed],
    answer: Callable[..., sql.Composed],
    wanted: UsageRange,
    *,
    by: Step | None,
    few_rows: bool = False,
) -> tuple[datetime, list[tuple[Any, ...]]]:
    """The time of the snapshot, and the rows of a statement whose first column is this time.

    `answer(sums=...)` returns the query. `sums` has the columns subscription_id, usage_type, day (the first one of each
    month if `by` month, and none without `by`), price, amount and record_count. The result includes every record that
    was accepted by the time of the snapshot.
    """
    marks = wanted.marks()
    while True:
        hints = rows_of(HINTS.format(all=sql.Literal(ALL_SUBSCRIPTIONS), partitions=PARTITIONS, marks=marks))
        marked = [Marked(UsageType(usage_type), whole_days, days) for usage_type, whole_days, days, *_ in hints]
        if marked:
            partitions_reload()
        composed_statement = statement(
            marks=marks,
            marked=MARKED,
            answer=answer(sums=union_all([_sums(wanted, each, marked, by) for each in wanted.usage_types])),
            is_exact=_is_exact(marked, hints[0][3] if hints else None),
        )
        rows = rows_of(_settings(few_rows=few_rows, mark_count=sum(hint[4] for hint in hints)) + composed_statement)
        as_of = next((row[0] for row in rows if row[0] is not None), None)
        if as_of is not None:
            return as_of, rows


def _settings(*, few_rows: bool, mark_count: int) -> sql.Composed:
    """Planner settings for one statement. None inside a transaction: they would stay until its end."""
    # Starting parallel workers takes longer than summing up a page.
    wanted = [(NO_PARALLEL, few_rows), (NO_NESTED_LOOPS, mark_count > FEW_MARKS)]
    return sql.Composed([] if connection.in_atomic_block else [setting for setting, is_wanted in wanted if is_wanted])


def _is_exact(marked: list[Marked], partitions: str | None) -> sql.Composable:
    """Whether all marks are on the expected days, and the partitions are those that the plan knows."""
    if not marked:
        return sql.SQL("NOT EXISTS (SELECT FROM mark)")
    return composed(
        "{now} = {before} AND NOT EXISTS (SELECT FROM mark WHERE NOT ({covered}))",
        now=PARTITIONS,
        before=sql.Literal(partitions),
        covered=sql.SQL(" OR ").join(each.covers() for each in marked),
    )


def _sums(wanted: UsageRange, usage_type: UsageType, marked: list[Marked], by: Step | None) -> sql.Composed:
    """The sums of each subscription for a usage type: aggregates, corrected for marked keys."""
    parts = _parts(wanted, usage_type, by)
    marked = [each for each in marked if each.usage_type == usage_type]
    corrections = [correction for each in marked for correction in _corrections(wanted, each)]
    is_single = by is Step.DAY or (by is None and wanted.is_one_level)
    has_single_rows = is_single and not any(each.whole_days for each in marked)
    template = GROUPED if not has_single_rows else GROUPED_WHERE_MARKED if marked else NOT_GROUPED
    all_parts = union_all([*parts, *corrections])
    return composed(
        template,
        key=sql.SQL("subscription_id, day" if by else "subscription_id"),
        type=sql.Literal(usage_type.value),
        values=sql.SQL(VALUES),
        sums=sql.SQL(SUMS),
        parts=union_all(parts),
        corrections=union_all(corrections),
        all_parts=composed(BY_MONTH, values=sql.SQL(VALUES), parts=all_parts) if by is Step.MONTH else all_parts,
    )


def _parts(wanted: UsageRange, usage_type: UsageType, by: Step | None) -> list[sql.Composed]:
    """The aggregates of a range, of a level that can be grouped by the step."""
    if by is Step.DAY:
        return [_days_part(wanted, usage_type, wanted.start, wanted.end)]
    if wanted.is_unbounded:
        return [wanted.aggregate_rows(usage_type, TOTALS if by is None else MONTHS)]
    return _month_parts(wanted, usage_type)


def _corrections(wanted: UsageRange, marked: Marked) -> list[sql.Composed]:
    """The live values of marked keys, minus their aggregates."""
    usage_type, days = marked.usage_type, marked.days
    aggregated = wanted.aggregate_rows(usage_type, "subscriptions_dailyusage", days_in(days), NEGATED)
    return marked_rows([aggregated, *wanted.live_rows(usage_type, days)], whole_days=marked.whole_days)


def _days_part(wanted: UsageRange, usage_type: UsageType, start: date, end: date) -> sql.Composed:
    return wanted.aggregate_rows(usage_type, "subscriptions_dailyusage", days_between(start, end))


def _month_parts(wanted: UsageRange, usage_type: UsageType) -> list[sql.Composed]:
    """The whole months of a range, and the days before and after them."""
    first, last = _month_number(wanted.start), _month_number(wanted.end)
    if wanted.start.day > 1:
        first += 1
    if wanted.end != month_last_day(wanted.end):
        last -= 1
    if first > last:
        return [_days_part(wanted, usage_type, wanted.start, wanted.end)]
    first_day, last_day = _month(first), month_last_day(_month(last))
    parts = [wanted.aggregate_rows(usage_type, MONTHS, days_between(first_day, last_day))]
    if wanted.start < first_day:
        parts.append(_days_part(wanted, usage_type, wanted.start, first_day - DAY))
    if last_day < wanted.end:
        parts.append(_days_part(wanted, usage_type, last_day + DAY, wanted.end))
    return parts


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)
