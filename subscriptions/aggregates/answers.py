"""The rows of answers about usage."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from dsrhub.values.numbers import difference, ratio
from subscriptions.aggregates.ranges import Step
from subscriptions.models import UsageType

Row = TypeVar("Row")


@dataclass(frozen=True)
class Answer(Generic[Row]):
    """Rows that include every record that was accepted and not deleted at the time `as_of`."""

    as_of: datetime
    rows: list[Row]


class ReachedPrice(NamedTuple):
    """A usage type whose price reached the limit."""

    usage_type: UsageType
    total_price: Decimal
    exceeded_by: Decimal

    @property
    def exceeded_percent(self) -> Decimal | None:
        """By how many percent of the limit it is exceeded; None for a limit of 0."""
        return ratio(self.exceeded_by, difference(self.total_price, self.exceeded_by), times=100)


class SubscriptionOverPrice(NamedTuple):
    subscription_id: int
    exceeded: list[ReachedPrice]

    @property
    def cursor(self) -> int:
        return self.subscription_id


class UsageKey(NamedTuple):
    """The sort key of a row of usage totals. `first_day` is the day, or the first one of the month, that rows are
    grouped by, if they are."""

    subscription_id: int
    usage_type: UsageType
    first_day: date | None = None


class UsageTotal(NamedTuple):
    """The usage of a subscription and type: in the range, or on one day or in one month of it."""

    subscription_id: int
    usage_type: UsageType
    first_day: date | None
    total_price: Decimal
    total_usage: int
    by: Step | None = None

    @property
    def day(self) -> date | None:
        return self.first_day if self.by is Step.DAY else None

    @property
    def month(self) -> str | None:
        """Such as `2026-01`."""
        return month_text(self)

    @property
    def unit(self) -> str:
        return self.usage_type.unit

    @property
    def key(self) -> UsageKey:
        return UsageKey(*self[:3])

    @property
    def cursor(self) -> str:
        """The key as text, for the parameter `cursor`."""
        return cursor_text(*self.key)


class MetricKey(NamedTuple):
    """The sort key of a row of usage metrics. What rows are not grouped by is left out of a comparison."""

    carrier: str | None
    usage_type: UsageType
    first_day: date


class UsageMetric(NamedTuple):
    """The usage of subscriptions for a type, in the range or on one day or in one month of it, and their number.

    `carrier` is that of the subscriptions if rows are grouped by it.
    """

    usage_type: UsageType
    first_day: date | None
    subscription_count: int
    total_price: Decimal
    total_usage: int
    by: Step | None = None
    carrier: str | None = None

    @property
    def day(self) -> date | None:
        return self.first_day if self.by is Step.DAY else None

    @property
    def month(self) -> str | None:
        """Such as `2026-01`."""
        return month_text(self)

    @property
    def unit(self) -> str:
        return self.usage_type.unit

    @property
    def cursor(self) -> str:
        """The key as text, for the parameter `cursor`."""
        return cursor_text(self.carrier, self.usage_type, self.first_day)


def month_text(row: UsageTotal | UsageMetric) -> str | None:
    return f"{row.first_day:%Y-%m}" if row.by is Step.MONTH else None


def cursor_text(*key: object) -> str:
    """A sort key as text: its parts that are not None. Days are numbers."""
    parts = (part.toordinal() if isinstance(part, date) else part for part in key if part is not None)
    return "-".join(str(part) for part in parts)
