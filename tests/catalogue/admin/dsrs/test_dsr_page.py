"""What the page of a DSR shows first: amounts, its neighbours in the series, recordings, and problems by code."""

import html
import re
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from catalogue.admin.resources import admin as resources
from catalogue.dsrs.statistics.series import series_neighbours
from catalogue.exceptions import RankingNotReady, ReportRefused
from catalogue.imports.services import dsr_import
from catalogue.models import DSR
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, staff_with, write_report

pytestmark = pytest.mark.django_db

DSRS = "/admin/catalogue/dsr/"
PROBLEMS = "/admin/catalogue/reportproblem/"


def page_of(client, dsr):
    response = client.get(f"{DSRS}{dsr.pk}/change/")
    assert response.status_code == 200
    return response.content.decode()


def text(content):
    return " ".join(html.unescape(strip_tags(content.replace("</t", " </t"))).split())


def section(page, name):
    """The text of a part of the summary."""
    (content,) = re.findall(f'<section id="{name}">(.*?)</section>', page, re.DOTALL)
    return text(content)


def reports(page):
    """The texts of the previous and the next report."""
    return [text(part) for part in re.findall('id="report-[a-z]+">(.*?)</span>\n', page, re.DOTALL)]


# --- The summary -----------------------------------------------------------------------------------------------


def test_the_summary_has_the_amounts_in_the_currency_and_in_eur(admin_client):
    dsr = recipes.dsr.make(
        total_revenue=Decimal("1234.5"), exchange_rate=10, total_usages=4321, line_count=12, blank_isrc_count=3
    )
    page = page_of(admin_client, dsr)
    facts = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", page.partition('id="summary"')[2], re.DOTALL))
    assert {name: text(value) for name, value in facts.items()} == {
        "revenue": "1,234.50 NOK reported",
        "revenue in EUR": "123.45",
        "usages": "4,321",
        "lines": "12 3 blank",
        "territory": "NO Norway",
        "period": "2020-01-01 – 2020-01-31",
        "problems": "none",
    }


def test_a_failed_dsr_shows_its_problems_and_no_contents(admin_client, tmp_path):
    with pytest.raises(ReportRefused) as refused:
        import_report(tmp_path, NO_JANUARY, line("a", revenue="much"), line("", usages="1"))
    failed = DSR.objects.get(pk=refused.value.extra["dsr"])
    page = page_of(admin_client, failed)
    meaning = "The cell must have a number, and has something else. Ask the service for a corrected file."
    assert meaning in section(page, "problems")
    assert "not_a_number" not in section(page, "problems")
    assert "Exchange rate" not in page
    assert '<section id="top">' not in page
    assert f"{DSRS}{failed.pk}/lines/" not in page
    assert "?replace=" not in page


def test_the_page_leads_to_the_import_of_a_replacement(admin_client, client):
    dsr = recipes.dsr.make()
    address = f'href="{DSRS}import/?replace={dsr.pk}"'
    assert address in page_of(admin_client, dsr)
    client.force_login(staff_with("view_dsr", "import_dsr"))
    assert address not in page_of(client, dsr)


# --- The series ------------------------------------------------------------------------------------------------


def make(start, end, **others):
    return recipes.dsr.make(period_start=date.fromisoformat(start), period_end=date.fromisoformat(end), **others)


def test_the_neighbours_are_the_next_ingested_dsrs_of_the_same_series():
    january, march = make("2020-01-01", "2020-01-31"), make("2020-03-01", "2020-03-31")
    make("2020-02-01", "2020-02-29", status=DSR.Status.FAILED, path="failed")
    for field, other in (
        ("dsp", "Deezer"),
        ("offer", "Other"),
        ("society", "SACEM"),
        ("territory_id", "SE"),
        ("currency_id", "SEK"),
        ("commercial_model", "AdSupport"),
        ("use_type", "Stream"),
        ("subscriber_type", "Student"),
    ):
        make("2020-02-01", "2020-02-29", **{field: other})
    assert series_neighbours(january) == (None, march)
    assert series_neighbours(march) == (january, None)
    february = make("2020-02-01", "2020-02-29")
    assert series_neighbours(february) == (january, march)
    quarter = make("2020-01-01", "2020-03-31")
    assert (series_neighbours(quarter).before, series_neighbours(quarter).after) == (january, february)


