"""The audit log: each change that deletes, replaces or permits something leaves an entry, whatever its door."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model
from django.utils import translation

from dsrhub.actors import Actor, Door, current_actor
from dsrhub.logs.server import request_id
from dsrhub.models import Action, AuditEntry
from dsrhub.texts.wording import printable

# An entry is read by people, and a list in it must not grow with the data.
LONGEST_TEXT, MOST_ITEMS = 255, 10_000
# Entries are written by this many at a time.
BATCH = 500


def audit(
    action: Action,
    of: Model | type[Model],
    *,
    number: Any = None,
    name: str = "",
    user: AbstractBaseUser | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry of an action on an object, in the transaction of the change: both are kept, or neither.

    See `audit_entry`.
    """
    audit_write([audit_entry(action, of, number=number, name=name, user=user, details=details)])


def audit_write(entries: Iterable[AuditEntry]) -> None:
    """Write the entries of actions on many objects, in the transaction of the change."""
    AuditEntry.objects.bulk_create(entries, batch_size=BATCH)


def audit_entry(
    action: Action,
    of: Model | type[Model],
    *,
    number: Any = None,
    name: str = "",
    user: AbstractBaseUser | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """An entry of an action on an object, to be written by `audit_write`.

    Where `of` is a model or an object that has just been deleted, `number` is the id, if there is a single object.
    Without a `user`, the action is that of the user of the current request or job.
    """
    if isinstance(of, Model):
        number = of.pk if number is None else number
        name = name or _name_of(of)
    actor = current_actor()
    user = user or actor.user
    return AuditEntry(
        user_number=user.pk if user else None,
        user_name=printable(user.get_username(), 150) if user else "",
        door=actor.door,
        address=actor.address,
        action=action,
        object_type=of._meta.label_lower,
        object_id="" if number is None else printable(str(number), 64),
        object_name=printable(name, LONGEST_TEXT),
        details=_as_json({**(details or {}), **_origin(actor)}),
        request_id="" if actor.door == Door.COMMAND else request_id(),
    )


def _name_of(of: Model) -> str:
    """The name of an object, in English as all of an entry, whatever the language of its user is."""
    with translation.override("en"):
        return str(of)


def _origin(actor: Actor) -> dict[str, str]:
    """The user of the machine who ran a command, the key that a program used, or the drop folder of a delivery."""
    origin = {"system_user": actor.system_user, "key": actor.key, "folder": actor.folder}
    return {name: value for name, value in origin.items() if value}


def _as_json(value: Any) -> Any:
    """A value of the details for JSON: exact numbers and days as texts, and nothing that does not print."""
    if isinstance(value, dict):
        return {str(key): _as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value[:MOST_ITEMS]]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    return printable(value.isoformat() if isinstance(value, date) else str(value), LONGEST_TEXT)
