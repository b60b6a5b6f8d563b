"""The usage of a range of days and subscriptions, as SQL: of aggregates, of raw records, and of marks."""

from calendar import monthrange
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg2 import sql

from dsrhub.database.statements import composed
from subscriptions.exceptions import InvalidUsageQuestion
from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, UsageType

LARGEST_ID = 2**63 - 1
DAY = timedelta(days=1)

DAYS_ONE_BY_ONE = 62

# The columns of everything that is summed; with the signs turned, to take it away; summed; and as nothing.
VALUES = "price, amount, record_count"
TAKEN_AWAY = "-price AS price, -amount AS amount, -record_count AS record_count"
SUMS = "sum(price) AS price, sum(amount) AS amount, sum(record_count) AS record_count"
ZEROS = "0 AS price, 0 AS amount, 0 AS record_count"

# The levels above the day, with the columns of a day.
MONTHS = "(SELECT *, month AS day FROM subscriptions_monthlyusage) AS monthly"
TOTALS = "(SELECT *, NULL::date AS day FROM subscriptions_totalusage) AS total"


@dataclass(frozen=True)
class UsageRange:
    """The usage in question: of the days between two days, and of the subscriptions between two ids, all included."""

    start: date = date.min
    end: date = date.max
    usage_types: tuple[UsageType, ...] = tuple(UsageType)
    first: int = 0
    last: int = LARGEST_ID

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise InvalidUsageQuestion(f"The range ends before it starts: {self.start} to {self.end}.", parameter="end")

    def summed(
        self, usage_type: UsageType, table: str, days: sql.Composable | None = None, values: str = VALUES
    ) -> sql.Composed:
        """The rows of an aggregate, of days that are told as a condition."""
        return composed(
            "SELECT subscription_id, usage_type, day, {values} FROM {table} WHERE usage_type = {type}{days}{ids}",
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
        return composed(
            "SELECT subscription_id, {type} AS usage_type, day, price, {amount} AS amount, 1 AS record_count "
            "FROM {table} WHERE {days}{ids}",
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
        return composed(
            "SELECT usage_type, day, subscription_id FROM subscriptions_usagemark "
            "WHERE usage_type = ANY({types}) AND day BETWEEN {start}::date AND {end}::date "
            "AND (subscription_id = {all} OR subscription_id BETWEEN {first} AND {last})",
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
        return composed(" AND subscription_id BETWEEN {} AND {}", sql.Literal(self.first), sql.Literal(self.last))


def between(start: date, end: date) -> sql.Composed:
    """A condition for some days: few of them one by one, as an index can then go on to the subscriptions of each."""
    if (end - start).days < DAYS_ONE_BY_ONE:
        return one_of(start + DAY * number for number in range((end - start).days + 1))
    return composed("day BETWEEN {}::date AND {}::date", sql.Literal(start), sql.Literal(end))


def one_of(days: Iterable[date]) -> sql.Composed:
    return composed("day = ANY({}::date[])", sql.Literal(list(days)))


# What `mark` holds, split in two: joins by equality are quick, and no key may count twice.
MARKED = composed(
    """
    whole_day AS MATERIALIZED (
        SELECT DISTINCT usage_type, day FROM mark WHERE subscription_id = {all}
    ),
    key AS MATERIALIZED (
        SELECT DISTINCT usage_type, day, subscription_id FROM mark
        WHERE subscription_id <> {all} AND (usage_type, day) NOT IN (SELECT usage_type, day FROM whole_day)
    )
    """,
    all=sql.Literal(ALL_SUBSCRIPTIONS),
)


def of_marked(sources: Iterable[sql.Composed], *, whole_days: bool) -> list[sql.Composed]:
    """Of the sources' rows those whose key is marked, with the whole day or by itself."""
    template = sql.SQL("SELECT subscription_id, usage_type, day, {values} FROM ({source}) AS part JOIN {marked}")
    marked = "whole_day USING (usage_type, day)" if whole_days else "key USING (usage_type, day, subscription_id)"
    return [template.format(values=sql.SQL(VALUES), source=source, marked=sql.SQL(marked)) for source in sources]


def month_last_day(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
