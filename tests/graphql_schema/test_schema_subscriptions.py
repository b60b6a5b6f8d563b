"""Subscriptions and their usage: the same numbers as in REST, in pages."""

from datetime import date

import pytest

from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.models import Subscription
from tests import recipes as dsrhub_recipes
from tests.graphql_schema.helpers import ask, nodes, pages, refusal
from tests.subscriptions import recipes
from tests.subscriptions.helpers import VOICE, add, event, subscribe, sums

pytestmark = pytest.mark.django_db

WINTER = 'from: "2026-01-01", to: "2026-02-28"'


@pytest.fixture(params=["marked", "refreshed"])
def three(request):
    """Three subscriptions: the first has data on two days and voice on one, the second data, the third nothing."""
    one, two, three = subscribe(3)
    add(
        event(one, 5, "0.10", 1024),
        event(one, 5, "2.40", 1),
        event(one, 3, "10", 2**62, month=2),
        event(two, 5, "7", 3),
    )
    add(event(one, 6, "12.50", 60), usage_type=VOICE)
    if request.param == "refreshed":
        daily_usage_refresh()
    return one, two, three


# --- Subscriptions ---------------------------------------------------------------------------------------------


def test_subscriptions_are_ordered_by_id():
    ids = [
        recipes.subscription.make(carrier=carrier, status=status).pk
        for carrier, status in (("att", "new"), ("sprint", "active"), ("att", "expired"))
    ]
    query = """query ($carrier: Carrier, $status: SubscriptionStatus, $after: String) {
        subscriptions(carrier: $carrier, status: $status, first: 2, after: $after) {
            totalCount edges { cursor node { id carrier status } } pageInfo { hasNextPage endCursor }
        }
    }"""
    assert pages(query) == [
        [
            {"id": str(ids[0]), "carrier": "att", "status": "new"},
            {"id": str(ids[1]), "carrier": "sprint", "status": "active"},
        ],
        [{"id": str(ids[2]), "carrier": "att", "status": "expired"}],
    ]
    assert [node["id"] for node in nodes(query, carrier="att")] == [str(ids[0]), str(ids[2])]
    assert [node["id"] for node in nodes(query, status="active")] == [str(ids[1])]
    assert ask(query, carrier="sprint")["subscriptions"]["totalCount"] == 1


# Beside 0, which stands for all subscriptions.
EVERY_KIND_OF_ID = [-(2**63), -5, -1, 1, 2**31, 2**53 + 1, 2**63 - 1]


def test_pages_have_every_id_that_the_column_can_hold():
    for number in EVERY_KIND_OF_ID:
        someone = recipes.subscription.make(id=number)
        recipes.daily_usage.make(subscription=someone, day=date(2026, 1, 5), price=1, amount=2**63)
    ids = [str(number) for number in EVERY_KIND_OF_ID]
    page = "totalCount pageInfo { hasNextPage endCursor } edges { cursor node"
    lists = pages(f"query ($after: String) {{ subscriptions(first: 2, after: $after) {{ {page} {{ id }} }} }} }}")
    assert [node["id"] for nodes_ in lists for node in nodes_] == ids
    over = 'subscriptionsOverLimit(priceLimit: 1, from: "2026-01-05", to: "2026-01-05", first: 2, after: $after)'
    lists = pages(f"query ($after: String) {{ {over} {{ {page} {{ subscription {{ id }} }} }} }} }}")
    assert [node["subscription"]["id"] for nodes_ in lists for node in nodes_] == ids

    usage = 'usage(from: "2026-01-05", to: "2026-01-05") { edges { node { totalUsage } } }'
    for number in ids:
        found = ask(f"query ($id: ID!) {{ subscription(id: $id) {{ id {usage} }} }}", id=number)["subscription"]
        assert found == {"id": number, "usage": {"edges": [{"node": {"totalUsage": "9223372036854775808"}}]}}


def test_several_ids():
    ids = [recipes.subscription.make().pk for _ in range(3)]
    query = "query ($ids: [ID!]) { subscriptions(ids: $ids) { edges { node { id } } } }"
    assert [node["id"] for node in nodes(query, ids=[ids[2], str(ids[0])])] == [str(ids[0]), str(ids[2])]
    assert nodes(query, ids=[]) == []
    for wrong in (["x"], ["1"] * 1001):
        assert refusal(query, ids=wrong) == ("invalid_argument", {"argument": "ids"})


