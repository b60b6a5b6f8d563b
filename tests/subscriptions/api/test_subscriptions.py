"""The endpoints of the subscriptions themselves: lists, filters, pages, and writes."""

import json

import pytest
from django.test import Client

from dsrhub.models import AuditEntry
from subscriptions.models import Subscription
from tests import recipes as dsrhub_recipes
from tests.subscriptions import recipes
from tests.subscriptions.api.test_usage import EVERY_KIND_OF_ID, answer, pages, refusal

pytestmark = pytest.mark.django_db

LIST = "/subscriptions/"


@pytest.fixture
def four():
    values = [("att", "new"), ("sprint", "active"), ("att", "active"), ("att", "expired")]
    return [recipes.subscription.make(carrier=carrier, status=status).pk for carrier, status in values]


@pytest.fixture
def writer():
    key = dsrhub_recipes.key.make(user=dsrhub_recipes.superuser.make(), scopes=["write_usage", "read_usage"])
    return Client(headers={"Authorization": f"Bearer {key.secret}"})


def ids(client, **query):
    return [row["id"] for row in answer(client, LIST, **query)]


# --- Reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIST, LIST.removesuffix("/")])
def test_a_list_has_all_properties_by_id(client, four, path):
    assert answer(client, path) == [
        {"id": four[0], "carrier": "att", "status": "new"},
        {"id": four[1], "carrier": "sprint", "status": "active"},
        {"id": four[2], "carrier": "att", "status": "active"},
        {"id": four[3], "carrier": "att", "status": "expired"},
    ]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"carrier": "att"}, [0, 2, 3]),
        ({"status": "active"}, [1, 2]),
        ({"carrier": "att", "status": "active"}, [2]),
        ({"carrier": "sprint", "status": "expired"}, []),
    ],
)
def test_filters(client, four, query, places):
    assert ids(client, **query) == [four[place] for place in places]


def test_several_ids(client, four):
    assert ids(client, id=f"{four[2]},{four[0]},{10**12}") == [four[0], four[2]]
    assert ids(client, id=str(four[1]), carrier="att") == []
    assert ids(client, id="9999999999999999999") == []  # more than 64 bits


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"carrier": "verizon"}, {"carrier": ["invalid_choice"]}),
        ({"status": "Active"}, {"status": ["invalid_choice"]}),
        ({"carrier": "", "status": ""}, {"carrier": ["required"], "status": ["required"]}),
        ({"id": ""}, {"id": ["required"]}),
        ({"id": "1,"}, {"id": ["invalid"]}),
        ({"id": "1, 2"}, {"id": ["invalid"]}),
        ({"id": "١"}, {"id": ["invalid"]}),
        ({"id": "1\n"}, {"id": ["invalid"]}),
        ({"id": ",".join(["1"] * 1001)}, {"id": ["too_many"]}),
        ({"limit": "0"}, {"limit": ["min_value"]}),
        ({"price_limit": "1"}, {"price_limit": ["unknown"]}),
        ({"id": ["1", "2"]}, {"id": ["repeated"]}),
    ],
)
def test_wrong_parameters_are_named(client, four, query, expected):
    assert refusal(client, LIST, **query) == expected


@pytest.mark.parametrize("limit", [1, 3])
def test_pages_follow_each_other(client, limit):
    for number in EVERY_KIND_OF_ID:
        recipes.subscription.make(id=number)
    recipes.subscription.make(id=7, carrier="sprint")
    found = [row["id"] for page in pages(client, LIST, limit=limit, carrier="att") for row in page]
    assert found == EVERY_KIND_OF_ID


def test_a_page_is_one_query(client, django_assert_num_queries):
    for count in (1, 20):
        recipes.subscription.make(_quantity=count)
        with django_assert_num_queries(1):
            client.get(LIST)


def test_exact_ids_are_text(client, four):
    assert answer(client, LIST, exact="true", limit=1)[0]["id"] == str(four[0])


def test_one_subscription(client, four):
    assert answer(client, f"{LIST}{four[1]}/") == {"id": four[1], "carrier": "sprint", "status": "active"}
    for missing in (10**12, "x", "0", "9" * 30):
        response = client.get(f"{LIST}{missing}/")
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
    assert refusal(client, f"{LIST}{four[1]}/", status="new") == {"status": ["unknown"]}


# --- Writing ---------------------------------------------------------------------------------------------------


def send(client, method, path, body):
    content = body if isinstance(body, str) else json.dumps(body)
    return client.generic(method, path, content, content_type="application/json")


def test_a_subscription_is_created(writer):
    response = send(writer, "POST", LIST, {"carrier": "sprint", "status": "active"})
    created = Subscription.objects.get()
    assert (response.status_code, response.json()) == (
        201,
        {"id": created.pk, "carrier": "sprint", "status": "active"},
    )
    assert response["Location"] == f"http://testserver/subscriptions/{created.pk}/"
    assert writer.get(response["Location"]).json() == response.json()
    assert send(writer, "POST", LIST, {"carrier": "att"}).json()["status"] == "new"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"carrier": ["required"]}),
        ({"carrier": "verizon"}, {"carrier": ["invalid_choice"]}),
        ({"carrier": "att", "status": None}, {"status": ["null"]}),
        ({"carrier": "att", "id": 7}, {"id": ["unknown"]}),
    ],
)
def test_wrong_properties_are_named_and_nothing_is_created(writer, body, expected):
    response = send(writer, "POST", LIST, body)
    assert response.status_code == 400
    assert {name: [one["code"] for one in found] for name, found in response.json().items()} == expected
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(("body", "code"), [("{", "parse_error"), ("[]", None), ('"att"', None)])
def test_a_body_that_is_no_object_is_refused(writer, body, code):
    response = send(writer, "POST", LIST, body)
    assert (response.status_code, response.json().get("code")) == (400, code)


def test_a_subscription_is_changed(writer, four):
    path = f"{LIST}{four[2]}/"
    changed = send(writer, "PATCH", path, {"status": "suspended"})
    assert changed.json() == {"id": four[2], "carrier": "att", "status": "suspended"}
    assert writer.get(path).json() == changed.json()
    assert AuditEntry.objects.get().details["changed"] == {"status": {"old": "active", "new": "suspended"}}


def test_a_change_to_the_same_values_leaves_no_entry(writer, four):
    for body in ({}, {"carrier": "att", "status": "active"}):
        assert send(writer, "PATCH", f"{LIST}{four[2]}/", body).status_code == 200
    assert not AuditEntry.objects.exists()


def test_wrong_changes_are_refused(writer, four):
    assert send(writer, "PATCH", f"{LIST}{10**12}/", {"status": "new"}).status_code == 404
    for body in ({"status": "gone"}, {"id": 7}, {"carrier": None}):
        assert send(writer, "PATCH", f"{LIST}{four[2]}/", body).status_code == 400
    assert Subscription.objects.get(pk=four[2]).status == "active"
