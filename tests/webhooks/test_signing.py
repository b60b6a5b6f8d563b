"""Signatures that the reference library of Standard Webhooks verifies, and secrets that nobody can read."""

from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from dsrhub.webhooks.signing import SecretUnreadable, encrypted, secret_create, signed_headers, signing_secrets
from tests.webhooks import recipes

BODY = '{"type":"dsr.ingested","data":{"name":"Été"}}'


def headers_of(*secrets, body=BODY):
    return signed_headers(message_id="msg_1", at=timezone.now(), body=body, of=secrets)


def test_the_reference_library_verifies_a_signature():
    secret = secret_create()
    assert Verifier(secret).verify(BODY, headers_of(secret)) == {"type": "dsr.ingested", "data": {"name": "Été"}}


def test_a_signature_is_that_of_a_known_example():
    """HMAC-SHA256 of `msg_1.1700000000.{}`, worked out with openssl."""
    at = timezone.datetime.fromtimestamp(1_700_000_000, timezone.get_default_timezone())
    headers = signed_headers(message_id="msg_1", at=at, body="{}", of=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,x5lVgj0b/JJJaUYaa1+6I5J/EECcryrPlFN4VrkmI94=",
    }


def test_old_and_new_secret_both_sign():
    old, new, other = secret_create(), secret_create(), secret_create()
    headers = headers_of(new, old)
    assert Verifier(old).verify(BODY, headers) == Verifier(new).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(other).verify(BODY, headers)


def test_a_secret_is_stored_encrypted_and_differs_each_time():
    secret = secret_create()
    stored = encrypted(secret)
    assert secret.removeprefix("whsec_") not in stored
    assert encrypted(secret) != stored
    assert secret_create() != secret


def test_the_old_secret_signs_until_its_time_is_over():
    now = timezone.now()
    webhook = recipes.webhook.prepare(secret=encrypted("new"), old_secret=encrypted("old"), old_secret_until=now)
    assert signing_secrets(webhook, now - timedelta(seconds=1)) == ["new", "old"]
    assert signing_secrets(webhook, now) == ["new"]


def test_with_another_key_of_the_server_a_secret_cannot_be_read(settings):
    webhook = recipes.webhook.prepare(secret=encrypted("new"))
    settings.SECRET_KEY = "another one"
    with pytest.raises(SecretUnreadable):
        signing_secrets(webhook, timezone.now())
