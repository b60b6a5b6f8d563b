"""Price limits and what reached them, over REST, GraphQL and in the admin: the same limits through each door."""

import json
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subscriptions.limits.following import limits_follow
from subscriptions.models import LimitCrossing, PriceLimit
from tests import recipes as user_recipes
from tests.confirming import confirm_deletion, save
from tests.graphql_schema.helpers import ask, refusal
from tests.subscriptions import recipes
from tests.subscriptions.helpers import add, event, noon, subscribe

pytestmark = pytest.mark.django_db

MONTH = {"usage_type": "data", "span": "month", "price": "12.50", "since": "2026-01"}


@pytest.fixture
def api(client):
    client.force_login(user_recipes.superuser.make())

    def send(method, path, body=None):
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        response = getattr(client, method)(path, **sent)
        return response.status_code, response.json() if response.content else None

    return send


# --- REST: limits ----------------------------------------------------------------------------------------------


def test_a_limit_is_set_replaced_listed_and_deleted(api):
    someone = subscribe()
    body = MONTH | {"subscription": someone.pk}
    code, limit = api("post", "/subscriptions/limits/", body)
    assert (code, {name: limit[name] for name in body}, limit["carrier"]) == (201, body, None)
    code, other = api("post", "/subscriptions/limits/", body | {"price": "20"})
    assert (code, other) == (200, limit | {"price": "20"})
    assert api("get", "/subscriptions/limits/") == (200, [other])
    assert api("delete", f"/subscriptions/limits/{limit['id']}/") == (204, None)
    assert api("delete", f"/subscriptions/limits/{limit['id']}/")[0] == 404
    assert api("get", "/subscriptions/limits/") == (200, [])


def test_limits_of_different_scopes_stand_side_by_side(api):
    someone = subscribe()
    for whose in ({}, {"carrier": "att"}, {"carrier": "sprint"}, {"subscription": someone.pk}):
        for span in ({}, {"span": "total"}):
            body = {name: value for name, value in (MONTH | whose | span).items() if span == {} or name != "since"}
            assert api("post", "/subscriptions/limits/", body)[0] == 201
    assert len(api("get", "/subscriptions/limits/?type=data")[1]) == 8
    assert len(api("get", "/subscriptions/limits/?carrier=att")[1]) == 2
    assert len(api("get", f"/subscriptions/limits/?subscription={someone.pk}")[1]) == 2
    assert api("get", "/subscriptions/limits/?type=voice") == (200, [])


@pytest.mark.parametrize(
    ("wrong", "name", "code"),
    [
        ({"price": "0"}, "price", "invalid_limit"),
        ({"price": "-1"}, "price", "invalid"),
        ({"price": "1e3"}, "price", "invalid"),
        ({"price": 12.5}, "price", "invalid"),
        ({"price": "1" * 31}, "price", "invalid"),
        ({"usage_type": "sms"}, "usage_type", "invalid_choice"),
        ({"span": "week"}, "span", "invalid_choice"),
        ({"since": "2026-1"}, "since", "no_month"),
        ({"since": "2026-13"}, "since", "no_month"),
        ({"since": "2026-01", "span": "total"}, "since", "invalid_limit"),
        ({"carrier": "vodafone"}, "carrier", "invalid_choice"),
        ({"subscription": "1"}, "subscription", "invalid"),
        ({"subscription": True}, "subscription", "invalid"),
        ({"limit": "1"}, "limit", "unknown"),
    ],
)
def test_a_wrong_property_is_named_and_nothing_is_set(api, wrong, name, code):
    status, content = api("post", "/subscriptions/limits/", MONTH | wrong)
    assert (status, list(content), content[name][0]["code"]) == (400, [name], code)
    assert not PriceLimit.objects.exists()


def test_a_limit_of_both_or_of_nobody_is_refused(api):
    body = MONTH | {"subscription": subscribe().pk}
    assert list(api("post", "/subscriptions/limits/", body | {"carrier": "att"})[1]) == ["carrier"]
    assert api("post", "/subscriptions/limits/", body | {"subscription": 2**60})[0] == 404


# --- REST: crossings -------------------------------------------------------------------------------------------


