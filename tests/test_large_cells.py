"""The largest cells: of reports that can be loaded now, and of those that earlier versions loaded."""

import gc
import json
import tracemalloc

import pytest

from catalogue.api.contract import resources_rendered
from catalogue.dsrs.selectors import dsr_lines, lines_by_dsr
from catalogue.lines.scope import ALL
from catalogue.models import UsageLine
from catalogue.ranking.selectors import resource_ranking
from catalogue.resources.found import ResourceOrder, ResourceSearch
from catalogue.resources.selectors import MOST_FOUND, resource_list, resource_page, resource_top
from catalogue.resources.services import catalogue_refresh
from dsrhub.database.pages import PAGE_BYTES, CutShort
from dsrhub.exceptions import AnswerTooLarge
from graphql_schema.execution import ANSWER_BYTES
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, add_lines, import_report, line, staff_with

pytestmark = pytest.mark.django_db

MEBIBYTE = 1024 * 1024
# As in the report with which an adversary filled the memory of a server.
LARGE = 750_000
LINES = 40


def text(number, size):
    """Texts differ at their beginning, and no title is the dsp_id."""
    return f"{number:05} ".ljust(size, "x")


def old_dsr(lines=LINES, **values):
    """A DSR of an earlier version, with titles of 750 KB each."""
    dsr = recipes.dsr.make(**values)
    add_lines(dsr, *(line(f"d{number:03}", text(number, LARGE), revenue="1") for number in range(lines)))
    return dsr


def size_of(rows):
    return sum(len(each.title.encode()) for each in rows)


# A page, its last row, and little else: the rows of the driver, its objects and their texts.
PAGE_AND_ROW = PAGE_BYTES + LARGE


def peak(function, *arguments, **named):
    """The result of a function, and the memory that it needed at most."""
    gc.collect()
    tracemalloc.start()
    try:
        result = function(*arguments, **named)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- Lines -----------------------------------------------------------------------------------------------------


def test_a_page_of_lines_ends_early_and_the_pages_have_each_line_once():
    dsr = old_dsr()
    after, pages = 0, []
    while page := dsr_lines(dsr=dsr, after=after, limit=1000):
        pages.append(page)
        after = page[-1].line_number
    assert [one.line_number for page in pages for one in page] == list(range(2, LINES + 2))
    assert all(isinstance(page, CutShort) for page in pages[:-1])
    assert not isinstance(pages[-1], CutShort)
    for page in pages[:-1]:
        assert PAGE_BYTES <= size_of(page) < PAGE_AND_ROW


def test_a_page_of_lines_takes_no_more_memory_than_its_bound():
    dsr = old_dsr()
    lines, most = peak(dsr_lines, dsr=dsr, after=0, limit=10_000)
    assert size_of(lines) >= PAGE_BYTES
    assert most < 3 * PAGE_AND_ROW


def test_every_page_has_at_least_one_line(monkeypatch):
    for module in ("catalogue.lines.lookups", "dsrhub.database.pages"):
        monkeypatch.setattr(f"{module}.PAGE_BYTES", 1)
    dsr = old_dsr(lines=3)
    assert [len(dsr_lines(dsr=dsr, after=after, limit=10)) for after in (0, 2, 3, 4)] == [1, 1, 1, 0]


def test_pages_of_the_worst_report_that_can_be_loaded(client, tmp_path):
    """10,000 lines of it would be a page of 120 MB."""
    cell = "é" * 2047
    dsr = import_report(tmp_path, NO_JANUARY, *(line(f"{n:04}", f"{n:04}"[:2] + cell, cell, cell) for n in range(500)))
    path, sizes, numbers = f"/dsrs/{dsr.pk}/lines?limit=10000", [], []
    while path:
        response = client.get(path)
        sizes.append(len(response.content))
        numbers += [row["line"] for row in response.json()]
        path = response.headers.get("Link", "").partition(">")[0].removeprefix("<").removeprefix("http://testserver")
    assert numbers == list(range(2, 502))
    assert len(sizes) == 2
    assert max(sizes) < 2 * PAGE_BYTES


def test_the_pages_of_rest_and_of_the_admin_lead_on(client):
    dsr = old_dsr(lines=12)
    response = client.get(f"/dsrs/{dsr.pk}/lines")
    assert [row["line"] for row in response.json()] == [2, 3, 4, 5, 6, 7]
    assert 'cursor=7>; rel="next"' in response["Link"]
    following = client.get(response["Link"][1:].partition(">")[0])
    assert [row["line"] for row in following.json()] == [8, 9, 10, 11, 12, 13]
    assert "Link" not in following
    client.force_login(staff_with("view_dsr"))
    page = client.get(f"/admin/catalogue/dsr/{dsr.pk}/lines/")
    assert len(page.content) < 2 * PAGE_AND_ROW
    assert "after=7" in page.content.decode()


