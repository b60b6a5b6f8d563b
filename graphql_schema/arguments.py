"""Checks of arguments beyond their types."""

import re
from datetime import date
from typing import Any

from dsrhub.exceptions import DsrhubError, InvalidArgument
from dsrhub.scopes import Scope, missing_scope, scope_of
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import plain_whole_number

LARGEST_SMALL_ID, LARGEST_ID = 2**31 - 1, 2**63 - 1
LONGEST_TEXT = 1000
# PostgreSQL cannot store these characters.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class NotSignedIn(DsrhubError):
    code = "not_authenticated"


class NotAllowed(DsrhubError):
    code = "permission_denied"


class ScopeMissing(NotAllowed):
    code = "scope_missing"


def check_argument(argument: str, value: Any) -> Any:
    """Return the value. Raises InvalidArgument if it is a text that is too long or that PostgreSQL cannot store."""
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise InvalidArgument(_("Contains characters that can't be stored."), argument=argument)
        if len(value) > LONGEST_TEXT:
            raise InvalidArgument(_("More than %(most)s characters.") % {"most": LONGEST_TEXT}, argument=argument)
    return value


def parse_id(argument: str, text: str, *, largest: int = LARGEST_SMALL_ID) -> int:
    """Return the number that an id stands for. Raises InvalidArgument."""
    number = plain_whole_number(text)
    if number is not None and -largest - 1 <= number <= largest:
        return number
    raise InvalidArgument(_("Not an id: %(text)s.") % {"text": repr(text)}, argument=argument)


def parse_code(argument: str, text: str | None, *, length: int) -> str | None:
    """Return the code of a territory (two letters) or a currency (three) in capitals. Raises InvalidArgument."""
    if text is not None and not re.fullmatch(f"[A-Za-z]{{{length}}}", text):
        raise InvalidArgument(
            _("Not %(length)s letters: %(text)s.") % {"length": length, "text": repr(text)}, argument=argument
        )
    return text and text.upper()


def require_range(start: date | None, end: date | None) -> None:
    """Raise InvalidArgument for a range of days, from `from` to `to`, that ends before it starts."""
    if (start or date.min) > (end or date.max):
        raise InvalidArgument(_("The range ends before it starts."), argument="to")


def require_permissions(user: Any, *permissions: str) -> Any:
    """Return the user if they have the permissions. Raises NotSignedIn, ScopeMissing or NotAllowed."""
    if user is None or not user.is_authenticated:
        raise NotSignedIn(_("Not signed in."))
    for permission in permissions:
        require_scope(user, scope_of(permission))
    if not user.has_perms(permissions):
        raise NotAllowed(
            _("You don't have permission to do this (needs: %(permissions)s).")
            % {"permissions": ", ".join(permissions)}
        )
    return user


def require_scope(user: Any, scope: Scope) -> None:
    """Raises ScopeMissing for the owner of a key that lacks the scope."""
    if missing_scope(user, scope):
        raise ScopeMissing(_("The API key lacks the scope %(scope)s.") % {"scope": scope.value}, scope=scope.value)
