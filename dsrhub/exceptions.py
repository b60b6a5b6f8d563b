"""The errors that dsrhub raises on purpose. Each border (REST, GraphQL, command, admin) translates them once."""

from typing import Any, ClassVar


class DsrhubError(Exception):
    """Something that the caller did or sent cannot be accepted, and nothing was changed.

    `code` is stable and meant for programs, `message` is meant for people, `extra` holds the data of both: plain
    values, dates and frozen dataclasses.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class NotFoundError(DsrhubError):
    """What the caller asked for is not there."""

    code = "not_found"


class InvalidArgument(DsrhubError):
    """An argument of a question has a value that it cannot have. `extra` has its name as `argument`."""

    code = "invalid_argument"


class ConflictError(DsrhubError):
    """What the caller sent stands against what is there."""

    code = "conflict"


class NotReadyError(DsrhubError):
    """What the caller asked for is being made, and there to be asked for later."""

    code = "not_ready"