def test_the_lines_of_several_dsrs_share_the_size_of_a_page():
    dsrs = [old_dsr(lines=6, offer=f"Offer {number}") for number in range(4)]
    found = lines_by_dsr(dsrs, after=0, limit=10)
    assert [[one.line_number for one in found[dsr.pk]] for dsr in dsrs] == [[2, 3], [2, 3], [2], [2]]
    assert all(isinstance(page, CutShort) for page in found.values())


def test_too_many_dsrs_with_long_lines_are_refused():
    dsrs = [old_dsr(lines=1, offer=f"Offer {number}") for number in range(7)]
    with pytest.raises(AnswerTooLarge, match="Request fewer DSRs"):
        lines_by_dsr(dsrs, after=0, limit=1)
    assert {len(page) for page in lines_by_dsr(dsrs[:6], after=0, limit=1).values()} == {1}


def test_usual_pages_are_not_cut(tmp_path):
    dsr = import_report(tmp_path, NO_JANUARY, *(line(f"{number:022}", "t" * 40, "a" * 40) for number in range(3000)))
    lines = dsr_lines(dsr=dsr, after=0, limit=10_000)
    assert (type(lines), len(lines)) == (list, 3000)


# --- GraphQL ---------------------------------------------------------------------------------------------------


def graphql(client, query, **variables):
    return client.post("/graphql", {"query": query, "variables": variables}, content_type="application/json").json()


LINES_OF_A_DSR = """query ($id: ID!, $after: String) { dsr(id: $id) { lines(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor } edges { node { lineNumber title } }
} } }"""


def test_pages_of_graphql_end_early_and_lead_on(client):
    dsr = old_dsr(lines=20)
    pages, after = [], None
    while True:
        page = graphql(client, LINES_OF_A_DSR, id=dsr.pk, after=after)["data"]["dsr"]["lines"]
        pages.append([edge["node"]["lineNumber"] for edge in page["edges"]])
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert pages == [[*range(2, 8)], [*range(8, 14)], [*range(14, 20)], [20, 21]]


def refused(client, query, **variables):
    answer = graphql(client, query, **variables)
    (error,) = answer["errors"]
    assert answer["data"] is None
    return error["extensions"]["code"]


