"""Which limit applies, on which day it is reached, and what webhooks are told: by hand."""

import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import call_command

from dsrhub.webhooks.models import Event
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.exceptions import InvalidLimit, LimitNotFound, SubscriptionNotFound
from subscriptions.limits import changes
from subscriptions.limits.following import limits_follow
from subscriptions.limits.selectors import limit_crossing_list, limits_are_current
from subscriptions.limits.services import price_limit_delete, price_limit_set
from subscriptions.models import DataUsageRecord, LimitCrossing, LimitMark, LimitSpan, PriceLimit, Subscription
from subscriptions.records.services import usage_record_edit, usage_records_delete
from subscriptions.retention.services import usage_records_purge
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, add, event, noon, subscribe
from tests.webhooks import recipes as webhook_recipes

pytestmark = pytest.mark.usefixtures("real_commits")

MONTH, TOTAL = LimitSpan.MONTH, LimitSpan.TOTAL
JANUARY = date(2026, 1, 1)


def limit(price, span=MONTH, *, usage_type=DATA, since=JANUARY, **whose):
    since = since if span == MONTH else None
    return price_limit_set(usage_type=usage_type, span=span, price=Decimal(price), since=since, **whose)


def reached(**filters):
    """The crossings that stand: (day, limit, of whom), in the order of their days."""
    limits_follow()
    found = LimitCrossing.objects.filter(withdrawn_at=None, **filters).order_by("day", "span", "usage_type")
    return [(f"{one.day:%m-%d}", f"{one.price_limit:f}", one.scope) for one in found]


def withdrawn():
    return [f"{one.day:%m-%d}" for one in LimitCrossing.objects.exclude(withdrawn_at=None).order_by("pk")]


# --- Days ------------------------------------------------------------------------------------------------------


def test_a_limit_is_reached_on_the_first_day_on_which_the_sum_is_equal_to_it():
    someone = subscribe()
    limit("10")
    add(event(someone, 3, "4"), event(someone, 5, "5.99"), event(someone, 7, "0.01"), event(someone, 9, "100"))
    assert reached() == [("01-07", "10", "all")]


def test_below_the_limit_nothing_is_reached():
    someone = subscribe()
    limit("10")
    add(event(someone, 3, "9." + "9" * 50))
    assert reached() == []


def test_each_month_starts_anew_and_the_total_does_not():
    someone = subscribe()
    limit("10")
    limit("15", TOTAL)
    add(event(someone, 31, "9"), event(someone, 1, "9", month=2), event(someone, 2, "1", month=2))
    assert reached() == [("02-01", "15", "all"), ("02-02", "10", "all")]


def test_usage_types_are_limited_apart():
    someone = subscribe()
    limit("10")
    limit("2", usage_type=VOICE)
    add(event(someone, 3, "9"))
    add(event(someone, 4, "9"), usage_type=VOICE)
    assert reached() == [("01-04", "2", "all")]


def test_a_later_credit_does_not_undo_that_the_limit_was_reached():
    someone = subscribe()
    limit("10")
    add(event(someone, 3, "10"), event(someone, 4, "-5"), event(someone, 5, "5"))
    assert reached() == [("01-03", "10", "all")]


def test_a_credit_of_the_same_day_counts():
    someone = subscribe()
    limit("10")
    add(event(someone, 3, "10"), event(someone, 3, "-5"), event(someone, 4, "5"))
    assert reached() == [("01-04", "10", "all")]


def test_months_before_a_limit_are_not_limited():
    someone = subscribe()
    add(event(someone, 3, "10"), event(someone, 3, "10", month=2))
    limit("10", since=date(2026, 2, 1))
    assert reached() == [("02-03", "10", "all")]


# --- Which limit -----------------------------------------------------------------------------------------------


def test_the_most_specific_limit_applies():
    one, of_carrier, other = subscribe(3)
    Subscription.objects.filter(pk=other.pk).update(carrier="sprint")
    limit("30")
    limit("20", carrier="att")
    limit("10", subscription_id=one.pk)
    for someone in (one, of_carrier, other):
        add(*[event(someone, day, "10") for day in (1, 2, 3)])
    assert reached() == [("01-01", "10", "subscription"), ("01-02", "20", "carrier"), ("01-03", "30", "all")]


def test_a_more_specific_limit_that_is_higher_applies_too():
    someone = subscribe()
    limit("5")
    limit("50", subscription_id=someone.pk)
    add(event(someone, 3, "10"))
    assert reached() == []


def test_until_its_month_a_more_general_limit_applies():
    someone = subscribe()
    limit("5")
    limit("50", subscription_id=someone.pk, since=date(2026, 2, 1))
    add(event(someone, 3, "10"), event(someone, 3, "10", month=2))
    assert reached() == [("01-03", "5", "all")]


# --- Changes ---------------------------------------------------------------------------------------------------


