"""The live server of the tests leaves nothing behind a request."""

import pytest
import requests
from django.core.signals import request_finished
from django.db import close_old_connections

from tests.waiting import wait_until_alone

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_thread_that_waits_for_the_next_request_keeps_no_session(live_server):
    with requests.Session() as client:  # which keeps its connection to the server
        # As Django's test client does for all threads, while it sends a request itself.
        request_finished.disconnect(close_old_connections)
        try:
            assert client.get(f"{live_server.url}/dsrs/").json() == []
        finally:
            request_finished.connect(close_old_connections)
        wait_until_alone()
