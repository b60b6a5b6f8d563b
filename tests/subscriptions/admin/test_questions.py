"""The pages of questions about usage: usage by day, the price limit, and the usage on the page of a subscription."""

import csv
import html
import io
import json
import re
from datetime import date

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags
from openpyxl import load_workbook
from playwright.sync_api import expect

from dsrhub.database.statements import rows_of
from subscriptions.admin.questions import forms, of_one, over_limit, usage
from subscriptions.admin.questions import page as question_page
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.models import Subscription
from tests import recipes as user_recipes
from tests.browser import signed_in
from tests.charts import charts
from tests.subscriptions import recipes
from tests.subscriptions.helpers import VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db

USAGE = "/admin/subscriptions/subscription/usage/"
OVER = "/admin/subscriptions/subscription/over-limit/"
FIRST_WEEK = {"start": "2026-01-04", "end": "2026-01-07"}


def permitted(client, *codenames):
    user = user_recipes.staff.make()
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)


@pytest.fixture
def ask(client):
    permitted(client, "view_subscription", "export_subscription")

    def answer(address, expected_status=200, **query):
        response = client.get(address, query)
        assert response.status_code == expected_status
        return response

    return answer


@pytest.fixture
def pair():
    """A subscription of AT&T and one of Sprint, with usage on 5 and 6 January."""
    one, other = subscribe(), recipes.subscription.make(carrier="sprint")
    add(event(one, 5, "10", 2000), event(one, 6, "2.505", 48), event(other, 6, "3", 1000))
    add(event(one, 6, "3", 61), usage_type=VOICE)
    return one, other


def page_of(subscription):
    return f"/admin/subscriptions/subscription/{subscription.pk}/change/"


def cell_text(cell):
    return html.unescape(strip_tags(cell))


