"""Numbers that people and programs type, at every door: only plain digits are a number.

Python reads more: `int("1_0")`, `int("１０")` and `Decimal("1e1")` are 10.
"""

import json
from urllib.parse import urlencode

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import transaction

from catalogue.models import DSR, OperatorRate
from dsrhub.environment import env_int
from subscriptions.models import DataUsageRecord, UsageType
from subscriptions.records.files import usage_file_records
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import add_lines, line
from tests.subscriptions import recipes as usage_recipes
from tests.subscriptions.helpers import subscribe

pytestmark = pytest.mark.django_db

ODD = ["1_0", "１０", "1e1", "+10", " 10 ", "0x10", "NaN", "Infinity", "1,0", "10."]
BLANKS = {" 10 "}
# The columns of decimal numbers in files: their formats allow a sign and an exponent.
IN_FILES = {"1e1", "+10", "10."}


def rate_form(admin_client, monkeypatch, text):
    sent = {"currency": "NOK", "period_start": "2019-03-01", "period_end": "2019-03-31", "rate": text, "note": ""}
    admin_client.post("/admin/catalogue/operatorrate/add/", sent)
    return OperatorRate.objects.values_list("rate", flat=True).first()


def record_form(field, column):
    def door(admin_client, monkeypatch, text):
        sent = {"subscription": subscribe().pk, "usage_date_0": "2026-01-05", "usage_date_1": "12:00:00"}
        sent |= {"price": "1", "kilobytes_used": "1", "external_id": ""} | {field: text}
        admin_client.post("/admin/subscriptions/datausagerecord/add/", sent)
        return DataUsageRecord.objects.values_list(column, flat=True).first()

    return door


def record_of_subscription_10(admin_client, monkeypatch, text):
    usage_recipes.subscription.make(id=10)
    return record_form("subscription", "subscription")(admin_client, monkeypatch, text)


def page(path, name, read=lambda response: 10):
    """A form of the admin that is sent by GET."""

    def door(admin_client, monkeypatch, text):
        response = admin_client.get(path + urlencode({name: text}))
        return read(response) if response.status_code == 200 else None

    return door


def lines_page(admin_client, monkeypatch, text):
    return page(f"/admin/catalogue/dsr/{DSR.objects.get().pk}/lines/?", "after")(admin_client, monkeypatch, text)


def problems_list(admin_client, monkeypatch, text):
    """A filter that cannot be read leads back to the list."""
    response = admin_client.get("/admin/catalogue/reportproblem/", {"dsr": text})
    return 10 if response.status_code == 200 else None


def recording_page(admin_client, monkeypatch, text):
    add_lines(DSR.objects.get(), line("a"))
    return page("/admin/catalogue/resource/page/?dsp=Spotify&dsp_id=a&", "after")(admin_client, monkeypatch, text)


def export_form(admin_client, monkeypatch, text):
    sent = {"format": "0", "resource": "2", "percentile": text}
    response = admin_client.post("/admin/catalogue/dsr/export/", sent)
    return 10 if response.headers["Content-Type"].startswith("text/csv") else None


def rest(path, name=None):
    def door(admin_client, monkeypatch, text):
        response = admin_client.get(path + urlencode({name: text}) if name else path.format(text))
        return 10 if response.status_code == 200 else None

    return door


def graphql(argument, is_variable):
    def door(admin_client, monkeypatch, text):
        before, name, of_type, after = argument
        query = f"query($n: {of_type}) {{ {before}({name}: $n{after} }}"
        sent = {"query": query, "variables": {"n": text}}
        if not is_variable:
            sent = {"query": f"{{ {before}({name}: {json.dumps(text)}{after} }}"}
        answer = admin_client.post("/graphql", sent, content_type="application/json").json()
        return None if "errors" in answer else 10

    return door


LIMIT = ("subscriptionsOverLimit", "priceLimit", "Decimal!", ") { edges { cursor } }")
TOP = ("topResources", "percentile", "Int!", ") { edges { cursor } }")
FIRST = ("dsrs", "first", "Int", ") { edges { cursor } }")


def command(*words):
    def door(admin_client, monkeypatch, text):
        try:
            call_command(*[word.format(text) for word in words])
        except CommandError:
            return None
        return 10

    return door


