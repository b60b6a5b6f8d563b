"""Errors of usage records, and of questions about usage."""

from collections.abc import Sequence
from dataclasses import dataclass

from dsrhub.exceptions import ConflictError, DsrhubError, NotFoundError


@dataclass(frozen=True)
class RecordProblem:
    """The reason why a record is refused. Positions start at 1 in each call or file; the header of a file is 0."""

    position: int
    field: str
    value: str
    code: str

    @property
    def line(self) -> int:
        """The line number in a file."""
        return self.position + 1

    def __str__(self) -> str:
        return f"record {self.position}: {self.field}: {self.code}: {self.value!r}"


def _summary(problems: Sequence[RecordProblem], count: int) -> str:
    return f"{count} error{'s' * (count != 1)}, nothing was added. First error: {problems[0]}"


class InvalidUsage(DsrhubError):
    """At least one record is invalid, so no record was added. `extra` has `error_count` and the first `problems`."""

    code = "invalid_usage"

    def __init__(self, problems: Sequence[RecordProblem], count: int | None = None) -> None:
        count = len(problems) if count is None else count
        super().__init__(_summary(problems, count), error_count=count, problems=list(problems))


class DaySealed(ConflictError):
    """Records belong to a day whose raw records were purged, and backfill is off. `extra` as in InvalidUsage."""

    code = "day_sealed"

    def __init__(self, problems: Sequence[RecordProblem], count: int | None = None) -> None:
        count = len(problems) if count is None else count
        super().__init__(
            f"{_summary(problems, count)}. The raw records of that day were purged: only a backfill can add to it.",
            error_count=count,
            problems=list(problems),
        )


class UsageConflict(ConflictError):
    """Another record of the subscription has the same external id and other values."""

    code = "usage_conflict"


class InvalidUsageQuestion(DsrhubError):
    """A question about usage, or its refresh, has a range that ends before it starts, or a negative price limit.

    `extra` has the name of the `parameter`.
    """

    code = "invalid_usage_question"


class UsageRecordNotFound(NotFoundError):
    """No raw record has this id. It may have been purged."""

    code = "usage_record_not_found"


class SubscriptionNotFound(NotFoundError):
    """No subscription has this id."""

    code = "subscription_not_found"


class InvalidPurge(DsrhubError):
    """The purge would include days that can still receive records."""

    code = "invalid_purge"


class AggregateDiffers(DsrhubError):
    """An aggregate differs from the sum of its records, so the records are not purged."""

    code = "aggregate_differs"
