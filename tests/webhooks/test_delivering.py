"""Delivery to a receiver on this machine: at least once, in order, again over days, and never twice at a time."""

import json
from datetime import timedelta
from threading import Event as Signal
from unittest.mock import patch

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from dsrhub.webhooks import delivering, retention, running
from dsrhub.webhooks.delivering import PAUSES, answer_note, webhook_deliver, webhooks_due
from dsrhub.webhooks.models import Delivery, Event, Webhook
from dsrhub.webhooks.running import events_deliver
from dsrhub.webhooks.sending import Answer
from dsrhub.webhooks.services import delivery_resend, webhook_change, webhook_rotate
from tests.waiting import wait_until
from tests.webhooks import recipes
from tests.webhooks.helpers import delivery_of, later, write
from tests.webhooks.receiver import Receiver, status

pytestmark = pytest.mark.django_db


# --- What is sent ----------------------------------------------------------------------------------------------


def test_a_receiver_verifies_an_event_with_the_reference_library(webhook, receiver):
    event = write(7)
    assert events_deliver() == 1
    (received,) = receiver.received
    assert Verifier(recipes.SECRET).verify(received.body, received.headers) == json.loads(event.body)
    assert received.message_id == event.message_id
    delivery = delivery_of(event)
    assert (delivery.state, delivery.due_at, delivery.attempts) == ("delivered", None, 1)
    assert [(answer["status"], answer["error"]) for answer in delivery.answers] == [(204, "")]


def test_after_a_rotation_both_secrets_verify_for_a_day(webhook, receiver):
    _, new = webhook_rotate(webhook_number=webhook.pk)
    write(1)
    events_deliver()
    later(days=1)
    write(2)
    events_deliver()
    first, second = receiver.received
    for secret in (recipes.SECRET, new):
        Verifier(secret).verify(first.body, first.headers)
    Verifier(new).verify(second.body, second.headers)
    assert [len(one.headers["webhook-signature"].split()) for one in receiver.received] == [2, 1]


def test_each_webhook_is_sent_what_it_listens_for(webhook, receiver):
    with Receiver().listening() as other:
        recipes.webhook.make(url=other.url, events=["dsr.deleted"])
        event = write()
        events_deliver()
        assert (receiver.message_ids, other.received) == ([event.message_id], [])


def test_a_secret_that_cannot_be_read_is_an_answer(webhook, receiver, settings):
    event = write()
    settings.SECRET_KEY = "another one"
    events_deliver()
    assert "DSRHUB_SECRET_KEY is another one" in delivery_of(event).answers[0]["error"]
    assert receiver.received == []


# --- Again -----------------------------------------------------------------------------------------------------


def test_a_failure_is_sent_again_with_the_same_id_and_bytes(webhook, receiver):
    receiver.answers.append(status(500, b"broken"))
    event = write()
    assert events_deliver() == 1
    delivery = delivery_of(event)
    assert (delivery.state, delivery.answers[0]["status"], delivery.answers[0]["body"]) == ("waiting", 500, "broken")
    # Five seconds, and a fifth more at most.
    assert 0 < (delivery.due_at - timezone.now()).total_seconds() <= 6
    assert events_deliver() == 0
    later(seconds=6)
    assert events_deliver() == 1
    first, second = receiver.received
    assert (first.message_id, first.body) == (second.message_id, second.body)
    assert [answer["status"] for answer in delivery_of(event).answers] == [500, 204]


def test_the_pauses_grow_over_three_days_then_it_is_given_up(webhook):
    event = write()
    pauses = []
    for _ in range(len(PAUSES) + 1):
        now = timezone.now()
        answer_note(webhook.pk, delivery_of(event).pk, Answer(status=500))
        due = delivery_of(event).due_at
        pauses.append(due and due - now)
    *waited, none = pauses
    assert none is None
    for pause, least in zip(waited, PAUSES, strict=True):
        assert least <= pause <= 1.2 * least + timedelta(minutes=1)
    assert timedelta(days=3) < sum(PAUSES, timedelta()) < timedelta(days=4)
    assert delivery_of(event).state == "given_up"
    assert len(delivery_of(event).answers) == 10


def test_a_pause_that_the_receiver_asks_for_is_kept(webhook):
    event = write()
    answer_note(webhook.pk, delivery_of(event).pk, Answer(status=429, pause=timedelta(hours=2)))
    assert delivery_of(event).due_at > timezone.now() + timedelta(minutes=119)
    webhook.refresh_from_db()
    assert webhook.rests_until > timezone.now() + timedelta(minutes=119)


