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


def test_usage_by_month(client, someone):
    query = {"from": "2026-01-06", "to": "2026-02-28", "group_by": "month"}
    row = {"subscription_id": someone.pk, "usage_type": "data", "unit": "kilobytes"}
    assert answer(client, USAGE, type="data", **query) == [
        row | {"month": "2026-01", "total_price": "2.50", "total_usage": 48},
        row | {"month": "2026-02", "total_price": "100.00", "total_usage": 1},
    ]
    text = client.get("/subscriptions/usage.csv", query | {"type": "data"}).content.decode()
    assert [row["month"] for row in csv.DictReader(io.StringIO(text))] == ["2026-01", "2026-02"]


@pytest.fixture
def two_carriers(someone):
    sprint = usage_recipes.subscription.make(carrier="sprint")
    add(event(sprint, 7, "4", 100), event(sprint, 7, "1", 1, month=2))
    return someone, sprint


def test_usage_and_limits_of_a_carrier_and_a_type(client, two_carriers):
    someone, sprint = two_carriers

    def found(path, **query):
        return [row["subscription_id"] for row in answer(client, path, **query)]

    assert found(USAGE, carrier="sprint", **JANUARY) == [sprint.pk]
    assert found(USAGE, carrier="att", type="voice", **JANUARY) == [someone.pk]
    assert found(OVER, price_limit="3", carrier="sprint") == [sprint.pk]
    assert found(OVER, price_limit="3", type="voice") == [someone.pk]
    assert found(OVER, price_limit="3", type="voice", carrier="sprint") == []
    (row,) = answer(client, OVER, price_limit="3", type="voice")
    assert [one["usage_type"] for one in row["exceeded"]] == ["voice"]


CARRIERS = "/subscriptions/usage/carriers/"


def test_usage_of_carriers(client, two_carriers):
    add(event(subscribe(), 31, "0.50", 2))
    att = {"carrier": "att", "usage_type": "data", "unit": "kilobytes"}
    voice = {"carrier": "att", "usage_type": "voice", "unit": "seconds"}
    sprint = {"carrier": "sprint", "usage_type": "data", "unit": "kilobytes"}
    rows = [
        att | {"subscription_count": 2, "total_price": "13.00", "total_usage": 2050},
        voice | {"subscription_count": 1, "total_price": "3.00", "total_usage": 61},
        sprint | {"subscription_count": 1, "total_price": "4.00", "total_usage": 100},
    ]
    assert answer(client, CARRIERS, **JANUARY) == rows
    assert answer(client, CARRIERS, carrier="sprint", **JANUARY) == rows[2:]
    assert answer(client, CARRIERS, type="voice", **JANUARY) == rows[1:2]
    by_day = answer(client, CARRIERS, carrier="att", type="data", group_by="day", **JANUARY)
    assert [(row["day"], row["subscription_count"], row["total_price"]) for row in by_day] == [
        ("2026-01-05", 1, "10.00"),
        ("2026-01-06", 1, "2.50"),
        ("2026-01-31", 1, "0.50"),
    ]
    text = client.get("/subscriptions/usage/carriers.csv", JANUARY | {"group_by": "month"}).content.decode()
    assert text.splitlines()[:2] == [
        "carrier,usage_type,month,subscription_count,total_price,total_usage,unit",
        "att,data,2026-01,2,13.00,2050,kilobytes",
    ]


@pytest.mark.parametrize("query", [{}, {"group_by": "day"}, {"group_by": "month"}])
@pytest.mark.parametrize("limit", [1, 2])
def test_pages_of_carriers_follow_each_other(client, two_carriers, query, limit):
    range_ = {"from": "2026-01-01", "to": "2026-02-28"}
    whole = answer(client, CARRIERS, **range_, **query)
    found = pages(client, CARRIERS, limit=limit, **range_, **query)
    assert [row for page in found for row in page] == whole
    assert len(found) > 1