def test_a_late_record_moves_the_day():
    someone = subscribe()
    limit("10")
    add(event(someone, 20, "10"))
    assert reached() == [("01-20", "10", "all")]
    add(event(someone, 10, "10"))
    assert reached() == [("01-10", "10", "all")]
    assert withdrawn() == ["01-20"]


def test_a_late_record_of_an_earlier_month_moves_the_day_of_the_total():
    someone = subscribe()
    limit("10", TOTAL)
    add(event(someone, 1, "9"), event(someone, 5, "1", month=3))
    assert reached() == [("03-05", "10", "all")]
    add(event(someone, 5, "1", month=2))
    assert reached() == [("02-05", "10", "all")]
    # Records after the day change nothing.
    add(event(someone, 6, "100", month=2), event(someone, 5, "100", month=3))
    assert reached() == [("02-05", "10", "all")]
    assert withdrawn() == ["03-05"]


def test_the_total_counts_each_month_once():
    someone = subscribe()
    limit("10", TOTAL)
    assert reached() == []
    add(event(someone, 5, "4"))
    assert reached() == []
    add(event(someone, 5, "4", month=2))
    assert reached() == []
    add(event(someone, 6, "2", month=2))
    assert reached() == [("02-06", "10", "all")]


def test_the_earliest_of_several_months_decides_about_the_total():
    someone = subscribe()
    limit("10", TOTAL)
    assert reached() == []
    add(event(someone, 5, "10"), event(someone, 5, "10", month=2))
    assert reached() == [("01-05", "10", "all")]


def test_what_was_withdrawn_can_be_reached_again_later():
    someone = subscribe()
    limit("10", TOTAL)
    add(event(someone, 20, "10"))
    assert reached() == [("01-20", "10", "all")]
    usage_records_delete(usage_type=DATA, record_ids=[DataUsageRecord.objects.get().pk])
    assert reached() == []
    add(event(someone, 5, "10", month=2))
    assert reached() == [("02-05", "10", "all")]


def test_a_deleted_record_withdraws_what_it_reached():
    someone = subscribe()
    limit("10")
    add(event(someone, 20, "10"))
    assert reached() == [("01-20", "10", "all")]
    usage_records_delete(usage_type=DATA, record_ids=[DataUsageRecord.objects.get().pk])
    assert reached() == []
    assert withdrawn() == ["01-20"]


def test_an_edited_record_moves_what_was_reached_to_another_subscription_and_day():
    someone, other = subscribe(2)
    limit("10")
    add(event(someone, 20, "10"))
    assert reached(subscription=someone) == [("01-20", "10", "all")]
    values = event(other, noon(2, 2), "10")
    usage_record_edit(usage_type=DATA, record_id=DataUsageRecord.objects.get().pk, values=values)
    assert reached(subscription=someone) == []
    assert reached(subscription=other) == [("02-02", "10", "all")]


def test_purged_records_stay_counted():
    someone = subscribe()
    limit("10")
    add(event(someone, 5, "6"), event(someone, 9, "4"))
    usage_records_purge(before=date(2026, 1, 6))
    assert reached() == [("01-09", "10", "all")]
    add(event(someone, 5, "4"), backfill=True)
    assert reached() == [("01-05", "10", "all")]


def test_another_price_is_another_limit():
    someone = subscribe()
    add(event(someone, 5, "6"), event(someone, 9, "4"))
    limit("10")
    assert reached() == [("01-09", "10", "all")]
    limit("6")
    assert reached() == [("01-05", "6", "all")]
    price_limit_delete(limit_number=PriceLimit.objects.get().pk)
    assert reached() == []
    assert withdrawn() == ["01-09", "01-05"]


def test_whoever_changes_the_carrier_has_another_limit(admin_client):
    someone = subscribe()
    add(event(someone, 5, "6"))
    limit("5", carrier="att")
    assert reached() == [("01-05", "5", "carrier")]
    path = f"/admin/subscriptions/subscription/{someone.pk}/change/"
    page = admin_client.get(path).content.decode()
    shown = page.split('name="shown" value="')[1].split('"')[0]
    admin_client.post(path, {"carrier": "sprint", "status": "active", "shown": shown})
    assert reached() == []


# --- What is told ----------------------------------------------------------------------------------------------


def told():
    found = list(Event.objects.order_by("pk"))
    Event.objects.all().delete()
    return [(event.type, event.subject, json.loads(event.body)["data"]) for event in found]


def test_webhooks_are_told_what_is_reached_and_what_is_withdrawn():
    webhook_recipes.webhook.make()
    someone = subscribe()
    limit("10.50")
    add(event(someone, 20, "11"))
    limits_follow()
    first = LimitCrossing.objects.get()
    subject = f"subscription:{someone.pk}"
    data = {
        "crossing": first.pk,
        "subscription": someone.pk,
        "usage_type": "data",
        "span": "month",
        "month": "2026-01",
        "day": "2026-01-20",
        "price_limit": "10.50",
        "limit_of": "all",
    }
    assert told() == [("usage.limit_reached", subject, data)]

    add(event(someone, 10, "11"))
    limits_follow()
    second = LimitCrossing.objects.exclude(pk=first.pk).get()
    assert told() == [
        ("usage.limit_withdrawn", subject, data),
        ("usage.limit_reached", subject, data | {"crossing": second.pk, "day": "2026-01-10"}),
    ]
    assert limits_follow() == 0
    assert told() == []


