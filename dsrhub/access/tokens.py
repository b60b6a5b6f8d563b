"""Tokens of programs: creating, finding and revoking them, with audit entries, and the table of the releases before.

The table has a hash of each key, never the key. A key is 160 random bits, which nobody can guess from a plain SHA-256:
a slow hash with a salt, as for passwords, would only slow each request down.
"""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authtoken.models import Token

from dsrhub.logs.audit import audit
from dsrhub.models import Action, ApiToken

PREFIX_LENGTH = 8
# The name of the tokens that `POST /token/` returns, and how many a user may have. Then the least recently used goes.
SIGN_IN, MOST_SIGN_INS = "POST /token/", 100
# How exactly the last use is known: each request writing to the row would cost more than the check of the token.
USE_INTERVAL = timedelta(hours=1)

COLUMNS = "user_id, name, prefix, hash, fingerprint, created_at, expires_at, in_old_table"
# A row of the old table as one of ours. `old` and `auth_user` must be in the FROM clause.
COPIED = """
    old.user_id, '', left(old.key, 8), encode(sha256(convert_to(old.key, 'UTF8')), 'hex'),
    encode(sha256(convert_to(auth_user.password, 'UTF8')), 'hex'),
    old.created, old.created + %(days)s * interval '1 day'
"""
# Servers of the release before create tokens in the old table only. A user has one at most there.
ADOPT = f"""
    INSERT INTO dsrhub_apitoken ({COLUMNS})
    SELECT {COPIED}, true FROM authtoken_token AS old JOIN auth_user ON auth_user.id = old.user_id
    WHERE old.key = %(key)s OR old.user_id = %(user)s
    ON CONFLICT (hash) DO NOTHING
"""  # noqa: S608
# A copy whose row is not in the old table any more was revoked there.
DROP_REVOKED = """
    DELETE FROM dsrhub_apitoken AS token WHERE in_old_table AND NOT EXISTS (
        SELECT FROM authtoken_token AS old WHERE encode(sha256(convert_to(old.key, 'UTF8')), 'hex') = token.hash
    )
"""
MOVE = f"""
    WITH old AS (DELETE FROM authtoken_token RETURNING key, user_id, created)
    INSERT INTO dsrhub_apitoken ({COLUMNS})
    SELECT {COPIED}, false FROM old JOIN auth_user ON auth_user.id = old.user_id
    ON CONFLICT (hash) DO UPDATE SET in_old_table = false
"""  # noqa: S608


def key_hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def password_fingerprint(encoded: str) -> str:
    """A hash of the password as it is stored, salted and hashed. It does not depend on the server's secret key."""
    return sha256(encoded.encode()).hexdigest()


def token_create(*, user: User, name: str, created_by: User | None) -> ApiToken:
    """Create a token. The returned object has its `key`, which cannot be found out later."""
    token = new_token(user=user, name=name, created_by=created_by)
    with transaction.atomic():
        token.save()
        audit(Action.TOKEN_CREATED, token, user=created_by, details={"name": name})
    return token


def new_token(*, user: User, name: str, created_by: User | None) -> ApiToken:
    """A token that is not saved yet."""
    key = secrets.token_hex(20)
    now = timezone.now()
    token = ApiToken(
        user=user,
        name=name,
        prefix=key[:PREFIX_LENGTH],
        hash=key_hash(key),
        fingerprint=password_fingerprint(user.password),
        created_at=now,
        created_by=created_by,
        expires_at=now + timedelta(days=settings.DSRHUB_TOKEN_DAYS),
    )
    token.key = key
    return token


def token_of_sign_in(user: User) -> ApiToken:
    """A new token for a user who has just proved the password. Expired ones go, and the least recently used ones."""
    of_user = ApiToken.objects.filter(user=user, name=SIGN_IN).select_related("user")
    with transaction.atomic():
        for token in of_user.filter(expires_at__lte=timezone.now()).order_by("pk"):
            token_revoke(token, user=user, reason="expired")
        for token in of_user.order_by(Coalesce("last_used_at", "created_at").desc())[MOST_SIGN_INS - 1 :]:
            token_revoke(token, user=user, reason="too_many_sign_ins")
        return token_create(user=user, name=SIGN_IN, created_by=user)