def table_of(response, name):
    """The texts of a table, row by row."""
    (table,) = re.findall(rf'<table[^>]*id="{name}">(.*?)</table>', response.content.decode(), re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [[cell_text(cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)] for row in rows]


def file_of(response):
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def errors(response):
    return [cell_text(one) for one in re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', response.content.decode())]


# --- Usage -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pair")
def test_usage_by_day_and_in_total(ask):
    response = ask(USAGE, **FIRST_WEEK)
    assert table_of(response, "usage") == [
        ["Day", "Data", "Voice"],
        ["Price", "Kilobytes", "Subscriptions", "Price", "Seconds", "Subscriptions"],
        ["2026-01-04", "–", "–", "–", "–", "–", "–"],
        ["2026-01-05", "10.00", "2,000", "1", "–", "–", "–"],
        ["2026-01-06", "5.51", "1,048", "2", "3.00", "61", "1"],
        ["2026-01-07", "–", "–", "–", "–", "–", "–"],
        ["Total", "15.51", "3,048", "", "3.00", "61", ""],
    ]
    assert 'title="15.505"' in response.content.decode()


def drawn(response, chart_id):
    """(label, text of each series) of each place of a chart."""
    data = re.search(rf'<script id="{chart_id}-data"[^>]*>(.*?)</script>', response.content.decode())[1]
    chart = json.loads(data)
    texts = zip(*(series["texts"] for series in chart["series"]), strict=True)
    return list(zip(chart["labels"], texts, strict=True))


@pytest.mark.usefixtures("pair")
def test_the_charts_have_the_numbers_of_the_table(ask):
    response = ask(USAGE, start="2026-01-05", end="2026-01-07")
    assert drawn(response, "price-by-day") == [
        ("2026-01-05", ("10", "")),
        ("2026-01-06", ("5.505", "3")),
        ("2026-01-07", ("", "")),
    ]
    assert drawn(response, "data-by-day")[:2] == [("2026-01-05", ("2,000",)), ("2026-01-06", ("1,048",))]
    assert drawn(response, "voice-by-day")[:2] == [("2026-01-05", ("",)), ("2026-01-06", ("61",))]


def test_usage_of_a_carrier_a_type_and_a_subscription(ask, pair):
    other = pair[1]

    def rows(**query):
        return table_of(ask(USAGE, start="2026-01-06", end="2026-01-06", **query), "usage")[2:]

    assert rows(carrier="sprint") == [["2026-01-06", "3.00", "1,000", "1"], ["Total", "3.00", "1,000", ""]]
    assert rows(usage_type="voice", carrier="att") == [["2026-01-06", "3.00", "61", "1"], ["Total", "3.00", "61", ""]]
    assert rows(subscription=other.pk) == [["2026-01-06", "3.00", "1,000"], ["Total", "3.00", "1,000"]]
    assert "No usage found." in ask(USAGE, subscription=other.pk, usage_type="voice").content.decode()


def test_without_a_range_the_latest_days_with_usage_are_shown(ask, pair):
    one, other = pair
    add(event(other, 20, "1", month=3))
    days = [row[0] for row in table_of(ask(USAGE), "usage")[2:-1]]
    assert (days[0], days[-1], len(days)) == ("2026-02-18", "2026-03-20", 31)
    response = ask(USAGE, subscription=one.pk)
    days = [row[0] for row in table_of(response, "usage")[2:-1]]
    assert (days[0], days[-1]) == ("2025-12-07", "2026-01-06")
    # The form and the links have the days that are shown.
    content = html.unescape(response.content.decode())
    assert 'name="start" value="2025-12-07"' in content
    assert f"?start=2025-12-07&end=2026-01-06&subscription={one.pk}&format=csv" in content


def test_without_any_usage_the_page_says_so(ask, monkeypatch):
    monkeypatch.setattr(forms, "usage_day", lambda _: date(2026, 3, 1))
    content = ask(USAGE).content.decode()
    assert "No usage found." in content
    assert 'value="2026-01-30"' in content
    assert "format=csv" not in content


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"start": "2026-01-02", "end": "2026-01-01"}, ["The range ends before it starts."]),
        ({"start": "2026-01-02"}, ["Select a day."]),
        ({"end": "2026-01-02"}, ["Select a day."]),
        ({"start": "2026-1-2", "end": "2026-01-02"}, ["Enter a date such as 2026-01-31."]),
        ({"start": "02/01/2026", "end": "2026-01-02"}, ["Enter a date such as 2026-01-31."]),
        ({"start": "2026-02-30", "end": "2026-03-02"}, ["Enter a date such as 2026-01-31."]),
        ({"start": "２０２６-01-01", "end": "2026-01-02"}, ["Enter a date such as 2026-01-31."]),
        ({"start": "2025-01-01", "end": "2026-01-02"}, ["Choose at most 366 days."]),
        ({"subscription": "0"}, ["There is no such subscription."]),
        ({"subscription": "1_0"}, ["Enter a whole number."]),
        ({"subscription": "9223372036854775808"}, ["Ensure this value is less than or equal to 9223372036854775807."]),
        ({"carrier": "x"}, ["Select a valid choice. x is not one of the available choices."]),
        ({"usage_type": "sms"}, ["Select a valid choice. sms is not one of the available choices."]),
        ({"format": "pdf"}, ["Select a valid choice. pdf is not one of the available choices."]),
    ],
)
def test_a_wrong_choice_is_explained(ask, query, messages):
    assert errors(ask(USAGE, 400, **query)) == messages


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize("end", ["0002-01-02", "9998-12-31"])
def test_the_first_and_the_last_days_of_the_calendar(ask, end):
    start = end[:-2] + ("01" if end.startswith("0002") else "30")
    assert "No usage found." in ask(USAGE, start=start, end=end).content.decode()


@pytest.mark.usefixtures("pair")
def test_366_days_are_shown(ask):
    assert len(table_of(ask(USAGE, start="2025-01-06", end="2026-01-06"), "usage")) == 2 + 366 + 1


@pytest.mark.usefixtures("pair")
def test_usage_as_a_file(ask):
    row = {"usage_type": "data", "day": "2026-01-06", "subscription_count": "2", "total_price": "5.505"}
    rows = file_of(ask(USAGE, **FIRST_WEEK, format="csv"))
    assert rows[1] == row | {"total_usage": "1048", "unit": "kilobytes"}
    assert [(one["usage_type"], one["day"], one["total_price"]) for one in rows[::2]] == [
        ("data", "2026-01-05", "10.00"),
        ("voice", "2026-01-06", "3.00"),
    ]
    response = ask(USAGE, **FIRST_WEEK, usage_type="data", format="xlsx")
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    heading, _, row = sheet.iter_rows(values_only=True)
    assert dict(zip(heading, row, strict=True))["total_price_exact"] == "5.505"


