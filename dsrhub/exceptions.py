"""The errors that services and selectors raise. REST, GraphQL, commands and the admin each translate them once."""

from typing import Any, ClassVar

from dsrhub.texts.marked import Text, translated


class DsrhubError(Exception):
    """A request cannot be accepted, and nothing was changed.

    `code` is stable and meant for programs. `message` is meant for people, in the language that is active when it is
    read; `text`, and the error as a `str`, are English. `extra` holds the data of the error: plain values, dates and
    frozen dataclasses.
    """

    code: ClassVar[str] = "error"

    def __init__(self, text: Text, /, **extra: Any) -> None:
        super().__init__(text)
        self.text = text
        self.extra = extra

    @property
    def message(self) -> str:
        return translated(self.text)


class NotFoundError(DsrhubError):
    """The requested object does not exist."""

    code = "not_found"


class InvalidArgument(DsrhubError):
    """An argument of a question has a value that it cannot have. `extra` has its name as `argument`."""

    code = "invalid_argument"


class ConflictError(DsrhubError):
    """The request contradicts the data that exists."""

    code = "conflict"


class AnswerTooLarge(DsrhubError):
    """The requested data has too many bytes for one answer. Request less at a time."""

    code = "answer_too_large"


class ConfirmationOutdated(ConflictError):
    """What a user confirmed is no longer what it was when the user saw it."""

    code = "confirmation_outdated"


class RequestTooLarge(DsrhubError):
    """The request asks for more work than one may. Split it."""

    code = "too_large"


class BusyError(DsrhubError):
    """Too much of the same is in work, and nothing was changed. Retry after a moment, as often as it is raised."""

    code = "busy"
    retry_seconds: ClassVar[int] = 1


class NotReadyError(DsrhubError):
    """The requested data is being built. Retry later."""

    code = "not_ready"


class NodeOutOfReach(NotReadyError):
    """A node of the cluster that has the data is down or out of reach. Retry when it is back."""

    code = "node_out_of_reach"
