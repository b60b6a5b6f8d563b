"""The output of the commands that refresh, check, purge and generate."""

import time
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from subscriptions.aggregates.answers import ReachedPrice
from subscriptions.aggregates.over_price import subscription_list_over_price
from subscriptions.management.commands import add_sample_usage
from subscriptions.models import DailyUsage, DataUsageRecord, LimitCrossing, SealedDay, Subscription, VoiceUsageRecord
from tests.subscriptions.helpers import DATA, VOICE, add, event, marks, partitions, subscribe, sums

pytestmark = pytest.mark.usefixtures("real_commits")


@pytest.fixture
def run(capsys):
    def run(*words):
        call_command(*words)
        return capsys.readouterr().out.splitlines()

    return run


def test_refresh_usage(run):
    someone = subscribe()
    add(event(someone, 5), event(someone, 6), event(someone, 6, month=2))
    add(event(someone, 5), usage_type=VOICE)
    assert run("refresh_usage", "--from", "2026-01-06") == [
        "2026-01 data: 1 days, 1 sums",
        "2026-02 data: 1 days, 1 sums",
        "2 days refreshed.",
    ]
    assert run("refresh_usage") == [
        "2026-01 data: 1 days, 1 sums",
        "2026-01 voice: 1 days, 1 sums",
        "2 days refreshed.",
    ]
    assert marks() == []
    assert run("refresh_usage") == ["0 days refreshed."]
    assert run("refresh_usage", "--rebuild", "--to", "2026-01-05")[-1] == "2 days refreshed."


@pytest.mark.parametrize("mode", [(), ("--check",), ("--rebuild",)])
def test_refresh_usage_refuses_a_range_that_ends_before_it_starts(run, mode):
    """It would otherwise say that nothing is to be done, or that there is no difference."""
    with pytest.raises(CommandError, match=r"^The range ends before it starts: 2026-01-06 to 2026-01-05\.$"):
        run("refresh_usage", "--from", "2026-01-06", "--to", "2026-01-05", *mode)


def test_refresh_usage_check(run, capsys):
    someone = subscribe()
    add(event(someone, 5, "2.50", 7), event(someone, 6))
    run("refresh_usage")
    add(event(someone, 6))
    assert run("refresh_usage", "--check") == [
        "2 days checked, no difference. 1 days wait for a refresh: their changed sums were not compared."
    ]
    DailyUsage.objects.filter(day=date(2026, 1, 5)).update(price=3)
    with pytest.raises(CommandError, match=r"2 differences\. Repair them with: refresh_usage --rebuild"):
        run("refresh_usage", "--check")
    assert capsys.readouterr().out.splitlines() == [
        f"2026-01-05 day data, subscription {someone.pk}: price 3, amount 7, 1 records instead of 2.50, 7, 1",
        f"2026-01-01 month data, subscription {someone.pk}: price 3.50, amount 8, 2 records instead of 4, 8, 2",
    ]
    run("refresh_usage", "--rebuild")
    assert run("refresh_usage", "--check")[0].startswith("2 days checked, no difference.")


def test_purge_usage(run):
    someone = subscribe()
    add(event(someone, 5), event(someone, 5), event(someone, 7))
    assert run("purge_usage", "--before", "2026-01-07") == ["2026-01-05 data: 2 records purged", "1 days purged."]
    assert partitions() == ["subscriptions_datausagerecord_20260107"]
    assert sums() == {(someone.pk, "data"): ("3.00", 3)}
    assert run("refresh_usage", "--check")[0] == (
        "2026-01-05 data: sealed, cannot be compared: its raw records were purged"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["purge_usage"], "--before"),
        (["purge_usage", "--before", "soon"], "'soon' is not a day"),
        (["purge_usage", "--before", "2999-01-01"], "is later than today"),
        (["refresh_usage", "--from", "2026-13-01"], "'2026-13-01' is not a day"),
        (["refresh_usage", "--check", "--rebuild"], "not allowed with"),
        (["generate_usage", "folder", "--records", "0"], "at least 1"),
    ],
)
def test_invalid_arguments_are_refused(words, why):
    with pytest.raises(CommandError, match=why):
        call_command(*words)


def test_generated_usage_is_imported_and_is_the_same_again(run, tmp_path, monkeypatch):
    options = ["--records", "50", "--subscriptions", "4", "--days", "5", "--from", "2026-02-27"]
    run("generate_usage", str(tmp_path / "one"), *options)
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    run("generate_usage", str(tmp_path / "two"), *options)
    monkeypatch.undo()
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["data_usage.tsv.gz", "voice_usage.tsv.gz"]
    assert [(tmp_path / "one" / name).read_bytes() for name in files] == [
        (tmp_path / "two" / name).read_bytes() for name in files
    ]
    run("generate_usage", str(tmp_path / "two"), *options, "--seed", "2")
    assert (tmp_path / "one" / files[0]).read_bytes() != (tmp_path / "two" / files[0]).read_bytes()

    assert sorted(Subscription.objects.values_list("carrier", flat=True)) == ["att", "att", "sprint", "sprint"]
    run("import_usage", *[str(tmp_path / "one" / name) for name in files])
    assert (DataUsageRecord.objects.count(), VoiceUsageRecord.objects.count()) == (50, 50)
    days = DataUsageRecord.objects.order_by("day").values_list("day", flat=True)
    assert (days[0], days[49]) == (date(2026, 2, 27), date(2026, 3, 3))


def test_sample_usage_is_added_once(run):
    assert run("add_sample_usage") == ["20 subscriptions and 600 usage records added, 40 purged."]
    assert (DataUsageRecord.objects.count(), VoiceUsageRecord.objects.count()) == (280, 280)
    assert SealedDay.objects.count() == 6  # of data and of voice: 15 to 17 February
    first, *_, last = Subscription.objects.order_by("pk")
    assert (first.carrier, last.carrier) == ("att", "sprint")
    assert marks() == []
    over = subscription_list_over_price(price_limit=Decimal(10)).rows
    assert [(row.subscription_id - first.pk, *row.exceeded) for row in over] == [
        (4, ReachedPrice(DATA, Decimal("10.07"), Decimal("0.07"))),
        (5, ReachedPrice(VOICE, Decimal("10.33"), Decimal("0.33"))),
    ]
    assert Counter(LimitCrossing.objects.values_list("usage_type", "span", "scope")) == {
        ("data", "month", "all"): 8,
        ("voice", "month", "carrier"): 3,
        ("voice", "total", "all"): 1,
    }
    assert run("add_sample_usage") == ["There are subscriptions already. Nothing was added."]
    assert DataUsageRecord.objects.count() == 280


def test_sample_usage_is_not_mixed_with_other_usage(run):
    someone = subscribe()
    add(event(someone))
    assert run("add_sample_usage") == ["There are subscriptions already. Nothing was added."]
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


def test_stopped_sample_usage_leaves_nothing(run, monkeypatch):
    def fail(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(add_sample_usage, "usage_records_add", fail)
    with pytest.raises(KeyboardInterrupt):
        run("add_sample_usage")
    assert not Subscription.objects.exists()