# --- Price limits ----------------------------------------------------------------------------------------------


def test_before_a_limit_is_typed_nothing_is_refused_or_listed(ask):
    response = ask(OVER)
    assert errors(response) == []
    assert "No subscriptions found." not in response.content.decode()


def test_subscriptions_over_a_limit(ask, pair):
    one, other = pair
    response = ask(OVER, price_limit="3")
    assert table_of(response, "over-limit") == [
        ["Subscription", "Usage type", "Price", "Exceeded by", "Exceeded by (%)"],
        [str(one.pk), "Data", "12.51", "9.51", "316.83"],
        [str(one.pk), "Voice", "3.00", "0.00", "0.00"],
        [str(other.pk), "Data", "3.00", "0.00", "0.00"],
    ]
    content = response.content.decode()
    assert '<strong id="over-limit-count">2</strong>' in content
    assert charts(content)["exceeded-by"] == [
        (f"{one.pk} (Data)", 9.505, "9.505"),
        (f"{one.pk} (Voice)", 0, "0"),
        (f"{other.pk} (Data)", 0, "0"),
    ]
    assert f'href="{page_of(one)}"' in content


def test_only_the_range_counts(ask, pair):
    one, _other = pair
    response = ask(OVER, price_limit="10.0", end="2026-01-05")
    assert [row[:3] for row in table_of(response, "over-limit")[1:]] == [[str(one.pk), "Data", "10.00"]]
    assert "No subscriptions found." in ask(OVER, price_limit="10.0", start="2026-01-06").content.decode()
    # A range that the page of the subscription can show goes there with the limit.
    content = html.unescape(ask(OVER, price_limit="2", **FIRST_WEEK).content.decode())
    assert f'href="{page_of(one)}?price_limit=2&start=2026-01-04&end=2026-01-07"' in content


def test_a_limit_of_zero_has_no_percentage(ask, pair):
    assert [row[-1] for row in table_of(ask(OVER, price_limit="0"), "over-limit")[1:]] == ["–"] * 3


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"price_limit": ""}, ["This field is required."]),
        ({"start": "2026-01-01"}, ["This field is required."]),
        ({"price_limit": "-0.01"}, ["Ensure this value is greater than or equal to 0."]),
        ({"price_limit": "ten"}, ["Enter a number."]),
        ({"price_limit": "1e1"}, ["Enter a number."]),
        ({"price_limit": "1,5"}, ["Enter a number."]),
        ({"price_limit": "NaN"}, ["Enter a number."]),
        ({"price_limit": "1" * 31}, ["Ensure that there are no more than 30 digits before the decimal point."]),
        ({"price_limit": "0." + "1" * 61}, ["Ensure that there are no more than 60 decimal places."]),
        (
            {"price_limit": "1", "start": "2026-01-02", "end": "2026-01-01"},
            ["The range ends before it starts."],
        ),
        ({"price_limit": "1", "after": "x"}, ["Enter a whole number."]),
        ({"price_limit": "1", "format": "pdf"}, ["Select a valid choice. pdf is not one of the available choices."]),
    ],
)
def test_a_wrong_limit_is_explained(ask, query, messages):
    assert errors(ask(OVER, 400, **query)) == messages


def test_a_limit_is_compared_exactly(ask):
    someone = subscribe()
    digits = "9" * 30 + "." + "0" * 59 + "1"
    add(event(someone, 5, digits))
    assert len(table_of(ask(OVER, price_limit=digits), "over-limit")) == 2
    above = digits[:-1] + "2"
    assert "No subscriptions found." in ask(OVER, price_limit=above).content.decode()