def test_a_subscription_is_created_and_changed():
    ada = dsrhub_recipes.superuser.make()
    create = "mutation { createSubscription(carrier: sprint) { subscription { id carrier status } } }"
    created = ask(create, user=ada)["createSubscription"]["subscription"]
    number = Subscription.objects.get().pk
    assert created == {"id": str(number), "carrier": "sprint", "status": "new"}
    change = """mutation ($id: ID!, $carrier: Carrier, $status: SubscriptionStatus) {
        changeSubscription(id: $id, carrier: $carrier, status: $status) { subscription { id carrier status } }
    }"""
    changed = ask(change, user=ada, id=number, status="active")["changeSubscription"]["subscription"]
    assert changed == {"id": str(number), "carrier": "sprint", "status": "active"}
    assert refusal(change, user=ada, id=number + 1) == ("subscription_not_found", {"id": number + 1})


def test_one_subscription():
    subscription = subscribe()
    query = "query ($id: ID!) { subscription(id: $id) { id carrier status } }"
    assert ask(query, id=subscription.pk)["subscription"] == {
        "id": str(subscription.pk),
        "carrier": "att",
        "status": "active",
    }
    missing = subscription.pk + 1
    assert refusal(query, id=missing) == ("subscription_not_found", {"id": missing})
    assert refusal(query, id="9223372036854775808") == ("invalid_argument", {"argument": "id"})


# --- Usage -----------------------------------------------------------------------------------------------------

USAGE = "totalCount edges { node { usageType day totalPrice totalUsage unit } }"


def usage(subscription, arguments):
    query = f"query ($id: ID!) {{ subscription(id: $id) {{ usage({arguments}) {{ {USAGE} }} }} }}"
    found = ask(query, id=subscription.pk)["subscription"]["usage"]
    assert found["totalCount"] == len(found["edges"])
    return [tuple(edge["node"].values()) for edge in found["edges"]]


def test_usage_by_type(three):
    assert usage(three[0], WINTER) == [
        ("data", None, "12.50", "4611686018427388929", "kilobytes"),
        ("voice", None, "12.50", "60", "seconds"),
    ]
    assert usage(three[0], f"{WINTER}, type: voice") == [("voice", None, "12.50", "60", "seconds")]
    assert usage(three[1], 'from: "2026-01-05", to: "2026-01-05"') == [("data", None, "7.00", "3", "kilobytes")]
    assert usage(three[2], WINTER) == []


def test_usage_by_day(three):
    assert usage(three[0], f"{WINTER}, groupBy: DAY") == [
        ("data", "2026-01-05", "2.50", "1025", "kilobytes"),
        ("data", "2026-02-03", "10.00", "4611686018427387904", "kilobytes"),
        ("voice", "2026-01-06", "12.50", "60", "seconds"),
    ]


@pytest.mark.parametrize("group", ["TYPE", "DAY"])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_usage_can_be_read_page_by_page(three, group, first):
    query = f"""query ($id: ID!, $after: String) {{ subscription(id: $id) {{
        usage({WINTER}, groupBy: {group}, first: {first}, after: $after) {{
            edges {{ node {{ usageType day totalPrice totalUsage unit }} }} pageInfo {{ hasNextPage endCursor }}
        }}
    }} }}"""
    found, after, goes_on = [], None, True
    while goes_on:
        page = ask(query, id=three[0].pk, after=after)["subscription"]["usage"]
        found += [tuple(edge["node"].values()) for edge in page["edges"]]
        after, goes_on = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert found == usage(three[0], f"{WINTER}, groupBy: {group}")


def test_usage_is_the_same_as_in_rest(client, three):
    for arguments, parameters in (("", {}), (", groupBy: DAY", {"group_by": "day"})):
        rest = client.get("/subscriptions/usage/", {"from": "2026-01-01", "to": "2026-02-28", **parameters}).json()
        query = f"{{ subscriptions {{ edges {{ node {{ id usage({WINTER}{arguments}) {{ {USAGE} }} }} }} }} }}"
        assert rest == [
            {
                "subscription_id": int(node["id"]),
                "usage_type": edge["node"]["usageType"],
                **({"day": edge["node"]["day"]} if parameters else {}),
                "total_price": edge["node"]["totalPrice"],
                "total_usage": int(edge["node"]["totalUsage"]),
                "unit": edge["node"]["unit"],
            }
            for node in nodes(query)
            for edge in node["usage"]["edges"]
        ]


