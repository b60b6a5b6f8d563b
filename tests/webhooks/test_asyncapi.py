"""The AsyncAPI document of the events. tests/webhooks/test_docs.py compares it with real events."""

import io
import json

import jsonschema
import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from dsrhub.webhooks.asyncapi import asyncapi_document, event_schema
from dsrhub.webhooks.models import TEST_EVENT, EventType
from tests.programs import missing

PATH = settings.BASE_DIR / "docs" / "webhooks" / "asyncapi.yaml"
PACKAGES = settings.BASE_DIR / "tests" / "typescript" / "node_modules"


def specification():
    """AsyncAPI's own schema of its documents."""
    path = PACKAGES / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    if not path.exists():
        missing(f"there is no {path}: run `npm ci` in tests/typescript")
    return jsonschema.Draft7Validator(json.loads(path.read_text()))


def test_the_document_in_the_docs_is_current():
    out = io.StringIO()
    call_command("asyncapi", stdout=out)
    assert PATH.read_text() == out.getvalue(), "run `python manage.py asyncapi > docs/webhooks/asyncapi.yaml`"
    assert yaml.safe_load(out.getvalue()) == asyncapi_document()


def test_the_document_is_valid():
    assert [error.message for error in specification().iter_errors(asyncapi_document())] == []


def test_the_specification_refuses_what_is_wrong():
    wrong = asyncapi_document()
    wrong["operations"]["sendEvent"]["action"] = "shout"
    assert not specification().is_valid(wrong)


def test_it_has_each_type_of_events_once():
    document = asyncapi_document()
    names = [*EventType.values, TEST_EVENT]
    assert sorted(document["components"]["messages"]) == sorted(names)
    assert sorted(document["channels"]["webhook"]["messages"]) == sorted(names)
    sent = [message["$ref"] for message in document["operations"]["sendEvent"]["messages"]]
    assert sorted(sent) == sorted(f"#/channels/webhook/messages/{name}" for name in names)


def event(name, data):
    return {"type": name, "timestamp": "2026-02-12T08:30:00.123456Z", "data": data}


INGESTED = {"dsrs": [17], "name": "a.tsv", "dsp": "Spotify", "message": None}


@pytest.mark.parametrize(
    ("data", "is_valid"),
    [
        (INGESTED, True),
        (INGESTED | {"message": 3, "new": "ignored"}, True),
        (INGESTED | {"dsrs": ["17"]}, False),
        (INGESTED | {"dsp": None}, False),
        ({name: value for name, value in INGESTED.items() if name != "message"}, False),
    ],
)
def test_the_schema_of_an_event_accepts_only_what_may_be_sent(data, is_valid):
    validator = jsonschema.Draft7Validator(event_schema("dsr.ingested"))
    assert validator.is_valid(event("dsr.ingested", data)) is is_valid
    assert not validator.is_valid(event("dsr.deleted", data))