def test_pages_miss_and_repeat_nothing(ask, monkeypatch):
    monkeypatch.setattr(over_limit, "SUBSCRIPTIONS_ON_A_PAGE", 2)
    monkeypatch.setattr(over_limit, "MOST_BARS", 1)
    everyone = subscribe(5)
    add(*[event(someone, price="4") for someone in everyone])
    found, query = [], {"price_limit": "1"}
    while query:
        response = ask(OVER, **query)
        found += [row[0] for row in table_of(response, "over-limit")[1:]]
        content = response.content.decode()
        assert '<strong id="over-limit-count">5</strong>' in content
        assert len(charts(content)["exceeded-by"]) == 1
        after = re.search(r'href="\?price_limit=1&amp;after=(\d+)"', content)
        query = {"price_limit": "1", "after": after[1]} if after else None
    assert found == [str(one.pk) for one in everyone]


def test_all_subscriptions_over_the_limit_are_in_the_file(ask, monkeypatch):
    monkeypatch.setattr(over_limit, "SUBSCRIPTIONS_ON_A_PAGE", 1)
    monkeypatch.setattr(over_limit, "SUBSCRIPTIONS_READ", 2)
    everyone = subscribe(5)
    add(*[event(someone, price="4.5") for someone in everyone])
    rows = file_of(ask(OVER, price_limit="4", format="csv"))
    assert [row["subscription_id"] for row in rows] == [str(one.pk) for one in everyone]
    assert list(rows[0].items())[1:] == [
        ("usage_type", "data"),
        ("total_price", "4.50"),
        ("exceeded_by", "0.50"),
        ("exceeded_percent", "12.5"),
    ]


# --- The page of a subscription --------------------------------------------------------------------------------


def test_a_subscription_has_its_usage_on_its_page(ask, pair):
    one, other = pair
    rows = table_of(ask(page_of(one)), "usage")
    assert (rows[2][0], rows[-2], rows[-1]) == (
        "2025-12-07",
        ["2026-01-06", "2.51", "48", "3.00", "61"],
        ["Total", "12.51", "2,048", "3.00", "61"],
    )
    rows = table_of(ask(page_of(other), start="2026-01-06", end="2026-01-06"), "usage")
    assert rows[2:] == [["2026-01-06", "3.00", "1,000"], ["Total", "3.00", "1,000"]]


def limits(response):
    text = re.search(r'<ul id="limits">(.*?)</ul>', response.content.decode(), re.DOTALL)[1]
    return [cell_text(one) for one in re.findall(r"<li>(.*?)</li>", text)]


def test_whether_a_limit_is_reached_and_since_when(ask, pair):
    one, other = pair
    assert limits(ask(page_of(one), price_limit="12")) == [
        "Data: the limit of 12 is reached since 2026-01-06. The price is 12.51, which is 0.51 above the limit.",
        "Voice: the limit of 12 is not reached. The price is 3.00, which is 9.00 below the limit.",
    ]
    # Only the days that are shown count.
    query = {"price_limit": "10", "start": "2026-01-06", "end": "2026-01-06"}
    assert limits(ask(page_of(one), **query))[0].startswith("Data: the limit of 10 is not reached.")
    idle = subscribe()
    assert limits(ask(page_of(idle), price_limit="0")) == ["The limit is not reached: there is no usage."]
    assert 'id="limits"' not in ask(page_of(other)).content.decode()


def test_a_wrong_limit_on_the_page_of_a_subscription_is_explained(ask, pair):
    one, _other = pair
    response = ask(page_of(one), 400, price_limit="-1")
    assert errors(response) == ["Ensure this value is greater than or equal to 0."]
    assert "data-chart" not in response.content.decode()


@pytest.mark.parametrize("seen", [set(), {"datausagerecord"}, {"datausagerecord", "voiceusagerecord"}])
def test_the_page_links_to_the_usage_and_to_the_records_that_one_may_see(client, pair, seen):
    one = pair[0]
    permitted(client, "view_subscription", *(f"view_{model}" for model in seen))
    content = html.unescape(client.get(page_of(one)).content.decode())
    assert f'href="{USAGE}?start=2025-12-07&end=2026-01-06&subscription={one.pk}"' in content
    found = dict(re.findall(r'href="(/admin/subscriptions/(\w+)/\?subscription__exact=[^"]+)"', content))
    assert set(found.values()) == seen
    for address in found:
        cells = re.findall(r'class="field-subscription[^>]*>(.*?)</t', client.get(address).content.decode())
        assert {cell_text(cell) for cell in cells} == {f"{one.pk} (AT&T)"}