def test_a_webhook_that_is_down_gets_no_request_for_each_event(webhook, receiver):
    receiver.answers.extend([status(500)] * 2)
    for number in range(5):
        write(number, subject=f"dsp:{number}")
    assert events_deliver() == 1
    assert webhooks_due() == []
    later(seconds=1)
    assert events_deliver() == 1
    # It rests twice as long now.
    later(seconds=1)
    assert events_deliver() == 0
    later(seconds=1)
    assert events_deliver() == 3
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.failing_since, webhook.rests_until) == (0, None, None)


def test_resending_sends_the_same_event_at_once(webhook, receiver):
    event = write()
    events_deliver()
    delivery_resend(webhook_number=webhook.pk, delivery_number=delivery_of(event).pk)
    assert events_deliver() == 1
    assert receiver.message_ids == [event.message_id] * 2


# --- In order --------------------------------------------------------------------------------------------------


def test_events_of_a_subject_are_sent_in_their_order(webhook, receiver):
    events = [write(number) for number in range(5)]
    assert events_deliver() == 5
    assert receiver.message_ids == [event.message_id for event in events]


def test_a_failure_holds_back_its_subject_for_an_hour_and_no_other(webhook, receiver):
    receiver.answers.append(status(500))
    failing, held = write(1), write(2)
    events_deliver()
    other = write(3, subject="dsp:Deezer")
    later(seconds=1)
    events_deliver()
    assert receiver.message_ids == [failing.message_id, other.message_id]

    # Its next attempts fail, too, until an hour is over.
    receiver.answers.extend([status(500)] * 2)
    for minutes in (5, 40):
        later(minutes=minutes)
        events_deliver()
    assert receiver.message_ids[2:] == [failing.message_id] * 2
    assert delivery_of(failing).passed_over_at is None
    later(minutes=20)
    events_deliver()
    assert receiver.message_ids[4:] == [held.message_id]
    assert delivery_of(failing).passed_over_at is not None
    assert (delivery_of(failing).state, delivery_of(held).passed_over_at) == ("waiting", None)

    later(days=1)
    events_deliver()
    assert receiver.message_ids[5:] == [failing.message_id]
    assert delivery_of(failing).state == "delivered"


def test_an_event_that_was_given_up_holds_back_nothing(webhook, receiver):
    given_up = write(1)
    Delivery.objects.update(state="given_up", due_at=None)
    following = write(2)
    events_deliver()
    assert receiver.message_ids == [following.message_id]
    assert delivery_of(given_up).passed_over_at is None


def test_an_old_event_that_is_sent_again_holds_back_nothing(webhook, receiver):
    old, new = write(1), write(2)
    events_deliver()
    delivery_resend(webhook_number=webhook.pk, delivery_number=delivery_of(old).pk)
    receiver.answers.append(status(500))
    events_deliver()
    newest = write(3)
    later(seconds=1)
    events_deliver()
    assert receiver.message_ids == [one.message_id for one in (old, new, old, newest)]


# --- Disabling -------------------------------------------------------------------------------------------------


def test_a_webhook_is_disabled_when_all_failed_for_three_days_and_nothing_is_lost(webhook, receiver):
    receiver.answers.extend([status(500)] * 2)
    event = write()
    events_deliver()
    later(days=3, seconds=1)
    events_deliver()
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.disabled_reason) == (False, "failing")
    meanwhile = write(2)
    assert events_deliver() == 0

    webhook_change(webhook_number=webhook.pk, is_enabled=True)
    events_deliver()
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.disabled_reason, webhook.failures) == (True, "", 0)
    assert receiver.message_ids == [event.message_id] * 3 + [meanwhile.message_id]


def test_what_a_hopeless_webhook_could_not_take_is_not_given_up(webhook, receiver):
    event = write()
    for _ in range(len(PAUSES)):
        answer_note(webhook.pk, delivery_of(event).pk, Answer(status=500))
    later(days=3, seconds=1)
    answer_note(webhook.pk, delivery_of(event).pk, Answer(status=500))
    webhook.refresh_from_db()
    assert (webhook.disabled_reason, delivery_of(event).state) == ("failing", "waiting")
    webhook_change(webhook_number=webhook.pk, is_enabled=True)
    assert events_deliver() == 1
    assert receiver.message_ids == [event.message_id]


def test_a_success_in_between_keeps_a_webhook_enabled(webhook, receiver):
    receiver.answers.extend([status(500), status(204), status(500)])
    write()
    events_deliver()
    later(days=2)
    events_deliver()
    write(2)
    events_deliver()
    later(days=2)
    events_deliver()
    webhook.refresh_from_db()
    assert webhook.is_enabled


