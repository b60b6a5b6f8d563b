"""The endpoints of usage: parameters, answers and errors. The tests of the selectors check the sums."""

import csv
import io
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import settings
from werkzeug import Client as WSGIClient

from dsrhub.wsgi import application
from subscriptions.aggregates.services import daily_usage_refresh
from tests import recipes
from tests.subscriptions import recipes as usage_recipes
from tests.subscriptions.helpers import VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db

OVER, USAGE = "/subscriptions/over-limit/", "/subscriptions/usage/"
JANUARY = {"from": "2026-01-01", "to": "2026-01-31"}


@pytest.fixture
def someone():
    """Data for 12.50 on two days of January, voice for 3 on one, and data in February."""
    someone = subscribe()
    add(event(someone, 5, "10", 2000), event(someone, 6, "2.50", 48), event(someone, 1, "100", 1, month=2))
    add(event(someone, 6, "3", 61), usage_type=VOICE)
    return someone


def answer(client, path, **query):
    response = client.get(path, query)
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/json"
    return response.json()


def refusal(client, path, **query):
    """The error codes of a refused request, by parameter."""
    response = client.get(path, query)
    assert (response.status_code, response["Content-Type"]) == (400, "application/json"), response.content
    return {name: [finding["code"] for finding in findings] for name, findings in response.json().items()}


# --- Answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [OVER, OVER.removesuffix("/")])
def test_over_limit(client, someone, path):
    assert answer(client, path, price_limit="10", **JANUARY) == [
        {
            "subscription_id": someone.pk,
            "exceeded": [{"usage_type": "data", "total_price": "12.50", "exceeded_by": "2.50"}],
        }
    ]


def test_over_limit_without_a_range_is_of_all_time(client, someone):
    (row,) = answer(client, OVER, price_limit="3")
    assert row["exceeded"] == [
        {"usage_type": "data", "total_price": "112.50", "exceeded_by": "109.50"},
        {"usage_type": "voice", "total_price": "3.00", "exceeded_by": "0.00"},
    ]
    assert answer(client, OVER, price_limit="50", to="2026-01-31") == []
    (row,) = answer(client, OVER, **{"price_limit": "50", "from": "2026-02-01"})
    assert row["exceeded"] == [{"usage_type": "data", "total_price": "100.00", "exceeded_by": "50.00"}]


def test_a_limit_of_zero_lists_who_used_anything(client, someone):
    free, _idle = subscribe(2)
    add(event(free, price="0"))
    assert [row["subscription_id"] for row in answer(client, OVER, price_limit="0")] == [someone.pk, free.pk]


@pytest.mark.parametrize("path", [USAGE, USAGE.removesuffix("/")])
def test_usage(client, someone, path):
    data = {
        "subscription_id": someone.pk,
        "usage_type": "data",
        "total_price": "12.50",
        "total_usage": 2048,
        "unit": "kilobytes",
    }
    voice = {
        "subscription_id": someone.pk,
        "usage_type": "voice",
        "total_price": "3.00",
        "total_usage": 61,
        "unit": "seconds",
    }
    assert answer(client, path, **JANUARY) == [data, voice]
    assert answer(client, path, type="data", **JANUARY) == [data]
    assert answer(client, path, type="voice", **JANUARY) == [voice]


def test_usage_by_day(client, someone):
    assert answer(client, USAGE, type="data", group_by="day", **JANUARY) == [
        {
            "subscription_id": someone.pk,
            "usage_type": "data",
            "day": day,
            "total_price": price,
            "total_usage": usage,
            "unit": "kilobytes",
        }
        for day, price, usage in (("2026-01-05", "10.00", 2000), ("2026-01-06", "2.50", 48))
    ]


@pytest.mark.parametrize("end", ["/", ""])
def test_usage_of_one_subscription(client, someone, end):
    other = subscribe()
    add(event(other, 5, "7"))
    (row,) = answer(client, f"/subscriptions/{other.pk}/usage{end}", **JANUARY)
    assert (row["subscription_id"], row["total_price"]) == (other.pk, "7.00")
    assert answer(client, USAGE, subscription=other.pk, **JANUARY) == [row]
    assert len(answer(client, f"/subscriptions/{someone.pk}/usage/", group_by="day", **JANUARY)) == 3


def test_usage_of_an_unknown_subscription(client, someone):
    assert answer(client, USAGE, subscription=10**12, **JANUARY) == []
    for number in (10**12, "x", "0", "-1", "9" * 30):
        response = client.get(f"/subscriptions/{number}/usage/", JANUARY)
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."})