def test_usage_by_month(three):
    query = f"""query ($id: ID!) {{ subscription(id: $id) {{ usage({WINTER}, groupBy: MONTH) {{
        edges {{ node {{ usageType day month totalPrice }} }}
    }} }} }}"""
    found = ask(query, id=three[0].pk)["subscription"]["usage"]["edges"]
    assert [tuple(edge["node"].values()) for edge in found] == [
        ("data", None, "2026-01", "2.50"),
        ("data", None, "2026-02", "10.00"),
        ("voice", None, "2026-01", "12.50"),
    ]


def test_metrics_by_carrier(three):
    Subscription.objects.filter(pk=three[1].pk).update(carrier="sprint")

    def found(arguments):
        query = (
            f"{{ usageMetrics({WINTER}, {arguments}) {{ edges {{ node {{ carrier usageType month totalPrice }} }} }} }}"
        )
        return [tuple(node.values()) for node in nodes(query)]

    assert found("byCarrier: true") == [
        ("att", "data", None, "12.50"),
        ("att", "voice", None, "12.50"),
        ("sprint", "data", None, "7.00"),
    ]
    assert found("byCarrier: true, groupBy: MONTH, carrier: att, type: data") == [
        ("att", "data", "2026-01", "2.50"),
        ("att", "data", "2026-02", "10.00"),
    ]
    assert found("carrier: sprint") == [(None, "data", None, "7.00")]


METRICS = "edges { node { usageType day subscriptionCount totalPrice totalUsage unit } }"


def metrics(arguments):
    return [tuple(node.values()) for node in nodes(f"{{ usageMetrics({arguments}) {{ {METRICS} }} }}")]


@pytest.mark.usefixtures("three")
def test_metrics_add_all_subscriptions_up():
    assert metrics(WINTER) == [
        ("data", None, "2", "19.50", "4611686018427388932", "kilobytes"),
        ("voice", None, "1", "12.50", "60", "seconds"),
    ]
    assert metrics(f"{WINTER}, groupBy: DAY") == [
        ("data", "2026-01-05", "2", "9.50", "1028", "kilobytes"),
        ("data", "2026-02-03", "1", "10.00", "4611686018427387904", "kilobytes"),
        ("voice", "2026-01-06", "1", "12.50", "60", "seconds"),
    ]
    assert metrics(f"{WINTER}, groupBy: DAY, type: voice") == [
        ("voice", "2026-01-06", "1", "12.50", "60", "seconds"),
    ]
    assert metrics('from: "2025-01-01", to: "2025-12-31"') == []
    query = f"""query ($after: String) {{ usageMetrics({WINTER}, groupBy: DAY, first: 2, after: $after) {{
        totalCount edges {{ cursor node {{ day }} }} pageInfo {{ hasNextPage endCursor }}
    }} }}"""
    assert [[node["day"] for node in page] for page in pages(query)] == [["2026-01-05", "2026-02-03"], ["2026-01-06"]]
    assert ask(query)["usageMetrics"]["totalCount"] == 3


@pytest.mark.parametrize("field", ["usageMetrics", "subscription", "subscriptionsOverLimit"])
def test_a_range_that_ends_before_it_starts_is_refused(field):
    days = 'from: "2026-01-02", to: "2026-01-01"'
    query = {
        "usageMetrics": f"{{ usageMetrics({days}) {{ totalCount }} }}",
        "subscription": f"{{ subscriptions {{ edges {{ node {{ usage({days}) {{ totalCount }} }} }} }} }}",
        "subscriptionsOverLimit": f'{{ subscriptionsOverLimit(priceLimit: "1", {days}) {{ totalCount }} }}',
    }[field]
    subscribe()
    assert refusal(query) == ("invalid_argument", {"argument": "to"})


# --- Records ---------------------------------------------------------------------------------------------------