def test_a_subscription_is_still_saved_from_its_page(admin_client, pair):
    one, _other = pair
    content = admin_client.get(page_of(one)).content.decode()
    shown = re.search(r'name="shown" value="([^"]+)"', content)[1]
    form = {"carrier": "att", "status": "expired", "shown": shown}
    assert admin_client.post(page_of(one), form).status_code == 302
    assert Subscription.objects.get(pk=one.pk).status == "expired"


def test_a_new_subscription_has_no_usage(admin_client):
    assert 'id="usage-of-one"' not in admin_client.get("/admin/subscriptions/subscription/add/").content.decode()


def test_the_list_leads_to_the_usage(ask, pair):
    one, _other = pair
    assert f'href="{USAGE}?subscription={one.pk}"' in ask("/admin/subscriptions/subscription/").content.decode()


# --- All pages -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(("address", "query"), [(USAGE, FIRST_WEEK), (OVER, {"price_limit": "1"})])
def test_a_file_needs_the_permission_to_export(client, address, query):
    permitted(client, "view_subscription")
    assert b"format=csv" not in client.get(address, query).content
    assert client.get(address, {**query, "format": "csv"}).status_code == 403


def test_a_hundred_subscriptions_take_as_many_queries_as_one(ask):
    def queries():
        counts = []
        for address, query in ((USAGE, {}), (OVER, {"price_limit": "1"}), (page_of(first), {"price_limit": "1"})):
            with CaptureQueriesContext(connection) as captured:
                ask(address, **query)
            counts.append(len(captured))
        return counts

    first = subscribe()
    add(event(first))
    daily_usage_refresh()
    one = queries()
    add(*[event(someone) for someone in subscribe(99)])
    daily_usage_refresh()
    assert queries() == one


@pytest.mark.parametrize(
    ("module", "name", "query"),
    [(usage, "usage_by_day", FIRST_WEEK), (over_limit, "subscription_list_over_price", {"price_limit": "1"})],
)
def test_a_question_that_takes_too_long_is_explained(ask, monkeypatch, module, name, query):
    monkeypatch.setattr(question_page, "QUESTION_SECONDS", 0)
    monkeypatch.setattr(module, name, lambda *_, **__: rows_of("SELECT pg_sleep(600)"))
    response = ask({usage: USAGE, over_limit: OVER}[module], 503, **query)
    assert errors(response) == ["This takes too long. Choose fewer days, whole months, or a filter."]


def test_a_subscription_can_be_seen_and_saved_though_its_usage_takes_too_long(ask, monkeypatch, pair):
    one, _other = pair
    monkeypatch.setattr(question_page, "QUESTION_SECONDS", 0)
    monkeypatch.setattr(of_one, "usage_by_day", lambda *_, **__: rows_of("SELECT pg_sleep(600)"))
    response = ask(page_of(one), 503)
    assert errors(response) == ["This takes too long. Choose fewer days, whole months, or a filter."]
    assert "AT&amp;T" in response.content.decode()


@pytest.mark.browser
@pytest.mark.usefixtures("real_commits")
def test_the_pages_in_a_browser(live_server, page, admin_user):
    """From a subscription over the limit to its page; the pages fit each screen and draw their charts."""
    someone = subscribe()
    add(event(someone, 5, "9.25", 10**12), event(someone, 6, "1.23456789", 1))

    def fits_with_charts(count):
        drawn = f"(charts => charts.length == {count} && charts.every(one => Chart.getChart(one)))"
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            # Charts take their new width some time after the page.
            page.wait_for_function(
                f"() => {drawn}([...document.querySelectorAll('canvas')])"
                f" && innerWidth == {width} && document.documentElement.scrollWidth == {width}"
            )

    signed_in(page, f"{live_server.url}{USAGE}", "Usage")
    fits_with_charts(2)
    page.goto(f"{live_server.url}{OVER}")
    for label, text in (("Price limit", "10"), ("From", "2026-01-01"), ("To (inclusive)", "2026-01-31")):
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#over-limit-count")).to_have_text("1")
    fits_with_charts(1)
    page.get_by_role("link", name=str(someone.pk), exact=True).click()
    expect(page.locator("#limits")).to_contain_text("the limit of 10 is reached since 2026-01-06")
    fits_with_charts(2)
