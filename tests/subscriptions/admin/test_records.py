"""The admin of records and subscriptions. It changes records through the services."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from subscriptions.admin import records as record_admin
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.models import DataUsageRecord, Subscription, VoiceUsageRecord
from tests import recipes as user_recipes
from tests.confirming import confirm_action, confirm_deletion, save, shown_on
from tests.subscriptions import recipes
from tests.subscriptions.helpers import add, event, marks, subscribe, sums

pytestmark = pytest.mark.django_db

LIST = reverse("admin:subscriptions_datausagerecord_changelist")
ADD = reverse("admin:subscriptions_datausagerecord_add")


@pytest.fixture
def ada(client):
    client.force_login(user_recipes.superuser.make())
    return client


def form(subscription, day="2026-01-05", price="12.50", kilobytes="2048", external_id="", **more):
    return {
        "subscription": subscription.pk,
        "usage_date_0": day,
        "usage_date_1": "12:00:00",
        "price": price,
        "kilobytes_used": kilobytes,
        "external_id": external_id,
        **more,
    }


def errors(response):
    """The errors of the form."""
    assert response.status_code == 200
    return response.context["adminform"].form.errors


def change(record):
    return reverse("admin:subscriptions_datausagerecord_change", args=[record.pk])


def test_a_record_is_added_through_the_service(ada):
    someone = subscribe()
    assert ada.post(ADD, form(someone, price="0.0000001")).status_code == 302
    record = DataUsageRecord.objects.get()
    assert (record.day, record.price, record.external_id) == (date(2026, 1, 5), Decimal("0.0000001"), None)
    assert marks() == [("data", date(2026, 1, 5), someone.pk)]
    assert sums() == {(someone.pk, "data"): ("0.0000001", 2048)}
    assert LogEntry.objects.get().object_id == str(record.pk)


def test_a_voice_record_is_added_through_the_service(ada):
    someone = subscribe()
    page = reverse("admin:subscriptions_voiceusagerecord_add")
    assert ada.post(page, form(someone) | {"seconds_used": "61"}).status_code == 302
    assert VoiceUsageRecord.objects.get().seconds_used == 61
    assert sums() == {(someone.pk, "voice"): ("12.50", 61)}


def test_an_edit_moves_the_usage(ada):
    one, other = subscribe(2)
    add(event(one, 5, "1"))
    daily_usage_refresh()
    record = DataUsageRecord.objects.get()
    assert ada.get(change(record)).status_code == 200
    assert save(ada, change(record), form(other, "2026-02-01", "3")).status_code == 302
    assert sums(by=Step.DAY) == {(other.pk, "data", date(2026, 2, 1)): ("3.00", 2048)}
    assert DataUsageRecord.objects.get().usage_date == datetime(2026, 2, 1, 12, tzinfo=UTC)


def test_an_edit_of_something_else_keeps_the_fractions_of_a_second(ada):
    someone = subscribe()
    moment = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)
    add(event(someone, moment))
    record = DataUsageRecord.objects.get()
    assert save(ada, change(record), form(someone, price="3")).status_code == 302
    record.refresh_from_db()
    assert (record.price, record.usage_date) == (Decimal(3), moment)
    assert save(ada, change(record), form(someone) | {"usage_date_1": "12:00:01"}).status_code == 302
    record.refresh_from_db()
    assert record.usage_date == datetime(2026, 1, 5, 12, 0, 1, tzinfo=UTC)


def test_a_refusal_of_the_service_is_an_error_of_the_form(ada):
    someone = subscribe()
    recipes.sealed_day.make(day=date(2026, 1, 6))
    add(event(someone, 5, external_id="a"))
    before = marks()
    (conflict,) = errors(ada.post(ADD, form(someone, external_id="a")))["__all__"]
    assert "another record with the external id 'a'" in conflict
    (sealed,) = errors(ada.post(ADD, form(someone, "2026-01-06")))["__all__"]
    assert "only a backfill can add to it" in sealed
    (moved,) = errors(save(ada, change(DataUsageRecord.objects.get()), form(someone, "2026-01-06")))["__all__"]
    assert "only a backfill can add to it" in moved
    assert (DataUsageRecord.objects.count(), marks()) == (1, before)

    assert ada.post(ADD, form(someone, "2026-01-06", backfill="on")).status_code == 302
    assert DataUsageRecord.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value"), [("price", "x"), ("price", "NaN"), ("kilobytes_used", "-1"), ("subscription", "0")]
)
def test_an_invalid_value_is_an_error_of_its_field(ada, field, value):
    assert list(errors(ada.post(ADD, form(subscribe()) | {field: value}))) == [field]
    assert not DataUsageRecord.objects.exists()


def test_one_is_deleted_through_the_service(ada):
    someone = subscribe()
    add(event(someone, 5), event(someone, 6))
    daily_usage_refresh()
    page = reverse("admin:subscriptions_datausagerecord_delete", args=[DataUsageRecord.objects.earliest("pk").pk])
    assert confirm_deletion(ada, page).status_code == 302
    assert sums(by=Step.DAY) == {(someone.pk, "data", date(2026, 1, 6)): ("1.00", 1)}


def test_many_are_deleted_through_the_service(ada):
    someone = subscribe()
    add(event(someone, 5), event(someone, 6), event(someone, 7))
    daily_usage_refresh()
    ids = list(DataUsageRecord.objects.order_by("pk").values_list("pk", flat=True)[:2])
    action = {"action": "delete_selected", "_selected_action": ids}
    assert ada.post(LIST, action).status_code == 200
    assert DataUsageRecord.objects.count() == 3
    assert confirm_action(ada, LIST, action | {"post": "yes"}).status_code == 302
    assert sums(by=Step.DAY) == {(someone.pk, "data", date(2026, 1, 7)): ("1.00", 1)}


def test_the_confirmation_of_a_deletion_shows_totals_and_records(ada):
    someone = subscribe()
    add(*[event(someone, 5, "0.5", 1000)] * 101, event(someone, 6, "-" + "0." + "0" * 39 + "1"))
    ids = list(DataUsageRecord.objects.values_list("pk", flat=True))
    page = ada.post(LIST, {"action": "delete_selected", "_selected_action": ids})
    assert {name: strip_tags(count) for name, count in page.context["model_count"]} == {
        "data usage records": "102",
        "price": "50.50",
        "kilobytes used": "101,001",
    }
    assert f'data-full="50.4{"9" * 39}"' in page.content.decode()
    assert len(page.context["deletable_objects"][0]) == 101
    assert page.context["deletable_objects"][0][-1] == "and 2 more"


def test_thousands_are_deleted_at_once_and_no_more_than_the_list_has_counted(ada, monkeypatch):
    add(*[event(subscribe())] * 8000)
    chosen = {"action": "delete_selected", "_selected_action": [1], "select_across": "1", "post": "yes"}
    monkeypatch.setattr(record_admin, "MOST_COUNTED", 7999)
    page = ada.post(LIST, chosen, follow=True)
    assert [str(message) for message in page.context["messages"]] == [
        "Nothing was deleted. You can delete at most 7,999 records at once."
    ]
    assert DataUsageRecord.objects.count() == 8000
    monkeypatch.setattr(record_admin, "MOST_COUNTED", 8000)
    assert confirm_action(ada, LIST, chosen).status_code == 302
    assert sums() == {}


OUTDATED = "Something has changed since you opened the page. Review it again."


def page_messages(page):
    return [str(message) for message in page.context["messages"]]


def test_an_edit_of_a_page_that_was_opened_before_another_edit_is_refused(ada):
    someone = subscribe()
    add(event(someone, 5, "1"))
    record = DataUsageRecord.objects.get()
    old_page = shown_on(ada.get(change(record)))
    assert ada.post(change(record), form(someone, price="2") | old_page).status_code == 302
    page = ada.post(change(record), form(someone, price="3") | old_page, follow=True)
    assert page_messages(page)[-1] == f"Nothing was saved. {OUTDATED}"
    assert DataUsageRecord.objects.get().price == 2
    # The page is opened again, with the values of the other edit.
    assert ada.post(change(record), form(someone, price="3") | shown_on(page)).status_code == 302
    assert DataUsageRecord.objects.get().price == 3


def test_an_edit_that_is_corrected_after_an_error_is_compared_with_the_page_that_was_opened(ada):
    someone = subscribe()
    add(event(someone, 5, "1"))
    record = DataUsageRecord.objects.get()
    wrong = save(ada, change(record), form(someone, price="x"))
    assert list(errors(wrong)) == ["price"]
    assert ada.post(change(record), form(someone, price="3") | shown_on(wrong)).status_code == 302
    assert DataUsageRecord.objects.get().price == 3


def test_records_that_changed_after_the_confirmation_page_are_not_deleted(ada):
    someone = subscribe()
    add(event(someone, 5, "1"), event(someone, 6, "1"))
    one, other = DataUsageRecord.objects.order_by("pk")
    path = reverse("admin:subscriptions_datausagerecord_delete", args=[one.pk])
    action = {"action": "delete_selected", "_selected_action": [one.pk, other.pk], "post": "yes"}
    of_page, of_action = shown_on(ada.get(path)), shown_on(ada.post(LIST, action | {"post": ""}))
    assert save(ada, change(one), form(someone, price="2")).status_code == 302
    for page in (
        ada.post(path, {"post": "yes"} | of_page, follow=True),
        ada.post(LIST, action | of_action, follow=True),
    ):
        assert page_messages(page)[-1] == f"Nothing was deleted. {OUTDATED}"
    assert DataUsageRecord.objects.count() == 2


def test_a_subscription_that_another_user_has_changed_is_not_overwritten(ada):
    someone = subscribe()
    path = reverse("admin:subscriptions_subscription_change", args=[someone.pk])
    old_page = shown_on(ada.get(path))
    assert ada.post(path, {"carrier": "sprint", "status": "expired"} | old_page).status_code == 302
    page = ada.post(path, {"carrier": "sprint", "status": "active"} | old_page, follow=True)
    assert page_messages(page)[-1] == f"Nothing was saved. {OUTDATED}"
    assert Subscription.objects.get().status == "expired"


def test_the_list_takes_as_many_queries_for_a_hundred_as_for_one(ada):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert ada.get(LIST).status_code == 200
        return len(captured)

    add(event(subscribe()))
    one = queries()
    add(*[event(someone) for someone in subscribe(99)])
    assert queries() == one


def test_the_list_does_not_count_millions(ada, monkeypatch):
    monkeypatch.setattr(record_admin, "MOST_COUNTED", 2)
    add(*[event(subscribe())] * 5)
    assert ada.get(LIST).context["cl"].result_count == 2


def test_a_record_is_found_by_its_subscription_and_its_external_id(ada):
    one, other = subscribe(2)
    add(event(one, external_id="a"), event(other, external_id="b"))
    for text, found in [(str(one.pk), one), ("b", other)]:
        (record,) = ada.get(LIST, {"q": text}).context["cl"].result_list
        assert record.subscription == found


def test_a_subscription_is_added_and_changed_and_never_deleted(ada):
    page = reverse("admin:subscriptions_subscription_add")
    assert ada.post(page, {"carrier": "sprint", "status": "new"}).status_code == 302
    someone = Subscription.objects.get()
    page = reverse("admin:subscriptions_subscription_change", args=[someone.pk])
    assert "/subscription/usage/?start=" in ada.get(page).content.decode()
    assert save(ada, page, {"carrier": "sprint", "status": "expired"}).status_code == 302
    assert Subscription.objects.get().status == "expired"
    assert ada.post(reverse("admin:subscriptions_subscription_delete", args=[someone.pk])).status_code == 403


def test_sealed_days_are_shown_and_not_changed(ada):
    day = recipes.sealed_day.make(day=date(2026, 1, 6), purges=1, record_count=7)
    assert "2026-01-06" in ada.get(reverse("admin:subscriptions_sealedday_changelist")).content.decode()
    assert ada.get(reverse("admin:subscriptions_sealedday_add")).status_code == 403
    assert ada.post(reverse("admin:subscriptions_sealedday_delete", args=[day.pk])).status_code == 403


def test_users_without_permission_cannot_change_records(client):
    someone = subscribe()
    add(event(someone))
    bob = user_recipes.staff.make()
    bob.user_permissions.add(Permission.objects.get(codename="view_datausagerecord"))
    client.force_login(bob)
    record = DataUsageRecord.objects.get()
    assert client.get(LIST).status_code == 200
    assert client.post(ADD, form(someone)).status_code == 403
    assert client.post(change(record), form(someone, price="2")).status_code == 403
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


# --- Times -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "time"),
    [
        ("2026-01-05", "12:00:00.123456789"),
        ("2026-01-05", "12:00:00.123456z"),
        ("2026-01-05", "13:00:00.123456+0100"),
        ("2026-01-05T12:00:00.123456789Z", ""),
        (" 2026-01-05t12:00:00.123456z ", ""),
    ],
)
def test_a_time_is_entered_in_any_form_of_rfc_3339(ada, day, time):
    assert ada.post(ADD, form(subscribe(), day) | {"usage_date_1": time}).status_code == 302
    assert DataUsageRecord.objects.get().usage_date == datetime(2026, 1, 5, 12, 0, 0, 123_456, UTC)


@pytest.mark.parametrize(("day", "time"), [("", ""), ("2026-01-05", ""), ("2026-02-30", "12:00"), ("x", "12:00Z")])
def test_what_is_no_time_is_refused(ada, day, time):
    assert errors(ada.post(ADD, form(subscribe(), day) | {"usage_date_1": time})).keys() == {"usage_date"}
    assert not DataUsageRecord.objects.exists()


def test_a_day_in_the_future_is_refused(ada):
    page = ada.post(ADD, form(subscribe(), "2199-01-05"))
    assert "The day is in the future." in str(errors(page))
    assert not DataUsageRecord.objects.exists()


def test_the_list_rounds_prices_and_has_their_full_value(admin_client):
    add(event(subscribe(), price="50.4567"))
    page = admin_client.get("/admin/subscriptions/datausagerecord/").content.decode()
    assert 'data-full="50.4567" tabindex="0"><span>50.46</span>' in page
