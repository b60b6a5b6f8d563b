"""Resources in the admin that each test makes for itself: pages of a search, long lists, and the cost of pages."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.admin.resources import admin as resources
from catalogue.models import SHARED_PARTITION, Territory, UsageLine
from catalogue.resources.services import catalogue_refresh
from dsrhub.database.time_limits import OutOfTime, answered_within
from tests.catalogue import recipes
from tests.catalogue.admin.resources.test_resources import RESOURCES, described, page_address, search
from tests.catalogue.helpers import ES_JANUARY, import_report, line, query_count, shown

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "by"), [("b2", "dsp_id"), ("ESABC2000002", "isrc"), ("pie", "words"), ("b2x", "dsp_id_prefix")]
)
def test_a_text_is_searched_by_the_first_kind_that_finds_something(admin_client, text, by):
    recipes.resource.make(dsp_id="b2", title="Pie", isrc="ESABC2000002")
    recipes.resource.make(dsp_id="b2x%y")
    assert admin_client.get(RESOURCES, {"q": text}).context["page"].kind == by


def test_dsp_ids_longer_than_the_indexed_prefix_are_distinguished(admin_client):
    for end in ("x", "y"):
        recipes.resource.make(dsp_id=100 * "a" + end)
    assert search(admin_client, q=100 * "a" + "y") == [("Spotify", 100 * "a" + "y")]
    assert search(admin_client, q=100 * "a" + "y", by="dsp_id_prefix") == [("Spotify", 100 * "a" + "y")]
    assert len(search(admin_client, q=100 * "a")) == 2


def test_the_list_is_paginated_by_title_without_count_and_offset(admin_client, monkeypatch):
    monkeypatch.setattr(resources, "RESOURCES_ON_A_PAGE", 2)
    for number, title in enumerate(["One", "three", None, "One", "Two"]):
        recipes.resource.make(dsp_id=f"d{number}", title=title)
    pages, address = [], f"{RESOURCES}?q=d&by=dsp_id_prefix"
    while address:
        with CaptureQueriesContext(connection) as captured:
            response = admin_client.get(address)
        assert not [one for one in captured if " OFFSET " in one["sql"].replace("OFFSET 0", "")]
        assert not [one for one in captured if "count(*) from catalogue_resource" in one["sql"].lower()]
        pages.append([resource.dsp_id for resource, _ in response.context["rows"]])
        address = response.context["next"] and f"{RESOURCES}?{response.context['next']}"
    assert pages == [["d0", "d3"], ["d1", "d4"], ["d2"]]


def test_the_next_page_keeps_the_kind_of_search(admin_client, monkeypatch):
    monkeypatch.setattr(resources, "RESOURCES_ON_A_PAGE", 1)
    for dsp_id in ("x1", "x2"):
        recipes.resource.make(dsp_id=dsp_id, title=f"Song {dsp_id}")
    response = admin_client.get(RESOURCES, {"q": "song"})
    assert "by=words" in response.context["next"]
    assert search(
        admin_client, q="song", by="words", after=json.dumps(response.context["page"].resources[-1].place)
    ) == [("Spotify", "x2")]


def test_a_search_with_too_many_results_is_cut(admin_client, monkeypatch):
    monkeypatch.setattr(resources.selectors, "MOST_FOUND", 3)
    for number in range(4):
        recipes.resource.make(dsp_id=f"d{number}", title="Song")
        response = admin_client.get(RESOURCES, {"q": "song"})
        assert response.context["page"].is_cut == (number == 3)
    assert "More than 1,000 recordings found. Add a word to narrow the search." in response.content.decode()


@pytest.mark.parametrize("number", [-(2**63), -1, 2**63 - 2])
def test_a_page_starts_after_every_id_that_the_column_can_hold(admin_client, number):
    recipes.resource.make(id=number, title="Song", dsp_id="a")
    recipes.resource.make(id=number + 1, title="Song", dsp_id="b")
    assert search(admin_client, after=json.dumps(["song", number])) == [("Spotify", "b")]


def test_a_surrogate_in_a_cursor_is_no_error(admin_client):
    assert search(admin_client, after='["\\ud800", 1]') == []


@pytest.mark.django_db(transaction=True)
def test_a_time_limit_stops_statements_and_is_reset_afterwards():
    with pytest.raises(OutOfTime), answered_within(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_repeated_resource_shows_its_first_lines_and_the_count_of_all(admin_client, tmp_path):
    import_report(tmp_path, ES_JANUARY, *(line("a1", "One", isrc="ESABC2000001") for _ in range(7)))
    response = admin_client.get(page_address())
    assert described(response) == [(ES_JANUARY, [("One", None, "ESABC2000001", [2, 3, 4, 5, 6])])]
    assert shown(response, "lines") == ["7"]
    assert "and others, 7 in total" in response.content.decode()


def test_texts_are_escaped(admin_client, tmp_path):
    bad = "<script>alert(1)</script>"
    import_report(tmp_path, ES_JANUARY, line("<b>&1", bad, bad, revenue="1"))
    for address in (RESOURCES, page_address("<b>&1"), f"{RESOURCES}top/", "/admin/"):
        text = admin_client.get(address).content.decode()
        assert "&lt;script&gt;alert(1)" in text, address
        assert bad not in text, address
        if address != page_address("<b>&1"):
            assert "page/?dsp=Spotify&amp;dsp_id=%3Cb%3E%261" in text


def test_pages_take_the_same_number_of_queries_for_1_and_for_100(admin_client):
    codes = iter(Territory.objects.values_list("pk", flat=True)[:100])

    def add(numbers):
        of = {"offer": (str(number) for number in numbers), "line_count": 2}
        dsrs = recipes.make_many(recipes.dsr, len(numbers), territory_id=codes, **of)
        for number, dsr in zip(numbers, dsrs, strict=True):
            own = {"dsr": dsr, "partition": SHARED_PARTITION}
            yield UsageLine(line_number=2, dsp_id="a1", title=f"T{number}", isrc=f"ESABC20{number:05}", **own)
            yield UsageLine(line_number=3, dsp_id=f"b{number}", title="T", **own)

    paths = (f"{RESOURCES}?q=t", RESOURCES, page_address())
    counts = []
    for numbers in (range(1), range(1, 100)):
        UsageLine.objects.bulk_create(add(numbers))
        catalogue_refresh()
        counts.append([query_count(admin_client, path) for path in paths])
    assert counts[0] == counts[1]
    reported = admin_client.get(page_address()).context["reported"]
    assert (len(reported.isrcs), len(reported.territories)) == (100, 100)
    assert len(search(admin_client, q="t")) > 1


def test_without_revenue_there_are_no_top_recordings(admin_client):
    recipes.dsr.make()
    assert "No recordings with revenue found." in admin_client.get(f"{RESOURCES}top/").content.decode()
