"""The part of the start page about usage: its numbers, the lists behind them, and permissions."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dsrhub.database.time_limits import OutOfTime
from subscriptions.admin import start
from subscriptions.aggregates.services import daily_usage_refresh
from tests import recipes as user_recipes
from tests.charts import charts_by_series
from tests.subscriptions import recipes
from tests.subscriptions.helpers import VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db

LISTS = "/admin/subscriptions/"


def part(response):
    return response.content.decode().partition('id="usage"')[2].partition("</section>")[0]


def rows(text):
    """Return the cells of each row of the table, and the address of each cell."""
    found = re.findall(r'<th scope="row" class="day">([^<]*)</th>(.*?)</tr>', text)
    cells = {name: re.findall(r'<td class="number">(?:<a href="[^"]*">)?([^<]*)', row) for name, row in found}
    links = {name: [link.replace("&amp;", "&") for link in re.findall('href="([^"]*)"', row)] for name, row in found}
    return cells, links


@pytest.fixture
def _usage():
    """Data on two of the last days and voice on one. The last one is not refreshed; day 1 is a week before it."""
    one, two = subscribe(2)
    add(event(one, 1, "100", 1000), event(one, 5, "1.5", 10), event(two, 5, "2", 20))
    add(event(one, 5, "4", 60), usage_type=VOICE)
    daily_usage_refresh()
    add(event(two, 9, "0.25", 2000))
    recipes.subscription.make(status="expired")


@pytest.mark.usefixtures("_usage")
def test_it_shows_the_usage_of_the_latest_days(admin_client):
    text = part(admin_client.get("/admin/"))
    cells, links = rows(text)
    assert list(cells) == [*(f"2026-01-0{day}" for day in range(3, 10)), "All"]
    assert cells["2026-01-05"] == ["2", "30", "3.50", "1", "60", "4.00"]
    assert cells["2026-01-09"] == ["1", "2,000", "0.25", "–", "–", "–"]
    assert cells["All"] == ["2", "2,030", "3.75", "1", "60", "4.00"]
    assert [len(admin_client.get(link).context["cl"].result_list) for link in links["2026-01-05"]] == [2] * 3 + [1] * 3
    assert [len(admin_client.get(link).context["cl"].result_list) for link in links["All"]] == [3] * 3 + [1] * 3
    drawn = charts_by_series(text)["price-by-day"]
    assert (drawn["data"][2], drawn["data"][3]) == (("2026-01-05", 3.5, "3.5"), ("2026-01-06", None, ""))
    assert drawn["voice"][2] == ("2026-01-05", 4, "4")


@pytest.mark.usefixtures("_usage")
def test_active_subscriptions_lead_to_their_list(admin_client):
    text = part(admin_client.get("/admin/"))
    assert f'<a href="{LISTS}subscription/?status__exact=active">2</a>' in text
    assert f'<a href="{LISTS}subscription/usage/">Usage by day</a>' in text


def test_without_usage_it_says_so(admin_client):
    text = part(admin_client.get("/admin/"))
    assert "No usage records yet." in text
    assert "canvas" not in text


@pytest.mark.usefixtures("_usage")
def test_the_page_does_not_wait_for_usage(admin_client, monkeypatch):
    def never(**_):
        raise OutOfTime

    monkeypatch.setattr(start, "usage_metrics", never)
    text = part(admin_client.get("/admin/"))
    assert "Adding up the usage takes too long for this page." in text
    assert f'<a href="{LISTS}datausagerecord/">Data usage records</a>' in text


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ((), set()),
        (("view_subscription",), set()),
        (("view_datausagerecord",), {"data"}),
        (("change_voiceusagerecord",), {"voice"}),
        (("view_datausagerecord", "view_subscription"), {"data", "active"}),
    ],
)
@pytest.mark.usefixtures("_usage")
def test_users_see_only_the_usage_whose_records_they_may_view(client, permissions, expected):
    staff = user_recipes.staff.make()
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(staff)
    text = part(client.get("/admin/"))
    marks = {"data": "Price of data", "voice": "Price of voice", "active": "active subscriptions"}
    assert {name for name, mark in marks.items() if mark in text} == expected
    if "data" not in expected:
        assert "3.50" not in text


def test_it_takes_the_same_number_of_queries_for_1_and_for_100_subscriptions(admin_client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            admin_client.get("/admin/")
        return len(captured)

    add(event(subscribe()))
    for_one = queries()
    add(*(event(one) for one in subscribe(99)))
    assert queries() == for_one
