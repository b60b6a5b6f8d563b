"""Webhooks are told of each month without a report: once, and again only after it was filled."""

import json
from datetime import date

import pytest
from django.core.management import call_command
from django.utils import timezone

from catalogue.dsrs.statistics.missing import missing_reports_tell
from catalogue.models import DSR, ToldGap
from dsrhub.webhooks.models import Event
from tests.catalogue import recipes
from tests.webhooks import recipes as webhook_recipes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _today(monkeypatch, settings):
    monkeypatch.setattr(timezone, "localdate", lambda: date(2020, 6, 20))
    settings.DSRHUB_LATE_DAYS = 45


def make(month, **others):
    start = date(2020, month, 1)
    return recipes.dsr.make(period_start=start, period_end=date(2020, month, 29), **others)


def told():
    events = list(Event.objects.order_by("pk"))
    Event.objects.all().delete()
    return [(event.type, event.subject, json.loads(event.body)["data"]) for event in events]


def gap(month, state, **others):
    series = {"dsp": "Spotify", "offer": "SpotifyDuo", "society": None, "territory": "NO", "currency": "NOK"}
    return ("report.missing", "dsp:Spotify", {**series, "month": month, "state": state, **others})


def test_each_gap_is_told_once():
    webhook_recipes.webhook.make()
    make(1)
    make(3)
    # April ended more than 45 days ago, and May did not.
    assert missing_reports_tell() == 2
    assert told() == [gap("2020-02", "missing"), gap("2020-04", "late")]
    assert missing_reports_tell() == 0
    assert told() == []


def test_a_late_month_that_is_missing_later_is_not_told_again():
    webhook_recipes.webhook.make()
    make(1)
    missing_reports_tell()
    assert [data["state"] for _, _, data in told()] == ["late"] * 3
    make(5)
    assert missing_reports_tell() == 0


def test_a_gap_that_was_filled_is_told_again_when_it_opens_again():
    webhook_recipes.webhook.make()
    make(1)
    make(3)
    missing_reports_tell()
    february = make(2)
    assert missing_reports_tell() == 0
    DSR.objects.filter(pk=february.pk).delete()
    told()
    assert missing_reports_tell() == 1
    assert told() == [gap("2020-02", "missing")]


def test_series_are_told_apart_by_their_societies():
    webhook_recipes.webhook.make()
    for society in (None, "SACEM"):
        make(1, society=society)
        make(3, society=society)
    assert missing_reports_tell() == 4
    assert [data["society"] for _, _, data in told()] == [None, "SACEM", None, "SACEM"]


def test_whoever_listens_later_is_not_told_of_the_past():
    make(1)
    make(3)
    assert missing_reports_tell() == 2
    webhook_recipes.webhook.make()
    assert missing_reports_tell() == 0
    assert told() == []


def test_without_a_dsr_nothing_is_missing():
    ToldGap.objects.create(dsp="a", offer="b", territory="NO", currency="NOK", month=date(2020, 1, 1))
    assert missing_reports_tell() == 0
    assert not ToldGap.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_worker_tells_and_sends():
    webhook_recipes.webhook.make(is_enabled=False, disabled_reason="user")
    make(1)
    make(3)
    call_command("worker", "--once")
    assert [kind for kind, _, _ in told()] == ["report.missing"] * 2