def test_nothing_used_is_an_empty_array(client, someone):
    assert answer(client, USAGE, **{"from": "2027-01-01", "to": "2027-12-31"}) == []


@pytest.mark.parametrize(("path", "query"), [(OVER, {"price_limit": "0"}), (USAGE, JANUARY)])
def test_the_time_of_the_snapshot_is_in_a_header(client, someone, path, query):
    before = timezone.now()
    as_of = datetime.fromisoformat(client.get(path, query)["as_of"])
    assert before <= as_of <= datetime.now(UTC)


# --- Pages -----------------------------------------------------------------------------------------------------


def pages(client, path, **query):
    """All pages of an answer, by following the header `Link`."""
    found = []
    while True:
        response = client.get(path, query)
        assert response.status_code == 200, response.content
        found.append(response.json())
        if "Link" not in response:
            return found
        address, relation = response["Link"].split(">; ")
        assert relation == 'rel="next"'
        parts = urlsplit(address.removeprefix("<"))
        path, query = parts.path, {name: value for name, (value,) in parse_qs(parts.query).items()}


@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize(
    ("path", "query"),
    [(OVER, {"price_limit": "1"}), (USAGE, JANUARY), (USAGE, {"group_by": "day", **JANUARY})],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_follow_each_other(client, refresh, path, query, limit):
    for someone in subscribe(5):
        add(event(someone, 5), event(someone, 6))
        add(event(someone, 6), usage_type=VOICE)
    if refresh:
        daily_usage_refresh()
    whole = answer(client, path, **query)
    found = pages(client, path, limit=limit, **query)
    assert [row for page in found for row in page] == whole
    assert {len(page) for page in found[:-1]} <= {limit}
    assert 1 <= len(found[-1]) <= limit


# Beside 0, which stands for all subscriptions.
EVERY_KIND_OF_ID = [-(2**63), -5, -1, 1, 2**31, 2**53 + 1, 10**18, 2**63 - 1]


@pytest.mark.parametrize(
    ("path", "query"),
    [(OVER, {"price_limit": "1"}), (USAGE, {}), (USAGE, {"group_by": "day"}), (USAGE, {"type": "data"})],
)
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_have_every_id_that_the_column_can_hold(client, path, query, limit):
    for number in EVERY_KIND_OF_ID:
        someone = usage_recipes.subscription.make(id=number)
        for day in (5, 6):
            sums = {"day": date(2026, 1, day), "price": 1, "amount": 2**62}
            usage_recipes.daily_usage.make(subscription=someone, **sums)
    days = {"from": "2026-01-05", "to": "2026-01-06"}
    found = [row for page in pages(client, path, limit=limit, **days, **query) for row in page]
    assert list(dict.fromkeys(row["subscription_id"] for row in found)) == EVERY_KIND_OF_ID
    assert len(found) == len(EVERY_KIND_OF_ID) * (2 if "group_by" in query else 1)
    # In JavaScript, 2^53 + 1 and the sum would be rounded.
    exact = [row for page in pages(client, path, limit=limit, exact="true", **days, **query) for row in page]
    as_text = {"subscription_id", "total_usage"}
    assert exact == [{name: str(one) if name in as_text else one for name, one in row.items()} for row in found]
    if path == USAGE and "group_by" not in query:
        assert {row["total_usage"] for row in exact} == {"9223372036854775808"}
        for number in EVERY_KIND_OF_ID:
            (row,) = answer(client, f"/subscriptions/{number}/usage/", **days)
            assert [row] == answer(client, USAGE, subscription=number, **days)
            assert row["subscription_id"] == number


@pytest.mark.parametrize("cursor", ["9999999999999999999-voice", "9223372036854775807-voice-9999999"])
def test_no_row_is_behind_the_largest_cursor(client, someone, cursor):
    assert answer(client, USAGE, cursor=cursor, **JANUARY) == []


def test_a_thousand_rows_are_a_page(client):
    add(*[event(someone) for someone in subscribe(1001)])
    assert [len(page) for page in pages(client, USAGE, **JANUARY)] == [1000, 1]
    assert [len(page) for page in pages(client, OVER, price_limit="1")] == [1000, 1]


# --- Formats ---------------------------------------------------------------------------------------------------


def table(response):
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.content.decode())))


