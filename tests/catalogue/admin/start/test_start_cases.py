"""The start page of the admin for DSRs that each test makes: months, series, work that waits, and its cost."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import cycle

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.admin.resources import admin as resources
from catalogue.admin.start import needs as start_needs
from catalogue.admin.start import page as start
from catalogue.dsrs.selectors import DSRSearch
from catalogue.models import DSR
from dsrhub.database.time_limits import OutOfTime
from tests.catalogue import recipes
from tests.catalogue.admin.start.test_start import EURO, JANUARY, OLD_TABLES, facts, groups, headings, listed, needs
from tests.charts import charts_by_series

pytestmark = pytest.mark.django_db

# --- Numbers ---------------------------------------------------------------------------------------------------


def test_the_dsps_with_most_revenue_have_a_line_and_the_others_share_one(admin_client):
    for number in range(1, 10):
        recipes.dsr.make(dsp=f"DSP {number}", total_revenue=number, total_usages=100 * number, **EURO)
    page = admin_client.get("/admin/")
    # 1 and 2 have the least revenue.
    names = [f"DSP {number}" for number in (9, 8, 7, 6, 5, 4, 3)]
    assert headings(page, "revenue-by-month-table") == ["Month", *names, "2 others", "All"]
    cells = [f"{number}.00" for number in (9, 8, 7, 6, 5, 4, 3, 3, 45)]
    assert groups(page, "revenue-by-month-table")[0] == [[JANUARY, *cells]]
    drawn = charts_by_series(page.content.decode())["usages-by-month"]
    assert (list(drawn), drawn["2 others"]) == ([*names, "2 others"], [(JANUARY, 300, "300")])


def test_a_period_that_is_in_no_single_month_is_no_point_of_a_line(admin_client):
    recipes.dsr.make(total_revenue=1, **EURO)
    days = {"period_start": date(2020, 1, 1), "period_end": date(2020, 3, 31)}
    recipes.dsr.make(total_revenue=9, total_usages=4, **EURO | days)
    page = admin_client.get("/admin/")
    assert charts_by_series(page.content.decode())["revenue-by-month"] == {"Spotify": [(JANUARY, 1, "1 EUR")]}
    cells, links = groups(page, "revenue-by-month-table")
    assert cells == [[JANUARY, "1.00", "1.00"], ["In no single month", "9.00", "9.00"]]
    assert "2020-01-01 – 2020-03-31" in admin_client.get(links[1]).content.decode()
    assert "in no single month; the tables have them in their last row" in page.content.decode()


def test_only_dsrs_in_no_single_month_have_a_table_but_no_lines(admin_client):
    recipes.dsr.make(**EURO | {"period_start": date(2020, 1, 1), "period_end": date(2020, 12, 31)})
    page = admin_client.get("/admin/")
    assert list(charts_by_series(page.content.decode())) == ["revenue-by-territory", "usages-by-territory"]
    assert groups(page, "usages-by-month-table")[0] == [["In no single month", "0", "0"]]


def test_months_have_no_gap_and_the_latest_ones_are_shown(admin_client):
    for month, revenue in [(date(2019, 1, 1), 1), (date(2020, 2, 1), 2), (date(2021, 2, 1), 3)]:
        recipes.dsr.make(total_revenue=revenue, **EURO | {"period_start": month, "period_end": month})
    page = admin_client.get("/admin/")
    cells, _ = groups(page, "revenue-by-month-table")
    # The first one is more than 24 months before the last one.
    assert (len(cells), cells[0], cells[-1]) == (13, ["2020-02", "2.00", "2.00"], ["2021-02", "3.00", "3.00"])
    assert cells[1:-1] == [[f"2020-{month:02}", "–", "–"] for month in range(3, 13)] + [["2021-01", "–", "–"]]
    assert "1 earlier month is not shown." in page.content.decode()


def test_the_remaining_territories_are_added_up_and_earlier_periods_left_out(admin_client, monkeypatch):
    monkeypatch.setattr(start, "TERRITORIES", 1)
    monkeypatch.setattr(start, "PERIODS", 1)
    euro = {"currency_id": "EUR", "exchange_rate": 1, "line_count": 10, "blank_isrc_count": 4, "total_usages": 3}
    # The sum has more digits than Python's decimals have by default.
    for month, (territory, revenue) in enumerate([("ES", 5), ("NO", "2e25"), ("FR", "0.004"), ("SE", "0.001")], 1):
        days = {"period_start": date(2020, month, 1), "period_end": date(2020, month, 20)}
        recipes.dsr.make(territory_id=territory, total_revenue=Decimal(revenue), **days, **euro)
    response = admin_client.get("/admin/")
    cells, links = groups(response, *OLD_TABLES)
    assert cells == [
        ["NO", "1", "10", "3", "20,000,000,000,000,000,000,000,000.00", "40.00"],
        ["3 others", "3", "30", "9", "5.01", "40.00"],
        ["2020-04-01 – 2020-04-20", "1", "10", "3", "&lt; 0.01", "40.00"],
    ]
    assert len(listed(admin_client, links[1])) == 4
    assert "3 earlier periods are not shown." in response.content.decode()
    assert (
        facts(response)[0]["revenue in EUR"] == "20,000,000,000,000,000,000,000,005.01"
    )  # The exact sum ends in 5.005, which is rounded half to even.


# --- What needs somebody ---------------------------------------------------------------------------------------


def test_it_shows_the_work_that_waits_for_a_worker(admin_client):
    recipes.lines_to_drop.make(dsr_number=1)
    for number, state in enumerate(["to_check", "checked", "to_load", "done", "abandoned"]):
        recipes.import_job.make(upload=str(number), name=f"{number}.tsv", state=state)
    values, links = facts(admin_client.get("/admin/"))
    work = ("imports to be checked", "imports to be loaded", "deleted DSRs to clean up")
    assert {name: value for name, value in values.items() if name in work} == dict.fromkeys(work, "1")
    assert listed(admin_client, links["imports to be loaded"]) == ["2.tsv"]


def test_an_installation_without_data_has_a_start_page(admin_client):
    response = admin_client.get("/admin/")
    assert response.status_code == 200
    assert "No DSRs imported yet." in response.content.decode()
    values, _ = facts(response)
    assert (values["DSRs"], values["revenue in EUR"], values["% of lines without ISRC"]) == ("0", "0.00", "–")
    assert "canvas" not in response.content.decode()


def test_nothing_needs_a_user(admin_client):
    recipes.dsr.make(**EURO)
    recipes.import_job.make(state="done")
    assert needs(admin_client.get("/admin/")) == {}


def test_dsrs_of_late_imports_that_are_unlike_their_previous_report(admin_client):
    unlike = [recipes.dsr.make(offer=str(number), path=f"{number}.tsv", **EURO) for number in range(3)]
    for dsr in unlike:
        recipes.problem.make(dsr=dsr, level="warning", code="unlike_previous_report", _quantity=2)
    recipes.problem.make(dsr=recipes.dsr.make(offer="other", **EURO), level="warning", code="isrc_invalid")
    DSR.objects.filter(pk=unlike[0].pk).update(imported_at=timezone.now() - timedelta(days=32))
    links = needs(admin_client.get("/admin/"))
    assert list(links) == ["2 DSRs of the last 30 days unlike their previous reports"]
    (link,) = links.values()
    assert listed(admin_client, link) == ["1.tsv", "2.tsv"]


def series(offer, *months):
    for year, month in months:
        start = date(year, month, 1)
        recipes.dsr.make(offer=offer, **EURO | {"period_start": start, "period_end": start.replace(day=28)})


@pytest.fixture
def _march(monkeypatch):
    """It is March 2021: the twelve complete months start with 2020-03, and 2020-12 is late."""
    now = datetime(2021, 3, 15, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.mark.usefixtures("_march")
def test_missing_reports_are_the_gaps_of_series_in_the_complete_months(admin_client):
    series("gap", (2020, 2), (2020, 5), (2020, 6), (2020, 7), (2020, 8), (2020, 9), (2020, 11), (2020, 12))
    series("full", *[(2020, month) for month in range(2, 13)], (2021, 1), (2021, 2))
    links = needs(admin_client.get("/admin/"))
    # Missing: 2020-03, 04 and 10. Late: 2021-01, which ended 43 days ago, is not yet, as DSRHUB_LATE_DAYS is 45.
    assert list(links) == ["3 missing reports"]
    page = admin_client.get(links["3 missing reports"]).content.decode()
    assert page.count(">missing</a>") == 3
    assert ("Spotify gap" in page, "Spotify full" in page) == (True, False)
    # Of the months from 2020-04-10 to 2020-09-30, the first complete one is May.
    assert needs(admin_client.get("/admin/?period_start=2020-04-10&period_end=2020-10-31")) == {
        "1 missing report": "/admin/catalogue/dsr/coverage/?first=2020-05&last=2020-10&gaps=on"
    }


@pytest.mark.usefixtures("_march")
def test_what_takes_too_long_to_count_says_so(admin_client, monkeypatch):
    series("gap", (2020, 2), (2020, 4))
    monkeypatch.setattr(start_needs, "MOST_COVERED", 1)
    (missing,) = needs(admin_client.get("/admin/")).items()
    assert missing[0] == "Missing reports: counting them takes too long"
    assert "2020-03" in admin_client.get(missing[1]).content.decode()

    def never(*_):
        raise OutOfTime

    monkeypatch.setattr(start_needs, "answered_within", never)
    assert list(needs(admin_client.get("/admin/"))) == [
        "Missing reports: counting them takes too long",
        "DSRs unlike their previous report: counting them takes too long",
    ]


@pytest.mark.parametrize(
    ("period", "months"),
    [
        ({}, ["2020-03", "2021-02"]),
        ({"period_start": date(2020, 12, 1)}, ["2020-12", "2021-02"]),
        ({"period_start": date(2020, 12, 2), "period_end": date(2021, 1, 30)}, []),
        ({"period_end": date(2020, 2, 29)}, ["2019-03", "2020-02"]),
        ({"period_end": date(1, 1, 30)}, []),
        ({"period_start": date(9999, 12, 1), "period_end": date(9999, 12, 31)}, []),
    ],
)
def test_the_complete_months_of_a_period(period, months):
    found = start_needs.complete_months(DSRSearch(**period), today=date(2021, 3, 15))
    assert [f"{day:%Y-%m}" for day in found[:1] + found[-1:]] == months


# --- Cost ------------------------------------------------------------------------------------------------------


def test_with_many_lines_only_the_top_10_percent_are_ranked(admin_client, monkeypatch):
    asked = []
    monkeypatch.setattr(resources.selectors, "resource_top", lambda **arguments: asked.append(arguments) or [])
    for lines in (100_000, 1):
        recipes.dsr.make(offer=str(lines), line_count=lines)
        admin_client.get("/admin/")
    assert [(one["percentile"], one["limit"]) for one in asked] == [(100, 10), (10, 10)]


def test_it_takes_the_same_number_of_queries_for_1_and_for_100_dsrs(admin_client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get("/admin/").status_code == 200
        return captured

    def add(count):
        names = [f"{count} {number}" for number in range(count)]
        territories = cycle(["NO", "ES"])
        recipes.make_many(recipes.dsr, count, offer=iter(names), territory_id=territories, total_revenue=1)
        recipes.make_many(recipes.failed_dsr, count, path=iter(names))

    add(1)
    for_one = len(queries())
    add(99)
    captured = queries()
    assert len(captured) == for_one
    assert not [one["sql"] for one in captured if "catalogue_usageline" in one["sql"]]
