"""The start page of the admin: its numbers, the lists behind them, and permissions."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import cycle

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.admin import resources, start, start_needs
from catalogue.dsrs.selectors import DSRSearch
from catalogue.exceptions import InvalidReportName, RankingNotReady, ReportRefused
from catalogue.models import DSR
from catalogue.rates.services import operator_rate_set
from dsrhub.database.time_limits import OutOfTime
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, shown, staff_with
from tests.charts import charts_by_series

pytestmark = pytest.mark.django_db

FR_FEBRUARY = "Deezer_Premium_SACEM_FR_EUR_20200201-20200229.tsv"
JANUARY, FEBRUARY = "2020-01", "2020-02"
DSRS = "/admin/catalogue/dsr/"


EURO = {
    "currency_id": "EUR",
    "exchange_rate": 1,
    "territory_id": "ES",
    "period_start": date(2020, 1, 1),
    "period_end": date(2020, 1, 31),
    "is_catalogued": True,
}


@pytest.fixture
def _dsrs(tmp_path):
    """Three reports: 5 lines, 122 usages, 1.75 + 2 + 10 = 13.75 EUR; 2 lines have an ISRC. Two deliveries failed."""
    operator_rate_set(
        currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(10), note="by hand"
    )
    import_report(
        tmp_path,
        ES_JANUARY,
        line("a", "Zebra", "Ana", "ESABC2000001", "10", "1.5"),
        line("b", "Apple", "Bo", "", "5", "0.25"),
    )
    import_report(tmp_path, NO_JANUARY, line("a", "Zebra", "Ana", "ESABC2000001", "7", "15"), line("b", revenue="5"))
    import_report(tmp_path, FR_FEBRUARY, line("c", "Pear", "Cy", "", "100", "10"))
    with pytest.raises(ReportRefused):
        import_report(tmp_path, FR_FEBRUARY.replace("FR", "ES"), line("a", revenue="much"))
    with pytest.raises(InvalidReportName):
        import_report(tmp_path, "holiday.tsv", line())


def facts(response):
    part = response.content.decode().partition('id="facts"')[2].partition("</dl>")[0]
    found = re.findall(r'<dt>([^<]*)</dt><dd><a href="([^"]*)">(?:<data [^>]*><span>)?([^<]*)', part)
    return {name: value for name, _, value in found}, {name: link.replace("&amp;", "&") for name, link, _ in found}


def groups(response, *tables):
    """Return the rows of tables, each with its name and its numbers, and the address that each row links to."""
    text = response.content.decode()
    parts = [text.partition(f'<details id="{table}">')[2].partition("</details>")[0] for table in tables]
    rows = re.findall(r'<tr><th scope="row"><a href="([^"]*)">([^<]*)</a></th>(.*?)</tr>', "".join(parts))
    number = r'<td class="number">(?:<a href="[^"]*">)?(?:<data [^>]*><span>)?([^<]*)(?:</span></data>)?(?:</a>)?</td>'
    cells = [[name, *re.findall(number, row)] for _, name, row in rows]
    return cells, [link.replace("&amp;", "&") for link, *_ in rows]


def needs(response):
    """Return the texts of what needs somebody, with their addresses; None where the page has no such list."""
    text = response.content.decode()
    if 'id="needs"' not in text:
        return None
    part = text.partition('id="needs"')[2].partition("</section>")[0]
    found = re.findall(r'<li><a href="([^"]*)">([^<]*)</a></li>', part)
    assert ("Nothing needs you." in part) == (not found)
    return {what: link.replace("&amp;", "&") for link, what in found}


OLD_TABLES = "territories", "periods"


def headings(response, table):
    text = response.content.decode().partition(f'<details id="{table}">')[2].partition("</thead>")[0]
    return re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', text)


def listed(client, link):
    return sorted(str(dsr) for dsr in client.get(link).context["cl"].result_list)


# --- Numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_dsrs")
def test_it_shows_the_totals(admin_client):
    values, _ = facts(admin_client.get("/admin/"))
    assert values == {
        "DSRs": "3",
        "lines": "5",
        "usages": "122",
        "revenue in EUR": "13.75",
        "% of lines without ISRC": "60.00",
    }


@pytest.mark.usefixtures("_dsrs")
def test_the_numbers_are_written_as_the_language_writes_them(admin_client):
    values, _ = facts(admin_client.get("/admin/", headers={"accept-language": "es"}))
    assert list(values.values()) == ["3", "5", "122", "13,75", "60,00"]


@pytest.mark.usefixtures("_dsrs")
def test_it_shows_totals_by_territory_and_period(admin_client):
    cells, _ = groups(admin_client.get("/admin/"), *OLD_TABLES)
    assert cells == [
        ["FR", "1", "1", "100", "10.00", "100.00"],
        ["NO", "1", "2", "7", "2.00", "50.00"],
        ["ES", "1", "2", "15", "1.75", "50.00"],
        [JANUARY, "2", "4", "22", "3.75", "50.00"],
        [FEBRUARY, "1", "1", "100", "10.00", "100.00"],
    ]


@pytest.mark.usefixtures("_dsrs")
def test_each_number_links_to_its_list(admin_client):
    page = admin_client.get("/admin/")
    names, links = groups(page, *OLD_TABLES)
    assert {name: listed(admin_client, link) for (name, *_), link in zip(names, links, strict=True)} == {
        "FR": [FR_FEBRUARY],
        "NO": [NO_JANUARY],
        "ES": [ES_JANUARY],
        JANUARY: sorted([ES_JANUARY, NO_JANUARY]),
        FEBRUARY: [FR_FEBRUARY],
    }
    _, links = facts(page)
    ingested = sorted([ES_JANUARY, NO_JANUARY, FR_FEBRUARY])
    for name in ("DSRs", "lines", "usages", "revenue in EUR", "% of lines without ISRC"):
        assert listed(admin_client, links[name]) == ingested


@pytest.mark.usefixtures("_dsrs")
def test_charts_have_the_numbers_of_the_tables(admin_client):
    text = admin_client.get("/admin/").content.decode()
    assert charts_by_series(text) == {
        "revenue-by-month": {
            "Deezer": [(JANUARY, None, ""), (FEBRUARY, 10, "10 EUR")],
            "Spotify": [(JANUARY, 3.75, "3.75 EUR"), (FEBRUARY, None, "")],
        },
        "usages-by-month": {
            "Deezer": [(JANUARY, None, ""), (FEBRUARY, 100, "100")],
            "Spotify": [(JANUARY, 22, "22"), (FEBRUARY, None, "")],
        },
        "revenue-by-territory": {
            "Revenue in EUR by territory": [("FR", 10, "10 EUR"), ("NO", 2, "2 EUR"), ("ES", 1.75, "1.75 EUR")]
        },
        "usages-by-territory": {"Usages by territory": [("FR", 100, "100"), ("NO", 7, "7"), ("ES", 15, "15")]},
    }


@pytest.mark.usefixtures("_dsrs")
def test_tables_show_each_month_by_dsp(admin_client):
    page = admin_client.get("/admin/")
    revenue, links = groups(page, "revenue-by-month-table")
    usages, _ = groups(page, "usages-by-month-table")
    assert headings(page, "revenue-by-month-table") == ["Month", "Deezer", "Spotify", "All"]
    assert revenue == [[JANUARY, "–", "3.75", "3.75"], [FEBRUARY, "10.00", "–", "10.00"]]
    assert usages == [[JANUARY, "–", "22", "22"], [FEBRUARY, "100", "–", "100"]]
    assert [listed(admin_client, link) for link in links] == [sorted([ES_JANUARY, NO_JANUARY]), [FR_FEBRUARY]]


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


@pytest.mark.usefixtures("_dsrs")
def test_it_lists_the_latest_imports_failures_and_rejections(admin_client):
    text = admin_client.get("/admin/").content.decode()
    section = {
        name: text.split(f'id="{name}"')[1].split("</section>")[0] for name in ("imports", "failures", "rejected")
    }
    assert re.findall(rf'<a href="{DSRS}\d+/change/">([^<]*)</a>', section["imports"]) == [
        FR_FEBRUARY,
        NO_JANUARY,
        ES_JANUARY,
    ]
    failed = DSR.objects.failed().get()
    assert f'<a href="{DSRS}{failed.pk}/change/">{failed.path}</a>' in section["failures"]
    assert f'<a href="/admin/catalogue/reportproblem/?dsr={failed.pk}">1 error</a>' in section["failures"]
    assert "holiday.tsv" in section["rejected"]


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


# --- What needs somebody ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_dsrs")
def test_what_needs_somebody_comes_first_with_a_link_to_its_list(admin_client):
    recipes.dsr.make(offer="new", path="new.tsv")
    for number, state in enumerate(["checked", "checked", "refused", "waiting", "to_check", "done"]):
        recipes.import_job.make(upload=str(number), name=f"{number}.tsv", state=state)
    page = admin_client.get("/admin/")
    links = needs(page)
    assert {what: listed(admin_client, link) for what, link in links.items()} == {
        "1 failed DSR": [FR_FEBRUARY.replace("FR", "ES")],
        "1 DSR not yet searchable": ["new.tsv"],
        "2 imports to be confirmed": ["0.tsv", "1.tsv"],
        "1 refused import": ["2.tsv"],
        "1 file that waits for other files of its message": ["3.tsv"],
        "1 rejected delivery": ["holiday.tsv"],
    }
    text = page.content.decode()
    assert text.index('id="needs"') < text.index('id="facts"') < text.index('class="charts"')


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


# --- Filters ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_dsrs")
def test_all_numbers_follow_the_filters(admin_client):
    page = admin_client.get("/admin/?territory=ES&dsp=Spotify&period_start=2020-01-01&period_end=2020-01-31")
    values, links = facts(page)
    assert (values["DSRs"], values["lines"], values["usages"], values["revenue in EUR"]) == ("1", "2", "15", "1.75")
    assert listed(admin_client, links["DSRs"]) == listed(admin_client, links["% of lines without ISRC"]) == [ES_JANUARY]
    cells, links = groups(page, "revenue-by-month-table", *OLD_TABLES)
    assert [row[0] for row in cells] == [JANUARY, "ES", JANUARY]
    assert [listed(admin_client, link) for link in links] == [[ES_JANUARY]] * 3
    assert shown(page, "title") == ["Zebra", "Apple"]
    text = page.content.decode()
    assert NO_JANUARY not in text
    top = "/admin/catalogue/resource/top/?percentile=10&amp;dsp=Spotify&amp;territory=ES&amp;period_start=2020-01-01"
    assert f'href="{top}&amp;period_end=2020-01-31"' in text
    assert 'value="2020-01-31"' in text
    assert '<option value="ES" selected>' in text
    # The failed DSR is one of Deezer. The rejected delivery is of no DSP.
    assert list(needs(page)) == ["1 rejected delivery"]
    assert "all of them count" in text


@pytest.mark.usefixtures("_dsrs")
def test_the_page_of_the_top_has_the_period_too(admin_client):
    top = "/admin/catalogue/resource/top/?percentile=100"
    assert shown(admin_client.get(f"{top}&period_start=2020-02-01"), "title") == ["Pear"]
    assert shown(admin_client.get(f"{top}&period_end=2020-01-31"), "title") == ["Zebra", "Apple"]
    refused = admin_client.get(f"{top}&period_start=2020-02-01&period_end=2020-01-31")
    assert (refused.status_code, "The range ends before it starts." in refused.content.decode()) == (400, True)


@pytest.mark.usefixtures("_dsrs")
def test_a_month_that_the_filter_cuts_leads_to_what_it_counts(admin_client):
    recipes.dsr.make(path="week.tsv", offer="week", **EURO | {"period_start": date(2020, 1, 8)})
    page = admin_client.get("/admin/?period_start=2020-01-05")
    cells, links = groups(page, "usages-by-month-table")
    assert cells[0] == [JANUARY, "–", "0", "0"]
    assert listed(admin_client, links[0]) == ["week.tsv"]


@pytest.mark.usefixtures("_dsrs")
def test_the_latest_delivery_of_a_message_counts_within_the_filter(admin_client):
    message = recipes.told_message.make()
    for number, territory in enumerate(["ES", "NO"]):
        recipes.dsr_of_message.make(message=message, territory_id=territory, summary_id=str(number), path="m.tsv")
    text = admin_client.get("/admin/?territory=ES").content.decode()
    assert f"/admin/catalogue/reportmessage/{message.pk}/change/" in text


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("period_start=soon", "Enter a valid date."),
        ("period_start=2020-02-30", "Enter a valid date."),
        ("period_start=2020-02-02&period_end=2020-02-01", "The range ends before it starts."),
        ("territory=XX", "XX is not one of the available choices."),
        ("dsp=nobody", "nobody is not one of the available choices."),
    ],
)
@pytest.mark.usefixtures("_dsrs")
def test_bad_input_is_an_error_at_its_field(admin_client, query, error):
    response = admin_client.get(f"/admin/?{query}")
    text = response.content.decode()
    assert response.status_code == 400
    assert re.search(rf'<ul class="errorlist"[^>]*><li>[^<]*{re.escape(error)}', text)
    assert "data-chart" not in text


@pytest.mark.usefixtures("_dsrs")
def test_a_filter_without_dsrs_says_so(admin_client):
    text = admin_client.get("/admin/?period_end=2019-12-31").content.decode()
    assert "No DSRs found." in text
    assert "canvas" not in text


# --- Top recordings --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_dsrs")
def test_it_shows_the_top_recordings(admin_client):
    response = admin_client.get("/admin/")
    columns = [shown(response, column) for column in ("rank", "title", "artists", "usages", "revenue", "share")]
    # Of Spotify, a has 1.5 + 15 / 10 EUR, and b 0.25 + 5 / 10.
    assert list(zip(*columns, strict=True)) == [
        ("1", "Pear", "Cy", "100", "10.00", "72.73"),
        ("2", "Zebra", "Ana", "17", "3.00", "94.55"),
        ("3", "Apple", "Bo", "5", "0.75", "100.00"),
    ]


@pytest.mark.parametrize("error", [OutOfTime, RankingNotReady("Later.")])
@pytest.mark.usefixtures("_dsrs")
def test_the_page_does_not_wait_for_a_ranking(admin_client, monkeypatch, error):
    def never(**_):
        raise error

    monkeypatch.setattr(resources.selectors, "resource_top", never)
    response = admin_client.get("/admin/")
    assert "Ranking in progress." in response.content.decode()
    assert 'href="/admin/catalogue/resource/top/?percentile=10"' in response.content.decode()
    assert facts(response)[0]["lines"] == "5"


def test_with_many_lines_only_the_top_10_percent_are_ranked(admin_client, monkeypatch):
    asked = []
    monkeypatch.setattr(resources.selectors, "resource_top", lambda **arguments: asked.append(arguments) or [])
    for lines in (100_000, 1):
        recipes.dsr.make(offer=str(lines), line_count=lines)
        admin_client.get("/admin/")
    assert [(one["percentile"], one["limit"]) for one in asked] == [(100, 10), (10, 10)]


# --- Permissions -----------------------------------------------------------------------------------------------

PARTS = {
    "filters": 'id="filters"',
    "needs": 'id="needs"',
    "numbers": "data-chart=",
    "top": 'id="top"',
    "imports": 'id="imports"',
    "failures": 'id="failures"',
    "rejected": 'id="rejected"',
    "jobs": "imports to be checked",
}
OF_DSRS = {"filters", "needs", "numbers", "imports", "failures"}


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ((), set()),
        (("view_territory",), set()),
        (("view_resource",), set()),
        (("view_dsr",), OF_DSRS),
        (("change_dsr",), OF_DSRS),
        (("view_dsr", "view_resource"), OF_DSRS | {"top"}),
        (("view_rejecteddelivery",), {"needs", "rejected"}),
        (("import_dsr",), {"needs", "jobs"}),
    ],
)
@pytest.mark.usefixtures("_dsrs")
def test_users_see_only_the_parts_that_they_may_view(client, permissions, expected):
    recipes.import_job.make(name="1.tsv")
    client.force_login(staff_with(*permissions))
    text = client.get("/admin/").content.decode()
    assert {name for name, mark in PARTS.items() if mark in text} == expected
    if "numbers" not in expected:
        assert not any(amount in text for amount in ("13.75", "122", "Spotify", "60.00"))
    if "rejected" not in expected:
        assert "holiday" not in text
        assert "rejected" not in text


@pytest.mark.usefixtures("_dsrs")
def test_the_page_of_an_application_has_no_numbers(admin_client):
    text = admin_client.get("/admin/catalogue/").content.decode()
    assert 'id="start"' not in text
    assert "chart" not in text


# --- Cost ------------------------------------------------------------------------------------------------------


def test_it_takes_the_same_number_of_queries_for_1_and_for_100_dsrs(admin_client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get("/admin/").status_code == 200
        return captured

    def add(count):
        names = [f"{count} {number}" for number in range(count)]
        many = {"_quantity": count, "_bulk_create": True}
        recipes.dsr.make(offer=iter(names), territory_id=cycle(["NO", "ES"]), total_revenue=1, **many)
        recipes.failed_dsr.make(path=iter(names), **many)

    add(1)
    for_one = len(queries())
    add(99)
    captured = queries()
    assert len(captured) == for_one
    assert not [one["sql"] for one in captured if "catalogue_usageline" in one["sql"]]


def test_chart_js_is_vendored_without_its_source_map():
    folder = settings.BASE_DIR / "dsrhub" / "static" / "dsrhub" / "vendor"
    text = (folder / "chart.umd.min.js").read_text()
    assert text.startswith("/*!\n * Chart.js v4.6.1\n")
    assert "sourceMappingURL" not in text
    assert "Permission is hereby granted" in (folder / "LICENSE.chart.txt").read_text()
