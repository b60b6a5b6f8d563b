"""Resources in the admin: the search, the page of a resource, the top recordings, and permissions."""

import io
import json
import re
from datetime import date
from decimal import Decimal

import pytest
from django.utils.http import urlencode
from openpyxl import load_workbook

from catalogue.admin.resources import admin as resources
from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import RankingNotReady
from catalogue.models import Resource
from catalogue.rates.services import operator_rate_set
from dsrhub.database.time_limits import OutOfTime
from tests.catalogue.admin.questions.test_questions import table_of
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, shown, staff_with
from tests.charts import charts

pytestmark = pytest.mark.django_db

RESOURCES = "/admin/catalogue/resource/"
ES_FEBRUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200201-20200229.tsv"
DEEZER_JANUARY = "Deezer_Free_FR_EUR_20200101-20200131.tsv"


@pytest.fixture(scope="module", autouse=True)
def dsrs(module_db, tmp_path_factory):
    """Spain in January and February (EUR), Norway in January (10 NOK for 1 EUR), and another DSP in France.

    Totals of Spotify: a1 has 18 usages and 1.5 + 0.25 + 0.5 = 2.25 EUR; b2 has 5 usages and 0.5 EUR; c3 has neither.
    """
    operator_rate_set(
        currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(10), note="by hand"
    )
    reports = {
        ES_JANUARY: [
            line("a1", "Zebra", "Ana|Eva", "ESABC2000001", "10", "1.25"),
            line("b2", "apple Pie", "Bo", "ESABC2000002", "5", "0.5"),
            line("a1", "Zebra", "Ana|Eva", "ESABC2000001", "1", "0.25"),
        ],
        ES_FEBRUARY: [line("a1", "Zebra", "Ana|Eva", "ESABC2000009", "4", "0.25"), line("c3", "", "Cy D'Arc")],
        NO_JANUARY: [line("a1", "Sebra", "Ana", "", "3", "5")],
        DEEZER_JANUARY: [line("a1", "Banana", "Ana", "", "", "0.125")],
    }
    folder = tmp_path_factory.mktemp("reports")
    return {name: import_report(folder, name, *lines).pk for name, lines in reports.items()}


def search(client, **query):
    response = client.get(RESOURCES, query)
    assert response.status_code == 200
    return [resource.key for resource, _ in response.context["rows"]]


def page_address(dsp_id="a1", dsp="Spotify"):
    return f"{RESOURCES}page/?{urlencode({'dsp': dsp, 'dsp_id': dsp_id})}"


A, B, C, OTHER_A = ("Spotify", "a1"), ("Spotify", "b2"), ("Spotify", "c3"), ("Deezer", "a1")

# --- Search ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [B, OTHER_A, A, C]),
        ({"q": "zebra"}, [A]),
        ({"q": "zeb ev"}, [A]),
        ({"q": "an"}, [OTHER_A, A]),
        ({"q": "ebra"}, []),
        ({"q": "D'Arc"}, [C]),
        ({"q": "ESABC2000002"}, [B]),
        ({"q": "isrc es-abc-20-00002"}, [B]),
        ({"q": "a1"}, [OTHER_A, A]),
        ({"q": "b"}, [B, OTHER_A]),  # Bo and Banana
        ({"q": "c"}, [C]),  # Cy
        ({"q": "b2"}, [B]),
        ({"q": "A1"}, []),
        ({"q": "  zebra "}, [A]),
        ({"q": "%"}, []),
        ({"q": "' | & ! \\"}, []),
        ({"q": "a", "by": "dsp_id_prefix"}, [OTHER_A, A]),
        ({"q": "a", "by": "dsp_id"}, []),
        ({"territory": "FR"}, [OTHER_A]),
        ({"territory": "NO"}, [A]),
        ({"dsp": "Spotify"}, [B, A, C]),
        ({"dsp": "Spotify", "q": "an", "territory": "ES"}, [A]),
        ({"dsp": "Deezer", "q": "zebra"}, []),
    ],
)
def test_a_search_finds_resources(admin_client, query, expected):
    assert search(admin_client, **query) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"after": "x"},
        {"after": "[]"},
        {"after": "[1, 2, 3]"},
        {"after": '[false, "a", -1]'},
        {"after": '[false, "a", 1.5]'},
        {"after": '[false, "\\u0000", 1]'},
        {"after": f'[false, "a", {10**30}]'},
        {"after": 100_000 * "["},
        {"by": "revenue"},
        {"q": 1001 * "a"},
        {"territory": "nowhere"},
        {"dsp": "none"},
    ],
)
def test_an_invalid_search_is_refused(admin_client, query):
    response = admin_client.get(RESOURCES, query)
    assert response.status_code == 400
    assert b"errorlist" in response.content


