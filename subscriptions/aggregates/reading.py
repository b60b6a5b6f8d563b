"""Reads sums that are exact at one moment: aggregates, corrected where there are marks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from psycopg2 import sql

from dsrhub.database.statements import composed, union_all
from subscriptions.aggregates.ranges import (
    DAY,
    MARKED,
    MONTHS,
    SUMS,
    TAKEN_AWAY,
    TOTALS,
    VALUES,
    UsageRange,
    between,
    month_last_day,
    of_marked,
    one_of,
)
from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, UsageType
from subscriptions.records.partitions import partitions_notice

PARTITIONS = composed(
    "(SELECT coalesce(string_agg(inhrelid::text, ' ' ORDER BY inhrelid), '') FROM pg_inherits WHERE inhparent IN ({}))",
    sql.SQL(", ").join(composed("{}::regclass", sql.Literal(model._meta.db_table)) for model in RECORD_MODELS.values()),
)
# What an earlier statement has to tell the one that answers: where marks are, and how many.
HINTS = sql.SQL(
    """
    SELECT usage_type, subscription_id = {all}, array_agg(DISTINCT day), {partitions}, count(*)
    FROM ({marks}) AS mark GROUP BY 1, 2
    """
)
# The moment stands in one row alone: in thousands, it would take longer than all else. It is not there if the
# hints were not enough.
READ = sql.SQL(
    """
    WITH mark AS MATERIALIZED ({marks}), {marked}, answer AS ({answer})
    SELECT CASE WHEN row_number() OVER () = 1 AND {is_exact} THEN statement_timestamp() END, answer.*
    FROM (VALUES (1)) AS always LEFT JOIN answer ON true ORDER BY {order}
    """
)
ALONE = sql.SQL("SET LOCAL max_parallel_workers_per_gather = 0;")
# What was just written has no statistics yet, and a plan without them looks each marked key up in every partition.
WITHOUT_LOOKUPS = sql.SQL("SET LOCAL enable_nestloop = off;")
FEW_MARKS = 100


# Aggregates of one level are sums already. Where only some subscriptions have marks, theirs alone are added up.
SUMMED = "SELECT {key}, {type}::text AS usage_type, {values} FROM ({parts}) AS part"
TO_BE_SUMMED = "SELECT {key}, {type}::text AS usage_type, {sums} FROM ({all_parts}) AS part GROUP BY {key}"
SUMMED_BUT_MARKED = """
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
    """Days of a usage type that have marks: of the whole day, or of single keys."""

    usage_type: UsageType
    whole_days: bool
    days: list[date]

    def covers(self) -> sql.Composed:
        return composed(
            "(usage_type = {type} AND (subscription_id = {all}) = {whole} AND {days})",
            type=sql.Literal(self.usage_type),
            all=sql.Literal(ALL_SUBSCRIPTIONS),
            whole=sql.Literal(self.whole_days),
            days=one_of(self.days),
        )


def read_exactly(
    answer: Callable[..., sql.Composed], wanted: UsageRange, *, order: str, by_day: bool = False, few_rows: bool = False
) -> tuple[datetime, list[tuple[Any, ...]]]:
    """The rows of a query, behind a first column of no interest, and a moment: what was accepted by then counts.

    `answer(sums=...)` makes the query over sums of (subscription_id, usage_type, [day,] price, amount, record_count).
    """
    marks = wanted.marks()
    with connection.cursor() as cursor:
        while True:
            cursor.execute(HINTS.format(all=sql.Literal(ALL_SUBSCRIPTIONS), partitions=PARTITIONS, marks=marks))
            hints = cursor.fetchall()
            marked = [Marked(UsageType(usage_type), whole_days, days) for usage_type, whole_days, days, *_ in hints]
            if marked:
                partitions_notice()
            statement = READ.format(
                marks=marks,
                marked=MARKED,
                answer=answer(sums=union_all([_sums(wanted, each, marked, by_day) for each in wanted.usage_types])),
                is_exact=_is_exact(marked, hints[0][3] if hints else None),
                order=sql.SQL(order),
            )
            cursor.execute(_settings(few_rows=few_rows, mark_count=sum(hint[4] for hint in hints)) + statement)
            rows = cursor.fetchall()
            as_of = next((row[0] for row in rows if row[0] is not None), None)
            if as_of is not None:
                # The second column of an answer is never NULL: where it is, the row is the outer join's.
                return as_of, rows if rows[0][1] is not None else []