def test_what_reached_a_limit_is_listed_with_its_day(api, client):
    someone = subscribe()
    recipes.limit_crossing.make(subscription=someone, price_limit="12.50", found_at=noon(6))
    assert api("get", "/subscriptions/crossings/") == (
        200,
        [
            {
                "id": LimitCrossing.objects.get().pk,
                "subscription_id": someone.pk,
                "usage_type": "data",
                "span": "month",
                "month": "2026-01",
                "day": "2026-01-05",
                "price_limit": "12.50",
                "limit_of": "all",
                "found_at": "2026-01-06T12:00:00Z",
                "withdrawn_at": None,
            }
        ],
    )
    assert client.get("/subscriptions/crossings/")["current"] == "true"


def test_it_says_that_a_worker_has_to_follow(api, client):
    api("post", "/subscriptions/limits/", MONTH)
    assert client.get("/subscriptions/crossings/")["current"] == "false"
    limits_follow()
    assert client.get("/subscriptions/crossings/")["current"] == "true"


def test_crossings_are_filtered_and_come_in_pages(api, client):
    one, other = subscribe(2)
    for number in range(1, 4):
        recipes.limit_crossing.make(subscription=one, day=date(2026, 1, number), month=date(2025, number, 1))
    recipes.limit_crossing.make(subscription=other, usage_type="voice", span="total", month=None, withdrawn_at=noon(9))

    def days(query):
        code, rows = api("get", f"/subscriptions/crossings/?{query}")
        assert code == 200, rows
        return [row["day"][-2:] for row in rows]

    assert days("") == ["01", "02", "03"]
    assert days(f"subscription={other.pk}") == []
    assert days("withdrawn=true&type=voice") == ["05"]
    assert days("withdrawn=true&span=total") == ["05"]
    assert days("from=2026-01-02&to=2026-01-02") == ["02"]
    assert days("limit=2") == ["01", "02"]
    cursor = LimitCrossing.objects.order_by("pk")[1].pk
    assert days(f"limit=2&cursor={cursor}") == ["03"]
    assert api("get", "/subscriptions/crossings/?from=2026-01-03&to=2026-01-02")[0] == 400
    assert client.get("/subscriptions/crossings/?limit=2")["Link"].endswith(f'cursor={cursor}>; rel="next"')


@pytest.mark.parametrize("path", ["/subscriptions/crossings/", "/subscriptions/limits/"])
def test_a_page_needs_as_many_queries_for_1_as_for_100(client, path):
    everybody = subscribe(20)
    recipes.limit_crossing.make(subscription=iter(everybody), _quantity=20, _bulk_create=True)
    recipes.price_limit.make(subscription=iter(everybody), _quantity=20, _bulk_create=True)
    counts = []
    for limit in (1, 20):
        with CaptureQueriesContext(connection) as captured:
            assert len(client.get(f"{path}?limit={limit}").json()) == limit
        counts.append(len(captured))
    assert counts[0] == counts[1]


# --- GraphQL ---------------------------------------------------------------------------------------------------

SET = """
mutation {{ setPriceLimit(type: data, span: month, price: "12.50", since: "2026-01-31", {whose}) {{
    priceLimit {{ id usageType span price carrier since subscriptionId }}
}} }}
"""


def test_graphql_sets_lists_and_deletes_the_same_limits(api):
    user, someone = user_recipes.superuser.make(username="eve"), subscribe()
    limit = ask(SET.format(whose=f"subscription: {someone.pk}"), user)["setPriceLimit"]["priceLimit"]
    assert limit == {
        "id": str(PriceLimit.objects.get().pk),
        "usageType": "data",
        "span": "month",
        "price": "12.50",
        "carrier": None,
        "since": "2026-01-01",
        "subscriptionId": str(someone.pk),
    }
    found = ask("{ priceLimits(type: data) { edges { node { id } } } }")["priceLimits"]["edges"]
    assert [edge["node"]["id"] for edge in found] == [limit["id"]]
    ask(f"mutation {{ deletePriceLimit(id: {limit['id']}) {{ id }} }}", user)
    assert not PriceLimit.objects.exists()