def test_a_search_that_takes_too_long_says_so(admin_client, monkeypatch):
    def never(**_):
        raise OutOfTime

    monkeypatch.setattr(resources.selectors, "resource_page", never)
    for query in ({}, {"q": "a"}):
        response = admin_client.get(RESOURCES, query)
        assert response.status_code == 503
        assert "This search takes too long. Narrow it." in response.content.decode()


# --- A resource ------------------------------------------------------------------------------------------------


def described(response):
    return [
        (row["dsr"].path, [(one.title, one.artists, one.isrc, one.lines) for one, _ in row["descriptions"]])
        for row in response.context["reported"].rows
    ]


def test_a_resource_shows_its_dsrs_latest_first(admin_client):
    response = admin_client.get(page_address())
    assert shown(response, "dsr") == [ES_FEBRUARY, ES_JANUARY, NO_JANUARY]
    assert shown(response, "territory") == ["ES", "ES", "NO"]
    assert shown(response, "usages") == ["4", "11", "3"]
    assert shown(response, "revenue") == ["0.25 EUR reported", "1.50 EUR reported", "5.00 NOK reported"]
    assert shown(response, "revenue_eur") == ["0.25", "1.50", "0.50"]
    assert described(response) == [
        (ES_FEBRUARY, [("Zebra", "Ana|Eva", "ESABC2000009", [2])]),
        (ES_JANUARY, [("Zebra", "Ana|Eva", "ESABC2000001", [2, 4])]),
        (NO_JANUARY, [("Sebra", "Ana", None, [2])]),
    ]
    reported = response.context["reported"]
    assert (reported.dsr_count, reported.is_cut, reported.last) == ("3", False, None)
    text = response.content.decode()
    assert '<dd id="all-usages">18<' in text
    assert '<dd id="all-revenue">2.25</dd>' in text


def test_a_resource_shows_what_it_earned_by_territory(admin_client, tmp_path):
    import_report(tmp_path, "Spotify_Duo_IT_EUR_20200101-20200131.tsv", line("a1"), line("b2", usages="1"))
    response = admin_client.get(page_address())
    assert table_of(response, "by-territory") == [
        ["Territory", "usages", "revenue in EUR"],
        ["ES", "15", "1.75"],
        ["NO", "3", "0.50"],
        ["IT", "–", "–"],
        ["Total", "18", "2.25"],
    ]
    assert '<abbr title="Norway">NO</abbr>' in response.content.decode()
    drawn = [("ES", 1.75, "1.75 EUR"), ("NO", 0.5, "0.5 EUR"), ("IT", None, "")]
    assert charts(response.content.decode()) == {"own-by-territory": drawn}


def test_the_revenue_of_one_territory_has_no_bar(admin_client):
    response = admin_client.get(page_address(dsp="Deezer"))
    assert table_of(response, "by-territory")[1:] == [["FR", "–", "0.13"], ["Total", "–", "0.13"]]
    assert charts(response.content.decode()) == {}


def test_descriptions_that_differ_from_the_catalogue_are_highlighted(admin_client):
    text = admin_client.get(page_address()).content.decode()
    for part in ("title", "artists", "isrc"):
        assert text.count(f'class="reported-{part} other"') == 1


def test_each_isrc_links_to_its_lines(admin_client, dsrs):
    response = admin_client.get(page_address())
    assert shown(response, "isrc") == ["ESABC2000001", "ESABC2000009"]
    assert shown(response, "lines") == ["2", "1"]
    text = response.content.decode()
    for name, line_number in ((ES_JANUARY, 2), (ES_JANUARY, 4), (ES_FEBRUARY, 2)):
        link = f"/admin/catalogue/dsr/{dsrs[name]}/lines/?after={line_number - 1}"
        assert f'<a href="{link}">{line_number}</a>' in text
        assert shown(admin_client.get(link), "dsp_id")[0] == "a1"


def test_missing_values_are_shown_as_dashes(admin_client):
    response = admin_client.get(page_address("c3"))
    assert shown(response, "usages") == shown(response, "revenue") == shown(response, "revenue_eur") == ["–"]
    assert "No line has an ISRC." in response.content.decode()