def test_an_answer_of_graphql_has_a_bound_however_it_repeats_one_text(client):
    dsr = old_dsr(lines=1)
    aliases = " ".join(f"t{number}: title" for number in range(ANSWER_BYTES // LARGE + 1))
    query = f"query ($id: ID!) {{ dsr(id: $id) {{ lines {{ edges {{ node {{ {aliases} }} }} }} }} }}"
    assert refused(client, query, id=dsr.pk) == "answer_too_large"


def test_an_answer_of_graphql_has_a_bound_however_many_pages_it_has(client):
    dsr = old_dsr(lines=30)
    pages = " ".join(
        f"p{number}: lines(first: {20 + number}) {{ edges {{ node {{ title }} }} }}" for number in range(10)
    )
    query = f"query ($id: ID!) {{ dsr(id: $id) {{ {pages} }} }}"
    assert refused(client, query, id=dsr.pk) == "answer_too_large"
    answer = graphql(client, query.replace("title", "lineNumber"), id=dsr.pk)
    assert "errors" not in answer


def test_the_widest_page_of_graphql_is_within_the_bound(client, tmp_path):
    """`é` has two bytes, and six in JSON."""
    cell = "é" * 2048
    dsr = import_report(tmp_path, NO_JANUARY, *(line(f"{number}", cell, cell, cell) for number in range(100)))
    query = LINES_OF_A_DSR.replace("title", "title artists isrc")
    answer = graphql(client, query, id=dsr.pk)
    assert len(answer["data"]["dsr"]["lines"]["edges"]) == 100
    assert len(json.dumps(answer)) < ANSWER_BYTES


def test_many_dsrs_with_long_lines_are_one_error(client):
    for number in range(7):
        old_dsr(lines=1, offer=f"Offer {number}")
    query = "{ dsrs { edges { node { lines(first: 1) { edges { node { title } } } } } } }"
    assert refused(client, query) == "answer_too_large"


# --- Resources -------------------------------------------------------------------------------------------------


@pytest.fixture
def resources():
    """The resources of an earlier DSR. Their order by title, by dsp_id and by rank is the same."""
    old_dsr(lines=20)
    catalogue_refresh()
    return [f"d{number:03}" for number in range(20)]


def pages_of(search):
    pages, after = [], None
    while page := resource_list(search=search, after=after, limit=100):
        pages.append(page)
        after = page[-1].place
    return pages


@pytest.mark.parametrize("order", ResourceOrder)
def test_lists_of_resources_end_early_and_have_each_resource_once(resources, order):
    pages = pages_of(ResourceSearch(order=order, min_usages=None))
    if order == ResourceOrder.USAGES:  # no line has usages
        assert pages == []
        return
    assert [found.dsp_id for page in pages for found in page] == resources
    assert [isinstance(page, CutShort) for page in pages] == [True, True, True, False]
    assert max(map(size_of, pages)) < PAGE_AND_ROW


@pytest.mark.parametrize(
    "search", [ResourceSearch(dsp_id_prefix="d"), ResourceSearch(dsp_id_prefix="d", min_revenue=0)]
)
def test_searches_end_early(resources, search):
    pages = pages_of(search)
    assert [found.dsp_id for page in pages for found in page] == resources
    assert max(map(size_of, pages)) < PAGE_AND_ROW


def test_a_search_by_any_text_ends_early(resources):
    page, most = peak(resource_page, text="d0", kind=None, scope=ALL, after=None, limit=MOST_FOUND)
    assert page.is_cut
    assert PAGE_BYTES <= size_of(page.resources) < PAGE_AND_ROW
    assert most < 3 * PAGE_AND_ROW
    page = resource_page(text="", kind=None, scope=ALL, after=None, limit=50)
    assert page.has_more
    assert [found.dsp_id for found in page.resources] == resources[: len(page.resources)]


def test_rankings_end_early_and_have_each_resource_once(resources):
    top = resource_top(percentile=100, scope=ALL, after=0, limit=100)
    assert isinstance(top, CutShort)
    following = resource_top(percentile=100, scope=ALL, after=top[-1].rank, limit=100)
    assert [one.rank for one in [*top, *following]] == list(range(1, len(top) + len(following) + 1))
    assert size_of(one.resource for one in top) < PAGE_AND_ROW


def test_the_percentile_is_sent_in_pieces_of_bounded_size(resources, client):
    with resource_ranking(percentile=100) as ranking:
        pieces = [len(piece) for piece in resources_rendered(ranking)]
    assert len(pieces) == 4
    assert max(pieces) < PAGE_AND_ROW + MEBIBYTE
    response = client.get("/resources/percentile/100")
    assert response.streaming
    answer = json.loads(b"".join(response.streaming_content))
    assert [resource["dsp_id"] for resource in answer] == resources
    assert {len(resource["title"]) for resource in answer} == {LARGE}


def test_the_percentile_without_resources_is_an_empty_list(client):
    response = client.get("/resources/percentile/100")
    assert (response.status_code, response.json()) == (200, [])


def test_pages_of_the_admin_end_early_and_lead_on(resources, client):
    client.force_login(staff_with("view_dsr", "view_resource"))
    for page in ("/admin/catalogue/resource/", "/admin/catalogue/resource/top/?percentile=100"):
        response = client.get(page)
        assert len(response.content) < 3 * PAGE_AND_ROW
        assert "after=" in response.content.decode()


# --- Exports and repeats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["0", "1", "3"], ids=["CSV", "TSV", "JSON"])
def test_exports_read_few_lines_at_a_time(client, file_format):
    dsr = old_dsr()
    client.force_login(staff_with("view_dsr", "export_dsr"))

    def exported():
        response = client.post("/admin/catalogue/dsr/export/", {"format": file_format, "resource": "1"})
        return sum(map(len, response.streaming_content))

    size, most = peak(exported)
    assert size > dsr.line_count * LARGE
    assert most < 5 * PAGE_AND_ROW


def test_only_the_beginning_of_a_repeated_dsp_id_is_read(tmp_path):
    long = "a" * 4096
    dsr = import_report(tmp_path, ES_JANUARY, *(line(long) for _ in range(5)))
    assert dsr.warning_count == 4
    assert set(dsr.problems.values_list("value", flat=True)) == {"a" * 200}
    assert UsageLine.objects.of([dsr]).filter(dsp_id=long).count() == 5