SEND = """mutation ($records: [UsageRecordInput!]!, $partial: Boolean! = false) {
    sendUsageRecords(records: $records, partial: $partial) {
        added repeated refused results { position outcome code field message }
    }
}"""


def test_records_are_added_by_the_rules_of_rest():
    someone, ada = subscribe(), dsrhub_recipes.superuser.make()
    data = {"subscriptionId": str(someone.pk), "usageDate": "2026-01-05T12:00:00Z", "price": "0.0000001"}
    records = [
        data | {"kilobytesUsed": "9007199254740993", "externalId": "a"},
        data | {"secondsUsed": "60"},
    ]
    whole = ask(SEND, user=ada, records=records)["sendUsageRecords"]
    assert whole == {"added": 2, "repeated": 0, "refused": 0, "results": None}
    assert sums() == {
        (someone.pk, "data"): ("0.0000001", 9007199254740993),
        (someone.pk, "voice"): ("0.0000001", 60),
    }
    assert refusal(SEND, user=ada, records=[data])[0] == "invalid_usage"
    said = ask(SEND, user=ada, records=[records[0], data], partial=True)["sendUsageRecords"]
    assert (said["added"], said["repeated"], said["refused"]) == (0, 1, 1)
    assert [tuple(one.values()) for one in said["results"]] == [
        (1, "repeated", None, None, None),
        (
            2,
            "refused",
            "one_amount_needed",
            "kilobytes_used or seconds_used",
            "A record must have exactly one of these properties.",
        ),
    ]


# --- Over the limit --------------------------------------------------------------------------------------------

OVER = """query ($limit: Decimal!, $from: Date, $to: Date, $after: String) {
    subscriptionsOverLimit(priceLimit: $limit, from: $from, to: $to, first: 1, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        edges { cursor node { subscription { id carrier } exceeded { usageType totalPrice exceededBy } } }
    }
}"""


def test_subscriptions_over_a_limit_of_a_type_and_a_carrier(three):
    Subscription.objects.filter(pk=three[1].pk).update(carrier="sprint")

    def found(arguments):
        over = f'subscriptionsOverLimit(priceLimit: "7", {arguments})'
        answer = ask(f"{{ {over} {{ totalCount edges {{ node {{ subscription {{ id }} }} }} }} }}")
        rows = answer["subscriptionsOverLimit"]
        assert rows["totalCount"] == len(rows["edges"])
        return [edge["node"]["subscription"]["id"] for edge in rows["edges"]]

    assert found("type: voice") == [str(three[0].pk)]
    assert found("carrier: sprint") == [str(three[1].pk)]
    assert found("type: voice, carrier: sprint") == []


def test_subscriptions_over_a_limit_are_the_same_as_in_rest(client, three):
    one, two, _ = three
    assert pages(OVER, limit="7") == [
        [
            {
                "subscription": {"id": str(one.pk), "carrier": "att"},
                "exceeded": [
                    {"usageType": "data", "totalPrice": "12.50", "exceededBy": "5.50"},
                    {"usageType": "voice", "totalPrice": "12.50", "exceededBy": "5.50"},
                ],
            }
        ],
        [
            {
                "subscription": {"id": str(two.pk), "carrier": "att"},
                "exceeded": [{"usageType": "data", "totalPrice": "7.00", "exceededBy": "0.00"}],
            }
        ],
    ]
    assert refusal(OVER, limit="-0.01") == ("invalid_argument", {"argument": "priceLimit"})
    for asked in ({}, {"from": "2026-01-06"}, {"to": "2026-01-31"}):
        for limit in ("0", "2.5", "7", "12.5", "12.51"):
            rest = client.get("/subscriptions/over-limit/", {"price_limit": limit, **asked}).json()
            found = [node for page in pages(OVER, limit=limit, **asked) for node in page]
            assert rest == [
                {
                    "subscription_id": int(node["subscription"]["id"]),
                    "exceeded": [
                        {
                            "usage_type": reached["usageType"],
                            "total_price": reached["totalPrice"],
                            "exceeded_by": reached["exceededBy"],
                        }
                        for reached in node["exceeded"]
                    ],
                }
                for node in found
            ]
            assert ask(OVER, limit=limit, **asked)["subscriptionsOverLimit"]["totalCount"] == len(rest)
