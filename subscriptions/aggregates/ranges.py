"""SQL for the aggregates, raw records and marks of a range of days and subscriptions."""

from calendar import monthrange
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from psycopg2 import sql

from dsrhub.database.statements import composed
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.exceptions import InvalidUsageQuestion
from subscriptions.models import ALL_SUBSCRIPTIONS, RECORD_MODELS, UsageType

DAY = timedelta(days=1)

# A condition lists the days of a range one by one if there are fewer than this.
DAYS_ONE_BY_ONE = 62

# The columns of all sums: as they are, negated (to subtract them), summed up, and as zeros.
VALUES = "price, amount, record_count"
NEGATED = "-price AS price, -amount AS amount, -record_count AS record_count"
SUMS = "sum(price) AS price, sum(amount) AS amount, sum(record_count) AS record_count"
ZEROS = "0 AS price, 0 AS amount, 0 AS record_count"

NOTHING = sql.Composed([])
# Months and totals, with the columns of DailyUsage.
MONTHS = "(SELECT *, month AS day FROM subscriptions_monthlyusage) AS monthly"
TOTALS = "(SELECT *, NULL::date AS day FROM subscriptions_totalusage) AS total"


class Step(StrEnum):
    """What the sums of a range are grouped by, beside subscription and usage type."""

    DAY = "day"
    MONTH = "month"


def require_order(start: date, end: date) -> None:
    """Raise InvalidUsageQuestion where a range of days ends before it starts."""
    if start > end:
        raise InvalidUsageQuestion(
            _("The range ends before it starts: %(start)s to %(end)s.") % {"start": start, "end": end}, parameter="end"
        )


@dataclass(frozen=True)
class UsageRange:
    """The days from `start` to `end`, and the subscriptions with ids from `first` to `last`, all inclusive.

    Without `first` or `last`, the range of subscriptions has no such end.
    """

    start: date = date.min
    end: date = date.max
    usage_types: tuple[UsageType, ...] = tuple(UsageType)
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        require_order(self.start, self.end)

    def aggregate_rows(
        self, usage_type: UsageType, table: str, days: sql.Composable | None = None, values: str = VALUES
    ) -> sql.Composed:
        """The rows of a table of sums. `days` is a condition."""
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
    def is_one_level(self) -> bool:
        """Whether it is one day, one month or all time. Then each subscription has one row, so nothing is summed."""
        is_a_month = self.start.day == 1 and self.end == month_last_day(self.start)
        return self.start == self.end or is_a_month or self.is_unbounded

    def raw_rows(self, usage_type: UsageType, days: Iterable[date]) -> sql.Composed:
        """Raw records of some days. The days are literals, so the planner skips all other partitions."""
        model = RECORD_MODELS[usage_type]
        return composed(
            "SELECT subscription_id, {type} AS usage_type, day, price, {amount} AS amount, 1 AS record_count "
            "FROM {table} WHERE {days}{ids}",
            type=sql.Literal(usage_type.value),
            amount=sql.Identifier(model.amount_column),
            table=sql.Identifier(model._meta.db_table),
            days=days_in(days),
            ids=self._ids(),
        )

    def live_rows(self, usage_type: UsageType, days: Collection[date]) -> list[sql.Composed]:
        """The rows that make up the live values of some days: raw records and sums of purged ones."""
        return [
            self.raw_rows(usage_type, days),
            self.aggregate_rows(usage_type, "subscriptions_purgedusage", days_in(days)),
        ]

    def marks(self) -> sql.Composed:
        return composed(
            "SELECT usage_type, day, subscription_id FROM subscriptions_usagemark "
            "WHERE usage_type = ANY({types}) AND day BETWEEN {start}::date AND {end}::date "
            "AND (subscription_id = {all} OR (true{ids}))",
            types=sql.Literal([usage_type.value for usage_type in self.usage_types]),
            start=sql.Literal(self.start),
            end=sql.Literal(self.end),
            all=sql.Literal(ALL_SUBSCRIPTIONS),
            ids=self._ids(),
        )

    def _ids(self) -> sql.Composable:
        first = composed(" AND subscription_id >= {}", sql.Literal(self.first)) if self.first is not None else NOTHING
        last = composed(" AND subscription_id <= {}", sql.Literal(self.last)) if self.last is not None else NOTHING
        return first + last


def days_between(start: date, end: date) -> sql.Composed:
    """A condition for a range of days. Few days are listed one by one: then an index also finds the subscriptions."""
    if (end - start).days < DAYS_ONE_BY_ONE:
        return days_in(start + DAY * number for number in range((end - start).days + 1))
    return composed("day BETWEEN {}::date AND {}::date", sql.Literal(start), sql.Literal(end))


def days_in(days: Iterable[date]) -> sql.Composed:
    return composed("day = ANY({}::date[])", sql.Literal(list(days)))


# Splits `mark` into whole days and single keys. Equality joins on each are fast, and no key is counted twice.
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


def marked_rows(sources: Iterable[sql.Composed], *, whole_days: bool) -> list[sql.Composed]:
    """The rows whose key is marked: by a mark of the whole day, or of the single key."""
    template = sql.SQL("SELECT subscription_id, usage_type, day, {values} FROM ({source}) AS part JOIN {marked}")
    marked = "whole_day USING (usage_type, day)" if whole_days else "key USING (usage_type, day, subscription_id)"
    return [template.format(values=sql.SQL(VALUES), source=source, marked=sql.SQL(marked)) for source in sources]


def month_last_day(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
