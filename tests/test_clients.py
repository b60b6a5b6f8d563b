"""Clients of a running server: clients generated from its OpenAPI document, and the examples of the README."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from subscriptions.limits.following import limits_follow
from subscriptions.limits.services import price_limit_set
from subscriptions.models import LimitSpan
from tests import recipes
from tests.catalogue.helpers import ES_JANUARY, HEADER, NO_JANUARY, import_report, line, write_report
from tests.programs import missing, program
from tests.subscriptions.helpers import DATA, add, event, subscribe
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(running_server, tmp_path):
    """A server with usage that reached a limit, and with a DSR of two recordings, one with most of the revenue."""
    add(event(subscribe(), price="0.10", amount=2**53 - 1))
    price_limit_set(usage_type=DATA, span=LimitSpan.MONTH, price=Decimal("0.10"), since=date(2026, 1, 1))
    limits_follow()
    import_report(tmp_path, ES_JANUARY, line("a", usages="3", revenue="0.75"), line("b", revenue="0.25"))
    recipes.superuser.make(username="admin")
    return running_server


# --- Generated clients -----------------------------------------------------------------------------------------

# What the programs of all languages print.
PRINTED = [
    "a 0.75 3",
    "0.10 kilobytes",
    "subscription_id,usage_type,total_price,total_usage,unit",
    "2026-01-05 0.10 all month true",
    f"loaded {NO_JANUARY}",
    f"{ES_JANUARY} {NO_JANUARY}",
    "Invalid token.",
    "401",
    "204",
    "201 sprint new",
    "expired",
    "1 0 0",
    "1 1 usage_conflict",
    "sprint 2026-01 1 5.50",
    "sprint",
    "scope_missing",
    "201 5.50 sprint 2026-01",
    "0.10 5.50",
    "false",
    "204",
    "404",
    "201 statistics whsec_",
    "rotated",
    "user",
    "webhook_disabled",
    "202 webhook.test waiting",
    "the same event again, in 1 delivery",
    "usage.limit_reached",
    "scope_missing",
    "204",
    "404",
]
REPORT = "\n".join((HEADER, line("a", revenue="10"), ""))


def meter_key():
    """The secret of a key that may read and write usage only."""
    admin = User.objects.get(username="admin")
    return recipes.key.make(user=admin, scopes=["read_usage", "write_usage"]).secret


def output(command, folder, **environment):
    """What a program prints, which must end well and without a warning."""
    process = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "arning" not in process.stdout + process.stderr
    return process.stdout


PYTHON = """
import sys
from datetime import date
from io import BytesIO

from client import AuthenticatedClient, Client
from client.api.dsrs import dsrs_create, dsrs_delete, dsrs_list, dsrs_read
from client.api.resources import resources_percentile
from client.api.session import token_create
from client.api.subscriptions import (
    subscriptions_change,
    subscriptions_create,
    subscriptions_crossings,
    subscriptions_limits,
    subscriptions_limits_delete,
    subscriptions_limits_set,
    subscriptions_list,
    subscriptions_records_create,
    subscriptions_usage,
    subscriptions_usage_csv,
    subscriptions_usage_of_carriers,
)
from client.api.webhooks import (
    webhooks_change,
    webhooks_create,
    webhooks_delete,
    webhooks_deliveries,
    webhooks_list,
    webhooks_read,
    webhooks_resend,
    webhooks_rotate,
    webhooks_test,
)
from client.models import (
    AuthTokenRequest,
    CarrierEnum,
    EventsEnum,
    NewSubscriptionRequest,
    PatchedChangedSubscriptionRequest,
    PatchedWebhookChangeBodyRequest,
    PriceLimitBodyRequest,
    RecordRequest,
    SpanEnum,
    SubscriptionStatusEnum,
    SubscriptionsUsageOfCarriersGroupBy,
    UploadParametersRequest,
    UsageTypeEnum,
    WebhookBodyRequest,
)
from client.types import File