def generate_dsrs(admin_client, monkeypatch, text):
    monkeypatch.setattr("catalogue.management.commands.generate_dsrs.samples_write", lambda *_, **__: [])
    return command("generate_dsrs", "/nowhere/at/all", "--seed={}", "--dsrs=1000000")(admin_client, monkeypatch, text)


def setting(admin_client, monkeypatch, text):
    monkeypatch.setenv("DSRHUB_TRIED", text)
    try:
        return env_int("DSRHUB_TRIED", default=1)
    except ImproperlyConfigured:
        return None


def usage_file(column):
    def door(admin_client, monkeypatch, text, tmp_path=None):
        cells = {"subscription_id": "1", "usage_date": "2026-01-05T12:00:00Z", "price": "1", "kilobytes_used": "1"}
        cells[column] = text
        content = "\t".join(cells) + "\n" + "\t".join(cells.values()) + "\n"
        path = tmp_path / "usage.tsv"
        path.write_text(content)
        with path.open("rb") as file:
            (record,) = usage_file_records(file, usage_type=UsageType.DATA)[1]
        names = {"subscription_id": "subscription", "kilobytes_used": "amount"}
        return getattr(record, names.get(column, column), None)

    return door


# Each door, and which of the odd texts are the number 10 there.
DOORS = {
    "rate in the admin": (rate_form, BLANKS),
    "price in the admin": (record_form("price", "price"), BLANKS),
    "amount in the admin": (record_form("kilobytes_used", "kilobytes_used"), BLANKS),
    "subscription in the admin": (record_of_subscription_10, set()),
    "percentile of the top": (page("/admin/catalogue/resource/top/?", "percentile"), BLANKS),
    "place in the top": (page("/admin/catalogue/resource/top/?", "after"), BLANKS),
    "place among lines": (lines_page, BLANKS),
    "DSR of problems": (problems_list, set()),
    "place in a recording": (recording_page, set()),
    "percentile of an export": (export_form, BLANKS),
    "percentile of REST": (rest("/resources/percentile/{}"), set()),
    "limit of REST": (rest("/dsrs/?", "limit"), set()),
    "price limit of REST": (rest("/subscriptions/over-limit/?", "price_limit"), set()),
    "subscription of REST": (rest("/subscriptions/usage/?from=2026-01-01&to=2026-01-02&", "subscription"), set()),
    "DSR of REST": (rest("/dsrs/{}/"), set()),
    **{
        f"{argument[0]} of GraphQL, {'variable' if is_variable else 'literal'}": (graphql(argument, is_variable), set())
        for argument in (LIMIT, TOP, FIRST)
        for is_variable in (True, False)
    },
    "rate of the command": (command("set_exchange_rate", "NOK", "2020-01-01", "2020-01-31", "{}"), set()),
    "jobs of the command": (command("import_dsr", "/nowhere/at/all.tsv", "--jobs={}"), set()),
    "days of the command": (command("generate_usage", "/nowhere/at/all", "--records=0", "--days={}"), set()),
    "seed of the command": (generate_dsrs, set()),
    "setting": (setting, BLANKS),
    "price of a usage file": (usage_file("price"), IN_FILES),
    "subscription of a usage file": (usage_file("subscription_id"), set()),
    "amount of a usage file": (usage_file("kilobytes_used"), set()),
}


# Of these, there is no 10: a file, a DSR; or GraphQL wants a number and no text.
WITHOUT_10 = {"jobs of the command", "days of the command", "seed of the command", "DSR of REST"} | {
    f"{field} of GraphQL, {how}" for field in ("topResources", "dsrs") for how in ("variable", "literal")
}


@pytest.mark.parametrize("door", DOORS)
def test_only_plain_digits_are_a_number(admin_client, monkeypatch, tmp_path, settings, door):
    settings.DSRHUB_UPLOAD_DIR = tmp_path
    # The page of a recording shows a DSR behind place 10.
    catalogue_recipes.dsr.make(id=1000)
    ask, accepted = DOORS[door]
    more = {"tmp_path": tmp_path} if "file" in door else {}
    expected = {text: 10 if text in accepted else None for text in ODD}
    if door not in WITHOUT_10:
        expected["10"] = 10

    found = {}
    for text in expected:
        before = transaction.savepoint()
        found[text] = ask(admin_client, monkeypatch, text, **more)
        transaction.savepoint_rollback(before)
    assert found == expected
