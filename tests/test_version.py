"""The version of the release is one number, wherever dsrhub says it."""

import logging
import re

import pytest
from django.conf import settings
from django.core.management import call_command, load_command_class
from prometheus_client.parser import text_string_to_metric_families

from catalogue.management.commands import worker
from dsrhub import __version__, gunicorn
from tests import recipes

TOKEN = "a-token-for-tests-only"


def test_it_is_that_of_the_latest_release_in_the_changelog():
    changelog = (settings.BASE_DIR / "docs" / "changelog.md").read_text()
    assert re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE) == [__version__, "1.0.0"]


def test_healthz_says_it_in_a_header(client):
    assert client.get("/healthz")["X-Dsrhub-Version"] == __version__


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.yaml"])
def test_it_is_the_version_of_the_openapi_document(client, path):
    content = client.get(path).content.decode()
    assert re.search(rf"version\W+{re.escape(__version__)}\b", content)


@pytest.mark.django_db
def test_it_is_at_the_foot_of_the_admin_for_those_who_may_use_it(client):
    foot = f'<p id="version">dsrhub {__version__}</p>'
    assert foot not in client.get("/admin/login/").content.decode()
    client.force_login(recipes.superuser.make())
    assert foot in client.get("/admin/").content.decode()


@pytest.mark.django_db
def test_prometheus_reads_it_as_a_label(client, settings):
    settings.DSRHUB_METRICS_TOKEN = TOKEN
    text = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).content.decode()
    (info,) = [family for family in text_string_to_metric_families(text) if family.name == "dsrhub_info"]
    assert [(sample.labels, sample.value) for sample in info.samples] == [({"version": __version__}, 1)]


def test_each_command_of_ours_prints_it(capsys):
    with pytest.raises(SystemExit):
        load_command_class("catalogue", "import_dsr").run_from_argv(["manage.py", "import_dsr", "--version"])
    assert capsys.readouterr().out == f"dsrhub {__version__}\n"


def test_a_server_logs_it_when_it_has_started(caplog):
    class Server:
        log = logging.getLogger("gunicorn.error")

    caplog.set_level(logging.INFO)
    gunicorn.when_ready(Server)
    assert caplog.messages == [f"dsrhub {__version__}"]


def test_a_worker_logs_it_when_it_starts(caplog, monkeypatch, capsys):
    monkeypatch.setattr(worker.Command, "_is_alive", lambda _: False)
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    caplog.set_level(logging.INFO)
    call_command("worker")
    assert f"dsrhub {__version__}" in caplog.messages
    assert capsys.readouterr().out == "Waiting for work.\n"
