"""Errors of usage records, and of questions about usage."""

from collections.abc import Sequence
from dataclasses import dataclass

from dsrhub.exceptions import BusyError, ConflictError, DsrhubError, InvalidArgument, NotFoundError, RequestTooLarge
from dsrhub.texts.marked import Text, joined, ngettext_lazy, quoted, translated
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.explanations import SENTENCES


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

    @property
    def shown_value(self) -> str:
        """The value, in the active language where it is a text."""
        return translated(self.value)

    @property
    def text(self) -> Text:
        """What is wrong, for people. The code is for programs."""
        values = {
            "position": self.position,
            "field": self.field,
            "value": quoted(self.value),
            "sentence": self.sentence,
        }
        return _("record %(position)s: %(field)s: %(value)s: %(sentence)s") % values

    @property
    def sentence(self) -> Text:
        return SENTENCES[self.code]

    def __str__(self) -> str:
        return str(self.text)


def _summary(problems: Sequence[RecordProblem], count: int) -> Text:
    text = ngettext_lazy(
        "%(count)s error, nothing was added. First error: %(first)s",
        "%(count)s errors, nothing was added. First error: %(first)s",
        count,
    )
    return text % {"count": count, "first": problems[0].text}


class InvalidUsage(DsrhubError):
    """At least one record is invalid, so no record was added. `extra` has `error_count` and the first `problems`."""

    code = "invalid_usage"

    def __init__(self, problems: Sequence[RecordProblem], count: int | None = None) -> None:
        count = len(problems) if count is None else count
        super().__init__(_summary(problems, count), error_count=count, problems=list(problems))


_PURGED = _("The raw records of that day were purged: only a backfill can add to it.")


class DaySealed(ConflictError):
    """Records belong to a day whose raw records were purged, and backfill is off. `extra` as in InvalidUsage."""

    code = "day_sealed"

    def __init__(self, problems: Sequence[RecordProblem], count: int | None = None) -> None:
        count = len(problems) if count is None else count
        super().__init__(
            joined([_summary(problems, count), _PURGED], ". "),
            error_count=count,
            problems=list(problems),
        )


class TooManyUsageRecords(RequestTooLarge):
    """A request has more records than one may have. `extra` has this number as `most`."""

    code = "too_many_records"


class ExportGone(ConflictError):
    """The export is not kept any more, or it is of another question. Begin a new one."""

    code = "export_gone"


class UsageBusy(BusyError):
    """Other writers hold what the records need."""


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


class InvalidLimit(InvalidArgument):
    """A price limit has a value that it cannot have."""

    code = "invalid_limit"


class LimitNotFound(NotFoundError):
    code = "limit_not_found"
