"""`/healthz` needs no database, `/readyz` reports whether requests can be answered, SIGTERM stops the server."""

import http.client
import json
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from catalogue.imports.queue.worker import worker_lives
from catalogue.models import DSR, ImportJob
from dsrhub.http import readiness
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import NO_JANUARY, line, write_report
from tests.processes import serving
from tests.waiting import PATIENCE


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_healthz_answers(client, method):
    response = client.generic(method, "/healthz")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain"
    assert response.content == (b"ok\n" if method == "GET" else b"")


def test_healthz_accepts_any_host_name(client):
    headers = {"host": "10.0.0.7:8000"}
    assert client.get("/docs/", headers=headers).status_code == 400
    assert client.get("/healthz", headers=headers).status_code == 200


def test_healthz_is_not_redirected_to_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    client = Client()
    assert client.get("/docs/").status_code == 301
    assert client.get("/healthz").status_code == 200


# --- `/readyz` -------------------------------------------------------------------------------------------------

IDLE = {"jobs_waiting": 0, "jobs_in_work": 0, "oldest_seconds": 0, "worker": False}


@pytest.mark.django_db
def test_it_is_ready_with_its_database_and_migrations(client):
    response = client.get("/readyz", headers={"host": "10.0.0.7:8000"})
    assert response.status_code == 200
    assert response.json() == {"ready": True, "database": "ok", "migrations": "ok", "queue": IDLE}
    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_it_is_not_ready_before_all_migrations_are_applied(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    readiness._require_migrations.cache_clear()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "ok", "migrations": "1 to be applied"}


def test_it_is_not_ready_without_its_database(client, monkeypatch):
    def refused(*_, **__):
        raise OperationalError("connection refused by 10.0.0.8")

    monkeypatch.setattr(readiness, "_require_migrations", refused)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "out of reach"}
    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_waiting_jobs_are_reported_and_do_not_make_it_unready(client):
    for name, state in (("a.tsv", "to_check"), ("b.tsv", "to_load"), ("c.tsv", "checked")):
        catalogue_recipes.import_job.make(name=name, state=state)
    ImportJob.objects.filter(name="b.tsv").update(changed_at=timezone.now() - timedelta(seconds=90))
    response = client.get("/readyz")
    assert response.status_code == 200
    queue = response.json()["queue"]
    assert 90 <= queue.pop("oldest_seconds") < 150
    assert queue == {"jobs_waiting": 2, "jobs_in_work": 0, "worker": False}


@pytest.mark.django_db(transaction=True)
def test_a_running_worker_is_reported(client):
    with worker_lives():
        assert client.get("/readyz").json()["queue"] == IDLE | {"worker": True}


@pytest.mark.django_db
def test_readyz_does_not_wait_for_a_database_that_hangs(client, monkeypatch):
    def hangs():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    monkeypatch.setattr(readiness, "SECONDS", 0.05)
    monkeypatch.setattr(readiness, "_require_migrations", hangs)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"ready": False, "database": "out of reach"})


# --- Graceful stop ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_request_in_progress_ends_before_the_server_does(tmp_path):
    token = recipes.token.make(user=recipes.superuser.make()).key
    content = write_report(tmp_path, NO_JANUARY, line("a", revenue="0.5")).read_bytes()
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{NO_JANUARY}"\r\n\r\n'.encode()
    body = head + content + b"\r\n--b--\r\n"
    with serving() as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        client.putrequest("POST", "/dsrs/")
        for name, value in {
            "Authorization": f"Token {token}",
            "Content-Type": "multipart/form-data; boundary=b",
            "Content-Length": str(len(body)),
            "Expect": "100-continue",
        }.items():
            client.putheader(name, value)
        client.endheaders()
        # The server has begun to read: it requests the body (100 Continue).
        assert client.sock.recv(64).startswith(b"HTTP/1.1 100 Continue")
        server.process.terminate()
        client.send(body)
        response = client.getresponse()
        assert response.status == 201
        assert json.load(response)["dsr"]["status"] == "ingested"
        client.close()
        assert server.ended() == 0
    assert DSR.objects.get().line_count == 1
