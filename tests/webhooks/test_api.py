"""Webhooks over REST: registering, changing, rotating, testing, the log, and sending again."""

import json
from urllib.parse import urlsplit

import pytest
from django.test import Client

from dsrhub.webhooks import services
from dsrhub.webhooks.models import Delivery, Event, Webhook
from dsrhub.webhooks.running import events_deliver
from tests import recipes as user_recipes
from tests.webhooks import recipes
from tests.webhooks.helpers import write
from tests.webhooks.receiver import status

pytestmark = pytest.mark.django_db

NEW = {"name": "statistics", "url": "https://receiver.example/events", "events": ["dsr.ingested", "dsr.failed"]}


@pytest.fixture
def api(client):
    """Sends JSON as a superuser. Returns the status and the content."""
    client.force_login(user_recipes.superuser.make())

    def ask(method, path, body=None):
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        response = getattr(client, method)(path, **sent)
        return response.status_code, response.json() if response.content else None

    ask.client = client
    return ask


def test_a_new_webhook_has_a_secret_that_is_shown_once(api):
    code, content = api("post", "/webhooks/", NEW)
    assert code == 201
    webhook, secret = content["webhook"], content["secret"]
    assert secret.startswith("whsec_")
    assert {name: webhook[name] for name in NEW} == NEW
    assert (webhook["enabled"], webhook["disabled_reason"], webhook["failures"]) == (True, "", 0)
    for path in ("/webhooks/", f"/webhooks/{webhook['id']}/"):
        code, shown = api("get", path)
        assert code == 200
        assert secret.removeprefix("whsec_") not in json.dumps(shown)
        assert shown in (webhook, [webhook])
    assert secret.removeprefix("whsec_") not in Webhook.objects.get().secret


def test_no_cache_stores_a_secret(api):
    response = api.client.post("/webhooks/", json.dumps(NEW), content_type="application/json")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    ("wrong", "name", "code"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": "x" * 101}, "name", "max_length"),
        ({"name": "a\nb"}, "name", "invalid_webhook"),
        ({"name": 7}, "name", "invalid"),
        ({"url": "http://receiver.example"}, "url", "address_refused"),
        ({"url": "https://127.0.0.1/"}, "url", "address_refused"),
        ({"url": "https://unknown.example/"}, "url", "address_refused"),
        ({"url": "https://mixed.example/"}, "url", "address_refused"),
        ({"events": []}, "events", "empty"),
        ({"events": ["dsr.eaten"]}, "events", "invalid_choice"),
        ({"events": [["dsr.ingested"]]}, "events", "invalid_choice"),
        ({"events": {"dsr.ingested": 1}}, "events", "not_a_list"),
        ({"events": "dsr.ingested"}, "events", "not_a_list"),
        ({"secret": "mine"}, "secret", "unknown"),
    ],
)
def test_a_wrong_property_is_named_and_nothing_is_registered(api, wrong, name, code):
    status_code, content = api("post", "/webhooks/", NEW | wrong)
    assert (status_code, list(content), content[name][0]["code"]) == (400, [name], code)
    assert not Webhook.objects.exists()


def test_an_event_that_is_named_twice_is_sent_once(api):
    code, content = api("post", "/webhooks/", NEW | {"events": ["dsr.failed", "dsr.ingested", "dsr.failed"]})
    assert (code, content["webhook"]["events"]) == (201, ["dsr.ingested", "dsr.failed"])


def test_a_body_that_is_no_object_is_refused(api):
    assert api("post", "/webhooks/", [1])[0] == 400
    assert api.client.post("/webhooks/", "{", content_type="application/json").status_code == 400
    assert api.client.post("/webhooks/", NEW).status_code == 415


def test_there_is_a_largest_number_of_webhooks(api, monkeypatch):
    monkeypatch.setattr(services, "MOST_WEBHOOKS", 1)
    assert api("post", "/webhooks/", NEW)[0] == 201
    assert api("post", "/webhooks/", NEW)[0] == 400
    assert Webhook.objects.count() == 1


def test_a_change_changes_what_it_names(api):
    webhook = recipes.webhook.make()
    code, content = api("patch", f"/webhooks/{webhook.pk}/", {"events": ["dsr.deleted"]})
    assert (code, content["events"], content["name"]) == (200, ["dsr.deleted"], "statistics")
    code, content = api("patch", f"/webhooks/{webhook.pk}/", {"url": "https://127.0.0.1/"})
    assert (code, list(content)) == (400, ["url"])
    webhook.refresh_from_db()
    assert webhook.url == "https://receiver.example/events"