def test_graphql_lists_what_reached_a_limit(real_commits):
    someone = subscribe()
    add(event(someone, 5, "12.50"))
    ask(SET.format(whose="carrier: att"), user_recipes.superuser.make())
    assert ask("{ limitsAreCurrent }") == {"limitsAreCurrent": False}
    limits_follow()
    query = f"""{{ limitCrossings(subscription: {someone.pk}, type: data, span: month, from: "2026-01-05") {{
        edges {{ node {{ subscriptionId day month priceLimit scope withdrawnAt }} }} }} }}"""
    (edge,) = ask(query)["limitCrossings"]["edges"]
    assert edge["node"] == {
        "subscriptionId": str(someone.pk),
        "day": "2026-01-05",
        "month": "2026-01-01",
        "priceLimit": "12.50",
        "scope": "carrier",
        "withdrawnAt": None,
    }


def test_graphql_refuses_wrong_limits():
    user = user_recipes.superuser.make()
    assert refusal(SET.format(whose="carrier: att, subscription: 1"), user=user)[0] == "invalid_limit"
    assert refusal(SET.format(whose="subscription: 1"), user=user)[0] == "subscription_not_found"
    assert refusal("mutation { deletePriceLimit(id: 1) { id } }", user=user)[0] == "limit_not_found"
    backwards = '{ limitCrossings(from: "2026-01-02", to: "2026-01-01") { edges { cursor } } }'
    assert refusal(backwards)[0] == "invalid_argument"


# --- The admin -------------------------------------------------------------------------------------------------

FORM = {"usage_type": "data", "span": "month", "since": "2026-01-31", "price": "12.50"}


def test_the_admin_sets_changes_and_deletes_a_limit(admin_client):
    someone = subscribe()
    response = admin_client.post("/admin/subscriptions/pricelimit/add/", FORM | {"subscription": someone.pk})
    assert response.status_code == 302
    limit = PriceLimit.objects.get()
    assert (limit.subscription, limit.since, f"{limit.price:f}") == (someone, date(2026, 1, 1), "12.50")
    path = f"/admin/subscriptions/pricelimit/{limit.pk}/"
    assert save(admin_client, path + "change/", {"price": "20", "since": "2026-02-05"}).status_code == 302
    limit.refresh_from_db()
    assert (limit.subscription, limit.since, f"{limit.price:f}") == (someone, date(2026, 2, 1), "20")
    confirm_deletion(admin_client, path + "delete/")
    assert not PriceLimit.objects.exists()


def test_a_limit_of_months_begins_with_the_present_one(admin_client, monkeypatch):
    monkeypatch.setattr("subscriptions.admin.limits.usage_day", lambda _: date(2026, 3, 9))
    admin_client.post("/admin/subscriptions/pricelimit/add/", FORM | {"since": ""})
    assert PriceLimit.objects.get().since == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"price": "0"}, "A price limit is more than zero."),
        ({"price": "1e3"}, "Enter a number."),
        ({"price": "1" * 31}, "Not a price of more than 0"),
        ({"since": "2026-13-01"}, "Enter a date such as 2026-01-31."),
        ({"span": "total"}, "A limit of the total has no month."),
        ({"subscription": "1", "carrier": "att"}, "A limit is for a subscription or for a carrier, not for both."),
        ({"subscription": "x"}, "Select a valid choice."),
    ],
)
def test_a_wrong_field_has_its_error(admin_client, wrong, message):
    recipes.subscription.make(pk=1)
    page = admin_client.post("/admin/subscriptions/pricelimit/add/", FORM | wrong)
    assert (page.status_code, message in page.content.decode()) == (200, True)
    assert not PriceLimit.objects.exists()


def test_a_limit_that_there_is_already_is_not_replaced_by_the_page_of_a_new_one(admin_client):
    recipes.price_limit.make(span="month", since=date(2026, 1, 1))
    page = admin_client.post("/admin/subscriptions/pricelimit/add/", FORM)
    assert "There is such a limit already. Change that one." in page.content.decode()
    assert f"{PriceLimit.objects.get().price:f}" == "10"


def test_the_page_of_a_subscription_leads_to_what_it_reached(admin_client):
    one, other = subscribe(2)
    recipes.limit_crossing.make(subscription=one, price_limit="12.5")
    recipes.limit_crossing.make(subscription=other, price_limit="77")
    address = f"/admin/subscriptions/limitcrossing/?subscription__exact={one.pk}"
    assert address in admin_client.get(f"/admin/subscriptions/subscription/{one.pk}/change/").content.decode()
    page = admin_client.get(address).content.decode()
    assert ("12.50" in page, "77.00" in page) == (True, False)
