"""Webhooks in the admin: the secret is shown once, and buttons need the permission to change webhooks."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction

from dsrhub.webhooks.models import Delivery, Webhook
from dsrhub.webhooks.running import events_deliver
from tests import recipes as user_recipes
from tests.confirming import confirm_deletion, save
from tests.webhooks import recipes
from tests.webhooks.helpers import write
from tests.webhooks.receiver import status

pytestmark = pytest.mark.django_db

FORM = {"name": "statistics", "url": "https://receiver.example/", "events": ["dsr.ingested", "dsr.failed"]}


def secret_in(response):
    (secret,) = re.findall("not shown again: <code>(whsec_[^<]+)</code>", response.content.decode())
    return secret


def test_a_secret_is_shown_once(admin_client):
    response = admin_client.post("/admin/webhooks/webhook/add/", FORM)
    secret = secret_in(response)
    assert "no-store" in response["Cache-Control"]
    webhook = Webhook.objects.get()
    assert (webhook.name, webhook.url, webhook.events) == tuple(FORM.values())
    for path in ("", f"{webhook.pk}/change/", f"{webhook.pk}/history/", f"{webhook.pk}/delete/"):
        page = admin_client.get(f"/admin/webhooks/webhook/{path}").content.decode()
        for text in (secret.removeprefix("whsec_"), webhook.secret):
            assert text not in page


def test_a_rotation_shows_the_new_secret(admin_client):
    first = secret_in(admin_client.post("/admin/webhooks/webhook/add/", FORM))
    webhook = Webhook.objects.get()
    response = admin_client.post(f"/admin/webhooks/webhook/{webhook.pk}/rotate/")
    assert secret_in(response) != first
    assert "The secret before signs, too, until" in response.content.decode()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": "https://127.0.0.1/"}, "The host 127.0.0.1 is at 127.0.0.1, which is no public address."),
        ({"url": "http://receiver.example/"}, "Not an address with https."),
        ({"events": []}, "This field is required."),
        ({"events": ["dsr.eaten"]}, "Select a valid choice. dsr.eaten is not one of the available choices."),
    ],
)
def test_a_wrong_field_has_its_error(admin_client, wrong, message):
    page = admin_client.post("/admin/webhooks/webhook/add/", FORM | wrong)
    assert message in page.content.decode()
    assert not Webhook.objects.exists()


def test_a_webhook_is_disabled_and_enabled(admin_client):
    webhook = recipes.webhook.make(url="https://gone.example/")
    path = f"/admin/webhooks/webhook/{webhook.pk}/change/"
    form = FORM | {"url": webhook.url}
    for is_enabled, reason in ((False, "user"), (True, "")):
        response = save(admin_client, path, form | ({"is_enabled": "on"} if is_enabled else {}))
        assert response.status_code == 302
        webhook.refresh_from_db()
        assert (webhook.is_enabled, webhook.disabled_reason) == (is_enabled, reason)


def test_a_page_that_was_opened_before_another_edit_changes_nothing(admin_client):
    webhook = recipes.webhook.make()
    path = f"/admin/webhooks/webhook/{webhook.pk}/change/"
    assert admin_client.post(path, FORM | {"shown": "0" * 64}).status_code == 302
    webhook.refresh_from_db()
    assert webhook.url == "https://receiver.example/events"


@pytest.mark.django_db(transaction=True)
def test_an_edit_does_not_wait_for_a_writer_of_events(admin_client, in_thread):
    webhook = recipes.webhook.make()
    path = f"/admin/webhooks/webhook/{webhook.pk}/change/"
    with transaction.atomic():
        write()
        assert in_thread(save, admin_client, path, FORM | {"is_enabled": "on"}).result().status_code == 302
    webhook.refresh_from_db()
    assert webhook.events == FORM["events"]


def test_a_deletion_does_not_list_the_log(admin_client):
    webhook = recipes.webhook.make()
    write()
    path = f"/admin/webhooks/webhook/{webhook.pk}/delete/"
    assert "dsp:Spotify" not in admin_client.get(path).content.decode()
    confirm_deletion(admin_client, path)
    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()


def test_a_test_event_and_its_answer(admin_client, webhook, receiver):
    receiver.answers.append(status(500, b"<b>broken"))
    response = admin_client.post(f"/admin/webhooks/webhook/{webhook.pk}/test/")
    delivery = Delivery.objects.get()
    assert response["Location"] == f"/admin/webhooks/delivery/{delivery.pk}/change/"
    assert "It was not sent yet." in admin_client.get(response["Location"]).content.decode()
    events_deliver()
    page = admin_client.get(response["Location"]).content.decode()
    assert "&lt;b&gt;broken" in page
    assert delivery.event.message_id in page


def test_an_event_is_sent_again_by_a_button(admin_client, webhook, receiver):
    write()
    events_deliver()
    number = Delivery.objects.get().pk
    admin_client.post(f"/admin/webhooks/delivery/{number}/resend/")
    events_deliver()
    assert len(receiver.received) == 2


def test_a_disabled_webhook_is_sent_nothing_and_the_page_says_so(admin_client):
    webhook = recipes.webhook.make(is_enabled=False, disabled_reason="gone")
    page = admin_client.post(f"/admin/webhooks/webhook/{webhook.pk}/test/", follow=True).content.decode()
    assert "The webhook is disabled. Enable it first." in page
    assert not Delivery.objects.exists()


def test_the_log_needs_as_many_queries_for_1_as_for_20(admin_client, django_assert_num_queries):
    recipes.webhook.make()
    write(0)
    with django_assert_num_queries(6):
        admin_client.get("/admin/webhooks/delivery/")
    for number in range(1, 20):
        write(number)
    with django_assert_num_queries(6):
        admin_client.get("/admin/webhooks/delivery/")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("permission", ["view_webhook", "add_webhook", "delete_webhook", "change_webhook"])
def test_buttons_need_the_permission_to_change_and_a_form(client, permission, method):
    staff = user_recipes.staff.make()
    staff.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(staff)
    webhook = recipes.webhook.make()
    write()
    buttons = [f"webhook/{webhook.pk}/rotate/", f"webhook/{webhook.pk}/test/"]
    buttons.append(f"delivery/{Delivery.objects.get().pk}/resend/")
    is_open = (permission, method) == ("change_webhook", "post")
    codes = [getattr(client, method)(f"/admin/webhooks/{button}").status_code for button in buttons]
    assert codes == ([200, 302, 302] if is_open else [403, 403, 403])