url, name, report, key = sys.argv[1:]
anybody = Client(base_url=url)
for resource in resources_percentile.sync(50, client=anybody, territory="ES"):
    print(resource.dsp_id, resource.revenue, resource.usages)

days = {"from_": date(2026, 1, 1), "to": date(2026, 1, 31)}
for total in subscriptions_usage.sync(client=anybody, **days):
    print(total.total_price, total.unit)
print(subscriptions_usage_csv.sync(client=anybody, **days).splitlines()[0])
reached = subscriptions_crossings.sync_detailed(client=anybody, **days)
for one in reached.parsed:
    print(one.day, one.price_limit, one.limit_of.value, one.span.value, reached.headers["current"])

token = token_create.sync(client=anybody, body=AuthTokenRequest("admin", "lovelace")).token
admin = AuthenticatedClient(base_url=url, token=token)
file = File(BytesIO(report.encode()), name, "text/tab-separated-values")
report = dsrs_create.sync(client=admin, body=UploadParametersRequest(file=file))
print(report.outcome, report.dsr.path)
print(*[dsr.path for dsr in dsrs_list.sync(client=anybody)])

wrong = AuthenticatedClient(base_url=url, token=f"{token}0")
print(dsrs_read.sync(report.dsr.id, client=wrong).detail)
print(dsrs_delete.sync_detailed(report.dsr.id, client=anybody).status_code.value)
print(dsrs_delete.sync_detailed(report.dsr.id, client=admin).status_code.value)

meter = AuthenticatedClient(base_url=url, token=key)
created = subscriptions_create.sync_detailed(client=meter, body=NewSubscriptionRequest(CarrierEnum("sprint")))
one = created.parsed
print(created.status_code.value, one.carrier.value, one.status.value)
ended = PatchedChangedSubscriptionRequest(status=SubscriptionStatusEnum("expired"))
print(subscriptions_change.sync(one.id, client=meter, body=ended).status.value)
record = {"subscription_id": one.id, "usage_date": "2026-01-05T12:00:00Z", "kilobytes_used": 7}
first, other, new = (
    RecordRequest.from_dict(record | {"external_id": external_id, "price": price})
    for external_id, price in (("a", "2.50"), ("a", "3"), ("b", "3"))
)
done = subscriptions_records_create.sync(client=meter, body=[first])
print(done.added, done.repeated, done.refused)
done = subscriptions_records_create.sync(client=meter, body=[other, new], partial=True)
print(done.added, done.refused, done.results[0].problem.code)
month = SubscriptionsUsageOfCarriersGroupBy("month")
days = {"from_": date(2026, 1, 1), "to": date(2026, 1, 5)}
(row,) = subscriptions_usage_of_carriers.sync(client=meter, carrier=CarrierEnum("sprint"), group_by=month, **days)
print(row.carrier.value, row.month, row.subscription_count, row.total_price)
print(subscriptions_list.sync(client=meter, id=str(one.id))[0].carrier.value)
print(dsrs_read.sync(1, client=meter).code)

monthly = {"usage_type": UsageTypeEnum("data"), "span": SpanEnum("month")}
of_sprint = PriceLimitBodyRequest(**monthly, price="5.50", carrier=CarrierEnum("sprint"), since="2026-01")
done = subscriptions_limits_set.sync_detailed(client=admin, body=of_sprint)
limit = done.parsed
print(done.status_code.value, limit.price, limit.carrier, limit.since)
print(*[each.price for each in subscriptions_limits.sync(client=anybody)])
print(subscriptions_crossings.sync_detailed(client=anybody).headers["current"])
print(subscriptions_limits_delete.sync_detailed(limit.id, client=admin).status_code.value)
print(subscriptions_limits_delete.sync_detailed(limit.id, client=admin).status_code.value)

