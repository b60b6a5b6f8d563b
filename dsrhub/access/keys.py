"""Creating, rotating, revoking and recognising keys. Each change has an entry in the audit log."""

import re
import secrets
from collections.abc import Collection
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from dsrhub.exceptions import ConflictError, DsrhubError, NotFoundError
from dsrhub.logs.audit import audit
from dsrhub.models import Action, ApiKey, KeyUser
from dsrhub.scopes import Scope
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

# What secrets start with, so that people and scanners recognise one.
START = "dsrhub_"
SECRET = re.compile(f"({START}[0-9a-f]{{12}})_[0-9a-f]{{64}}")
LONGEST_NAME = 100
MOST_DAYS = 3650
# For how long the secret before still works, in hours: by default, and at most.
OVERLAP_HOURS, MOST_OVERLAP_HOURS = 24, 30 * 24
# How exactly the last use is known: each request writing to the row would cost more than the check of the key.
USE_INTERVAL = timedelta(minutes=1)


class InvalidKey(DsrhubError):
    """A key cannot be created or rotated with these values. `extra` has the name of the `parameter`."""

    code = "invalid_key"


class KeyNotFound(NotFoundError):
    """No key starts with this."""

    code = "key_not_found"


class KeyEnded(ConflictError):
    """The key was rotated already, or it has expired."""

    code = "key_ended"


def is_secret(text: str) -> bool:
    """Whether a text is meant as the secret of a key, and not of a token."""
    return text.startswith(START)


def key_create(
    *, user: User, name: str, scopes: Collection[str], days: int | None = None, created_by: User | None
) -> ApiKey:
    """Create a key that expires after some days, by default after DSRHUB_TOKEN_DAYS.

    The returned object has its `secret`, which cannot be found out later. Raises InvalidKey.
    """
    require_name(name)
    _require_scopes(scopes)
    key = new_key(user=user, name=name, scopes=scopes, days=_checked_days(days), created_by=created_by)
    with transaction.atomic():
        key.save()
        facts = {"name": name, "scopes": key.scopes, "owner": user.get_username(), "expires_at": key.expires_at}
        audit(Action.KEY_CREATED, key, user=created_by, details=facts)
    return key


def key_rotate(
    *, key: ApiKey, overlap_hours: int = OVERLAP_HOURS, days: int | None = None, created_by: User | None
) -> ApiKey:
    """Create another key in the place of one: with its owner, name and scopes, and by default for as many days.

    The earlier one works for `overlap_hours` more. Raises InvalidKey, KeyNotFound if it was revoked, and KeyEnded if it
    was rotated before or has expired.
    """
    if not 0 <= overlap_hours <= MOST_OVERLAP_HOURS:
        raise _invalid("overlap_hours", _("The overlap must be from 0 to %(most)s hours."), MOST_OVERLAP_HOURS)
    now = timezone.now()
    with transaction.atomic():
        before = ApiKey.objects.select_for_update(of=("self",)).select_related("user").filter(pk=key.pk).first()
        if before is None:
            raise _not_found(key.prefix)
        if before.rotated_at is not None or before.expires_at <= now:
            raise KeyEnded(
                _("The API key %(prefix)s was rotated before, or it has expired.") % {"prefix": before.prefix}
            )
        lifetime = (before.expires_at - before.created_at).days if days is None else days
        after = new_key(
            user=before.user,
            name=before.name,
            scopes=before.scopes,
            days=_checked_days(lifetime),
            created_by=created_by,
        )
        after.save()
        before.rotated_at = now
        before.expires_at = min(before.expires_at, now + timedelta(hours=overlap_hours))
        before.save(update_fields=["rotated_at", "expires_at"])
        facts = {"name": before.name, "by": after.prefix, "works_until": before.expires_at}
        audit(Action.KEY_ROTATED, before, user=created_by, details=facts)
    return after


def key_revoke(*, key: ApiKey, user: User | None = None) -> None:
    """Delete a key. No request with it is answered any more. `user` does it, or else the user of the request."""
    with transaction.atomic():
        deleted, _rows = ApiKey.objects.filter(pk=key.pk).delete()
        if deleted:  # otherwise, another request has just deleted it
            facts = {"name": key.name, "scopes": key.scopes, "last_used_at": key.last_used_at}
            audit(Action.KEY_REVOKED, key, user=user, details=facts)


def key_list(*, user: User | None = None) -> QuerySet[ApiKey]:
    """The keys of a user, or all, with their owners, in the order in which they were created."""
    keys = ApiKey.objects.select_related("user").order_by("pk")
    return keys if user is None else keys.filter(user=user)


def key_get(*, prefix: str) -> ApiKey:
    """The key that starts with a text such as `dsrhub_0123456789ab`. Raises KeyNotFound."""
    key = ApiKey.objects.select_related("user").filter(prefix=prefix).first() if "\0" not in prefix else None
    if key is None:
        raise _not_found(prefix)
    return key


def key_of_secret(secret: str) -> ApiKey | None:
    """The key with this secret, expired ones included; None if there is none, or if it was revoked."""
    parts = SECRET.fullmatch(secret)
    if parts is None:
        return None
    key = ApiKey.objects.filter(prefix=parts[1]).first()
    return key if key is not None and compare_digest(key.hash, secret_hash(secret)) else None


def key_owner(key: ApiKey) -> KeyUser:
    """The owner, who may do only what the scopes allow."""
    owner = KeyUser.objects.get(pk=key.user_id)
    owner.key, owner.scopes = key.prefix, frozenset(key.scopes)
    return owner


def key_used(key: ApiKey) -> None:
    """Remember when the key was used last."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at <= now - USE_INTERVAL:
        # Of requests at the same time, one writes.
        is_long_ago = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_INTERVAL)
        ApiKey.objects.filter(is_long_ago, pk=key.pk).update(last_used_at=now)


def secret_hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def new_key(*, user: User, name: str, scopes: Collection[str], days: int, created_by: User | None) -> ApiKey:
    """A key that is not saved yet."""
    prefix = START + secrets.token_hex(6)
    secret = f"{prefix}_{secrets.token_hex(32)}"
    now = timezone.now()
    key = ApiKey(
        user=user,
        name=name,
        prefix=prefix,
        hash=secret_hash(secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        created_at=now,
        created_by=created_by,
        expires_at=now + timedelta(days=days),
    )
    key.secret = secret
    return key


def require_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise _invalid("name", _("The name must have 1 to %(most)s characters that print."), LONGEST_NAME)


def _require_scopes(scopes: Collection[str]) -> None:
    known = ", ".join(Scope.values)
    if not scopes or not set(scopes) <= set(Scope.values):
        raise InvalidKey(
            _("An API key needs one or more of these scopes: %(known)s.") % {"known": known}, parameter="scope"
        )


def _checked_days(days: int | None) -> int:
    days = min(settings.DSRHUB_TOKEN_DAYS, MOST_DAYS) if days is None else days
    if not 1 <= days <= MOST_DAYS:
        raise _invalid("days", _("The days until the API key expires must be from 1 to %(most)s."), MOST_DAYS)
    return days


def _invalid(parameter: str, text: Text, most: int) -> InvalidKey:
    return InvalidKey(text % {"most": most}, parameter=parameter)


def _not_found(prefix: str) -> KeyNotFound:
    return KeyNotFound(_("There is no API key that starts with %(prefix)s.") % {"prefix": repr(prefix)}, prefix=prefix)
