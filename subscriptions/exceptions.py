"""What can be wrong with usage, or with a question about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dsrhub.exceptions import ConflictError, DsrhubError, NotFoundError


@dataclass(frozen=True)
class RecordProblem:
    """Why a record is refused. The first record of a call or file has position 1; a file's header is at 0."""

    position: int
    field: str
    value: str
    code: str

    @property
    def line(self) -> int:
        """The line of a file."""
        return self.position + 1

    def __str__(self) -> str:
        return f"record {self.position}: {self.field}: {self.code}: {self.value!r}"


def _summary(problems: Sequence[RecordProblem], count: int) -> str:
    return f"{count} error{'s' * (count != 1)}, nothing is added. The first: {problems[0]}"


class InvalidUsage(DsrhubError):
    """Records cannot be accepted, and none of them was. `extra` has `error_count` and the first `problems`."""

    code = "invalid_usage"

    def __init__(self, problems: Sequence[RecordProblem], count: int | None = None) -> None:
        count = len(problems) if count is None else count
        super().__init__(_summary(problems, count), error_count=count, problems=list(problems))


class DaySealed(ConflictError):
    """Records are of a day whose raw records were purged, and were not sent as a backfill. `extra` as above."""

    code = "day_sealed"

    def __init__(self, problems: Sequence[RecordProblem], count: int | None = None) -> None:
        count = len(problems) if count is None else count
        super().__init__(
            f"{_summary(problems, count)}. The raw records of that day were purged: only a backfill adds to it.",
            error_count=count,
            problems=list(problems),
        )


class UsageConflict(ConflictError):
    """Another record has the same external id."""

    code = "usage_conflict"


class InvalidUsageQuestion(DsrhubError):
    """A question about usage has a range that ends before it starts, or a negative price limit.

    `extra` has the name of the `parameter`.
    """

    code = "invalid_usage_question"


class UsageRecordNotFound(NotFoundError):
    """No raw record has this id; it may have been purged."""

    code = "usage_record_not_found"


class SubscriptionNotFound(NotFoundError):
    """No subscription has this id."""

    code = "subscription_not_found"


class InvalidPurge(DsrhubError):
    """Records of this day cannot be purged yet."""

    code = "invalid_purge"


class AggregateDiffers(DsrhubError):
    """An aggregate is not what its records come to, so these must not be purged."""

    code = "aggregate_differs"
