"""Logs: a line for each request, JSON if configured, and the id of the request in every record that it causes."""

import json
import logging
import logging.config

import pytest
import requests

from catalogue.imports.queue.jobs import import_job_add, upload_begin
from catalogue.imports.queue.worker import queue_drain
from catalogue.models import ImportJob
from dsrhub.logs import server as logs
from tests import recipes
from tests.catalogue.helpers import NO_JANUARY, line, write_report
from tests.processes import serving
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture
def records(caplog):
    """The log records of requests, with the ids that the handlers add."""
    ids = logs.RequestFilter()
    caplog.handler.addFilter(ids)
    caplog.set_level(logging.INFO)
    # pytest begins a new list of records after the fixtures have run.
    yield lambda name: [record for record in caplog.records if record.name == name]
    caplog.handler.removeFilter(ids)


# --- The id of a request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dsrs/", "/nowhere", "/admin/", "/healthz", "/docs/", "/openapi.yaml"])
def test_every_response_has_its_own_id(client, path):
    first, second = (client.get(path)["X-Request-ID"] for _ in range(2))
    assert len(first) == len(second) == 32
    assert first != second


@pytest.mark.parametrize("sent", ["a", "A-1_b.2", "x" * 64])
def test_the_id_that_a_client_sends_is_used(client, sent):
    assert client.get("/dsrs/", headers={"X-Request-ID": sent})["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\nb", "é", '{"a"}', "٣"])
def test_an_id_that_could_forge_log_lines_is_replaced(client, sent):
    assert len(client.get("/dsrs/", headers={"X-Request-ID": sent})["X-Request-ID"]) == 32


# --- The log of a request --------------------------------------------------------------------------------------


def test_a_request_is_logged_as_one_line(client, records):
    client.get("/dsrs/?limit=1", headers={"X-Request-ID": "abc"})
    (record,) = records("dsrhub.requests")
    assert record.getMessage().startswith("GET /dsrs/?limit=1 200 ")
    said = (record.request_id, record.method, record.path, record.status, record.user, record.address)
    assert said == ("abc", "GET", "/dsrs/?limit=1", 200, None, "127.0.0.1")


def test_graphql_and_the_admin_are_logged_too(client, records):
    query = {"query": "{ dsrs { edges { node { id } } } }"}
    client.post("/graphql", query, content_type="application/json", headers={"X-Request-ID": "one"})
    client.get("/admin/", headers={"X-Request-ID": "two"})
    assert [(r.request_id, r.path, r.status) for r in records("dsrhub.requests")] == [
        ("one", "/graphql", 200),
        ("two", "/admin/", 302),
    ]


def test_users_are_logged_by_id_without_tokens_and_passwords(client, records):
    ada = recipes.superuser.make()
    token = recipes.token.make(user=ada).key
    client.get("/dsrs/", headers={"Authorization": f"Token {token}"})
    client.post("/token/", {"username": "ada", "password": "lovelace"})
    client.force_login(ada)
    client.get("/admin/")
    assert [record.user for record in records("dsrhub.requests")] == [ada.pk, None, ada.pk]
    everything = "".join(str(vars(record)) for record in records("dsrhub.requests"))
    assert token not in everything
    assert "lovelace" not in everything


def test_health_checks_are_not_logged(client, records):
    client.get("/healthz")
    client.get("/readyz")
    assert records("dsrhub.requests") == []


def test_a_server_error_is_logged_with_the_id_of_its_response(client, records, monkeypatch):
    def breaks(**page):
        raise RuntimeError("a bug")

    monkeypatch.setattr("catalogue.dsrs.selectors.dsr_list", breaks)
    client.raise_request_exception = False
    response = client.get("/dsrs/")
    assert response.status_code == 500
    (error,) = records("django.request")
    assert error.request_id == response["X-Request-ID"]
    assert "RuntimeError: a bug" in logging.Formatter().format(error)


# --- The worker ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_worker_logs_with_the_id_of_the_request_that_queued_the_job(tmp_path, settings, records, client):
    settings.DSRHUB_UPLOAD_DIR = tmp_path
    ada = recipes.superuser.make()
    path = write_report(tmp_path, NO_JANUARY, line("a"))
    with logs.on_behalf_of("upload-7"):
        job = import_job_add(upload=upload_begin(), path=path, name=NO_JANUARY, user=ada)
    client.get("/healthz")  # another request of the same process
    queue_drain()
    said = [
        (record.request_id, record.getMessage())
        for record in [*records("catalogue.imports.queue.jobs"), *records("catalogue.imports.queue.worker")]
    ]
    assert said == [
        ("upload-7", f"import job {job.pk}: added"),
        ("upload-7", f"import job {job.pk}: to be confirmed"),
    ]
    client.force_login(ada)
    confirmed = client.post(
        "/admin/catalogue/dsr/process_import/",
        {"upload": job.upload, "job": job.pk, "confirm": "on"},
        headers={"X-Request-ID": "confirm-8"},
    )
    assert confirmed["X-Request-ID"] == "confirm-8"
    assert ImportJob.objects.get().request_id == "confirm-8"


def test_a_job_without_a_request_is_logged_with_its_own_id():
    with logs.on_behalf_of(""):
        assert len(logs.request_id()) == 32


# --- The formats -----------------------------------------------------------------------------------------------


def formatted(record, *, json):
    formatter = logging.config.DictConfigurator(logs.configuration(json=json)).configure_formatter(
        logs.configuration(json=json)["formatters"]["line"]
    )
    logs.RequestFilter().filter(record)
    return formatter.format(record)


def test_the_text_format():
    record = logging.LogRecord("dsrhub.some", logging.WARNING, "", 1, "%s is late", ("ECB",), None)
    with logs.on_behalf_of("abc"):
        assert formatted(record, json=False).endswith(" WARNING dsrhub.some [abc]: ECB is late")


def test_the_json_format_is_one_object_on_one_line():
    record = logging.LogRecord("dsrhub.some", logging.WARNING, "", 1, 'a "b"\n%s', ("ç",), None)
    record.status = 200
    with logs.on_behalf_of("abc"):
        text = formatted(record, json=True)
    assert "\n" not in text
    said = json.loads(text)
    assert said.pop("time").endswith("+00:00")
    assert said == {
        "level": "WARNING",
        "logger": "dsrhub.some",
        "message": 'a "b"\nç',
        "request_id": "abc",
        "status": 200,
    }


@pytest.mark.django_db(transaction=True)
def test_all_logs_of_a_server_are_json_on_request(client):
    with serving(DSRHUB_LOG_JSON="true") as server:
        response = requests.get(f"{server.url}/dsrs/", headers={"X-Request-ID": "abc"}, timeout=PATIENCE)
        assert response.headers["X-Request-ID"] == "abc"
        assert server.stop() == 0
    lines = [json.loads(line) for line in server.log.splitlines()]
    (request_line,) = (said for said in lines if said["logger"] == "dsrhub.requests")
    assert (request_line["request_id"], request_line["path"], request_line["status"]) == ("abc", "/dsrs/", 200)
    assert any("Listening at" in said["message"] for said in lines)