@pytest.mark.parametrize("cursor", ["", "att", "verizon-data", "att-data-0", "1-data", "att-data-12345678"])
def test_a_wrong_cursor_of_carriers_is_refused(client, cursor):
    assert refusal(client, CARRIERS, cursor=cursor, **JANUARY) == {"cursor": ["invalid"]}


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


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (OVER, {"price_limit": "1"}),
        (USAGE, {"group_by": "day", **JANUARY}),
        ("/subscriptions/{id}/usage/", {"group_by": "day", **JANUARY}),
    ],
)
def test_all_pages_of_an_export_are_of_one_time(client, path, query):
    someone, *_others = many = subscribe(4)
    add(*(event(one, day) for one in many for day in (5, 6)))
    path = path.format(id=someone.pk)
    whole = answer(client, path, **query)
    response, found, times = client.get(path, query | {"export": "new", "limit": 1}), [], set()
    while True:
        assert response.status_code == 200, response.content
        found += response.json()
        times.add(response["as_of"])
        add(event(many[-1], 7), event(someone, 7))
        if "Link" not in response:
            break
        response = client.get(response["Link"].removeprefix("<").removesuffix('>; rel="next"'))
    assert found == whole
    assert len(times) == 1


def test_an_export_as_csv(client, someone):
    response = client.get("/subscriptions/usage.csv", JANUARY | {"export": "new", "limit": "1"})
    assert response.content.decode().splitlines()[1] == f"{someone.pk},data,12.50,2048,kilobytes"
    following = client.get(response["Link"].removeprefix("<").removesuffix('>; rel="next"'))
    assert following.content.decode().splitlines()[1] == f"{someone.pk},voice,3.00,61,seconds"
    assert "Link" not in following


def test_an_export_that_is_not_kept_is_a_conflict(client, someone):
    for path, query in ((USAGE, JANUARY), (OVER, {"price_limit": "1"})):
        response = client.get(path, query | {"export": "7"})
        assert (response.status_code, response.json()["code"]) == (409, "export_gone")


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
        (OVER, {"price_limit": "1", "type": "sms"}, {"type": ["invalid_choice"]}),
        (OVER, {"price_limit": "1", "group_by": "day"}, {"group_by": ["unknown"]}),
        (OVER, {"price_limit": "1", "carrier": ""}, {"carrier": ["invalid_choice"]}),
        (OVER, {"price_limit": ["1", "2"]}, {"price_limit": ["repeated"]}),
        (OVER, {"price_limit": "1", "format": "xml"}, {"format": ["invalid_choice"]}),
        (USAGE, {}, {"from": ["required"], "to": ["required"]}),
        *[
            (USAGE, {**JANUARY, "to": day}, {"to": ["invalid"]})
            for day in ("2026-1-31", "20260131", "2026-02-30", "2026-01-31T00:00:00Z", "2026-W05", "٢٠٢٦-01-31", "")
        ],
        (USAGE, {"from": "2026-02-01", "to": "2026-01-31"}, {"to": ["before_from"]}),
        (USAGE, {**JANUARY, "type": "sms"}, {"type": ["invalid_choice"]}),
        (USAGE, {**JANUARY, "export": "old"}, {"export": ["invalid"]}),
        (USAGE, {**JANUARY, "export": "0"}, {"export": ["invalid"]}),
        (USAGE, {**JANUARY, "export": "1", "place": "-1"}, {"place": ["min_value"]}),
        (USAGE, {**JANUARY, "group_by": "year"}, {"group_by": ["invalid_choice"]}),
        (USAGE, {**JANUARY, "carrier": "verizon"}, {"carrier": ["invalid_choice"]}),
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
@DOCUMENT.include(method="GET", path_regex="^/subscriptions/(.*/)?$|^/subscriptions/usage.csv$").parametrize()
@few_examples
def test_answers_are_as_the_document_says(case, app):
    case.call_and_validate(headers={"Accept-Encoding": "identity"})  # The WSGI client unpacks no answers.


def test_answers_that_have_content_are_as_the_document_says(app, someone):
    for path, query in [
        (OVER, {"price_limit": "0"}),
        (USAGE, JANUARY),
        (USAGE, {"group_by": "day", **JANUARY}),
        (USAGE, {"group_by": "month", **JANUARY}),
        ("/subscriptions/{id}/usage/", JANUARY),
        (CARRIERS, JANUARY),
        (CARRIERS, {"group_by": "month", **JANUARY}),
    ]:
        for operation in (path, path.removesuffix("/") + ".csv"):
            response = app.get(operation.format(id=someone.pk), query_string=query)
            # A row of JSON, or a row under a header of CSV.
            assert (response.status_code, "data" in response.text) == (200, True)
            DOCUMENT[operation]["GET"].validate_response(response)
    for path in ("/subscriptions/", "/subscriptions/{id}/"):
        response = app.get(path.format(id=someone.pk))
        assert (response.status_code, "att" in response.text) == (200, True)
        DOCUMENT[path]["GET"].validate_response(response)
