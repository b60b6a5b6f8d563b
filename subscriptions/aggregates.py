"""Aggregates that are exact at every moment, without signals, triggers or waiting.

A *key* is (subscription, usage type, day). Its *live* value is the sum of its raw records and of what is kept of
purged ones (PurgedUsage): all that was accepted and not deleted. What holds in every snapshot of the database:

1. A key that nobody marked has its live value in DailyUsage. Whoever writes raw records appends a mark of each key
   in the same transaction, so others see both or neither.
2. MonthlyUsage is the sum of the rows of DailyUsage, marked or not, and TotalUsage that of MonthlyUsage. One
   statement writes all three.
3. Hence any sum is that of its total, months or days, plus (live - daily) for each marked key: one statement, so one
   snapshot, at READ COMMITTED.
4. A refresh deletes the marks that it sees and sets their keys to the live values of the same snapshot, in one
   statement. A mark that is committed later is another row and survives. Refreshes and purges of a usage type take
   turns by an advisory lock, taken before the statement and thus before its snapshot.
5. A purge moves the sum of a day's raw records into PurgedUsage and drops the partition in one transaction, which
   changes no live value. It excludes writers by the lock of the partition, and refreshes as above.

A plan knows the partitions of the moment when it was made, a little before the snapshot. So raw records are only
read on days that an earlier statement saw marked: a partition is open to all before its first mark is committed.
A reader asks its snapshot whether those days were all, and whether the partitions are the same, or reads again.
"""

from calendar import monthrange
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from psycopg2 import sql

from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, DailyUsage, UsageMark, UsageType
from subscriptions.partitions import partitions_notice

LARGEST_ID = 2**63 - 1
DAY = timedelta(days=1)

DAYS_ONE_BY_ONE = 62
REFRESH_MEMORY = "64MB"

# The columns of everything that is summed; with the signs turned, to take it away; summed; and as nothing.
VALUES = "price, amount, record_count"
TAKEN_AWAY = "-price AS price, -amount AS amount, -record_count AS record_count"
SUMS = "sum(price) AS price, sum(amount) AS amount, sum(record_count) AS record_count"
ZEROS = "0 AS price, 0 AS amount, 0 AS record_count"


@dataclass(frozen=True)
class RefreshedMonth:
    """What a batch of a refresh did: the days of one month, and how many keys were set."""

    usage_type: UsageType
    days: list[date]
    key_count: int


@dataclass(frozen=True)
class Difference:
    """An aggregate (of a "day", a "month" or the "total") that is not what it should be.

    Each side is (price, amount, number of records), with None for what is not there.
    """

    level: str
    usage_type: UsageType
    day: date | None
    subscription: int
    aggregate: tuple[Any, ...]
    expected: tuple[Any, ...]


# The levels above the day, with the columns of a day.
MONTHS = "(SELECT *, month AS day FROM subscriptions_monthlyusage) AS monthly"
TOTALS = "(SELECT *, NULL::date AS day FROM subscriptions_totalusage) AS total"

# --- What keys come to -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UsageRange:
    """The usage in question: of the days between two days, and of the subscriptions between two ids, all included."""

    start: date = date.min
    end: date = date.max
    usage_types: tuple[UsageType, ...] = tuple(UsageType)
    first: int = 0
    last: int = LARGEST_ID

    def summed(
        self, usage_type: UsageType, table: str, days: sql.Composable | None = None, values: str = VALUES
    ) -> sql.Composed:
        """The rows of an aggregate, of days that are told as a condition."""
        return sql.SQL(
            "SELECT subscription_id, usage_type, day, {values} FROM {table} WHERE usage_type = {type}{days}{ids}"
        ).format(
            values=sql.SQL(values),
            table=sql.SQL(table),
            type=sql.Literal(usage_type.value),
            days=sql.SQL(" AND ") + days if days else sql.SQL(""),
            ids=self._ids(),
        )

    @property
    def is_unbounded(self) -> bool:
        return (self.start, self.end) == (date.min, date.max)

    @property
    def is_of_one_level(self) -> bool:
        """Whether it is one day, one month or all: then each subscription has one row, and none is to be added."""
        is_a_month = self.start.day == 1 and self.end == month_last_day(self.start)
        return self.start == self.end or is_a_month or self.is_unbounded

    def raw(self, usage_type: UsageType, days: Iterable[date]) -> sql.Composed:
        """Raw records of days, which stand in the statement itself, so that all other partitions are left out."""
        model = RECORD_MODELS[usage_type]
        return sql.SQL(
            "SELECT subscription_id, {type} AS usage_type, day, price, {amount} AS amount, 1 AS record_count "
            "FROM {table} WHERE {days}{ids}"
        ).format(
            type=sql.Literal(usage_type.value),
            amount=sql.Identifier(model.amount_column),
            table=sql.Identifier(model._meta.db_table),
            days=one_of(days),
            ids=self._ids(),
        )

    def live(self, usage_type: UsageType, days: Collection[date]) -> list[sql.Composed]:
        """All that was accepted for days, and not deleted."""
        return [self.raw(usage_type, days), self.summed(usage_type, "subscriptions_purgedusage", one_of(days))]

    def marks(self) -> sql.Composed:
        return sql.SQL(
            "SELECT usage_type, day, subscription_id FROM subscriptions_usagemark "
            "WHERE usage_type = ANY({types}) AND day BETWEEN {start}::date AND {end}::date "
            "AND (subscription_id = {all} OR subscription_id BETWEEN {first} AND {last})"
        ).format(
            types=sql.Literal([usage_type.value for usage_type in self.usage_types]),
            start=sql.Literal(self.start),
            end=sql.Literal(self.end),
            all=sql.Literal(ALL_SUBSCRIPTIONS),
            first=sql.Literal(self.first),
            last=sql.Literal(self.last),
        )

    def _ids(self) -> sql.Composable:
        if (self.first, self.last) == (0, LARGEST_ID):
            return sql.SQL("")
        return sql.SQL(" AND subscription_id BETWEEN {} AND {}").format(sql.Literal(self.first), sql.Literal(self.last))