def test_the_dsrs_of_a_resource_are_paginated(admin_client, dsrs, monkeypatch):
    monkeypatch.setattr("catalogue.admin.resources.page.DSRS_ON_A_PAGE", 2)
    first = admin_client.get(page_address())
    assert [row["dsr"].pk for row in first.context["reported"].rows] == [dsrs[ES_FEBRUARY], dsrs[ES_JANUARY]]
    second = admin_client.get(first.context["next"])
    assert [row["dsr"].pk for row in second.context["reported"].rows] == [dsrs[NO_JANUARY]]
    assert second.context["next"] is None
    assert second.context["reported"].dsr_count == "3"


def test_deleted_dsrs_are_not_shown(admin_client, dsrs):
    dsr_delete(dsr_number=dsrs[ES_JANUARY])
    assert shown(admin_client.get(page_address()), "dsr") == [ES_FEBRUARY, NO_JANUARY]
    assert admin_client.get(page_address("b2")).status_code == 404


def test_a_resource_that_is_not_registered_yet_has_a_page(admin_client):
    Resource.objects.all().delete()
    response = admin_client.get(page_address())
    assert shown(response, "usages") == ["4", "11", "3"]
    assert "This recording is not searchable yet." in response.content.decode()


@pytest.mark.parametrize("query", ["", "?dsp=Spotify", "?dsp=Spotify&dsp_id=zz", "?dsp=Tidal&dsp_id=a1"])
def test_a_resource_that_no_dsr_reports_is_not_found(admin_client, query):
    assert admin_client.get(f"{RESOURCES}page/{query}").status_code == 404


def test_a_cursor_that_is_not_a_number_is_not_found(admin_client):
    assert admin_client.get(page_address() + "&after=x").status_code == 404
    assert admin_client.get(page_address() + "&after=" + "9" * 5000).status_code == 200


def test_the_address_by_number_redirects_to_the_page_of_the_key(admin_client):
    number = Resource.objects.get(dsp="Deezer").pk
    response = admin_client.get(f"{RESOURCES}{number}/change/", follow=True)
    assert response.redirect_chain == [(page_address(dsp="Deezer"), 302)]
    assert response.context["known"].title == "Banana"
    assert admin_client.get(f"{RESOURCES}{number + 10**6}/change/").status_code == 404


# --- The top recordings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("1", "Zebra", "2.25", "78.26")]),
        ("?percentile=79", [("1", "Zebra", "2.25", "78.26"), ("2", "apple Pie", "0.50", "95.65")]),
        ("?percentile=100&after=2", [("3", "Banana", "0.13", "100.00")]),
        ("?percentile=100&territory=FR", [("1", "Banana", "0.13", "100.00")]),
        ("?dsp=Deezer", [("1", "Banana", "0.13", "100.00")]),
        ("?percentile=100&currency=NOK", [("1", "Zebra", "0.50", "100.00")]),
        ("?percentile=100&period_start=2020-02-01", [("1", "Zebra", "0.25", "100.00")]),
        ("?percentile=100&period_end=2020-01-31&territory=FR", [("1", "Banana", "0.13", "100.00")]),
        ("?percentile=100&period_start=2021-01-01", []),
    ],
)
def test_top_recordings_are_ranked_by_their_revenue(admin_client, query, expected):
    response = admin_client.get(f"{RESOURCES}top/{query}")
    columns = [shown(response, column) for column in ("rank", "title", "revenue", "share")]
    assert list(zip(*columns, strict=True)) == expected


@pytest.mark.parametrize(
    "query",
    [
        *("percentile=0", "percentile=101", "percentile=x", "after=-1", "territory=XX", "currency=XXX"),
        *("period_start=x", "period_end=2020-13-01", "period_start=2020-02-01&period_end=2020-01-01"),
    ],
)
def test_invalid_parameters_of_the_ranking_are_refused(admin_client, query):
    assert admin_client.get(f"{RESOURCES}top/?{query}").status_code == 400


def test_the_ranking_is_paginated(admin_client, monkeypatch):
    monkeypatch.setattr(resources, "RESOURCES_ON_A_PAGE", 2)
    response = admin_client.get(f"{RESOURCES}top/?percentile=100")
    assert shown(response, "rank") == ["1", "2"]
    response = admin_client.get(f"{RESOURCES}top/?{response.context['next']}")
    assert shown(response, "rank") == ["3"]
    assert not response.context["next"]


