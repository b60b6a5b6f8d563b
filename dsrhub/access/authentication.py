"""Authentication of programs by a token or a key, over REST and GraphQL."""

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import TokenAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from dsrhub.access.keys import is_secret, key_of_secret, key_owner, key_used
from dsrhub.access.tokens import password_fingerprint, token_of_key, token_used
from dsrhub.models import ApiKey, ApiToken
from dsrhub.throttling import ThrottledTokensMixin


class ApiTokenAuthentication(ThrottledTokensMixin, TokenAuthentication):
    """`Authorization: Token <key>` or `Authorization: Bearer <key>`, where the key is a token or the secret of a key.

    A token that is not valid is an error, even where anybody may read. Another scheme, such as the Basic that a proxy
    asks for, is not meant for dsrhub, and signs nobody in.
    """

    def authenticate(self, request: Request) -> Any:
        # DRF reads one scheme. Each request has its own authenticator.
        self.keyword = self.authenticate_header(request)
        return super().authenticate(request)

    def authenticate_header(self, request: Request) -> str:
        """How to sign in, for `WWW-Authenticate`: by the scheme that the client used, if it is one of ours."""
        scheme, *_key = get_authorization_header(request).split() or [b""]
        return "Bearer" if scheme.lower() == b"bearer" else "Token"

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken | ApiKey]:
        return _by_key(key) if is_secret(key) else _by_token(key)


def _by_key(secret: str) -> tuple[User, ApiKey]:
    key = key_of_secret(secret)
    if key is None:
        raise AuthenticationFailed(_("Invalid API key."))
    owner = key_owner(key)
    if not owner.is_active:
        raise AuthenticationFailed(_("User inactive or deleted."))
    if key.expires_at <= timezone.now():
        raise AuthenticationFailed(_("The API key has expired."))
    key_used(key)
    return owner, key


def _by_token(key: str) -> tuple[User, ApiToken]:
    token = token_of_key(key)
    if token is None:
        raise AuthenticationFailed(_("Invalid token."))
    if not token.user.is_active:
        raise AuthenticationFailed(_("User inactive or deleted."))
    if token.expires_at <= timezone.now():
        raise AuthenticationFailed(_("The token has expired."))
    if token.fingerprint != password_fingerprint(token.user.password):
        raise AuthenticationFailed(_("The token was revoked: the password has changed since."))
    token_used(token)
    return token.user, token