def between(start: date, end: date) -> sql.Composed:
    """A condition for some days: few of them one by one, as an index can then go on to the subscriptions of each."""
    if (end - start).days < DAYS_ONE_BY_ONE:
        return one_of(start + DAY * number for number in range((end - start).days + 1))
    return sql.SQL("day BETWEEN {}::date AND {}::date").format(sql.Literal(start), sql.Literal(end))


def one_of(days: Iterable[date]) -> sql.Composed:
    return sql.SQL("day = ANY({}::date[])").format(sql.Literal(list(days)))


# What `mark` holds, split in two: joins by equality are quick, and no key may count twice.
MARKED = sql.SQL(
    """
    whole_day AS MATERIALIZED (
        SELECT DISTINCT usage_type, day FROM mark WHERE subscription_id = {all}
    ),
    key AS MATERIALIZED (
        SELECT DISTINCT usage_type, day, subscription_id FROM mark
        WHERE subscription_id <> {all} AND (usage_type, day) NOT IN (SELECT usage_type, day FROM whole_day)
    )
    """
).format(all=sql.Literal(ALL_SUBSCRIPTIONS))


def of_marked(sources: Iterable[sql.Composed], *, whole_days: bool) -> list[sql.Composed]:
    """Of the sources' rows those whose key is marked, with the whole day or by itself."""
    template = sql.SQL("SELECT subscription_id, usage_type, day, {values} FROM ({source}) AS part JOIN {marked}")
    marked = "whole_day USING (usage_type, day)" if whole_days else "key USING (usage_type, day, subscription_id)"
    return [template.format(values=sql.SQL(VALUES), source=source, marked=sql.SQL(marked)) for source in sources]


def together(sources: Iterable[sql.Composed]) -> sql.Composed:
    return sql.SQL(" UNION ALL ").join(sources)


# --- Reading ---------------------------------------------------------------------------------------------------