new = WebhookBodyRequest("statistics", "https://198.41.0.4/events", [EventsEnum("usage.limit_reached")])
done = webhooks_create.sync_detailed(client=admin, body=new)
number, secret = done.parsed.webhook.id, done.parsed.secret
print(done.status_code.value, done.parsed.webhook.name, secret[:6])
print("rotated" if webhooks_rotate.sync(number, client=admin).secret != secret else "as before")
off, on = (PatchedWebhookChangeBodyRequest(enabled=enabled) for enabled in (False, True))
print(webhooks_change.sync(number, client=admin, body=off).disabled_reason)
print(webhooks_test.sync(number, client=admin).code)
assert webhooks_change.sync(number, client=admin, body=on).enabled
done = webhooks_test.sync_detailed(number, client=admin)
sent = done.parsed
print(done.status_code.value, sent.type_, sent.state.value)
again = webhooks_resend.sync(number, sent.id, client=admin)
deliveries = webhooks_deliveries.sync(number, client=admin)
if again.message_id == sent.message_id and again.content.to_dict()["data"] == {"webhook": number}:
    print("the same event again, in", len(deliveries), "delivery")
for each in webhooks_list.sync(client=admin):
    print(*[kind.value for kind in each.events])
print(webhooks_list.sync(client=meter).code)
print(webhooks_delete.sync_detailed(number, client=admin).status_code.value)
print(webhooks_read.sync_detailed(number, client=admin).status_code.value)
"""


def test_a_python_client_queries_exports_signs_in_uploads_and_deletes(server, tmp_path):
    # Its generator formats what it generates with a program of the same environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    generate = ["openapi-python-client", "generate", "--url", f"{server.url}/openapi.json", "--meta", "none"]
    output([*generate, "--output-path", "client"], tmp_path, PATH=path)
    printed = output([sys.executable, "-c", PYTHON, server.url, NO_JANUARY, REPORT, meter_key()], tmp_path)
    assert printed.splitlines() == PRINTED


TYPESCRIPT = settings.BASE_DIR / "tests" / "typescript"


def test_a_typescript_client_compiles_and_does_the_same(server, tmp_path):
    node = program("node")
    packages = TYPESCRIPT / "node_modules"
    if not packages.exists():
        missing(f"there is no {packages}: run `npm ci` in its folder")
    for name in ("client.ts", "package.json", "tsconfig.json"):
        shutil.copy(TYPESCRIPT / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages)
    generate = [packages / ".bin" / "openapi-typescript", f"{server.url}/openapi.json", "--output", "schema.ts"]
    output(generate, tmp_path)
    output([packages / ".bin" / "tsc", "--project", "."], tmp_path)
    printed = output([node, "client.js", server.url, NO_JANUARY, REPORT, meter_key()], tmp_path)
    assert printed.splitlines() == PRINTED


# --- The README's examples -------------------------------------------------------------------------------------

EXAMPLES = re.findall(r"<!-- example -->\n```(\w+)\n(.+?)```", (settings.BASE_DIR / "README.md").read_text(), re.DOTALL)
RUN = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "--input-type=module", "--eval"],
}


def output_of(language, text, server, folder):
    """The output of an example, with this server's address, password and file instead of the README's."""
    name, *options = RUN[language]
    for theirs, ours in {
        "http://localhost:8000": server.url,
        "password=...": "password=lovelace",
        "path/to/report.tsv.gz": str(write_report(folder, f"{NO_JANUARY}.gz", line("a", revenue="10"))),
    }.items():
        text = text.replace(theirs, ours)
    command = [program(name), *options, text]
    process = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_readme_has_an_example_for_each_client():
    assert [language for language, _ in EXAMPLES] == ["sh", "python", "js", "sh"]


@pytest.mark.parametrize("language", ["sh", "python", "js"])
def test_the_example_of_a_query_works(server, tmp_path, language):
    text = next(text for other, text in EXAMPLES if other == language)
    output = output_of(language, text, server, tmp_path)
    if language == "sh":
        (resource,) = json.loads(output)
        assert (resource["dsp_id"], resource["revenue"]) == ("a", 0.75)
    else:
        assert output == "a 0.75\n"


def test_the_example_of_an_upload_works(server, tmp_path):
    language, text = EXAMPLES[-1]
    assert json.loads(output_of(language, text, server, tmp_path))["outcome"] == "loaded"
