"""The README's first command, as a newcomer runs it: what dsrhub does is there on samples, asked over HTTP."""

import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest
import requests
from django.conf import settings
from django.db import connection

from dsrhub import demo as program
from dsrhub.demo_receiver import Receiver, is_signed
from dsrhub.webhooks.models import Webhook
from dsrhub.webhooks.signing import secret_create, signed_headers
from tests.pictures import free_port
from tests.processes import database_url, environment, new_database
from tests.waiting import PATIENCE, wait_until, wait_until_alone

ROOT = Path(settings.BASE_DIR)
pytestmark = pytest.mark.on_one_server(reason="a cluster has no copies of databases")


class Demo(NamedTuple):
    site: str
    key: str
    printed: str
    folder: Path

    def get(self, path, **headers):
        headers = headers or {"Authorization": f"Bearer {self.key}"}
        answer = requests.get(self.site + path, headers=headers, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer

    def rows(self, path):
        return self.get(path).json()

    def events(self):
        return [json.loads(line) for line in self.folder.joinpath("events.jsonl").read_text().splitlines()]


def variables(folder, **others):
    """As in a shell of a newcomer."""
    own = {"DJANGO_SETTINGS_MODULE": "dsrhub.settings", "DSRHUB_DATA_DIR": str(folder)}
    return {**environment(**own), "DSRHUB_UPLOAD_DIR": "", **others}


@pytest.fixture(scope="module")
def demo(django_db_setup, django_db_blocker, tmp_path_factory):
    """The demo in a copy of the tests' database, which is migrated."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    with django_db_blocker.unblock():
        wait_until_alone()
        with new_database("demo", connection.settings_dict["NAME"]) as name:
            yield from running(folder, port, variables(folder, DATABASE_URL=database_url(name)))


def running(folder, port, environ):
    """Start the demo, and wait until it says that it serves, however long that takes."""
    command = [sys.executable, "-m", "dsrhub.demo", "--port", str(port)]
    with folder.joinpath("log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Stop with Ctrl-C"):
                break
        found = re.search(r"API key of a program is '(\w+)'", printed)
        assert found, printed + folder.joinpath("log").read_text()
        yield Demo(f"http://localhost:{port}", found[1], printed, folder)
    finally:
        process.terminate()
        process.stdout.close()
        process.wait()


# --- Reports ---------------------------------------------------------------------------------------------------


def test_there_are_reports_of_all_formats(demo):
    wait_until(lambda: len(demo.rows("/dsrs/?limit=100")) == 30, "the drop folder is imported")
    dsrs = demo.rows("/dsrs/?limit=100")
    assert Counter(dsr["status"] for dsr in dsrs) == {"ingested": 29, "failed": 1}
    messages = {message["format"]: message for message in demo.rows("/messages/") if message["dsr_count"] != 2}
    assert {name: message["dsr_count"] for name, message in messages.items()} == {"DDEX": 8, "Template": 4}
    of_message = [dsr for dsr in dsrs if dsr["path"].startswith("DSR_SGAE_AppleMusic")]
    assert {dsr["territory"]["code_2"] for dsr in of_message} == {"ES", "GB", "NO", "US"}


def test_a_month_is_missing_and_another_one_failed(demo):
    gaps = [
        (series["dsp"], series["territory"], month, found["state"])
        for series in demo.rows("/coverage/?from=2020-01&to=2020-12&limit=100")
        for month, found in series["months"].items()
        if found["state"] != "ingested"
    ]
    assert sorted(gaps) == [("Deezer", "US", "2020-02", "missing"), ("Spotify", "GB", "2020-02", "failed")]


def test_two_months_are_compared(demo):
    """The same offer in Spain: a report of 700 lines in each month."""
    (row,) = demo.rows("/statistics/comparison/?period=2020-02&with=2020-01&by=dsp&territory=ES&offer=FamilyPlan")
    assert [row[month]["line_count"] for month in ("now", "before")] == [700, 700]
    assert row["difference"]["usages"] == row["now"]["usages"] - row["before"]["usages"] != 0


def test_a_refused_report_has_its_problems(demo):
    (failed,) = [dsr for dsr in demo.rows("/dsrs/?limit=100") if dsr["status"] == "failed"]
    problems = demo.rows(f"/dsrs/{failed['id']}/problems")
    found = [(one["line"], one.get("column"), one["code"]) for one in problems]
    assert found == [
        (13, "revenue", "not_a_number"),
        (346, "usages", "not_a_number"),
        (403, "dsp_id", "dsp_id_missing"),
        (568, None, "wrong_cell_count"),
    ]


def test_a_corrected_report_has_its_earlier_version(demo):
    (version,) = demo.rows("/versions/")
    assert (version["dsp"], version["territory"], version["line_count"]) == ("YouTube", "NO", 150)
    assert version["difference"]["line_count"] == 550


def test_a_rate_of_the_operator_applies(demo):
    dsrs = [dsr for dsr in demo.rows("/dsrs/?limit=100") if dsr["path"].endswith("_NO_NOK_20200201-20200229.tsv.gz")]
    details = [demo.rows(f"/dsrs/{dsr['id']}/details") for dsr in dsrs]
    assert {(one["exchange_rate"], one["rate_method"]) for one in details} == {("10.2", "operator")}


def test_the_same_isrc_is_at_several_services(demo):
    statement = next(one for one in demo.rows("/dsrs/?limit=100") if one["path"] == "believe_statement_2020-03.csv")
    isrc = demo.rows(f"/dsrs/{statement['id']}/lines?limit=1")[0]["isrc"]
    assert {"Deezer", "Spotify", "YouTube"} == {
        one["dsp"] for one in demo.rows(f"/resources/same-isrc/?isrc={isrc}")["resources"]
    }


def test_the_drop_folder_has_the_result_of_what_arrived(demo):
    wait_until(lambda: [*demo.folder.glob("incoming/done/*/result.json")], "the delivery is moved")
    (result,) = demo.folder.glob("incoming/done/*/result.json")
    assert json.loads(result.read_text())["outcome"] == "loaded"
    assert [path.name for path in demo.folder.joinpath("incoming").iterdir() if path.is_file()] == []


# --- Usage, events, programs and metrics -----------------------------------------------------------------------


def test_price_limits_are_reached_by_data_and_by_voice(demo):
    crossings = demo.rows("/subscriptions/crossings/")
    found = Counter((one["usage_type"], one["span"], one["limit_of"]) for one in crossings)
    assert found == {
        ("data", "month", "all"): 8,
        ("voice", "month", "carrier"): 3,
        ("voice", "total", "all"): 1,
    }


def test_the_receiver_gets_all_kinds_of_events(demo):
    kinds = {"dsr.ingested", "dsr.failed", "dsr.replaced", "report.missing", "usage.limit_reached"}
    wait_until(lambda: {event["type"] for event in demo.events()} == kinds, "the events arrive")
    missing = [event["data"] for event in demo.events() if event["type"] == "report.missing"]
    assert [(one["dsp"], one["territory"], one["month"]) for one in missing] == [("Deezer", "US", "2020-02")]


def test_the_metrics_are_open_to_the_token_in_the_folder(demo):
    token = demo.folder.joinpath("metrics_token").read_text()
    assert "dsrhub_" in demo.get("/metrics", Authorization=f"Bearer {token}").text


def test_what_it_prints_is_short_and_leads_to_pages(demo):
    words = demo.printed.split("Stop with")[0]
    assert len(words.splitlines()) < 45
    addresses = re.findall(rf"^  {demo.site}(\S+)$", words, re.MULTILINE)
    assert addresses[0] == "/admin/"
    for address in addresses:
        demo.get(address, Accept="text/html")
    assert sorted(path.name for path in (demo.folder / "try").iterdir()) == [
        "Spotify_FamilyPlan_ES_EUR_20200401-20200430.tsv.gz",
        "YouTube_AdSupported_SUISA_CH_CHF_20200301-20200331.tsv.gz",
        "nordklang_2020-01.csv",
    ]


# --- What stands in its way ------------------------------------------------------------------------------------


def test_a_port_that_is_taken_stops_it_at_once():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=f"Port {port} cannot be used .* --port {port + 1}"):
            program.require_free(port)
    program.require_free(port)


@pytest.mark.parametrize("port", [0, 65536])
def test_a_number_that_is_no_port_stops_it(port):
    with pytest.raises(SystemExit, match=f"{port} is not a port: it must be from 1 to 65535"):
        program.require_free(port)


def test_settings_of_the_shell_stay(tmp_path, monkeypatch):
    environ = {"DSRHUB_FOLDERS": "", "DSRHUB_LATE_DAYS": "45"}
    monkeypatch.setattr(os, "environ", environ)
    program.prepare_environment(tmp_path)
    assert (environ["DSRHUB_FOLDERS"], environ["DSRHUB_LATE_DAYS"]) == ("", "45")
    assert environ["DSRHUB_KEEP_FILES"] == str(tmp_path / "kept")
    assert "DSRHUB_SECRET_KEY" not in environ


def test_another_database_gets_a_key_of_the_folder(tmp_path, monkeypatch):
    environ = {"DATABASE_URL": "postgres://somewhere/else"}
    monkeypatch.setattr(os, "environ", environ)
    program.prepare_environment(tmp_path)
    assert environ["DSRHUB_SECRET_KEY"] == (tmp_path / "secret_key").read_text()


@pytest.mark.django_db
def test_a_webhook_that_somebody_changed_or_deleted_stays_so(tmp_path, monkeypatch):
    monkeypatch.setattr(program.subprocess, "Popen", lambda *_, **__: pytest.fail("the receiver starts"))
    program.start_receiver(tmp_path / "events", is_first_run=False)
    assert not Webhook.objects.exists()
    webhook = Webhook.objects.create(name=program.RECEIVER, url="https://receiver.example/events", events=[])
    program.start_receiver(tmp_path / "events", is_first_run=False)
    webhook.refresh_from_db()
    assert webhook.url == "https://receiver.example/events"
    assert not (tmp_path / "events").exists()


# --- The receiver ----------------------------------------------------------------------------------------------


@pytest.fixture
def receiver(tmp_path):
    """A receiver of one secret, that runs until the end of the test."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Receiver(listening=listening, events=tmp_path / "events", secrets=[SECRET], parent=os.getppid())
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


SECRET = secret_create()
BODY = '{"type": "webhook.test"}'


def sent(receiver, secret, body=BODY, **headers):
    signed = signed_headers(message_id="1", at=datetime(2026, 1, 1, tzinfo=UTC), body=BODY, of=[secret])
    port = receiver.socket.getsockname()[1]
    return requests.post(f"http://127.0.0.1:{port}/events", body, headers=signed | headers, timeout=PATIENCE)


def test_the_receiver_writes_what_is_signed(receiver):
    assert [sent(receiver, SECRET).status_code for _ in range(2)] == [204, 204]
    assert receiver.events.read_text() == f"{BODY}\n{BODY}\n"


@pytest.mark.parametrize(
    ("secret", "body", "headers", "status"),
    [
        (secret_create(), BODY, {}, 401),
        (SECRET, BODY + " ", {}, 401),
        (SECRET, BODY, {"webhook-signature": ""}, 401),
    ],
    ids=["by another secret", "another body", "no signature"],
)
def test_the_receiver_refuses_what_is_not_signed(receiver, secret, body, headers, status):
    assert sent(receiver, secret, body, **headers).status_code == status
    assert not receiver.events.exists()


@pytest.mark.parametrize("size", ["1048577", "-1", "all"])
def test_the_receiver_refuses_what_is_too_large_or_says_no_size(receiver, size):
    with socket.create_connection(receiver.socket.getsockname(), timeout=PATIENCE) as sender:
        sender.sendall(f"POST /events HTTP/1.0\r\nContent-Length: {size}\r\n\r\n".encode())
        assert b" 413 " in sender.makefile("rb").readline()
    assert not receiver.events.exists()


def test_of_several_signatures_one_must_be_right():
    other = secret_create()
    headers = signed_headers(message_id="1", at=datetime(2026, 1, 1, tzinfo=UTC), body=BODY, of=[other, SECRET])
    assert is_signed(BODY.encode(), headers, [SECRET])
    assert not is_signed(BODY.encode(), headers, [])