def test_a_webhook_whose_host_is_gone_can_be_disabled_and_enabled(api):
    webhook = recipes.webhook.make(url="https://gone.example/")
    code, content = api("patch", f"/webhooks/{webhook.pk}/", {"url": webhook.url, "enabled": False})
    assert (code, content["enabled"], content["disabled_reason"]) == (200, False, "user")
    code, content = api("patch", f"/webhooks/{webhook.pk}/", {"enabled": True})
    assert (code, content["enabled"], content["disabled_reason"], content["disabled_at"]) == (200, True, "", None)


def test_a_rotation_returns_another_secret(api):
    created = api("post", "/webhooks/", NEW)[1]
    code, rotated = api("post", f"/webhooks/{created['webhook']['id']}/rotate/")
    assert code == 200
    assert rotated["secret"] != created["secret"]
    assert rotated["webhook"]["old_secret_until"] is not None


def test_a_deletion_deletes_the_log_too(api):
    webhook = recipes.webhook.make()
    write()
    assert api("delete", f"/webhooks/{webhook.pk}/") == (204, None)
    assert api("get", f"/webhooks/{webhook.pk}/") == (404, {"detail": "Not found."})
    assert not Delivery.objects.exists()


def test_a_test_event_goes_to_its_webhook_only(api, webhook, receiver):
    webhook.events = ["dsr.deleted"]
    webhook.save()
    recipes.webhook.make()
    code, content = api("post", f"/webhooks/{webhook.pk}/test/")
    assert (code, content["type"], content["state"]) == (202, "webhook.test", "waiting")
    assert events_deliver() == 1
    (received,) = receiver.received
    assert json.loads(received.body)["data"] == {"webhook": webhook.pk}


def test_nothing_is_sent_by_hand_to_a_disabled_webhook(api):
    webhook = recipes.webhook.make(is_enabled=False, disabled_reason="failing")
    write()
    delivery = Delivery.objects.get()
    for path in (f"/webhooks/{webhook.pk}/test/", f"/webhooks/{webhook.pk}/deliveries/{delivery.pk}/resend/"):
        code, content = api("post", path)
        assert (code, content["code"]) == (409, "webhook_disabled")
    assert Event.objects.count() == 1


def test_the_log_has_what_was_sent_and_what_came_back(api, webhook, receiver):
    receiver.answers.append(status(500, b"broken"))
    event = write(7)
    events_deliver()
    code, (entry,) = api("get", f"/webhooks/{webhook.pk}/deliveries/")
    assert code == 200
    assert (entry["message_id"], entry["type"], entry["subject"]) == (event.message_id, "dsr.ingested", "dsp:Spotify")
    assert entry["content"] == json.loads(event.body)
    assert (entry["state"], entry["attempts"]) == ("waiting", 1)
    (answer,) = entry["answers"]
    assert (answer["status"], answer["body"], answer["error"]) == (500, "broken", "")


def test_the_log_comes_in_pages_the_latest_first(api):
    webhook = recipes.webhook.make()
    for number in range(3):
        write(number)
    numbers = []
    path = f"/webhooks/{webhook.pk}/deliveries/?limit=2"
    while path:
        response = api.client.get(path)
        numbers.append([entry["content"]["data"]["dsrs"][0] for entry in response.json()])
        link = urlsplit(response["Link"].split(">")[0][1:]) if "Link" in response else None
        path = link and f"{link.path}?{link.query}"
    assert numbers == [[2, 1], [0]]
    assert api("get", f"/webhooks/{webhook.pk}/deliveries/?state=delivered") == (200, [])
    assert api("get", f"/webhooks/{webhook.pk}/deliveries/?limit=101")[0] == 400


def test_a_page_of_the_log_needs_as_many_queries_for_1_as_for_100(api, django_assert_num_queries):
    webhook = recipes.webhook.make()
    for number in range(20):
        write(number)
    for limit in (1, 20):
        with django_assert_num_queries(4):  # session, user, webhook, deliveries with their events
            api("get", f"/webhooks/{webhook.pk}/deliveries/?limit={limit}")


def test_an_event_is_sent_again(api, webhook, receiver):
    write()
    events_deliver()
    number = Delivery.objects.get().pk
    code, content = api("post", f"/webhooks/{webhook.pk}/deliveries/{number}/resend/")
    assert (code, content["state"], content["attempts"]) == (202, "waiting", 0)
    events_deliver()
    assert len(receiver.received) == 2


def test_a_delivery_of_another_webhook_is_not_found(api):
    recipes.webhook.make()
    write()
    other = recipes.webhook.make()
    number = Delivery.objects.get().pk
    assert api("post", f"/webhooks/{other.pk}/deliveries/{number}/resend/")[0] == 404
    assert api("post", f"/webhooks/{other.pk}/deliveries/x/resend/")[0] == 404


def test_an_anonymous_client_sees_nothing():
    recipes.webhook.make()
    assert Client().get("/webhooks/").status_code == 401
