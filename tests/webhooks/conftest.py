"""Fixtures for the tests of webhooks."""

from ipaddress import ip_network

import pytest

from tests.subscriptions.conftest import real_commits  # noqa: F401 - a fixture
from tests.webhooks import recipes
from tests.webhooks.receiver import Receiver


@pytest.fixture
def loopback(settings):
    """Webhooks may be sent to this machine, without TLS."""
    settings.DSRHUB_WEBHOOK_HTTP = True
    settings.DSRHUB_WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def receiver(loopback):
    with Receiver().listening() as receiver:
        yield receiver


@pytest.fixture
def webhook(receiver, db):
    """A webhook for all events, whose receiver is listening."""
    return recipes.webhook.make(url=receiver.url)
