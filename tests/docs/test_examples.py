"""The examples of the documentation, run against a server: requests, queries, answers, programs and SQL.

Examples of a page may depend on those before them, so one test runs all pages from front to back.
"""

import io
import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils.module_loading import import_string
from graphql import build_schema, parse, validate
from standardwebhooks import Webhook

from catalogue.models import DSR, SupersededDSR
from dsrhub.logs import server as logs
from dsrhub.webhooks.models import Webhook as StoredWebhook
from subscriptions.limits.following import limits_follow
from subscriptions.limits.services import price_limit_set
from subscriptions.models import DataUsageRecord, LimitSpan, UsageType
from tests import recipes
from tests.catalogue.helpers import HEADER, import_report, line
from tests.catalogue.sample_message import import_message
from tests.docs.blocks import BLOCKS, ELSEWHERE, ROOT, commands
from tests.programs import program
from tests.subscriptions.helpers import add, event, noon
from tests.subscriptions.recipes import subscription as subscription_recipe
from tests.waiting import PATIENCE
from tests.webhooks.conftest import loopback  # noqa: F401 - a fixture

ADDRESS = "http://localhost:8000"
OURS = [block for block in BLOCKS if (block.page, block.language, block.marker) not in ELSEWHERE and not block.reason]
QUERIES = [block for block in OURS if block.language == "graphql"]
ANSWERS = [block for block in OURS if block.language == "json" and not block.marker]
REQUESTS = [block for block in OURS if block.language == "sh" and any(words[0] == "curl" for words in commands(block))]
(SENDER,) = [block for block in OURS if block.language == "python" and "requests.Session" in block.text]
# Whose answers are the documented ones to the last digit.
EXACT = {"With totals that come later"}

JANUARY, FEBRUARY = (f"Spotify_Duo_ES_EUR_{days}.tsv" for days in ("20200101-20200131", "20200201-20200229"))
# A report with the totals that docs/questions.md declares.
LINES = [
    line("a", "Hit", "Ana|Ben", "ESABC2000001", usages="1234567", revenue="4321.987654"),
    *(line(f"id{number}", usages="0", revenue="0") for number in range(2499)),
]


@pytest.fixture
def server(live_server, settings, tmp_path, loopback):  # noqa: F811 - the fixture
    """A server with reports, versions, a message, usage and a reached limit, and with what the examples name."""
    settings.DSRHUB_USAGE_FUTURE_DAYS = 36500
    admin = recipes.superuser.make(username="admin")
    january = import_report(tmp_path, JANUARY, *LINES)
    import_report(tmp_path, JANUARY.replace("Spotify", "Deezer"), line("d", "Hit", isrc="ESABC2000001", usages="2"))
    import_report(tmp_path, FEBRUARY, line("a", "Hit", usages="3", revenue="0.5"))
    (tmp_path / FEBRUARY).write_text("\n".join((HEADER, line("b", "New", usages="4", revenue="1"), "")))
    call_command("import_dsr", str(tmp_path / FEBRUARY), replace=True, stdout=io.StringIO())
    import_message(tmp_path)
    price_limit_set(
        usage_type=UsageType.DATA, span=LimitSpan.MONTH, price=Decimal("12.50"), carrier="att", since=noon(1).date()
    )
    someone = subscription_recipe.make(pk=1001)  # not the id of the pages, so that each one must be replaced
    add(event(someone, price="12.50", amount=2048))
    limits_follow()
    secret = recipes.key.make(user=admin).secret
    return SimpleNamespace(url=live_server.url, folder=tmp_path, key=secret, dsr=january.pk, subscription=someone.pk)


def here(text, server):
    """The text of an example with the address, the key and the ids of the server."""
    version = SupersededDSR.objects.order_by("pk").last()
    standing = DSR.objects.ingested().get(path=FEBRUARY)
    hook = StoredWebhook.objects.order_by("pk").last()
    for pattern, ours in {
        re.escape(ADDRESS): server.url,
        r"\$(KEY|TOKEN)\b": server.key,
        r"/dsrs/12\b": f"/dsrs/{server.dsr}",
        r"\bdsr\(id: 12\)": f"dsr(id: {server.dsr})",
        r"/dsrs/7\b": f"/dsrs/{standing.pk}",
        r"\bversions\(dsr: 7\)": f"versions(dsr: {standing.pk})",
        r"/versions/3\b": f"/versions/{version.pk}",
        r"\b(revertToVersion|version)\(id: 3\)": rf"\1(id: {version.pk})",
        r"/subscriptions/1\b": f"/subscriptions/{server.subscription}",
        r"([sS]ubscription)\(id: 1\b": rf"\1(id: {server.subscription}",
        r'("subscription_id"|subscriptionId): 1\b': rf"\1: {server.subscription}",
        r'"subject": "1"': f'"subject": "{server.subscription}"',
        r'"subscription_id": 7\b': '"subscription_id": 2000000000',
        r"/webhooks/1\b": f"/webhooks/{hook.pk if hook else 1}",
    }.items():
        text = re.sub(pattern, ours, text)
    return text


