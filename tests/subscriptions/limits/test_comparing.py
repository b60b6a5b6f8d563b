"""The check of the crossings: what is wrong, missing or too many is reported, and a rebuild repairs it."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from subscriptions.limits import changes
from subscriptions.limits.following import limits_follow
from subscriptions.limits.services import price_limit_set
from subscriptions.models import LimitCrossing, LimitMark, LimitSpan, PriceLimit
from subscriptions.retention.services import usage_records_purge
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, add, event, subscribe

pytestmark = pytest.mark.usefixtures("real_commits")

JANUARY = date(2026, 1, 1)


@pytest.fixture
def someone():
    """Reaches the limit of January on the 5th, that of February on the 2nd, and that of the total on that day too."""
    someone = subscribe()
    price_limit_set(usage_type=DATA, span=LimitSpan.MONTH, price=Decimal("10"), since=JANUARY)
    price_limit_set(usage_type=DATA, span=LimitSpan.TOTAL, price=Decimal("25"), carrier="att")
    add(
        event(someone, 3, "9"),
        event(someone, 5, "1"),
        event(someone, 1, "5", month=2),
        event(someone, 2, "10", month=2),
    )
    assert limits_follow() == 3
    return someone


def checked(*arguments):
    """The lines of a check that finds nothing."""
    output = StringIO()
    call_command("refresh_usage", "--check", *arguments, stdout=output)
    return output.getvalue().splitlines()


def reported(*arguments):
    """The differences that a check reports: it ends with an error that counts them."""
    output = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("refresh_usage", "--check", *arguments, stdout=output)
    lines = [line for line in output.getvalue().splitlines() if "sealed" not in line]
    assert str(error.value) == f"{len(lines)} differences. Repair them with: refresh_usage --rebuild"
    return lines


def crossing(month):
    return LimitCrossing.objects.filter(month=month, withdrawn_at=None)


def test_right_crossings_are_only_counted(someone):
    assert checked() == [
        "4 days checked, no difference. 0 days wait for a refresh: their changed sums were not compared.",
        "3 reached limits read, no difference.",
    ]


@pytest.mark.parametrize(
    ("wrong", "written"),
    [
        ({"day": date(2026, 1, 3)}, "10 of all reached on 2026-01-03"),
        ({"price_limit": Decimal("9.99")}, "9.99 of all reached on 2026-01-05"),
        ({"scope": "carrier"}, "10 of carrier reached on 2026-01-05"),
    ],
)
def test_a_wrong_crossing_is_reported(someone, wrong, written):
    crossing(JANUARY).update(**wrong)
    assert reported() == [
        f"2026-01 limit data, subscription {someone.pk}: {written} instead of 10 of all reached on 2026-01-05"
    ]


def test_missing_crossings_are_reported(someone):
    LimitCrossing.objects.all().delete()
    assert reported() == [
        f"2026-01 limit data, subscription {someone.pk}: not reached instead of 10 of all reached on 2026-01-05",
        f"2026-02 limit data, subscription {someone.pk}: not reached instead of 10 of all reached on 2026-02-02",
        f"total limit data, subscription {someone.pk}: not reached instead of 25 of carrier reached on 2026-02-02",
    ]


def test_a_withdrawn_crossing_does_not_count_as_one_that_stands(someone):
    crossing(JANUARY).update(withdrawn_at="2026-03-01T00:00:00Z")
    assert [line.split(": ")[1] for line in reported()] == ["not reached instead of 10 of all reached on 2026-01-05"]


def test_crossings_too_many_are_reported_and_withdrawn_by_a_rebuild(someone):
    """Of a month without usage, and of a usage type that has no limit."""
    quiet = subscribe()
    facts = {"price_limit": Decimal(10), "scope": "all", "day": date(2026, 3, 4), "month": date(2026, 3, 1)}
    recipes.limit_crossing.make(subscription=quiet, usage_type=DATA, **facts)
    recipes.limit_crossing.make(subscription=someone, usage_type=VOICE, **facts)
    assert reported() == [
        f"2026-03 limit data, subscription {quiet.pk}: 10 of all reached on 2026-03-04 instead of not reached",
        f"2026-03 limit voice, subscription {someone.pk}: 10 of all reached on 2026-03-04 instead of not reached",
    ]
    call_command("refresh_usage", "--rebuild", stdout=StringIO())
    assert checked()[-1] == "3 reached limits read, no difference."


def test_purged_days_count_with_their_stored_sums(someone):
    usage_records_purge(before=date(2026, 2, 1))
    assert checked()[-1] == "3 reached limits read, no difference."
    crossing(JANUARY).update(day=date(2026, 1, 3))
    assert [line.split(": ")[1] for line in reported()] == [
        "10 of all reached on 2026-01-03 instead of 10 of all reached on 2026-01-05"
    ]


def test_a_range_chooses_months_and_always_the_totals(someone):
    LimitCrossing.objects.all().delete()
    lines = reported("--from", "2026-02-20", "--to", "2026-02-21")
    assert [line.split()[0] for line in lines] == ["2026-02", "total"]
    lines = reported("--to", "2026-01-01")
    assert [line.split()[0] for line in lines] == ["2026-01", "total"]


def test_what_waits_for_a_worker_is_not_compared(someone):
    other = subscribe()
    add(event(other, 3, "10"))
    limits_follow()
    LimitCrossing.objects.all().delete()
    LimitMark.objects.create(usage_type=DATA, first=someone.pk, last=someone.pk, month=JANUARY)
    lines = reported()
    assert [line.split(":")[0] for line in lines] == [
        f"2026-02 limit data, subscription {someone.pk}",
        f"2026-01 limit data, subscription {other.pk}",
    ]
    LimitMark.objects.create(usage_type=DATA, first=changes.FIRST_ID, last=changes.LAST_ID)
    assert checked()[-1] == "Changes of usage or limits wait for a worker: what these concern was not compared."


def test_subscriptions_are_compared_batch_by_batch(someone, monkeypatch):
    monkeypatch.setattr(changes, "BATCH", 1)
    others = subscribe(2)
    add(*[event(other, 3, "10") for other in others])
    limits_follow()
    PriceLimit.objects.filter(span=LimitSpan.MONTH).update(price=11)
    assert [line.split(": ")[1] for line in reported()] == [
        "10 of all reached on 2026-01-05 instead of not reached",
        "10 of all reached on 2026-02-02 instead of 11 of all reached on 2026-02-02",
        *["10 of all reached on 2026-01-03 instead of not reached"] * 2,
    ]