def token_of_key(key: str) -> ApiToken | None:
    """The token with this key, expired ones included, with its user; None if there is none, or if it was revoked."""
    found = ApiToken.objects.select_related("user").filter(hash=key_hash(key))
    token = found.first()
    if token is None and _adopt(key=key):
        token = found.first()
    if token is not None and token.in_old_table and not Token.objects.filter(key=key).exists():
        return None
    return token


def _adopt(*, key: str | None = None, user: User | None = None) -> bool:
    """Copy the token with this key, or of this user, from the old table, if it is there."""
    if key is not None and "\0" in key:  # PostgreSQL refuses it
        return False
    with connection.cursor() as cursor:
        of = {"key": key, "user": user.pk if user else None}
        cursor.execute(ADOPT, {**of, "days": settings.DSRHUB_TOKEN_DAYS})
        return bool(cursor.rowcount)


def token_used(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - USE_INTERVAL:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def token_revoke(token: ApiToken, *, user: User | None = None, reason: str = "") -> None:
    """Delete a token, in the old table too: otherwise its key would still be accepted from there.

    `user` does it, or else the user of the current request. A `reason` is a code for the audit log.
    """
    with transaction.atomic():
        if token.in_old_table:
            old = Token.objects.filter(user=token.user_id)
            keys = [key for key in old.values_list("key", flat=True) if key_hash(key) == token.hash]
            old.filter(key__in=keys).delete()
        deleted, _rows = ApiToken.objects.filter(pk=token.pk).delete()
        if deleted:  # otherwise, another request has just deleted it
            audit(Action.TOKEN_DELETED, token, user=user, details={"reason": reason} if reason else None)


def tokens_revoke(user: User) -> None:
    """Revoke all tokens of a user."""
    with transaction.atomic():
        _adopt(user=user)
        for token in ApiToken.objects.filter(user=user).select_related("user").order_by("pk"):
            token_revoke(token)


def password_changed(*, user: User, before: str) -> None:
    """Audit that a user has another password, and each token that this revokes. `before` is the old one as stored.

    The rows of the tokens stay, so that their programs are told why they are refused.
    """
    user.refresh_from_db(fields=["password"])
    old, new = password_fingerprint(before), password_fingerprint(user.password)
    of_user = ApiToken.objects.filter(user=user)
    with transaction.atomic():
        audit(Action.PASSWORD_CHANGED, user)
        # A token that only an old server knew is copied with the new password, although it is older.
        _adopt(user=user)
        of_user.filter(in_old_table=True, fingerprint=new).update(fingerprint=old)
        revoked = of_user.filter(fingerprint=old, expires_at__gt=timezone.now())
        for token in revoked.select_related("user").order_by("pk"):
            audit(Action.TOKEN_REVOKED, token, details={"reason": "password_changed"})


def old_tokens_forget() -> int:
    """Move all tokens of the old table to ours, without their keys. Return how many there were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DROP_REVOKED)
        cursor.execute(MOVE, {"days": settings.DSRHUB_TOKEN_DAYS})
        return int(cursor.rowcount)


class TokenKeepingBackend(ModelBackend):
    """Keeps a user's tokens if Django hashes an unchanged password again, as after an upgrade with a stronger hash."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        before = User.objects.filter(username=username).values_list("password", flat=True).first()
        user: User | None = super().authenticate(request, username, password, **kwargs)
        # The second check excludes a change of the password in between.
        if user is not None and before and before != user.password and check_password(password, before):
            tokens = ApiToken.objects.filter(user=user, fingerprint=password_fingerprint(before))
            tokens.update(fingerprint=password_fingerprint(user.password))
        return user