def requested(words, server):
    """The answer to a request with curl, which must be a success."""
    arguments = [here(word, server) for word in words[1:]]
    process = subprocess.run(
        [program("curl"), "--silent", "--show-error", "--write-out", "\n%{http_code}", *arguments],
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    body, _, status = process.stdout.rpartition("\n")
    assert status[0] == "2", f"{status} {body}"
    return json.loads(body) if body[:1] in ("[", "{") else body


def queried(text, server):
    """The data of an operation of GraphQL, which must have no errors."""
    headers = {"authorization": f"Bearer {server.key}"}
    response = Client(headers=headers).post("/graphql", {"query": here(text, server)}, content_type="application/json")
    answer = response.json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def shape(value):
    """The names and the kinds of a value. Of a list, its first element; null is of any kind."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None if value is None else type(value).__name__


def fits(example, answer):
    """Whether two shapes are one, where null and an empty list fit all."""
    if isinstance(example, dict) and isinstance(answer, dict):
        return example.keys() == answer.keys() and all(fits(example[name], answer[name]) for name in example)
    if isinstance(example, list) and isinstance(answer, list):
        return not (example and answer) or fits(example[0], answer[0])
    return None in (example, answer) or example == answer


def run(block, server):
    """The answers of the requests, or of the query, of a block."""
    if block.language == "graphql":
        return [queried(block.text, server)]
    return [requested(words, server) for words in commands(block) if words[0] == "curl"]


def check(block, answers, server):
    """Run a block, or compare it with the answers to the one before. Return its answers."""
    if block in REQUESTS or block in QUERIES:
        return run(block, server)
    if block in ANSWERS:
        example = json.loads(block.text)
        assert any(fits(shape(example), shape(answer)) for answer in answers), answers
        assert block.heading not in EXACT or example in answers
    elif block is SENDER:
        assert printed(here(block.text, server), KEY=server.key) == "[]\n"
    elif block.marker.startswith("body: "):
        kind = block.marker.removeprefix("body: ")
        words = ["curl", f"{ADDRESS}/subscriptions/records/", "-H", f"Content-Type: {kind}", "-d", block.text]
        assert requested([*words, "-H", "Authorization: Bearer $KEY"], server)["refused"] == 0
    return answers


def printed(text, **environment):
    """What a program in Python prints."""
    process = subprocess.run(
        [sys.executable, "-c", text],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.django_db(transaction=True)
def test_all_requests_queries_and_programs_succeed_with_answers_of_the_documented_shape(server):
    answers, wrong = [], []
    for block in OURS:
        try:
            answers = check(block, answers, server)
        except (AssertionError, ValueError) as error:
            wrong.append(f"{block}: {error}")
    assert wrong == []


def test_there_are_many_examples():
    assert len(REQUESTS) > 20
    assert len(QUERIES) > 20
    assert len(ANSWERS) > 6


def test_no_program_and_no_json_is_left_out():
    programs = [block.page for block in OURS if block.language == "python"]
    assert programs == ["docs/integration.md", "docs/subscriptions.md", "docs/webhooks.md"]
    markers = {block.marker.partition(":")[0] for block in OURS if block.language == "json"}
    assert markers == {"", "body", "answer of", "line of the log"}


def test_each_query_is_valid():
    schema = build_schema((ROOT / "graphql_schema" / "schema.graphql").read_text())
    wrong = {str(block): validate(schema, parse(block.text)) for block in BLOCKS if block.language == "graphql"}
    assert {name: errors for name, errors in wrong.items() if errors} == {}


# --- Other blocks ----------------------------------------------------------------------------------------------


def only(language, page, text):
    (block,) = [block for block in OURS if (block.language, block.page) == (language, page) and text in block.text]
    return block


def marked(marker):
    (block,) = [block for block in OURS if block.marker.startswith(marker)]
    return block


@pytest.mark.django_db
def test_the_answer_of_readiness_has_the_documented_shape(client):
    block = marked("answer of: ")
    answer = client.get(block.marker.removeprefix("answer of: ")).json()
    assert shape(json.loads(block.text)) == shape(answer)


@pytest.mark.django_db
def test_a_line_of_the_log_has_the_documented_properties(client, caplog):
    caplog.set_level(logging.INFO)
    client.get("/dsrs/")
    (record,) = [record for record in caplog.records if record.name == "dsrhub.requests"]
    logs.RequestFilter().filter(record)
    options = logs.configuration(json=True)["formatters"]["line"]
    formatter = import_string(options.pop("()"))(**options)
    assert json.loads(formatter.format(record)).keys() == json.loads(marked("line of the log").text).keys()


@pytest.mark.django_db
@pytest.mark.parametrize("block", [block for block in OURS if block.language == "sql"], ids=str)
def test_sql_for_operators_runs(block):
    with connection.cursor() as cursor:
        cursor.execute(block.text)
        assert cursor.description


@pytest.mark.django_db
def test_the_service_adds_a_record_as_the_page_shows():
    someone = subscription_recipe.make()
    text = only("python", "docs/subscriptions.md", "usage_records_add").text
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    exec(text.replace("UsageEvent(1,", f"UsageEvent({someone.pk},"), {"moment": moment, "Decimal": Decimal})  # noqa: S102
    assert DataUsageRecord.objects.get(external_id="a-1").subscription == someone


def test_the_library_verifies_an_event_as_the_page_shows():
    secret = "whsec_" + "A" * 43 + "="
    now, body = datetime.now(UTC), '{"type": "webhook.test"}'
    signature = Webhook(secret).sign("msg_1", now, body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    names = {"secret": secret, "request": SimpleNamespace(body=body, headers=headers)}
    exec(only("python", "docs/webhooks.md", "verify").text, names)  # noqa: S102
    assert names["event"] == {"type": "webhook.test"}


def test_every_address_of_a_request_is_in_the_openapi_document(client):
    paths = client.get("/openapi.json").json()["paths"]
    patterns = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path).rstrip("/") + "/?$") for path in paths]
    asked = {
        urlsplit(word).path
        for block in REQUESTS
        for words in commands(block)
        for word in words
        if word.startswith(ADDRESS)
    }
    assert [path for path in sorted(asked) if not any(pattern.match(path) for pattern in patterns)] == []
