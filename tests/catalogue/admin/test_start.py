"""The start page of the admin: its numbers, the lists behind them, and permissions."""

import re
from datetime import date
from decimal import Decimal
from itertools import cycle

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.admin import start
from catalogue.exceptions import InvalidReportName, RankingNotReady, ReportRefused
from catalogue.models import DSR
from catalogue.rates.services import operator_rate_set
from dsrhub.database.time_limits import OutOfTime
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, shown, staff_with
from tests.charts import charts

pytestmark = pytest.mark.django_db

FR_FEBRUARY = "Deezer_Premium_SACEM_FR_EUR_20200201-20200229.tsv"
JANUARY, FEBRUARY = "2020-01", "2020-02"
DSRS = "/admin/catalogue/dsr/"


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
    found = re.findall(
        r'<dt>([^<]*)</dt><dd><a href="([^"]*)">(?:<data [^>]*><span>)?([^<]*)', response.content.decode()
    )
    return {name: value for name, _, value in found}, {name: link.replace("&amp;", "&") for name, link, _ in found}


def groups(response):
    """Return the rows of the tables, each with its name and its numbers, and the address that each row links to."""
    content = response.content.decode().split('id="start"')[1]
    rows = re.findall(r'<tr><th scope="row"><a href="([^"]*)">([^<]*)</a></th>(.*?)</tr>', content)
    cells = [
        [
            name,
            *re.findall(
                r'<td class="number"><a href="[^"]*">(?:<data [^>]*><span>)?([^<]*)(?:</span></data>)?</a></td>', row
            ),
        ]
        for _, name, row in rows
    ]
    return cells, [link.replace("&amp;", "&") for link, *_ in rows]


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
        "failed DSRs": "1",
        "DSRs not yet searchable": "0",
        "rejected deliveries": "1",
    }


@pytest.mark.usefixtures("_dsrs")
def test_it_shows_totals_by_territory_and_period(admin_client):
    cells, _ = groups(admin_client.get("/admin/"))
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
    names, links = groups(page)
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
    assert listed(admin_client, links["failed DSRs"]) == [FR_FEBRUARY.replace("FR", "ES")]
    assert listed(admin_client, links["rejected deliveries"]) == ["holiday.tsv"]
    assert listed(admin_client, links["DSRs not yet searchable"]) == []


@pytest.mark.usefixtures("_dsrs")
def test_charts_have_the_numbers_of_the_tables(admin_client):
    text = admin_client.get("/admin/").content.decode()
    assert charts(text) == {
        "revenue-by-territory": [("FR", 10, "10 EUR"), ("NO", 2, "2 EUR"), ("ES", 1.75, "1.75 EUR")],
        "usages-by-territory": [("FR", 100, "100"), ("NO", 7, "7"), ("ES", 15, "15")],
        "revenue-by-period": [(JANUARY, 3.75, "3.75 EUR"), (FEBRUARY, 10, "10 EUR")],
        "usages-by-period": [(JANUARY, 22, "22"), (FEBRUARY, 100, "100")],
    }


def test_the_remaining_territories_are_added_up_and_earlier_periods_left_out(admin_client, monkeypatch):
    monkeypatch.setattr(start, "TERRITORIES", 1)
    monkeypatch.setattr(start, "PERIODS", 1)
    euro = {"currency_id": "EUR", "exchange_rate": 1, "line_count": 10, "blank_isrc_count": 4, "total_usages": 3}
    # The sum has more digits than Python's decimals have by default.
    for month, (territory, revenue) in enumerate([("ES", 5), ("NO", "2e25"), ("FR", "0.004"), ("SE", "0.001")], 1):
        days = {"period_start": date(2020, month, 1), "period_end": date(2020, month, 20)}
        recipes.dsr.make(territory_id=territory, total_revenue=Decimal(revenue), **days, **euro)
    response = admin_client.get("/admin/")
    cells, links = groups(response)
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


def test_it_shows_the_remaining_work_of_the_catalogue_refresh(admin_client):
    dsrs = [recipes.dsr.make(offer=str(number), is_catalogued=number == 0) for number in range(3)]
    recipes.lines_to_drop.make(dsr_number=dsrs[-1].pk + 1)
    values, links = facts(admin_client.get("/admin/"))
    assert values["DSRs not yet searchable"] == "2"
    assert values["deleted DSRs to clean up"] == "1"
    assert len(listed(admin_client, links["DSRs not yet searchable"])) == 2


def test_it_shows_waiting_imports(admin_client):
    for number, state in enumerate(["to_check", "checked", "checked", "done", "abandoned"]):
        recipes.import_job.make(upload=str(number), name=f"{number}.tsv", state=state)
    values, links = facts(admin_client.get("/admin/"))
    assert {name: value for name, value in values.items() if name.startswith("imports")} == {
        "imports to be checked": "1",
        "imports to be confirmed": "2",
    }
    assert listed(admin_client, links["imports to be confirmed"]) == ["1.tsv", "2.tsv"]


def test_an_installation_without_data_has_a_start_page(admin_client):
    response = admin_client.get("/admin/")
    assert response.status_code == 200
    assert "No DSRs imported yet." in response.content.decode()
    values, _ = facts(response)
    assert (values["DSRs"], values["revenue in EUR"], values["% of lines without ISRC"]) == ("0", "0.00", "–")
    assert "canvas" not in response.content.decode()


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

    monkeypatch.setattr(start.resource_selectors, "resource_top", never)
    response = admin_client.get("/admin/")
    assert "Ranking in progress." in response.content.decode()
    assert 'href="/admin/catalogue/resource/top/?percentile=10"' in response.content.decode()
    assert facts(response)[0]["lines"] == "5"


def test_with_many_lines_only_the_top_10_percent_are_ranked(admin_client, monkeypatch):
    asked = []
    monkeypatch.setattr(start.resource_selectors, "resource_top", lambda **arguments: asked.append(arguments) or [])
    for lines in (100_000, 1):
        recipes.dsr.make(offer=str(lines), line_count=lines)
        admin_client.get("/admin/")
    assert [(one["percentile"], one["limit"]) for one in asked] == [(100, 10), (10, 10)]


# --- Permissions -----------------------------------------------------------------------------------------------

PARTS = {
    "search": 'class="finding" role="search"',
    "numbers": "data-chart=",
    "top": 'id="top"',
    "imports": 'id="imports"',
    "failures": 'id="failures"',
    "rejected": 'id="rejected"',
    "jobs": "imports to be checked",
}
OF_DSRS = {"numbers", "imports", "failures"}


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ((), set()),
        (("view_territory",), set()),
        (("view_resource",), {"search"}),
        (("view_dsr",), OF_DSRS),
        (("change_dsr",), OF_DSRS),
        (("view_dsr", "view_resource"), OF_DSRS | {"search", "top"}),
        (("view_rejecteddelivery",), {"rejected"}),
        (("import_dsr",), {"jobs"}),
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