def _settings(*, few_rows: bool, mark_count: int) -> sql.Composed:
    """How one statement is to be planned. None in a transaction, whose rest would obey as well."""
    # To start other processes takes longer than to add up a page.
    wanted = [(ALONE, few_rows), (WITHOUT_LOOKUPS, mark_count > FEW_MARKS)]
    return sql.Composed([] if connection.in_atomic_block else [setting for setting, is_wanted in wanted if is_wanted])


def _is_exact(marked: list[Marked], partitions: str | None) -> sql.Composable:
    """Whether all marks are where they were, and the partitions those that the plan can know."""
    if not marked:
        return sql.SQL("NOT EXISTS (SELECT FROM mark)")
    return composed(
        "{now} = {before} AND NOT EXISTS (SELECT FROM mark WHERE NOT ({covered}))",
        now=PARTITIONS,
        before=sql.Literal(partitions),
        covered=sql.SQL(" OR ").join(each.covers() for each in marked),
    )


def _sums(wanted: UsageRange, usage_type: UsageType, marked: list[Marked], by_day: bool) -> sql.Composed:
    """What each subscription used of a type: its aggregates, corrected where there are marks."""
    parts = [_of_days(wanted, usage_type, wanted.start, wanted.end)] if by_day else _of_months(wanted, usage_type)
    marked = [each for each in marked if each.usage_type == usage_type]
    corrections = [correction for each in marked for correction in _corrections(wanted, each)]
    is_summed = (by_day or wanted.is_of_one_level) and not any(each.whole_days for each in marked)
    template = TO_BE_SUMMED if not is_summed else SUMMED_BUT_MARKED if marked else SUMMED
    return composed(
        template,
        key=sql.SQL("subscription_id, day" if by_day else "subscription_id"),
        type=sql.Literal(usage_type.value),
        values=sql.SQL(VALUES),
        sums=sql.SQL(SUMS),
        parts=union_all(parts),
        corrections=union_all(corrections),
        all_parts=union_all([*parts, *corrections]),
    )


def _corrections(wanted: UsageRange, marked: Marked) -> list[sql.Composed]:
    """What leads from the aggregates of marked keys to their live values."""
    usage_type, days = marked.usage_type, marked.days
    aggregated = wanted.summed(usage_type, "subscriptions_dailyusage", one_of(days), TAKEN_AWAY)
    return of_marked([aggregated, *wanted.live(usage_type, days)], whole_days=marked.whole_days)


def _of_days(wanted: UsageRange, usage_type: UsageType, start: date, end: date) -> sql.Composed:
    return wanted.summed(usage_type, "subscriptions_dailyusage", between(start, end))


def _of_months(wanted: UsageRange, usage_type: UsageType) -> list[sql.Composed]:
    """The whole months of a range, and the days before and behind them; without any bounds, all at once."""
    if wanted.is_unbounded:
        return [wanted.summed(usage_type, TOTALS)]
    first, last = _month_number(wanted.start), _month_number(wanted.end)
    if wanted.start.day > 1:
        first += 1
    if wanted.end != month_last_day(wanted.end):
        last -= 1
    if first > last:
        return [_of_days(wanted, usage_type, wanted.start, wanted.end)]
    first_day, last_day = _month(first), month_last_day(_month(last))
    parts = [wanted.summed(usage_type, MONTHS, between(first_day, last_day))]
    if wanted.start < first_day:
        parts.append(_of_days(wanted, usage_type, wanted.start, first_day - DAY))
    if last_day < wanted.end:
        parts.append(_of_days(wanted, usage_type, last_day + DAY, wanted.end))
    return parts


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)