# --- Following -------------------------------------------------------------------------------------------------


def test_without_a_limit_nothing_is_marked():
    add(event(subscribe()))
    limit("10", usage_type=VOICE)
    limits_follow()
    daily_usage_refresh()
    assert not LimitMark.objects.exists()


def test_a_refresh_marks_only_what_it_changed():
    someone, other = subscribe(2)
    limit("10")
    add(event(someone), event(other))
    limits_follow()
    add(event(someone))
    daily_usage_refresh()
    assert [(mark.first, mark.last, mark.month) for mark in LimitMark.objects.all()] == [
        (someone.pk, someone.pk, JANUARY)
    ]


def test_another_limit_is_followed_from_the_beginning_also_beside_a_mark_of_a_month():
    someone = subscribe()
    limit("30", TOTAL)
    add(event(someone, 5, "10"))
    assert reached() == []
    add(event(someone, 5, "1", month=2))
    daily_usage_refresh()
    limit("10", TOTAL)
    assert reached() == [("01-05", "10", "all")]


def test_all_subscriptions_are_looked_at_however_few_at_a_time(monkeypatch):
    monkeypatch.setattr(changes, "BATCH", 2)
    everybody = subscribe(5)
    add(*[event(someone, 5, "10") for someone in everybody])
    daily_usage_refresh()
    limit("10")
    assert limits_follow() == 5
    add(*[event(someone, 3, "10") for someone in everybody])
    assert limits_follow() == 5
    assert reached() == [("01-03", "10", "all")] * 5


def test_it_stops_when_it_may_not_continue_and_says_what_waits():
    add(event(subscribe(), 5, "10"))
    limit("10")
    assert limits_follow(may_continue=lambda: False) == 0
    assert not limits_are_current()
    assert limits_follow() == 1
    assert limits_are_current()


@pytest.mark.parametrize("command", [["worker", "--once"], ["refresh_usage"]])
def test_commands_follow(command):
    add(event(subscribe(), 5, "10"))
    limit("10")
    call_command(*command)
    assert LimitCrossing.objects.count() == 1


def test_a_rebuild_finds_what_an_earlier_release_refreshed_without_a_mark():
    someone = subscribe()
    limit("10")
    limits_follow()
    add(event(someone, 5, "10"))
    daily_usage_refresh()
    LimitMark.objects.all().delete()
    assert reached() == []
    call_command("refresh_usage", "--rebuild")
    assert reached() == [("01-05", "10", "all")]


# --- Limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"price": Decimal(0)}, "price"),
        ({"price": Decimal(-1)}, "price"),
        ({"price": Decimal("1e31")}, "price"),
        ({"price": Decimal("1e-61")}, "price"),
        ({"span": TOTAL, "since": JANUARY}, "since"),
        ({"subscription_id": 1, "carrier": "att"}, "carrier"),
    ],
)
def test_a_wrong_limit_is_refused_and_changes_nothing(wrong, argument):
    recipes.subscription.make(pk=1)
    with pytest.raises(InvalidLimit) as refused:
        price_limit_set(**({"usage_type": DATA, "span": MONTH, "price": Decimal(1)} | wrong))
    assert refused.value.extra["argument"] == argument
    assert not PriceLimit.objects.exists()


def test_a_limit_of_nobody_is_refused():
    with pytest.raises(SubscriptionNotFound):
        limit("1", subscription_id=7)
    with pytest.raises(LimitNotFound):
        price_limit_delete(limit_number=7)


def test_a_limit_applies_from_the_present_month_or_from_that_of_a_day(monkeypatch):
    monkeypatch.setattr("subscriptions.limits.services.usage_day", lambda _: date(2026, 3, 9))
    assert limit("1", since=None).since == date(2026, 3, 1)
    assert limit("1", since=date(2026, 2, 27)).since == date(2026, 2, 1)
    # Another price leaves the month as it is.
    assert limit("2", since=None).since == date(2026, 2, 1)


def test_crossings_are_listed_by_day_and_withdrawn_ones_only_if_wanted():
    someone = subscribe()
    for day in (1, 2, 3):
        recipes.limit_crossing.make(subscription=someone, day=date(2026, 1, day), month=date(2025, day, 1))
    LimitCrossing.objects.filter(day=date(2026, 1, 2)).update(withdrawn_at=noon(4))
    found = {"start": date(2026, 1, 2), "end": date(2026, 1, 3)}
    assert [one.day.day for one in limit_crossing_list(**found)] == [3]
    assert sorted(one.day.day for one in limit_crossing_list(**found, with_withdrawn=True)) == [2, 3]