PARTITIONS = sql.SQL(
    "(SELECT coalesce(string_agg(inhrelid::text, ' ' ORDER BY inhrelid), '') FROM pg_inherits WHERE inhparent IN ({}))"
).format(
    sql.SQL(", ").join(
        sql.SQL("{}::regclass").format(sql.Literal(model._meta.db_table)) for model in RECORD_MODELS.values()
    )
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
        return sql.SQL("(usage_type = {type} AND (subscription_id = {all}) = {whole} AND {days})").format(
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
                answer=answer(sums=together(_sums(wanted, each, marked, by_day) for each in wanted.usage_types)),
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
    return sql.SQL("{now} = {before} AND NOT EXISTS (SELECT FROM mark WHERE NOT ({covered}))").format(
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
    return sql.SQL(template).format(
        key=sql.SQL("subscription_id, day" if by_day else "subscription_id"),
        type=sql.Literal(usage_type.value),
        values=sql.SQL(VALUES),
        sums=sql.SQL(SUMS),
        parts=together(parts),
        corrections=together(corrections),
        all_parts=together([*parts, *corrections]),
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


def month_last_day(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


# --- Refreshing ------------------------------------------------------------------------------------------------

REFRESH = """
WITH mark AS (
    DELETE FROM subscriptions_usagemark WHERE usage_type = {type} AND {days}
    RETURNING usage_type, day, subscription_id
), {marked},
fresh AS MATERIALIZED (
    SELECT subscription_id, usage_type, day,
        sum(price) AS price, sum(amount) AS amount, sum(record_count)::bigint AS record_count
    FROM ({parts}) AS part GROUP BY subscription_id, usage_type, day
),
daily AS (
    INSERT INTO subscriptions_dailyusage AS old (subscription_id, usage_type, day, price, amount, record_count)
    -- In this order the rows of a day come to lie together.
    SELECT subscription_id, usage_type, day, price, amount, record_count FROM fresh ORDER BY day, subscription_id
    ON CONFLICT (subscription_id, usage_type, day) DO UPDATE {set}
),
fresh_month AS MATERIALIZED (
    SELECT subscription_id, usage_type, {month}::date AS month,
        sum(price) AS price, sum(amount) AS amount, sum(record_count)::bigint AS record_count
    FROM (
        SELECT subscription_id, usage_type, day, price, amount, record_count FROM fresh
        UNION ALL
        SELECT subscription_id, usage_type, day, price, amount, record_count FROM subscriptions_dailyusage AS kept
        WHERE usage_type = {type} AND {days_of_month}
            AND subscription_id IN (SELECT subscription_id FROM fresh)
            AND NOT EXISTS (
                SELECT FROM fresh WHERE fresh.subscription_id = kept.subscription_id AND fresh.day = kept.day
            )
    ) AS of_month GROUP BY subscription_id, usage_type
),
monthly AS (
    INSERT INTO subscriptions_monthlyusage AS old (subscription_id, usage_type, month, price, amount, record_count)
    SELECT subscription_id, usage_type, month, price, amount, record_count FROM fresh_month
    ON CONFLICT (subscription_id, usage_type, month) DO UPDATE {set}
),
total AS (
    INSERT INTO subscriptions_totalusage AS old (subscription_id, usage_type, price, amount, record_count)
    SELECT subscription_id, usage_type, sum(price), sum(amount), sum(record_count)
    FROM (
        SELECT subscription_id, usage_type, price, amount, record_count FROM fresh_month
        UNION ALL
        SELECT subscription_id, usage_type, price, amount, record_count FROM subscriptions_monthlyusage AS kept
        WHERE usage_type = {type} AND month <> {month} AND subscription_id IN (SELECT subscription_id FROM fresh)
    ) AS of_all GROUP BY subscription_id, usage_type
    ON CONFLICT (subscription_id, usage_type) DO UPDATE {set}
)
SELECT count(*) FROM fresh
"""
SET = """
SET price = excluded.price, amount = excluded.amount, record_count = excluded.record_count
WHERE (old.price, old.amount, old.record_count)
    IS DISTINCT FROM (excluded.price, excluded.amount, excluded.record_count)
"""


def stale_days(usage_type: UsageType, *, start: date, end: date) -> list[date]:
    """The marked days between two days."""
    rows = _rows(
        "SELECT DISTINCT day FROM subscriptions_usagemark "
        "WHERE usage_type = %(type)s AND day BETWEEN %(start)s AND %(end)s ORDER BY day",
        {"type": usage_type, "start": start, "end": end},
    )
    return [day for (day,) in rows]


def month_refresh(usage_type: UsageType, month: date, *, start: date, end: date) -> RefreshedMonth:
    """Set the marked keys of a month's days between two days to their live values."""
    with transaction.atomic():
        refresh_lock(usage_type)
        # Seen under the lock: no partition of theirs can go from here on.
        days = stale_days(usage_type, start=max(start, month), end=min(end, month_last_day(month)))
        return RefreshedMonth(usage_type, days, days_refresh(usage_type, days))


def days_refresh(usage_type: UsageType, days: Collection[date]) -> int:
    """Set the marked keys of days, all of one month, to their live values. The caller holds the lock."""
    if not days:
        return 0
    partitions_notice()
    everybody = UsageRange()
    # Keys whose records are all deleted come to nothing, which no record says.
    zeros = everybody.summed(usage_type, "subscriptions_dailyusage", one_of(days), ZEROS)
    parts = [zeros, *everybody.live(usage_type, days)]
    month = min(days).replace(day=1)
    statement = sql.SQL(REFRESH).format(
        type=sql.Literal(usage_type.value),
        days=one_of(days),
        marked=MARKED,
        parts=together([*of_marked(parts, whole_days=True), *of_marked(parts, whole_days=False)]),
        month=sql.Literal(month),
        days_of_month=between(month, month_last_day(month)),
        set=sql.SQL(SET),
    )
    # Groups that do not fit into memory are written to disk and read again.
    _rows("SELECT set_config('work_mem', %(memory)s, true)", {"memory": REFRESH_MEMORY})
    ((count,),) = _rows(statement)
    return int(count)


def refresh_lock(usage_type: UsageType) -> None:
    """Be the only one to refresh or purge days of a usage type, until the transaction ends."""
    _rows("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": f"dsrhub.usage.{usage_type}"})


def days_mark(usage_type: UsageType, days: Iterable[date]) -> None:
    """Mark whole days: their aggregates are made anew by the next refresh."""
    UsageMark.objects.bulk_create(
        [UsageMark(usage_type=usage_type, day=day, subscription_id=ALL_SUBSCRIPTIONS) for day in days]
    )


# --- Comparing -------------------------------------------------------------------------------------------------

DAY_DIFFERENCES = """
SELECT subscription_id, daily.price, daily.amount, daily.record_count, live.price, live.amount, live.record_count
FROM ({daily}) AS daily
FULL JOIN (
    SELECT subscription_id, sum(price) AS price, sum(amount) AS amount, sum(record_count) AS record_count
    FROM ({live}) AS part GROUP BY subscription_id
) AS live USING (subscription_id)
WHERE {differ} AND NOT EXISTS (
    SELECT FROM subscriptions_usagemark AS mark
    WHERE mark.usage_type = {type} AND mark.day = {day}
        AND mark.subscription_id IN ({all}, coalesce(daily.subscription_id, live.subscription_id))
)
ORDER BY subscription_id
"""
# Months with their days, and totals with their months.
LEVEL_DIFFERENCES = """
SELECT subscription_id, upper.price, upper.amount, upper.record_count, lower.price, lower.amount, lower.record_count
FROM ({upper}) AS upper
FULL JOIN (
    SELECT subscription_id, sum(price) AS price, sum(amount) AS amount, sum(record_count) AS record_count
    FROM ({lower}) AS part GROUP BY subscription_id
) AS lower USING (subscription_id)
WHERE {differ}
ORDER BY subscription_id
"""


def _differ(one: str, other: str) -> sql.SQL:
    """Whether two sums differ; a sum that is not there is zero."""
    columns = ("price", "amount", "record_count")
    ones, others = (", ".join(f"coalesce({side}.{column}, 0)" for column in columns) for side in (one, other))
    return sql.SQL(f"({ones}) IS DISTINCT FROM ({others})")


def day_differences(usage_type: UsageType, day: date) -> list[Difference]:
    """The unmarked keys of a day that do not have their live value: there should be none."""
    everybody = UsageRange()
    statement = sql.SQL(DAY_DIFFERENCES).format(
        daily=everybody.summed(usage_type, "subscriptions_dailyusage", one_of([day])),
        live=together(everybody.live(usage_type, [day])),
        differ=_differ("daily", "live"),
        type=sql.Literal(usage_type.value),
        day=sql.Literal(day),
        all=sql.Literal(ALL_SUBSCRIPTIONS),
    )
    rows = _rows(statement)
    return [Difference("day", usage_type, day, row[0], row[1:4], row[4:]) for row in rows]


def month_differences(usage_type: UsageType, month: date) -> list[Difference]:
    """The sums of a month that are not those of its days: there should be none."""
    upper = UsageRange().summed(usage_type, MONTHS, one_of([month]))
    lower = UsageRange().summed(usage_type, "subscriptions_dailyusage", between(month, month_last_day(month)))
    return _level_differences("month", usage_type, month, upper, lower)


def total_differences(usage_type: UsageType) -> list[Difference]:
    """The totals that are not those of all months: there should be none."""
    upper, lower = UsageRange().summed(usage_type, TOTALS), UsageRange().summed(usage_type, MONTHS)
    return _level_differences("total", usage_type, None, upper, lower)


def _level_differences(
    level: str, usage_type: UsageType, day: date | None, upper: sql.Composed, lower: sql.Composed
) -> list[Difference]:
    statement = sql.SQL(LEVEL_DIFFERENCES).format(upper=upper, lower=lower, differ=_differ("upper", "lower"))
    return [Difference(level, usage_type, day, row[0], row[1:4], row[4:]) for row in _rows(statement)]


def aggregated_days(usage_type: UsageType, *, start: date, end: date) -> set[date]:
    rows = DailyUsage.objects.filter(usage_type=usage_type, day__range=(start, end))
    return set(rows.order_by().values_list("day", flat=True).distinct())


# --- Purging ---------------------------------------------------------------------------------------------------


def records_sum_keep(usage_type: UsageType, day: date, *, purge: int) -> int:
    """Keep what the raw records of a day come to, and count them."""
    statement = sql.SQL(
        """
        WITH kept AS (
            INSERT INTO subscriptions_purgedusage
                (subscription_id, usage_type, day, price, amount, record_count, purge)
            SELECT subscription_id, usage_type, day, sum(price), sum(amount), count(*), %(purge)s
            FROM ({}) AS part GROUP BY subscription_id, usage_type, day
            RETURNING record_count
        )
        SELECT coalesce(sum(record_count), 0) FROM kept
        """
    ).format(UsageRange().raw(usage_type, [day]))
    ((count,),) = _rows(statement, {"purge": purge})
    return int(count)


def _rows(statement: str | sql.Composable, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
