"""The admin's list of the lines of a DSR: pagination by line number, and blank cells."""

import re

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from catalogue.admin.dsrs import lines as dsr_lines
from catalogue.exceptions import ReportRefused
from catalogue.models import DSR, SHARED_PARTITION
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, shown, staff_with

pytestmark = pytest.mark.django_db


def lines_of(dsr, query=""):
    return f"/admin/catalogue/dsr/{dsr.pk}/lines/{query}"


def name_of(offer):
    return f"Spotify_{offer}_NO_NOK_20200101-20200131.tsv"


NEW = name_of("New")
# The most bytes of a DSR whose lines lie in the shared partition.
SIZES = {"shared partition": 1024**2, "own partition": 0}
SHORT = [
    line("a1", "One  two", "A|B", "NOABC2000001", "1234567", "1234567890.10"),
    line("b2", "-", "", "", "0", "-0.5"),
    line("c3"),
]
SEARCHED = [
    line("a1", "Aurora", "Björk", "NOABC2000001"),
    line("b2", "Aurora Borealis", "Cœur"),
    line("a1", "Other", "Nobody", "NOABC2000002"),
    line("aurora", "Title", "", "NOABC2000001"),
]
# The lines of another DSR have the same numbers, and some of the words.
OTHERS = [line("a1", "Cœur de pirate", isrc="NOABC2000001"), *(line(f"other{number}") for number in range(3, 500))]


