"""The indexes that `resources` uses."""

import re

import pytest
from django.db import connection

from catalogue.resources import browsing
from tests.catalogue.helpers import ES_JANUARY, import_report, line
from tests.graphql_schema.helpers import ask, statements

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def _many(module_db, tmp_path_factory):
    """3,000 resources of one DSR. Every second one has no title."""
    lines = [line(f"id{number:05}", f"Title {number % 700}" if number % 2 else "", isrc="") for number in range(3000)]
    import_report(tmp_path_factory.mktemp("reports"), ES_JANUARY, *lines)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalogue_resource")
        cursor.execute("SET LOCAL enable_seqscan = off")


def plans(query, **variables):
    """The query plans of the statements about resources."""
    with connection.cursor() as cursor:
        for statement in statements(query, **variables):
            if "FROM catalogue_resource" in statement:
                cursor.execute(f"EXPLAIN {statement}")
                yield "\n".join(row for (row,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("order", "index"), [("TITLE", "catalogue_resource_title"), ("DSP_ID", "catalogue_resource_dsp_id")]
)
@pytest.mark.parametrize(
    "search",
    [
        "",
        pytest.param(
            'territory: "ES"',
            marks=pytest.mark.on_one_server(reason="a cluster drops the lines that it gathered for the statement"),
        ),
    ],
)
def test_every_page_is_read_from_an_index_in_its_order(order, index, search, monkeypatch):
    monkeypatch.setattr(browsing, "FEW_LINES", 0)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
    query = f"""query ($after: String) {{ resources(orderBy: {order}, first: 100, after: $after, {search}) {{
        edges {{ node {{ dspId }} }} pageInfo {{ endCursor }}
    }} }}"""
    after = None
    for _ in range(20):
        (plan,) = plans(query, after=after)
        assert "Sort" not in plan
        starts_after_key = re.search(rf"Index Scan using {index} on .+\n +Index Cond: ", plan)
        assert bool(starts_after_key) == (after is not None)
        after = ask(query, after=after)["resources"]["pageInfo"]["endCursor"]


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ('dspId: "id00007"', "catalogue_resource_dsp_id"),
        ('isrc: "ESABC2000001"', "catalogue_resource_isrc"),
        ('words: "title 69"', "catalogue_resource_folded_words"),
    ],
)
def test_every_search_is_by_its_index(search, index):
    (plan,) = plans(f"{{ resources({search}) {{ edges {{ node {{ dspId }} }} }} }}")
    assert index in plan