def test_a_receiver_that_is_gone_disables_its_webhook_at_once(webhook, receiver):
    receiver.answers.append(status(410))
    write()
    events_deliver()
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.disabled_reason) == (False, "gone")


def test_a_webhook_that_a_person_disabled_meanwhile_keeps_that_reason(webhook):
    event = write()
    webhook_change(webhook_number=webhook.pk, is_enabled=False)
    answer_note(webhook.pk, delivery_of(event).pk, Answer(status=410))
    webhook.refresh_from_db()
    assert webhook.disabled_reason == "user"


def test_an_answer_to_what_was_deleted_meanwhile_is_no_error(webhook):
    delivery = delivery_of(write())
    Webhook.objects.all().delete()
    answer_note(webhook.pk, delivery.pk, Answer(status=204))


# --- Workers ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_no_two_workers_send_to_a_webhook_at_a_time(webhook, receiver, in_thread):
    is_asked, may_answer = Signal(), Signal()

    def answer(handler):
        is_asked.set()
        may_answer.wait()
        status(204)(handler)

    receiver.answers.append(answer)
    write(1)
    write(2)
    first = in_thread(webhook_deliver, webhook.pk)
    is_asked.wait()
    assert webhook_deliver(webhook.pk) == 0
    may_answer.set()
    assert first.result() == 2
    assert len(receiver.received) == len(set(receiver.message_ids)) == 2


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_while_it_sends_leaves_the_event_to_the_next(webhook, receiver):
    event = write()

    def die(*_):
        connection.close()  # its session ends with its process
        raise KeyboardInterrupt

    with patch.object(delivering, "answer_note", die), pytest.raises(KeyboardInterrupt):
        webhook_deliver(webhook.pk)
    assert delivery_of(event).state == "waiting"
    wait_until(lambda: webhook_deliver(webhook.pk), "the lock of the dead worker is free")
    assert receiver.message_ids == [event.message_id] * 2
    assert delivery_of(event).state == "delivered"


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_receiver_answers(webhook, receiver):
    states = []

    def answer(handler):
        status(204)(handler)

    receiver.answers.append(answer)
    write()
    with patch.object(delivering, "post", lambda *_: states.append(connection.in_atomic_block) or Answer(status=204)):
        webhook_deliver(webhook.pk)
    assert states == [False]


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_holds_up_no_other(webhook, receiver, monkeypatch):
    monkeypatch.setattr(running, "PAUSE", 0.01)
    may_answer = Signal()
    receiver.answers.append(lambda handler: may_answer.wait() and status(204)(handler))
    with Receiver().listening() as other:
        recipes.webhook.make(url=other.url)
        event = write()
        with running.delivering():
            wait_until(lambda: other.message_ids == [event.message_id], "the other receiver has the event")
            wait_until(lambda: receiver.received, "the slow receiver is asked")
            may_answer.set()
        assert Delivery.objects.filter(state="delivered").count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_failure_of_the_database_does_not_end_the_delivery(webhook, receiver, monkeypatch):
    monkeypatch.setattr(running, "PAUSE", 0.01)
    failures = iter([RuntimeError("a bug"), RuntimeError("another one")])

    def fails_at_first():
        if (failure := next(failures, None)) is not None:
            raise failure
        return webhooks_due()

    monkeypatch.setattr(running, "webhooks_due", fails_at_first)
    event = write()
    with running.delivering():
        wait_until(lambda: receiver.message_ids == [event.message_id], "the event is sent")


def test_after_some_deliveries_another_webhook_has_its_turn(webhook, receiver, monkeypatch):
    monkeypatch.setattr(delivering, "MOST_AT_A_TIME", 2)
    for number in range(3):
        write(number)
    assert webhook_deliver(webhook.pk) == 2
    assert events_deliver() == 1


# --- Retention -------------------------------------------------------------------------------------------------


def test_events_are_dropped_with_their_deliveries_when_they_are_old(webhook, settings, monkeypatch):
    settings.DSRHUB_WEBHOOK_DAYS = 30
    monkeypatch.setattr(retention, "BATCH", 1)
    old, older, kept = write(1), write(2), write(3)
    now = timezone.now()
    Event.objects.filter(pk__in=[old.pk, older.pk]).update(at=now - timedelta(days=30, seconds=1))
    Event.objects.filter(pk=kept.pk).update(at=now - timedelta(days=29))
    assert retention.events_drop_surplus() == 2
    assert Delivery.objects.get().event == Event.objects.get() == kept


def test_events_of_deleted_webhooks_are_dropped_after_a_day(webhook):
    young, old = write(1), write(2)
    Webhook.objects.all().delete()
    Event.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=2))
    assert retention.events_drop_surplus() == 1
    assert Event.objects.get() == young