@pytest.fixture(scope="module", autouse=True)
def dsr(module_db, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    import_report(folder, ES_JANUARY, *OTHERS)
    return import_report(folder, NO_JANUARY, *SHORT)


@pytest.fixture(scope="module", autouse=True)
def longs(dsr, tmp_path_factory):
    """By size, a DSR with the lines 2 to 451."""
    return by_size(tmp_path_factory.mktemp("longs"), "Long", *(line(f"id{number}") for number in range(2, 452)))


@pytest.fixture(scope="module", autouse=True)
def searchable(dsr, tmp_path_factory):
    return by_size(tmp_path_factory.mktemp("searchable"), "Searched", *SEARCHED)


def by_size(folder, offer, *lines):
    found = {}
    for size, most in SIZES.items():
        with override_settings(DSRHUB_SHARED_PARTITION_BYTES=most):
            found[size] = import_report(folder, name_of(offer + size.split()[0]), *lines)
    assert [found[size].partition for size in SIZES] == [SHARED_PARTITION, found["own partition"].pk]
    return found


@pytest.fixture
def long(longs):
    return longs["shared partition"]


def test_lines_are_shown_as_delivered_and_blank_cells_are_marked(admin_client, dsr):
    response = admin_client.get(lines_of(dsr))
    assert shown(response, "line_number") == ["2", "3", "4"]
    assert shown(response, "dsp_id") == ["a1", "b2", "c3"]
    assert shown(response, "title") == ["One  two", "-", "blank"]
    assert shown(response, "artists") == ["A|B", "blank", "blank"]
    assert shown(response, "isrc") == ["NOABC2000001", "blank", "blank"]
    assert shown(response, "usages") == ["1,234,567", "0", "blank"]
    assert shown(response, "revenue") == ["1,234,567,890.10 NOK", "-0.50 NOK", "blank"]
    page = response.content.decode()
    assert "3 lines, reported revenue in NOK." in page
    assert page.count(' blank">blank</td>') == 7


@pytest.mark.parametrize("size", SIZES)
def test_pages_follow_each_other_without_a_gap_or_an_overlap(admin_client, longs, size):
    pages, path = [], lines_of(longs[size])
    while path:
        response = admin_client.get(path)
        pages.append(shown(response, "dsp_id"))
        following = response.context["next"]
        link = f'<a href="?after={following}" rel="next">'
        assert (link in response.content.decode()) == (following is not None)
        path = following and lines_of(longs[size], f"?after={following}")
    assert [len(page) for page in pages] == [200, 200, 50]
    assert [dsp_id for page in pages for dsp_id in page] == [f"id{number}" for number in range(2, 452)]


def test_a_full_last_page_has_no_next_page(admin_client, tmp_path):
    dsr = import_report(tmp_path, NEW, *(line(f"id{number}") for number in range(200)))
    response = admin_client.get(lines_of(dsr))
    assert len(shown(response, "dsp_id")) == 200
    assert 'rel="next"' not in response.content.decode()


@pytest.mark.parametrize(
    ("query", "first"),
    [("", 2), ("?after=", 2), ("?after=0", 2), ("?after=1", 2), ("?after=2", 3), ("?after=450", 451)],
)
def test_a_page_starts_after_the_given_line(admin_client, long, query, first):
    response = admin_client.get(lines_of(long, query))
    assert shown(response, "line_number")[0] == str(first)
    assert '<a href="?">First page</a>' in response.content.decode()


@pytest.mark.parametrize("after", [451, 452, 2**63 - 1])
def test_there_are_no_lines_after_the_last(admin_client, long, after):
    response = admin_client.get(lines_of(long, f"?after={after}"))
    assert response.status_code == 200
    assert "No lines found." in response.content.decode()


@pytest.mark.parametrize(
    ("after", "answer"),
    [
        ("x", "This is not a line number."),
        ("1.5", "This is not a line number."),
        ("NaN", "This is not a line number."),
        ("%3Cscript%3E", "This is not a line number."),
        ("9" * 5000, "This is not a line number."),
        ("-1", "Ensure this value is greater than or equal to 0."),
        (str(2**63), "Ensure this value is less than or equal to 9223372036854775807."),
    ],
)
def test_an_invalid_line_number_is_refused(admin_client, dsr, after, answer):
    response = admin_client.get(lines_of(dsr, f"?after={after}"))
    assert response.status_code == 400
    page = response.content.decode()
    assert answer in page
    assert '<table id="lines"' not in page
    assert '<a href="?">First page</a>' in page


def test_empty_and_failed_dsrs_have_no_lines(admin_client, tmp_path):
    empty = import_report(tmp_path, name_of("Empty"))
    with pytest.raises(ReportRefused) as refused:
        import_report(tmp_path, NEW, line("a"), line("", "No id"))
    failed = DSR.objects.get(pk=refused.value.extra["dsr"])
    for dsr in (empty, failed):
        response = admin_client.get(lines_of(dsr))
        assert response.status_code == 200
        assert "No lines found." in response.content.decode()


@pytest.mark.parametrize("number", ["0", "99999", "99999999999999999999"])
def test_an_unknown_dsr_is_not_found(admin_client, number):
    assert admin_client.get(f"/admin/catalogue/dsr/{number}/lines/").status_code == 404


def test_lines_need_the_permission_to_view_dsrs(client, dsr):
    assert client.get(lines_of(dsr))["Location"] == f"/admin/login/?next={lines_of(dsr)}"
    staff = staff_with("delete_dsr")
    client.force_login(staff)
    assert client.get(lines_of(dsr)).status_code == 403
    staff.is_superuser = True
    staff.save()
    assert client.get(lines_of(dsr)).status_code == 200


def test_a_page_takes_the_same_number_of_queries_for_3_and_for_200_lines(admin_client, dsr, long):
    counts = []
    for each in (dsr, long):
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(lines_of(each))
        counts.append(len(captured))
    assert counts[0] == counts[1]


# --- Previous pages and headings -------------------------------------------------------------------------------


def heading(response):
    return re.findall('<h2 id="shown">(.*?)</h2>', response.content.decode())


def follow(client, dsr, response, name):
    return client.get(lines_of(dsr, f"?{response.context[name]}"))


def test_pages_lead_back_in_the_same_steps(admin_client, long):
    first = admin_client.get(lines_of(long))
    assert heading(first) == ["Line 2 to line 201: 200 of 450 lines"]
    assert first.context["previous"] is None
    last = admin_client.get(lines_of(long, "?after=401"))
    assert heading(last) == ["Line 402 to line 451: 50 of 450 lines"]
    assert last.context["previous"] == "before=402"
    middle = follow(admin_client, long, last, "previous")
    assert heading(middle) == ["Line 202 to line 401: 200 of 450 lines"]
    assert '<a href="?before=202" rel="prev">Previous page</a>' in middle.content.decode()
    assert heading(follow(admin_client, long, middle, "previous")) == heading(first)
    assert heading(follow(admin_client, long, middle, "next_page")) == heading(last)


def test_the_page_before_an_early_line_is_the_first_one(admin_client, long):
    assert heading(admin_client.get(lines_of(long, "?before=5"))) == ["Line 2 to line 201: 200 of 450 lines"]


# --- The search ------------------------------------------------------------------------------------------------


@pytest.fixture(params=SIZES)
def searched(request, searchable):
    return searchable[request.param]


@pytest.mark.parametrize(
    ("text", "found", "says"),
    [
        ("a1", ["2", "4"], "Found by DSP ID: 2 lines, from line 2 to line 4"),
        ("aurora", ["5"], "Found by DSP ID: line 5"),
        ("no-abc-20-00001", ["2", "5"], "Found by ISRC: 2 lines, from line 2 to line 5"),
        ("NOABC2000002", ["4"], "Found by ISRC: line 4"),
        ("AURORA", ["2", "3"], "Found by words of title and artists: 2 lines, from line 2 to line 3"),
        ("bjork auro", ["2"], "Found by words of title and artists: line 2"),
        ("coeur", ["3"], "Found by words of title and artists: line 3"),
    ],
)
def test_a_search_finds_lines_of_the_dsr_by_id_isrc_and_words(admin_client, searched, text, found, says):
    response = admin_client.get(lines_of(searched), {"q": text})
    assert shown(response, "line_number") == found
    assert heading(response) == [says]


@pytest.mark.parametrize("text", ["x9", "urora", "NOABC2000009", "%", "***", "pirate", "'", "\\"])
def test_a_search_without_a_result_says_so(admin_client, searched, text):
    response = admin_client.get(lines_of(searched), {"q": text})
    assert response.status_code == 200
    assert "No lines found." in response.content.decode()
    assert '<a href="?">All lines</a>' in response.content.decode()


def test_found_lines_have_pages_both_ways(admin_client, tmp_path, monkeypatch):
    monkeypatch.setattr(dsr_lines, "LINES_ON_A_PAGE", 2)
    titles = ["Song" if number % 2 else "Other" for number in range(10)]
    dsr = import_report(tmp_path, NEW, *(line(f"id{place}", title) for place, title in enumerate(titles)))
    pages = [admin_client.get(lines_of(dsr, "?q=song"))]
    while pages[-1].context["next_page"]:
        pages.append(follow(admin_client, dsr, pages[-1], "next_page"))
    assert [shown(page, "line_number") for page in pages] == [["3", "5"], ["7", "9"], ["11"]]
    assert pages[0].context["previous"] is None
    back = follow(admin_client, dsr, pages[-1], "previous")
    assert shown(back, "line_number") == ["7", "9"]
    first = follow(admin_client, dsr, back, "previous")
    assert shown(first, "line_number") == ["3", "5"]
    assert first.context["previous"] is None
    assert shown(follow(admin_client, dsr, first, "next_page"), "line_number") == ["7", "9"]


@pytest.mark.parametrize("page", ["", "&before=9"])
def test_a_page_of_long_lines_ends_early_and_the_next_one_has_the_rest(admin_client, tmp_path, monkeypatch, page):
    monkeypatch.setattr("catalogue.lines.lookups.PAGE_BYTES", 25)
    dsr = import_report(tmp_path, NEW, *(line(f"id{number}", "Song " + 10 * "x") for number in range(4)))
    response = admin_client.get(lines_of(dsr, f"?q=song{page}"))
    found = shown(response, "line_number")
    while response.context["next_page"]:
        response = follow(admin_client, dsr, response, "next_page")
        found += shown(response, "line_number")
    assert found == ["2", "3", "4", "5"]


def test_a_search_that_takes_too_long_says_so(admin_client, dsr, monkeypatch):
    def slow(*_, **__):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr(dsr_lines, "lines_found", slow)
    monkeypatch.setattr(dsr_lines, "SEARCH_SECONDS", 0)
    response = admin_client.get(lines_of(dsr, "?q=one"))
    assert response.status_code == 503
    text = "The search takes more than 0 seconds, as this DSR has 3 lines. Search for a DSP ID."
    assert text in response.content.decode()
    assert admin_client.get(lines_of(dsr)).status_code == 200  # The limit is lifted.


@pytest.mark.parametrize("query", ["?by=title", "?before=x", "?before=-1", "?q=" + 1001 * "a"])
def test_an_invalid_search_is_refused(admin_client, dsr, query):
    assert admin_client.get(lines_of(dsr, query)).status_code == 400
