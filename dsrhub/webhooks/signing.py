"""The secrets of webhooks, and the signatures that they make: https://www.standardwebhooks.com.

A secret must be known in order to sign, so it is encrypted where it is stored, with a key made of the server's secret
key. With another key, it cannot be read any more: the secret has to be rotated.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from dsrhub.webhooks.models import Webhook

PREFIX, SECRET_BYTES = "whsec_", 32


class SecretUnreadable(Exception):
    """A stored secret was encrypted with another key of the server."""


def secret_create() -> str:
    """A new secret, as its receiver gets it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def encrypted(secret: str) -> str:
    return _cipher().encrypt(secret.encode()).decode()


def signing_secrets(webhook: Webhook, at: datetime) -> list[str]:
    """The secrets that sign at a time: that of the webhook and, for a while after a rotation, the one before.

    Raises SecretUnreadable.
    """
    is_old_valid = webhook.old_secret_until is not None and at < webhook.old_secret_until
    return [_decrypted(secret) for secret in (webhook.secret, *([webhook.old_secret] if is_old_valid else []))]


def signed_headers(*, message_id: str, at: datetime, body: str, of: Iterable[str]) -> dict[str, str]:
    """The headers that identify an event and prove its origin, with a signature of each secret."""
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.{body}".encode()
    signatures = [hmac.digest(base64.b64decode(secret.removeprefix(PREFIX)), content, "sha256") for secret in of]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures),
    }


def _decrypted(text: str) -> str:
    try:
        return _cipher().decrypt(text.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable from error


def _cipher() -> Fernet:
    # A key for this purpose alone.
    key = sha256(f"dsrhub.webhooks:{settings.SECRET_KEY}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
