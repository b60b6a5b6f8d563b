"""Records over HTTP: the forms of the body, what is added, and what is refused."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from threading import BoundedSemaphore

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dsrhub.http.bodies import RECORDS_AT_ONCE, BoundedBody
from subscriptions.models import DataUsageRecord, VoiceUsageRecord
from subscriptions.records import ingestion
from subscriptions.records.services import usage_file_import
from tests import recipes
from tests.subscriptions.helpers import add, event, subscribe, sums
from tests.subscriptions.recipes import sealed_day

pytestmark = pytest.mark.django_db

PATH = "/subscriptions/records/"
NOON = "2026-01-05T12:00:00Z"
ADDED = {"added": 1, "repeated": 0, "refused": 0}


@pytest.fixture
def someone():
    return subscribe()


@pytest.fixture
def meter():
    """A program whose key may only write usage."""
    user = recipes.user.make(username="meter")
    user.user_permissions.set(Permission.objects.filter(codename="ingest_usage"))
    return Client(headers={"Authorization": f"Bearer {recipes.key.make(user=user, scopes=['write_usage']).secret}"})


def record(someone, **values):
    """A record of data; without one of its properties where the value is None."""
    whole = {"subscription_id": someone.pk, "usage_date": NOON, "price": "12.50", "kilobytes_used": 2048} | values
    return {name: value for name, value in whole.items() if value is not None}


def send(client, content, content_type="application/json", *, query="", **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return client.generic("POST", PATH + query, body, content_type=content_type, headers=headers)


def stored():
    """(subscription, time, price, amount, external id) of each record, in the order of the ids."""
    return [
        (one.subscription_id, one.usage_date, f"{one.price:f}", one.amount, one.external_id)
        for model in (DataUsageRecord, VoiceUsageRecord)
        for one in model.objects.order_by("pk")
    ]


AT_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

# --- Forms of the body -----------------------------------------------------------------------------------------


def bodies(someone):
    """The same three records in each form of a body that has several."""
    records = [record(someone, external_id=name, price=price) for name, price in (("a", "1"), ("b", "2.5"), ("c", "0"))]
    table = io.StringIO()
    writer = csv.DictWriter(table, records[0])
    writer.writeheader()
    writer.writerows(records)
    events = [{"specversion": "1.0", "source": "/m", "type": "usage", "id": "x", "data": one} for one in records]
    return {
        "application/json": json.dumps(records),
        "application/json; charset=utf-8": "\ufeff" + json.dumps(records, indent=1),
        "application/x-ndjson": "\n".join(map(json.dumps, records)),
        "application/jsonl": "\r\n\r\n".join(map(json.dumps, records)) + "\r\n",
        "text/csv": table.getvalue(),
        "text/tab-separated-values": table.getvalue().replace(",", "\t"),
        "application/cloudevents-batch+json": json.dumps(events),
    }


@pytest.mark.parametrize("is_packed", [False, True])
def test_each_form_adds_the_same_records(meter, someone, is_packed):
    for content_type, text in bodies(someone).items():
        DataUsageRecord.objects.all().delete()
        body, headers = text.encode(), {}
        if is_packed:
            body, headers = gzip.compress(body), {"Content-Encoding": "gzip"}
        answer = send(meter, body, content_type, **headers)
        assert (answer.status_code, answer.json()) == (201, {"added": 3, "repeated": 0, "refused": 0}), content_type
        assert stored() == [
            (someone.pk, AT_NOON, "1", 2048, "a"),
            (someone.pk, AT_NOON, "2.5", 2048, "b"),
            (someone.pk, AT_NOON, "0", 2048, "c"),
        ]


@pytest.mark.parametrize("path", [PATH, PATH.removesuffix("/")])
def test_one_record_needs_no_array(meter, someone, path):
    body = json.dumps(record(someone))
    answer = meter.generic("POST", path, body, content_type="application/json")
    assert (answer.status_code, answer.json()) == (201, ADDED)
    assert stored() == [(someone.pk, AT_NOON, "12.50", 2048, None)]


def test_numbers_keep_all_their_digits(meter, someone):
    digits = "0.1234567890123456789012345678901"
    text = json.dumps([record(someone), record(someone)])
    text = text.replace('"12.50"', digits, 1).replace('"12.50"', "1e-7").replace("2048", str(2**53 + 1))
    assert send(meter, text.encode()).status_code == 201
    assert [(price, amount) for _, _, price, amount, _ in stored()] == [(digits, 2**53 + 1), ("0.0000001", 2**53 + 1)]


def test_texts_of_digits_are_numbers(meter, someone):
    sent = record(someone, subscription_id=str(someone.pk), kilobytes_used="7", price=-3)
    assert send(meter, sent).status_code == 201
    assert stored() == [(someone.pk, AT_NOON, "-3", 7, None)]


def test_a_request_may_have_both_usage_types(meter, someone):
    voice = record(someone, kilobytes_used=None, seconds_used=60)
    answer = send(meter, [record(someone), voice, record(someone)])
    assert answer.json() == {"added": 3, "repeated": 0, "refused": 0}
    assert sums() == {(someone.pk, "data"): ("25.00", 4096), (someone.pk, "voice"): ("12.50", 60)}


def test_no_record_is_nothing_to_add(meter):
    for body, content_type in ((b"[]", "application/json"), (b"\n\n", "application/x-ndjson")):
        answer = send(meter, body, content_type)
        assert (answer.status_code, answer.json()) == (200, {"added": 0, "repeated": 0, "refused": 0})


# --- CloudEvents -----------------------------------------------------------------------------------------------


def cloud_event(someone, data, **attributes):
    known = {"type": "usage", "source": "/meter", "id": "é 1", "subject": str(someone.pk), "time": AT_NOON}
    return CloudEvent(known | attributes, data)


@pytest.mark.parametrize("mode", [http.to_structured_event, http.to_binary_event])
def test_an_event_of_the_reference_library_is_a_record(meter, someone, mode):
    message = mode(cloud_event(someone, {"price": "12.50", "seconds_used": 60}, datacontenttype="application/json"))
    headers = {name.lower(): value for name, value in message.headers.items()}
    content_type = headers.pop("content-type")
    for status, counts in ((201, ADDED), (200, {"added": 0, "repeated": 1, "refused": 0})):
        answer = send(meter, message.body, content_type, **headers)
        assert (answer.status_code, answer.json()) == (status, counts)
    assert stored() == [(someone.pk, AT_NOON, "12.50", 60, "é 1")]


def test_what_the_data_has_wins_over_the_attributes_of_the_event(meter, someone):
    other = subscribe()
    data = record(other, usage_date="2026-01-06T00:00:00Z", external_id="own")
    envelope = {"specversion": "1.0", "id": "e", "source": "/m", "type": "t", "subject": str(someone.pk), "time": NOON}
    send(meter, envelope | {"data": data}, "application/cloudevents+json")
    send(meter, envelope | {"data": data | {"external_id": None}}, "application/cloudevents+json")
    day = datetime(2026, 1, 6, tzinfo=UTC)
    assert stored() == [(other.pk, day, "12.50", 2048, "own"), (other.pk, day, "12.50", 2048, None)]


EVENT = {"specversion": "1.0", "id": "e", "source": "/m", "type": "t", "time": NOON}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"specversion": "0.3"}, "specversion", "not_a_cloud_event"),
        ({"id": ""}, "id", "not_a_cloud_event"),
        ({"source": 1}, "source", "not_a_cloud_event"),
        ({"type": None}, "type", "not_a_cloud_event"),
        ({"subject": 7}, "subject", "not_a_cloud_event"),
        ({"time": "noon"}, "time", "not_a_cloud_event"),
        ({"datacontenttype": "text/xml"}, "datacontenttype", "not_a_cloud_event"),
        ({"data_base64": "e30="}, "data_base64", "data_not_json"),
        ({"data": [1]}, "data", "data_not_json"),
        ({"data": {"price": "1"}}, "kilobytes_used or seconds_used", "one_amount_needed"),
        ({"data": {"price": "1", "seconds_used": 1}}, "subscription_id", "property_missing"),
    ],
)
def test_a_wrong_event_is_named(meter, someone, changes, field, code):
    answer = send(meter, EVENT | changes, "application/cloudevents+json")
    (problem,) = answer.json()["problems"]
    assert (answer.status_code, problem["position"], problem["field"], problem["code"]) == (400, 1, field, code)
    assert stored() == []


# --- All or none -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        (5, "record", "not_an_object"),
        ({"price": None}, "price", "property_missing"),
        ({"usage_date": None}, "usage_date", "property_missing"),
        ({"kilobytes_used": None}, "kilobytes_used or seconds_used", "one_amount_needed"),
        ({"seconds_used": 1}, "kilobytes_used or seconds_used", "one_amount_needed"),
        ({"currency": "EUR"}, "currency", "property_unknown"),
        ({"price": "1,5"}, "price", "not_a_number"),
        ({"price": True}, "price", "not_a_number"),
        ({"price": "1e999999"}, "price", "number_out_of_range"),
        ({"kilobytes_used": 1.5}, "kilobytes_used", "not_a_whole_number"),
        ({"kilobytes_used": -1}, "kilobytes_used", "not_a_whole_number"),
        ({"kilobytes_used": 2**63}, "kilobytes_used", "number_out_of_range"),
        ({"subscription_id": True}, "subscription_id", "not_a_whole_number"),
        ({"subscription_id": 10**12}, "subscription_id", "unknown_subscription"),
        ({"subscription_id": 10**4000}, "subscription_id", "number_out_of_range"),
        ({"usage_date": "2026-01-05T12:00:00"}, "usage_date", "time_zone_missing"),
        ({"usage_date": 1767614400}, "usage_date", "not_a_time"),
        ({"usage_date": "2999-01-05T12:00:00Z"}, "usage_date", "time_in_future"),
        ({"external_id": 7}, "external_id", "not_text"),
        ({"external_id": ""}, "external_id", "wrong_length"),
        ({"external_id": "a\ud800"}, "external_id", "not_printable"),
        ({"external_id": "a" * 256}, "external_id", "wrong_length"),
    ],
)
def test_a_wrong_record_refuses_all(meter, someone, wrong, field, code):
    bad = record(someone, **wrong) if isinstance(wrong, dict) else wrong
    answer = send(meter, [record(someone), bad])
    said = answer.json()
    (problem,) = said["problems"]
    assert (answer.status_code, said["code"], said["error_count"]) == (400, "invalid_usage", 1)
    assert (problem["position"], problem["field"], problem["code"]) == (2, field, code)
    assert problem["message"].endswith(".")
    assert stored() == []


def test_all_problems_of_both_usage_types_are_counted_and_the_first_100_listed(meter, someone):
    unknown = record(someone, subscription_id=10**12, kilobytes_used=None, seconds_used=1)
    said = send(meter, [record(someone), *[record(someone, price="x")] * 120, unknown]).json()
    assert (said["error_count"], len(said["problems"]), said["problems"][0]["position"]) == (121, 100, 2)
    assert stored() == []


def test_a_property_that_is_there_twice_is_refused(meter, someone):
    text = json.dumps(record(someone)).replace('"price"', '"price": "1", "price"')
    (problem,) = send(meter, text.encode()).json()["problems"]
    assert (problem["field"], problem["code"]) == ("record", "property_repeated")


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        ("application/json", b"{", "not_json"),
        ("application/json", b"[NaN]", "not_json"),
        ("application/json", b"\xff", "not_json"),
        ("application/json", b"[" * 100_000, "not_json"),
        ("application/json", b"1" * 5000, "not_json"),
        ("application/json", b"", "empty_body"),
        ("application/cloudevents+json", b"nothing", "not_json"),
        ("text/csv", gzip.compress(b"a", mtime=0), "gzip_without_encoding"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(meter, content_type, body, code):
    answer = send(meter, body, content_type)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_line_that_is_not_json_and_a_wrong_header_are_named(meter, someone):
    (problem,) = send(meter, b'\n{"a":\n', "application/x-ndjson").json()["problems"]
    assert (problem["position"], problem["code"]) == (1, "not_json")
    (problem,) = send(meter, b"subscription_id,price\n", "text/csv").json()["problems"]
    assert (problem["position"], problem["field"], problem["code"]) == (0, "usage_date", "column_missing")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=b", "application/xml", ""])
def test_other_content_types_are_refused(meter, someone, content_type):
    assert send(meter, record(someone), content_type).status_code == 415


def test_unknown_and_wrong_parameters_are_refused(meter, someone):
    for query, code in (("?partly=true", "unknown"), ("?partial=x", "invalid"), ("?partial=1&partial=1", "repeated")):
        answer = send(meter, record(someone), query=query)
        assert (answer.status_code, next(iter(answer.json().values()))[0]["code"]) == (400, code)
    assert stored() == []


# --- Each by itself --------------------------------------------------------------------------------------------


def test_each_valid_record_is_added_and_each_has_its_result(meter, someone):
    add(event(someone, 5, "12.50", 2048, "there"))
    answer = send(
        meter,
        [
            record(someone, external_id="new"),
            record(someone, external_id="there"),
            record(someone, external_id="there", price="13"),
            record(someone, external_id="new"),
            record(someone, external_id="new", kilobytes_used=1),
            record(someone, price="x"),
            {"price": "1"},
            record(someone, subscription_id=10**12),
            record(someone, kilobytes_used=None, seconds_used=9),
        ],
        query="?partial=true",
    )
    said = answer.json()
    assert (answer.status_code, said["added"], said["repeated"], said["refused"]) == (207, 2, 2, 5)
    assert [(one["position"], one["outcome"], one.get("problem", {}).get("code")) for one in said["results"]] == [
        (1, "added", None),
        (2, "repeated", None),
        (3, "refused", "usage_conflict"),
        (4, "repeated", None),
        (5, "refused", "usage_conflict"),
        (6, "refused", "not_a_number"),
        (7, "refused", "one_amount_needed"),
        (8, "refused", "unknown_subscription"),
        (9, "added", None),
    ]
    assert sums() == {(someone.pk, "data"): ("25.00", 4096), (someone.pk, "voice"): ("12.50", 9)}


def test_without_refusals_the_status_says_so(meter, someone):
    sent = record(someone, external_id="a")
    assert [send(meter, sent, query="?partial=true").status_code for _ in range(2)] == [201, 200]


def test_an_id_of_a_refused_record_is_free(meter, someone):
    records = [record(someone, external_id="a", price="x"), record(someone, external_id="a")]
    said = send(meter, records, query="?partial=true").json()
    assert [one["outcome"] for one in said["results"]] == ["refused", "added"]


def test_many_records_by_copy_have_the_same_results(meter, someone, monkeypatch):
    monkeypatch.setattr(ingestion, "FEW_RECORDS", 1)
    records = [record(someone, external_id=str(number)) for number in range(5)]
    records[2] |= {"price": "x"}
    said = send(meter, records, query="?partial=true").json()
    assert [one["outcome"] for one in said["results"]] == ["added", "added", "refused", "added", "added"]
    again = send(meter, records, query="?partial=true").json()
    assert [one["outcome"] for one in again["results"]] == ["repeated", "repeated", "refused", "repeated", "repeated"]
    del records[2]
    assert send(meter, records).json() == {"added": 0, "repeated": 4, "refused": 0}
    assert sums() == {(someone.pk, "data"): ("50.00", 8192)}


# --- External ids ----------------------------------------------------------------------------------------------


def test_a_retry_by_another_way_counts_once(meter, someone, tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(f"subscription_id,usage_date,price,kilobytes_used,external_id\n{someone.pk},{NOON},12.5,2048,a-1\n")
    assert usage_file_import(path=path).added == 1
    repeated = {"added": 0, "repeated": 1, "refused": 0}
    assert send(meter, record(someone, external_id="a-1")).json() == repeated
    assert send(meter, record(someone, external_id=" ａ-1 ", price="1.25e1")).json() == repeated
    data = record(someone, usage_date=None)
    assert send(meter, EVENT | {"id": "a-1", "data": data}, "application/cloudevents+json").json() == repeated
    assert send(meter, record(someone, external_id="b")).json() == ADDED
    assert usage_file_import(path=path).repeated == 1
    assert sums() == {(someone.pk, "data"): ("25.00", 4096)}


@pytest.mark.parametrize("others", [[], [{"kilobytes_used": None, "seconds_used": 1}]])
def test_the_same_id_with_other_content_is_a_conflict(meter, someone, others):
    """Also beside a record of the other usage type."""
    send(meter, record(someone, external_id="a"))
    records = [
        record(someone),
        record(someone, external_id="a", price="1"),
        *(record(someone, **one) for one in others),
    ]
    answer = send(meter, records)
    said = answer.json()
    assert (answer.status_code, said["code"], said["position"]) == (409, "usage_conflict", 2)
    assert (said["subscription"], said["external_id"]) == (someone.pk, "a")
    assert len(stored()) == 1


def test_ids_are_of_a_subscription_and_a_usage_type(meter, someone):
    records = [record(one, external_id="a") for one in (someone, subscribe())]
    voice = record(someone, external_id="a", kilobytes_used=None, seconds_used=1)
    assert send(meter, [*records, voice]).json()["added"] == 3


# --- Sealed days -----------------------------------------------------------------------------------------------


def test_a_sealed_day_takes_only_a_backfill(meter, someone):
    sealed_day.make(usage_type="data")
    answer = send(meter, record(someone))
    assert (answer.status_code, answer.json()["code"]) == (409, "day_sealed")
    mixed = [record(someone), record(someone, kilobytes_used=None, seconds_used=1)]
    assert send(meter, mixed).json()["code"] == "day_sealed"
    said = send(meter, mixed, query="?partial=true").json()
    assert [one["outcome"] for one in said["results"]] == ["refused", "added"]
    assert send(meter, mixed, query="?backfill=true&partial=true").json()["added"] == 2


# --- Limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "text/csv"])
def test_a_request_has_a_limited_number_of_records(meter, someone, monkeypatch, content_type):
    for module in ("subscriptions.records.ingestion", "subscriptions.api.records"):
        monkeypatch.setattr(f"{module}.MOST_RECORDS", 2)
    answer = send(meter, bodies(someone)[content_type].encode(), content_type)
    assert (answer.status_code, answer.json()) == (
        413,
        {"detail": "A request may have at most 2 records.", "code": "too_many_records", "most": 2},
    )
    assert stored() == []


def test_a_body_has_a_limited_size_also_unpacked(meter, someone, settings):
    settings.DSRHUB_RECORDS_BYTES = 100_000
    spaces = json.dumps(record(someone)).encode() + b" " * 100_000
    for body, headers in ((spaces, {}), (gzip.compress(spaces), {"Content-Encoding": "gzip"})):
        answer = send(meter, body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert send(meter, spaces[:-1000]).status_code == 201


def test_a_busy_server_says_when_to_retry_and_loses_nothing(meter, someone, monkeypatch):
    slots = BoundedSemaphore(RECORDS_AT_ONCE)
    monkeypatch.setattr(BoundedBody, "_record_slots", slots)
    for _ in range(RECORDS_AT_ONCE):
        assert slots.acquire(blocking=False)
    answer = send(meter, record(someone))
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (429, "busy", "1")
    assert stored() == []
    assert meter.get("/subscriptions/", headers={"Authorization": ""}).status_code == 200
    slots.release()
    # A slot is free again after each request, even after one that fails.
    assert [send(meter, one).status_code for one in ([5], record(someone), record(someone))] == [400, 201, 201]


def test_a_request_has_the_same_queries_for_1_record_and_for_100(meter, someone):
    send(meter, record(someone))

    def statements(count):
        with CaptureQueriesContext(connection) as captured:
            send(meter, [record(someone, external_id=f"{count} {number}") for number in range(count)])
        return len(captured)

    assert statements(2) == statements(100)


# --- Permissions -----------------------------------------------------------------------------------------------


def test_it_needs_the_permission_and_the_scope(someone):
    bob = recipes.user.make()
    allowed = recipes.superuser.make()
    for user, scopes, code in (
        (bob, ["write_usage"], "permission_denied"),
        (allowed, ["read_usage", "import", "admin"], "scope_missing"),
    ):
        client = Client(headers={"Authorization": f"Bearer {recipes.key.make(user=user, scopes=scopes).secret}"})
        answer = send(client, record(someone))
        assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert send(Client(), record(someone)).status_code == 401
    assert stored() == []


def test_an_added_record_is_in_the_next_answer(meter, someone):
    reader = Client()
    send(meter, record(someone, price="0.10"))
    (row,) = reader.get("/subscriptions/over-limit/?price_limit=0.1").json()
    assert row["exceeded"] == [{"usage_type": "data", "total_price": "0.10", "exceeded_by": "0.00"}]
