"""`/metrics` is closed without a token, right with several processes, and cheap."""

import re
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
import requests
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from catalogue.imports.services import dsr_import
from catalogue.models import DSR
from dsrhub import gunicorn
from dsrhub.metrics import collectors
from dsrhub.metrics.stored import Addition, StoredCounter, stored_add, stored_values
from subscriptions.aggregates.services import daily_usage_refresh
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import NO_JANUARY, line, write_report
from tests.processes import serving
from tests.subscriptions.helpers import add, event, subscribe
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db

TOKEN = "a-token-for-tests-only"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def _open(settings):
    settings.DSRHUB_METRICS_TOKEN = TOKEN


def samples(text):
    """The value of each sample, by its name and its labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(client):
    response = client.get("/metrics", headers=AUTHORIZED)
    assert response.status_code == 200
    return samples(response.content.decode())


# --- Who may read it -------------------------------------------------------------------------------------------


def test_without_a_token_in_the_settings_there_is_no_such_address(client):
    for headers in ({}, AUTHORIZED, {"authorization": "Bearer "}):
        assert client.get("/metrics", headers=headers).status_code == client.get("/nowhere").status_code == 404


@pytest.mark.usefixtures("_open")
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Token {TOKEN}", "Bearer \xe9"],
)
def test_only_the_token_opens_it(client, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    response = client.get("/metrics", headers=headers)
    assert (response.status_code, response.content) == (401, b"")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.usefixtures("_open")
def test_neither_a_user_nor_a_token_of_the_api_opens_it(admin_client):
    key = recipes.token.make().key
    assert admin_client.get("/metrics").status_code == 401
    assert admin_client.get("/metrics", headers={"authorization": f"Bearer {key}"}).status_code == 401


@pytest.mark.usefixtures("_open")
def test_it_answers_by_address_without_https_and_is_not_stored(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/metrics", headers=AUTHORIZED | {"host": "10.0.0.7:8000"})
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response["Content-Type"].startswith("text/plain; version=")
    assert client.post("/metrics", headers=AUTHORIZED).status_code == 405
    assert client.head("/metrics", headers=AUTHORIZED).content == b""


@pytest.mark.usefixtures("_open")
def test_it_speaks_openmetrics_to_those_who_ask_for_it(client):
    response = client.get("/metrics", headers=AUTHORIZED | {"accept": "application/openmetrics-text; version=1.0.0"})
    assert response["Content-Type"].startswith("application/openmetrics-text")
    assert response.content.endswith(b"# EOF\n")


# --- Requests --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_open")
def test_requests_are_counted_by_route_method_and_status(client):
    before = scraped(client)
    dsr = catalogue_recipes.dsr.make()
    for path in (f"/dsrs/{dsr.pk}", f"/dsrs/{dsr.pk}/", "/dsrs/0", "/nowhere", "/nowhere/else"):
        client.get(path)
    client.generic("INVENT", "/dsrs/")
    after = scraped(client)
    grown = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    counted = {
        tuple(dict(labels).values()): value
        for (name, *labels), value in grown.items()
        if name == "dsrhub_http_requests_total"
    }
    # Sorted by the names of the labels: method, route, status.
    assert counted == {
        ("GET", "/dsrs/<str:id>", "200"): 2,
        ("GET", "/dsrs/<str:id>", "404"): 1,
        ("GET", "other", "404"): 2,
        ("other", "/dsrs", "405"): 1,
    }
    durations = ("dsrhub_http_request_duration_seconds_count", ("method", "GET"), ("route", "/dsrs/<str:id>"))
    assert grown[durations] == 3


@pytest.mark.django_db(transaction=True)
def test_the_requests_of_all_processes_are_counted():
    folders = set(Path(gunicorn.worker_tmp_dir).glob("dsrhub-metrics-*"))
    with serving(options="--workers 2", DSRHUB_METRICS_TOKEN=TOKEN) as server:

        def get(path, headers=None):
            # A connection of its own each time, which any process accepts.
            return requests.get(f"{server.url}{path}", headers=headers, timeout=PATIENCE)

        for _ in range(30):
            assert get("/nowhere").status_code == 404
        found = samples(get("/metrics", AUTHORIZED).text)
        counted = {key: value for key, value in found.items() if key[0] == "dsrhub_http_requests_total"}
        assert counted == {("dsrhub_http_requests_total", ("method", "GET"), ("route", "other"), ("status", "404")): 30}
        assert found["dsrhub_database_up",] == 1
        assert server.stop() == 0
    assert set(Path(gunicorn.worker_tmp_dir).glob("dsrhub-metrics-*")) == folders


# --- What is in the database -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_open")
def test_without_the_database_it_says_so(client, monkeypatch):
    def refused():
        raise OperationalError("connection refused by 10.0.0.8")

    monkeypatch.setattr(collectors, "_families", refused)
    found = scraped(client)
    assert found["dsrhub_database_up",] == 0
    assert {name for name, *_ in found} - {"dsrhub_info", "dsrhub_database_up"} == {
        name for name, *_ in found if name.startswith("dsrhub_http_request")
    }


@pytest.mark.usefixtures("_open")
def test_a_scrape_costs_the_same_for_1_and_for_100_rows(client):
    counts = []
    for number in (1, 99):
        names = [f"{number}-{each}" for each in range(number)]
        catalogue_recipes.make_many(catalogue_recipes.failed_dsr, number, path=iter(names))
        catalogue_recipes.make_many(catalogue_recipes.drop_folder, number, address=iter(names))
        catalogue_recipes.make_many(catalogue_recipes.import_job, number)
        scraped(client)
        with CaptureQueriesContext(connection) as captured:
            assert scraped(client)["dsrhub_database_up",] == 1
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 16


@pytest.mark.usefixtures("_open")
def test_the_state_of_the_catalogue_is_shown(client):
    old = catalogue_recipes.dsr.make(is_catalogued=False)
    DSR.objects.filter(pk=old.pk).update(imported_at=timezone.now() - timedelta(hours=1))
    catalogue_recipes.failed_dsr.make()
    catalogue_recipes.import_job.make(state="to_load")
    catalogue_recipes.lines_to_drop.make()
    catalogue_recipes.drop_folder.make(address="/in", error="gone", arriving_count=1, failing_count=4, left_count=3)
    catalogue_recipes.drop_folder.make(address="/forgotten", looked_at=timezone.now() - timedelta(days=8))
    found = scraped(client)
    assert found["dsrhub_dsrs", ("status", "ingested")] == found["dsrhub_dsrs", ("status", "failed")] == 1
    assert found["dsrhub_catalogue_behind_dsrs",] == 1
    assert 3600 <= found["dsrhub_catalogue_behind_seconds",] < 3700
    assert found["dsrhub_import_jobs", ("state", "waiting")] == 1
    assert found["dsrhub_worker_up",] == 0
    assert found["dsrhub_lines_to_drop_dsrs",] == 1
    folders = {key: value for key, value in found.items() if key[0].startswith("dsrhub_folder")}
    looked_at = folders.pop(("dsrhub_folder_looked_at_timestamp_seconds", ("folder", "/in")))
    assert abs(timezone.now().timestamp() - looked_at) < 100
    assert folders == {
        ("dsrhub_folder_failed", ("folder", "/in")): 1,
        ("dsrhub_folder_files", ("folder", "/in"), ("state", "arriving")): 1,
        ("dsrhub_folder_files", ("folder", "/in"), ("state", "waiting")): 0,
        ("dsrhub_folder_files", ("folder", "/in"), ("state", "left")): 3,
        ("dsrhub_folder_failing_deliveries", ("folder", "/in")): 4,
    }


@pytest.mark.usefixtures("_open")
@pytest.mark.django_db(transaction=True)
def test_imports_and_rankings_are_counted(client, tmp_path):
    def counted():
        return {
            key: value
            for key, value in scraped(client).items()
            if value
            and key[0] in ("dsrhub_imports_total", "dsrhub_imported_lines_total", "dsrhub_rankings_built_total")
        }

    assert counted() == {}
    path = write_report(tmp_path, NO_JANUARY, line("a", revenue="1"), line("b", revenue="2"))
    for _ in range(2):
        dsr_import(path=path, name=NO_JANUARY)
    dsr_import(path=path, name=NO_JANUARY, dry_run=True)
    command = ("door", "command")
    imports = {
        ("dsrhub_imports_total", command, ("outcome", "loaded")): 1,
        ("dsrhub_imports_total", command, ("outcome", "unchanged")): 1,
        ("dsrhub_imported_lines_total", command): 2,
    }
    assert counted() == imports
    for _ in range(2):
        assert client.get("/resources/percentile/50").status_code == 200
    assert counted() == imports | {("dsrhub_rankings_built_total", ("kind", "resources")): 1}


@pytest.mark.usefixtures("_open")
@pytest.mark.django_db(transaction=True)
def test_the_lag_of_usage_is_that_of_the_last_whole_refresh(client):
    assert scraped(client)["dsrhub_usage_refresh_lag_seconds",] == 0
    add(event(subscribe()))
    found = scraped(client)
    assert (found["dsrhub_usage_marks",], found["dsrhub_usage_refresh_lag_seconds",]) == (1, float("inf"))
    daily_usage_refresh()
    found = scraped(client)
    assert (found["dsrhub_usage_marks",], found["dsrhub_usage_refresh_lag_seconds",]) == (0, 0)
    add(event(subscribe()))
    assert 0 < scraped(client)["dsrhub_usage_refresh_lag_seconds",] < 600


@pytest.mark.usefixtures("_open")
def test_another_module_adds_its_numbers(client, settings, monkeypatch):
    module = ModuleType("more_metrics")
    module.STORED = (StoredCounter("dsrhub_sent", "For tests.", ("outcome",), (("failed",),)),)
    module.collect = lambda: [collectors.gauge("dsrhub_to_send", "For tests.", 3)]
    monkeypatch.setitem(sys.modules, "more_metrics", module)
    settings.METRICS = [*settings.METRICS, "more_metrics"]
    stored_add(Addition(module.STORED[0], ("sent",), 2))
    found = scraped(client)
    assert found["dsrhub_to_send",] == 3
    assert found["dsrhub_sent_total", ("outcome", "failed")] == 0
    assert found["dsrhub_sent_total", ("outcome", "sent")] == 2


# --- Counters --------------------------------------------------------------------------------------------------

COUNTER = StoredCounter("dsrhub_tests", "For tests.", ("kind",))


@pytest.mark.django_db(transaction=True)
def test_a_counter_grows_by_all_sessions(in_thread):
    many = [in_thread(stored_add, Addition(COUNTER, (kind,)), Addition(COUNTER, ("b",), 0.5)) for kind in "abab" * 5]
    for one in many:
        one.result(PATIENCE)
    assert stored_values([COUNTER.name]) == {COUNTER.name: [(["a"], 10.0), (["b"], 20.0)]}


def test_no_name_is_used_twice(client, settings):
    settings.DSRHUB_METRICS_TOKEN = TOKEN
    text = client.get("/metrics", headers=AUTHORIZED).content.decode()
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 20