def test_the_page_links_to_both_neighbours_and_says_what_is_missing_between(admin_client):
    january = make("2020-01-01", "2020-01-31", total_revenue=Decimal(20), exchange_rate=10)
    march = make("2020-03-01", "2020-03-31")
    april = make("2020-04-01", "2020-04-30", total_revenue=Decimal(30), exchange_rate=10)
    page = page_of(admin_client, march)
    assert reports(page) == [
        "Previous report: 2020-01-01 – 2020-01-31 2.00 EUR (29 days between are missing)",
        "Next report: 2020-04-01 – 2020-04-30 3.00 EUR",
    ]
    for other in (january, april):
        assert f'href="{DSRS}{other.pk}/change/"' in page
    assert reports(page_of(admin_client, january))[0] == "Previous report: none"
    make("2020-03-15", "2020-04-14")
    assert "(the periods overlap)" in reports(page_of(admin_client, march))[1]


# --- Recordings ------------------------------------------------------------------------------------------------


def test_the_page_shows_the_ten_recordings_of_this_dsr_with_the_most_revenue(admin_client, tmp_path):
    import_report(tmp_path, NO_JANUARY, line("other", "Other", revenue="1000"))
    lines = [line(f"id{number:02}", f"Title {number:02}", revenue=str(number)) for number in range(1, 13)]
    dsr = import_report(tmp_path, ES_JANUARY, *lines)
    titles = re.findall("Title ([0-9]+)", section(page_of(admin_client, dsr), "top"))
    assert titles == [f"{number:02}" for number in range(12, 2, -1)]


@pytest.mark.parametrize("error", [resources.OutOfTime, RankingNotReady("Later.")])
def test_the_page_does_not_wait_for_a_ranking(admin_client, monkeypatch, error):
    def never(**_):
        raise error

    monkeypatch.setattr(resources.selectors, "resource_top", never)
    assert section(page_of(admin_client, recipes.dsr.make()), "top") == "Top recordings Ranking in progress."


def test_users_who_may_not_view_recordings_see_none(client):
    dsr = recipes.dsr.make()
    client.force_login(staff_with("view_dsr"))
    assert '<section id="top">' not in page_of(client, dsr)


# --- Problems and versions -------------------------------------------------------------------------------------


def test_problems_stand_together_by_their_codes_with_errors_first(admin_client):
    dsr = recipes.dsr.make(error_count=1, warning_count=12)
    recipes.problem.make(dsr=dsr, level="warning", code="isrc_invalid", line=iter((9, 7, 8)), _quantity=3)
    recipes.problem.make(dsr=dsr, level="warning", code="dsp_id_repeated", line=5)
    recipes.problem.make(dsr=dsr, level="error", code="not_utf8")
    page = page_of(admin_client, dsr)
    rows = [text(row) for row in re.findall("<tr.*?</tr>", page.partition('id="problems"')[2].partition("</table>")[0])]
    assert [re.sub(" [A-Z].*[.] ", " ", row) for row in rows[1:]] == [
        "error 1 –",
        "warning 3 7",
        "warning 1 5",
    ]
    assert "The text is not written in UTF-8" in rows[1]
    assert "The ISRC is not of the form of ISO 3901." in rows[2]
    assert "An earlier line has the same id." in rows[3]
    assert f'href="{PROBLEMS}?dsr={dsr.pk}&amp;code=isrc_invalid">3</a>' in page
    assert f'href="{DSRS}{dsr.pk}/lines/?after=6">7</a>' in page
    # 13 were found, 5 are stored.
    assert "8 more problems were found and are not stored." in page
    assert f'href="{PROBLEMS}?dsr={dsr.pk}"' in page


def test_the_page_takes_the_same_number_of_queries_for_1_and_for_100_problems_versions_and_recordings(
    admin_client, tmp_path
):
    counts = []
    for number in (1, 100):
        lines = [line(f"a{each}", revenue="1") for each in range(number)]
        path = write_report(tmp_path, ES_JANUARY, *lines, line("a0", revenue="1"))
        dsr = dsr_import(path=path, name=ES_JANUARY, replace=True).dsr
        codes = (f"code_{each}" for each in range(number))
        recipes.problem.make(dsr=dsr, code=codes, _quantity=number, _bulk_create=True)
        page_of(admin_client, dsr)  # The ranking is built once.
        with CaptureQueriesContext(connection) as captured:
            page_of(admin_client, dsr)
        counts.append(len(captured))
    # The second DSR has an earlier version, for which one query more looks up what stands.
    assert counts[1] - counts[0] in (0, 1)
