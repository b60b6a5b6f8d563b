"""What arguments must be like beyond their types."""

import re
from typing import Any

from dsrhub.exceptions import DsrhubError, InvalidArgument

LARGEST_SMALL_ID, LARGEST_ID = 2**31 - 1, 2**63 - 1
LONGEST_TEXT = 1000
# What PostgreSQL stores in no text.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class NotSignedIn(DsrhubError):
    code = "not_authenticated"


class NotAllowed(DsrhubError):
    code = "permission_denied"


def checked(argument: str, value: Any) -> Any:
    """A value of an argument; a text must be one that can be looked for. Raises InvalidArgument."""
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise InvalidArgument("This is no text.", argument=argument)
        if len(value) > LONGEST_TEXT:
            raise InvalidArgument(f"More than {LONGEST_TEXT} characters.", argument=argument)
    return value


def id_number(argument: str, text: str, *, largest: int = LARGEST_SMALL_ID) -> int:
    """The number that an id is. What cannot be an id is refused."""
    if re.fullmatch("[0-9]{1,19}", text) and int(text) <= largest:
        return int(text)
    raise InvalidArgument(f"Not an id: {text!r}.", argument=argument)


def code(argument: str, text: str | None, *, length: int) -> str | None:
    """The code of a territory (two letters) or a currency (three), in capitals."""
    if text is not None and not re.fullmatch(f"[A-Za-z]{{{length}}}", text):
        raise InvalidArgument(f"Not {length} letters: {text!r}.", argument=argument)
    return text and text.upper()


def allowed(user: Any, *permissions: str) -> Any:
    """The user, who has the permissions. Raises NotSignedIn or NotAllowed."""
    if user is None or not user.is_authenticated:
        raise NotSignedIn("Not signed in.")
    if not user.has_perms(permissions):
        raise NotAllowed(f"This needs: {', '.join(permissions)}.")
    return user
