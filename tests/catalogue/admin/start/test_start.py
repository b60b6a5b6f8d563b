"""The start page of the admin: its numbers, the lists behind them, and permissions."""

import re
from datetime import date
from decimal import Decimal

import pytest
from django.conf import settings

from catalogue.admin.resources import admin as resources
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


@pytest.fixture(scope="module", autouse=True)
def _dsrs(module_db, tmp_path_factory):
    """Three reports: 5 lines, 122 usages, 1.75 + 2 + 10 = 13.75 EUR; 2 lines have an ISRC. Two deliveries failed."""
    folder = tmp_path_factory.mktemp("reports")
    operator_rate_set(
        currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(10), note="by hand"
    )
    import_report(
        folder,
        ES_JANUARY,
        line("a", "Zebra", "Ana", "ESABC2000001", "10", "1.5"),
        line("b", "Apple", "Bo", "", "5", "0.25"),
    )
    import_report(folder, NO_JANUARY, line("a", "Zebra", "Ana", "ESABC2000001", "7", "15"), line("b", revenue="5"))
    import_report(folder, FR_FEBRUARY, line("c", "Pear", "Cy", "", "100", "10"))
    with pytest.raises(ReportRefused):
        import_report(folder, FR_FEBRUARY.replace("FR", "ES"), line("a", revenue="much"))
    with pytest.raises(InvalidReportName):
        import_report(folder, "holiday.tsv", line())


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


def test_it_shows_the_totals(admin_client):
    values, _ = facts(admin_client.get("/admin/"))
    assert values == {
        "DSRs": "3",
        "lines": "5",
        "usages": "122",
        "revenue in EUR": "13.75",
        "% of lines without ISRC": "60.00",
    }


def test_the_numbers_are_written_as_the_language_writes_them(admin_client):
    values, _ = facts(admin_client.get("/admin/", headers={"accept-language": "es"}))
    assert list(values.values()) == ["3", "5", "122", "13,75", "60,00"]


def test_it_shows_totals_by_territory_and_period(admin_client):
    cells, _ = groups(admin_client.get("/admin/"), *OLD_TABLES)
    assert cells == [
        ["FR", "1", "1", "100", "10.00", "100.00"],
        ["NO", "1", "2", "7", "2.00", "50.00"],
        ["ES", "1", "2", "15", "1.75", "50.00"],
        [JANUARY, "2", "4", "22", "3.75", "50.00"],
        [FEBRUARY, "1", "1", "100", "10.00", "100.00"],
    ]


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


def test_tables_show_each_month_by_dsp(admin_client):
    page = admin_client.get("/admin/")
    revenue, links = groups(page, "revenue-by-month-table")
    usages, _ = groups(page, "usages-by-month-table")
    assert headings(page, "revenue-by-month-table") == ["Month", "Deezer", "Spotify", "All"]
    assert revenue == [[JANUARY, "–", "3.75", "3.75"], [FEBRUARY, "10.00", "–", "10.00"]]
    assert usages == [[JANUARY, "–", "22", "22"], [FEBRUARY, "100", "–", "100"]]
    assert [listed(admin_client, link) for link in links] == [sorted([ES_JANUARY, NO_JANUARY]), [FR_FEBRUARY]]


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


# --- What needs somebody ---------------------------------------------------------------------------------------


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


# --- Filters ---------------------------------------------------------------------------------------------------


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


def test_the_page_of_the_top_has_the_period_too(admin_client):
    top = "/admin/catalogue/resource/top/?percentile=100"
    assert shown(admin_client.get(f"{top}&period_start=2020-02-01"), "title") == ["Pear"]
    assert shown(admin_client.get(f"{top}&period_end=2020-01-31"), "title") == ["Zebra", "Apple"]
    refused = admin_client.get(f"{top}&period_start=2020-02-01&period_end=2020-01-31")
    assert (refused.status_code, "The range ends before it starts." in refused.content.decode()) == (400, True)


def test_a_month_that_the_filter_cuts_leads_to_what_it_counts(admin_client):
    recipes.dsr.make(path="week.tsv", offer="week", **EURO | {"period_start": date(2020, 1, 8)})
    page = admin_client.get("/admin/?period_start=2020-01-05")
    cells, links = groups(page, "usages-by-month-table")
    assert cells[0] == [JANUARY, "–", "0", "0"]
    assert listed(admin_client, links[0]) == ["week.tsv"]


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
def test_bad_input_is_an_error_at_its_field(admin_client, query, error):
    response = admin_client.get(f"/admin/?{query}")
    text = response.content.decode()
    assert response.status_code == 400
    assert re.search(rf'<ul class="errorlist"[^>]*><li>[^<]*{re.escape(error)}', text)
    assert "data-chart" not in text


def test_a_filter_without_dsrs_says_so(admin_client):
    text = admin_client.get("/admin/?period_end=2019-12-31").content.decode()
    assert "No DSRs found." in text
    assert "canvas" not in text


# --- Top recordings --------------------------------------------------------------------------------------------


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
def test_the_page_does_not_wait_for_a_ranking(admin_client, monkeypatch, error):
    def never(**_):
        raise error

    monkeypatch.setattr(resources.selectors, "resource_top", never)
    response = admin_client.get("/admin/")
    assert "Ranking in progress." in response.content.decode()
    assert 'href="/admin/catalogue/resource/top/?percentile=10"' in response.content.decode()
    assert facts(response)[0]["lines"] == "5"


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


def test_the_page_of_an_application_has_no_numbers(admin_client):
    text = admin_client.get("/admin/catalogue/").content.decode()
    assert 'id="start"' not in text
    assert "chart" not in text


# --- Chart.js --------------------------------------------------------------------------------------------------


def test_chart_js_is_vendored_without_its_source_map():
    folder = settings.BASE_DIR / "dsrhub" / "static" / "dsrhub" / "vendor"
    text = (folder / "chart.umd.min.js").read_text()
    assert text.startswith("/*!\n * Chart.js v4.6.1\n")
    assert "sourceMappingURL" not in text
    assert "Permission is hereby granted" in (folder / "LICENSE.chart.txt").read_text()