@pytest.mark.parametrize(
    ("query", "headers", "ending"),
    [({"format": "csv"}, None, "/"), ({}, {"accept": "text/csv"}, "/"), ({}, {"accept": "application/json"}, ".csv")],
)
def test_csv(client, someone, query, headers, ending):
    def rows(path, **parameters):
        response = client.get(path.removesuffix("/") + ending, {**parameters, **query}, headers=headers)
        assert datetime.fromisoformat(response["as_of"])
        return table(response)

    number = str(someone.pk)
    assert rows(OVER, price_limit="3") == [
        ["subscription_id", "usage_type", "total_price", "exceeded_by"],
        [number, "data", "112.50", "109.50"],
        [number, "voice", "3.00", "0.00"],
    ]
    assert rows(USAGE, **JANUARY) == [
        ["subscription_id", "usage_type", "total_price", "total_usage", "unit"],
        [number, "data", "12.50", "2048", "kilobytes"],
        [number, "voice", "3.00", "61", "seconds"],
    ]
    assert rows(f"/subscriptions/{number}/usage/", group_by="day", type="voice", **JANUARY) == [
        ["subscription_id", "usage_type", "day", "total_price", "total_usage", "unit"],
        [number, "voice", "2026-01-06", "3.00", "61", "seconds"],
    ]
    assert rows(OVER, price_limit="1000") == [["subscription_id", "usage_type", "total_price", "exceeded_by"]]


@pytest.mark.parametrize(("path", "query"), [(USAGE, {"format": "csv"}), ("/subscriptions/usage.csv", {})])
def test_pages_of_csv(client, someone, path, query):
    response = client.get(path, {**query, "limit": 1, **JANUARY})
    assert len(table(response)) == 2
    following = response["Link"].split(">")[0].removeprefix("<http://testserver")
    assert table(client.get(following))[1][1] == "voice"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("text/*", "text/csv; charset=utf-8"),
        ("text/csv, */*;q=0.5", "text/csv; charset=utf-8"),
        ("text/html", "application/json"),
        ("nonsense", "application/json"),
        ("", "application/json"),
        ("application/json;q=0.9, text/csv;q=0.1", "application/json"),
        ("application/json;q=0, text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0, text/csv;q=0", "application/json"),
    ],
)
def test_what_a_client_accepts(client, someone, accept, content_type):
    response = client.get(USAGE, JANUARY, headers={"accept": accept})
    assert response["Content-Type"] == content_type
    assert "Accept" in response["Vary"]


def test_the_parameter_wins_over_the_header(client, someone):
    response = client.get(USAGE, {"format": "json", **JANUARY}, headers={"accept": "text/csv"})
    assert response["Content-Type"] == "application/json"


# --- Refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "findings"),
    [
        (OVER, {}, {"price_limit": ["required"]}),
        *[
            (OVER, {"price_limit": limit}, {"price_limit": ["invalid"]})
            for limit in ("", "-1", "x", "NaN", "Infinity", "1e3", "1_0", "1,5", "١", " 1", "1.", ".5", "9" * 31)
        ],
        (OVER, {"price_limit": "1", "from": "yesterday"}, {"from": ["invalid"]}),
        (OVER, {"price_limit": "1", "from": "2026-02-01", "to": "2026-01-31"}, {"to": ["before_from"]}),
        (OVER, {"price_limit": "1", "cursor": "1-data"}, {"cursor": ["invalid"]}),
        (OVER, {"price_limit": "1", "limit": "0"}, {"limit": ["min_value"]}),
        (OVER, {"price_limit": "1", "limit": "10001"}, {"limit": ["max_value"]}),
        (OVER, {"price_limit": "1", "type": "data"}, {"type": ["unknown"]}),
        (OVER, {"price_limit": ["1", "2"]}, {"price_limit": ["repeated"]}),
        (OVER, {"price_limit": "1", "format": "xml"}, {"format": ["invalid_choice"]}),
        (USAGE, {}, {"from": ["required"], "to": ["required"]}),
        *[
            (USAGE, {**JANUARY, "to": day}, {"to": ["invalid"]})
            for day in ("2026-1-31", "20260131", "2026-02-30", "2026-01-31T00:00:00Z", "2026-W05", "٢٠٢٦-01-31", "")
        ],
        (USAGE, {"from": "2026-02-01", "to": "2026-01-31"}, {"to": ["before_from"]}),
        (USAGE, {**JANUARY, "type": "sms"}, {"type": ["invalid_choice"]}),
        (USAGE, {**JANUARY, "group_by": "month"}, {"group_by": ["invalid_choice"]}),
        (USAGE, {**JANUARY, "subscription": "x"}, {"subscription": ["invalid"]}),
        (USAGE, {**JANUARY, "subscription": str(-(2**63) - 1)}, {"subscription": ["min_value"]}),
        (USAGE, {**JANUARY, "subscription": str(2**63)}, {"subscription": ["max_value"]}),
        (USAGE, {**JANUARY, "price_limit": "1", "colour": "red"}, {"price_limit": ["unknown"], "colour": ["unknown"]}),
        *[
            (USAGE, {**JANUARY, "cursor": cursor}, {"cursor": ["invalid"]})
            for cursor in (
                "1",
                "1-sms",
                "x-data",
                "--1-data",
                "1--data",
                "1-data-",
                "1-data-0",
                "1-data-2026-02-30",
                "١-data",
            )
        ],
        ("/subscriptions/1/usage/", {"from": "2026-01-01"}, {"to": ["required"]}),
        ("/subscriptions/1/usage/", {**JANUARY, "subscription": "1"}, {"subscription": ["unknown"]}),
        ("/subscriptions/1/usage.csv", {"from": "2026-01-01"}, {"to": ["required"]}),
        ("/subscriptions/usage.csv", {**JANUARY, "format": "json"}, {"format": ["unknown"]}),
        ("/subscriptions/over-limit.csv", {"price_limit": "1", "format": "csv"}, {"format": ["unknown"]}),
    ],
)
def test_a_wrong_parameter_is_named(client, path, query, findings):
    assert refusal(client, path, **query) == findings


