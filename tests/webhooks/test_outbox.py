"""An event is there if and only if what it tells was committed, and somebody listens."""

import json

import pytest
from django.db import transaction
from django.utils import timezone

from dsrhub.webhooks.models import Delivery, Event, EventType
from dsrhub.webhooks.outbox import NewEvent, events_write
from dsrhub.webhooks.services import webhook_change, webhook_delete
from tests.waiting import wait_for_lock_waiter
from tests.webhooks import recipes
from tests.webhooks.helpers import write

pytestmark = pytest.mark.django_db


def test_without_a_webhook_no_event_is_written():
    assert write() is None


def test_without_a_webhook_that_listens_for_its_type_no_event_is_written():
    recipes.webhook.make(events=["dsr.failed"])
    assert write() is None


def test_each_webhook_that_listens_gets_a_delivery_disabled_ones_too():
    one = recipes.webhook.make(events=["dsr.ingested", "dsr.failed"])
    disabled = recipes.webhook.make(is_enabled=False, disabled_reason="user")
    recipes.webhook.make(events=["dsr.deleted"])
    event = write()
    waiting = Delivery.objects.order_by("webhook")
    assert [(each.webhook, each.event, each.state, each.subject) for each in waiting] == [
        (one, event, "waiting", "dsp:Spotify"),
        (disabled, event, "waiting", "dsp:Spotify"),
    ]


def test_the_content_is_json_as_standard_webhooks_recommend():
    recipes.webhook.make()
    before = timezone.now()
    event = write(7)
    content = json.loads(event.body)
    assert content.keys() == {"type", "timestamp", "data"}
    assert (content["type"], content["data"]) == ("dsr.ingested", {"dsrs": [7]})
    assert content["timestamp"].endswith("Z")
    assert before <= event.at <= timezone.now()


def test_many_events_keep_their_order():
    recipes.webhook.make()
    events_write(EventType.LIMIT_REACHED, [NewEvent(f"subscription:{n}", {"n": n}) for n in (3, 1, 2)])
    assert [json.loads(body)["data"]["n"] for body in Event.objects.order_by("pk").values_list("body", flat=True)] == [
        3,
        1,
        2,
    ]


def test_a_change_that_is_rolled_back_leaves_no_event():
    recipes.webhook.make()
    with transaction.atomic():
        assert write() is not None
        transaction.set_rollback(True)
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_webhook_that_is_deleted_while_an_event_is_written_waits_for_the_writer(in_thread):
    """The writer, an import perhaps, must not fail."""
    webhook = recipes.webhook.make()
    with transaction.atomic():
        write()
        deleted = in_thread(webhook_delete, webhook_number=webhook.pk)
        wait_for_lock_waiter("transactionid")
    deleted.result()
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_other_changes_of_a_webhook_do_not_wait_for_a_writer(in_thread):
    webhook = recipes.webhook.make()
    with transaction.atomic():
        write()
        in_thread(webhook_change, webhook_number=webhook.pk, name="another").result()


def test_the_number_of_queries_does_not_depend_on_the_number_of_events_and_webhooks(django_assert_num_queries):
    recipes.webhook.make(_quantity=5)
    with django_assert_num_queries(2):
        events_write(EventType.DSR_DELETED, [NewEvent("dsp:a", {"n": n}) for n in range(100)])
    assert Delivery.objects.count() == 500
