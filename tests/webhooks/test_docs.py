"""The examples of docs/webhooks.md are what is really sent, and the receiver of docs/integration.md really receives."""

import json
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.statistics.missing import missing_reports_tell
from catalogue.exceptions import ReportRefused
from catalogue.imports.services import dsr_import
from dsrhub.webhooks.models import TEST_EVENT, Event, EventType
from dsrhub.webhooks.running import events_deliver
from dsrhub.webhooks.services import webhook_test
from subscriptions.limits.following import limits_follow
from subscriptions.limits.services import price_limit_delete, price_limit_set
from subscriptions.models import LimitSpan, UsageType
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line, write_report
from tests.subscriptions.helpers import add, event, subscribe
from tests.waiting import wait_until
from tests.webhooks import recipes
from tests.webhooks.helpers import delivery_of

DOCS = Path(settings.BASE_DIR) / "docs"
PAGE = (DOCS / "webhooks.md").read_text()
EXAMPLES = [json.loads(text) for text in re.findall("```json\n(.*?)```", PAGE, re.DOTALL)]
# The page says in words how they differ from another one.
IN_WORDS = {EventType.DSR_REVERTED, EventType.LIMIT_WITHDRAWN}


def shape(event):
    """The names and the kinds of what an event has. A text or nothing is of one kind."""
    kinds = {name: type(value if value is not None else "").__name__ for name, value in event["data"].items()}
    return {"type": event["type"], "timestamp": len(event["timestamp"]), "data": kinds | {"message": "int or none"}}


@pytest.fixture
def all_events(real_commits, tmp_path):
    """One event of each type, at least."""
    webhook = recipes.webhook.make()
    import_report(tmp_path, NO_JANUARY, line("a"))
    path = write_report(tmp_path, NO_JANUARY, line("b"))
    dsr = dsr_import(path=path, name=NO_JANUARY, replace=True).dsr
    with pytest.raises(ReportRefused):
        import_report(tmp_path, NO_JANUARY.replace("202001", "202002").replace("31", "29"), line("", usages="x"))
    dsr_delete(dsr_number=dsr.pk)
    for month in (1, 3):
        start = date(2020, month, 1)
        catalogue_recipes.dsr.make(period_start=start, period_end=date(2020, month, 29))
    missing_reports_tell()
    add(event(subscribe(), 5, "12.50"))
    limit = price_limit_set(
        usage_type=UsageType.DATA, span=LimitSpan.MONTH, price=Decimal("12.50"), since=date(2026, 1, 1)
    )
    limits_follow()
    price_limit_delete(limit_number=limit.pk)
    limits_follow()
    webhook_test(webhook_number=webhook.pk)
    return [json.loads(body) for body in Event.objects.order_by("pk").values_list("body", flat=True)]


def test_each_example_has_the_properties_of_real_events(all_events):
    by_type = {event["type"]: shape(event) for event in all_events}
    assert {example["type"] for example in EXAMPLES} | IN_WORDS == {*EventType.values, TEST_EVENT}
    assert {example["type"]: shape(example) for example in EXAMPLES} == {
        example["type"]: by_type[example["type"]] for example in EXAMPLES
    }
    assert by_type["usage.limit_withdrawn"]["data"] == by_type["usage.limit_reached"]["data"]


def test_the_page_lists_every_type():
    rows = re.findall(r"^\| `([a-z_.]+)` \|", PAGE, re.MULTILINE)
    assert rows == [*sorted(EventType.values, key=rows.index), TEST_EVENT]


@pytest.mark.usefixtures("loopback", "db")
def test_the_receiver_of_the_first_event_prints_what_it_verified(tmp_path):
    (program,) = re.findall(
        r"<!-- receiver -->\n +```python\n(.*?) +```", (DOCS / "integration.md").read_text(), re.DOTALL
    )
    # On a free port, which it says.
    program = program.replace("   ", "", 1).replace("\n   ", "\n")
    before, after = "HTTPServer((", ").serve_forever()"
    program = program.replace(before, "server = " + before).replace(
        after, ")\nprint(server.server_port, flush=True)\nserver.serve_forever()"
    )
    (tmp_path / "receiver.py").write_text(program)
    environment = {"SECRET": recipes.SECRET, "PORT": "0", "PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "receiver.py"],
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as receiver:
        try:
            port = receiver.stdout.readline().strip()
            webhook = recipes.webhook.make(url=f"http://127.0.0.1:{port}/")
            delivery = webhook_test(webhook_number=webhook.pk)
            events_deliver()
            assert receiver.stdout.readline().startswith(f"{delivery.event.message_id} {{'type': 'webhook.test'")
            wait_until(lambda: delivery_of(delivery.event).state == "delivered", "it is delivered")
        finally:
            receiver.kill()