def test_a_refusal_is_json_for_who_wants_csv_too(client):
    assert refusal(client, USAGE, format="csv", **JANUARY, type="sms") == {"type": ["invalid_choice"]}
    response = client.get(USAGE, headers={"accept": "text/csv"})
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")


@pytest.mark.parametrize("path", [OVER, USAGE, "/subscriptions/usage.csv"])
def test_what_is_neither_rows_nor_an_error_is_json_too(client, path):
    response = client.options(path, headers={"accept": "text/csv"})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert "parses" in response.json()


@pytest.mark.parametrize("path", [OVER, USAGE, "/subscriptions/1/usage/", "/subscriptions/usage.csv"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_is_written_over_rest(client, path, method):
    client.force_login(recipes.superuser.make())
    response = getattr(client, method)(path)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_reads_can_be_closed(client, someone, settings):
    settings.DSRHUB_PRIVATE = True
    requests = [(OVER, {"price_limit": "0"}), (USAGE, JANUARY), (f"/subscriptions/{someone.pk}/usage/", JANUARY)]
    for path, query in requests:
        assert client.get(path, query).status_code == 401
        assert client.get(path, query, headers={"accept": "text/csv"})["Content-Type"] == "application/json"
    token = recipes.token.make()
    for path, query in requests:
        assert client.get(path, query, headers={"authorization": f"Token {token.key}"}).status_code == 200


# --- Cost ------------------------------------------------------------------------------------------------------


def test_a_hundred_subscriptions_take_as_many_queries_as_one(client, someone):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            answer(client, OVER, price_limit="0")
            answer(client, USAGE, **JANUARY)
            answer(client, USAGE, group_by="day", **JANUARY)
            answer(client, f"/subscriptions/{someone.pk}/usage/", **JANUARY)
        return len(captured)

    one = queries()
    add(*[event(other) for other in subscribe(99)])
    assert queries() == one


# --- As documented ---------------------------------------------------------------------------------------------

DOCUMENT = schemathesis.openapi.from_wsgi("/openapi.yaml", application, config=schemathesis.Config(seed=1))


@DOCUMENT.hook
def map_query(context, query):
    """Sort the days of a range: no schema can require that a range does not end before it starts."""
    if query and {"from", "to"} <= query.keys():
        query["from"], query["to"] = sorted([query["from"], query["to"]], key=str)
    return query


few_examples = settings(max_examples=10)


@pytest.fixture
def app(someone):
    """A WSGI client of the application. It works in the transaction of the test."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield WSGIClient(application)
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


# The other paths of CSV have the views of their JSON, and what makes them CSV is that of this one.
@DOCUMENT.include(path_regex="^/subscriptions/.*/$|^/subscriptions/usage.csv$", method="GET").parametrize()
@few_examples
def test_answers_are_as_the_document_says(case, app):
    case.call_and_validate(headers={"Accept-Encoding": "identity"})  # The WSGI client unpacks no answers.


def test_answers_that_have_content_are_as_the_document_says(app, someone):
    for path, query in [
        (OVER, {"price_limit": "0"}),
        (USAGE, JANUARY),
        (USAGE, {"group_by": "day", **JANUARY}),
        ("/subscriptions/{id}/usage/", JANUARY),
    ]:
        for operation in (path, path.removesuffix("/") + ".csv"):
            response = app.get(operation.format(id=someone.pk), query_string=query)
            # A row of JSON, or a row under a header of CSV.
            assert (response.status_code, "data" in response.text) == (200, True)
            DOCUMENT[operation]["GET"].validate_response(response)
