"""`/healthz`: answered while the process lives, whoever asks, however. These tests have no database."""

import pytest
from django.test import Client


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_process_lives(client, method):
    response = client.generic(method, "/healthz")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain"
    assert response.content == (b"ok\n" if method == "GET" else b"")


def test_whoever_asks_need_not_know_the_name_of_the_host(client):
    headers = {"host": "10.0.0.7:8000"}
    assert client.get("/docs/", headers=headers).status_code == 400
    assert client.get("/healthz", headers=headers).status_code == 200


def test_it_is_not_redirected_to_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    client = Client()
    assert client.get("/docs/").status_code == 301
    assert client.get("/healthz").status_code == 200