def test_each_top_recording_has_its_isrc_and_its_dsp(admin_client):
    response = admin_client.get(f"{RESOURCES}top/?percentile=100")
    assert shown(response, "isrc") == ["ESABC2000009", "ESABC2000002", "–"]
    assert shown(response, "dsp") == ["Spotify", "Spotify", "Deezer"]


def test_all_top_recordings_of_the_page_are_exported_with_its_filters(admin_client, monkeypatch):
    monkeypatch.setattr(resources, "RESOURCES_ON_A_PAGE", 1)
    query = "territory=ES&period_start=2020-01-01&period_end=2020-01-31&percentile=100"
    page = admin_client.get(f"{RESOURCES}top/?{query}").content.decode()
    (address,) = re.findall(r'href="(\?[^"]*format=xlsx)" class="export_link"', page)
    response = admin_client.get(f"{RESOURCES}top/{address.replace('&amp;', '&')}")
    (name,) = re.findall('filename="(.*)"', response["Content-Disposition"])
    assert re.fullmatch(r"top-recordings_ES_2020-01-01_2020-01-31_100-percent_\d{4}-\d\d-\d\d\.xlsx", name)
    book = load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    assert book.sheetnames == ["Top recordings", "Filters"]
    rows = [[cell.value for cell in row] for row in book["Top recordings"].iter_rows(min_row=2)]
    assert [(row[0], row[2], row[7], row[-1]) for row in rows] == [(1, "a1", 1.5, "1.50"), (2, "b2", 0.5, "0.5")]
    assert [[cell.value for cell in row] for row in book["Filters"].iter_rows(min_row=3)] == [
        ["Territory", "ES"],
        ["From", "2020-01-01"],
        ["To (inclusive)", "2020-01-31"],
        ["Top N %", "100"],
    ]
    rows = admin_client.get(f"{RESOURCES}top/?{query}&format=csv")
    assert b"".join(rows.streaming_content).decode("utf-8-sig").splitlines()[1].startswith('1,"Spotify","a1","Zebra"')


def test_the_export_of_the_top_needs_a_permission_and_a_ranking(client, monkeypatch):
    client.force_login(staff_with("view_resource", "view_dsr"))
    assert "export_link" not in client.get(f"{RESOURCES}top/").content.decode()
    assert client.get(f"{RESOURCES}top/?format=xlsx").status_code == 403
    assert client.get(f"{RESOURCES}top/?format=xlsx&percentile=0").status_code == 400


@pytest.mark.parametrize("error", [OutOfTime, RankingNotReady("Later.")])
def test_a_ranking_that_is_not_ready_says_so(admin_client, monkeypatch, error):
    def never(**_):
        raise error

    monkeypatch.setattr(resources.selectors, "resource_top", never)
    response = admin_client.get(f"{RESOURCES}top/")
    assert response.status_code == 503
    assert "Ranking in progress." in response.content.decode()


# --- Export ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["b2", "a1", "a1", "c3"]),
        ("?q=zebra", ["a1"]),
        ("?q=an&dsp=Deezer", ["a1"]),
        ("?territory=ES&by=words&q=b", ["b2"]),
    ],
)
def test_an_export_has_the_rows_of_the_list(admin_client, query, expected):
    response = admin_client.post(f"{RESOURCES}export/{query}", {"resource": 0, "format": 3})
    rows = json.loads(b"".join(response.streaming_content))
    assert [row["dsp_id"] for row in rows] == expected


def test_the_export_of_an_invalid_search_redirects_to_the_list(admin_client):
    assert admin_client.post(f"{RESOURCES}export/?territory=nowhere", {"resource": 0})["Location"] == "../?e=1"


# --- Permissions -----------------------------------------------------------------------------------------------


def test_users_who_may_not_view_dsrs_see_resources_without_reports(client):
    client.force_login(staff_with("view_resource"))
    assert search(client, q="zebra") == [A]
    response = client.get(page_address())
    assert response.context["reported"] is None
    text = response.content.decode()
    assert "Zebra" in text
    assert all(word not in text for word in ("2.25", ">18<", "Spotify_", "usages", "revenue"))
    assert client.get(f"{RESOURCES}top/").status_code == 403


@pytest.mark.parametrize("permissions", [(), ("view_dsr",)])
def test_users_without_the_permission_see_no_resources(client, permissions):
    client.force_login(staff_with(*permissions))
    for address in (RESOURCES, page_address(), f"{RESOURCES}top/", f"{RESOURCES}1/change/"):
        assert client.get(address).status_code == 403
