"""Pagination: the lines and the problems of a DSR, and the DSRs if a client requests pages."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from catalogue.exceptions import ReportRefused
from catalogue.models import ReportProblem
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, user_with, without_messages

pytestmark = pytest.mark.django_db


@pytest.fixture
def dsr(tmp_path):
    """A DSR with 7 lines (2 to 8), each of which has a warning."""
    return import_report(tmp_path, ES_JANUARY, *[line(f"a{number}", isrc="x") for number in range(2, 9)])


def next_page(response):
    """Return the address in the header `Link`, or None."""
    if "Link" not in response:
        return None
    return re.fullmatch('<http://testserver(.+)>; rel="next"', response["Link"])[1]


def pages(client, address):
    """Return the rows of every page, starting at an address."""
    found = []
    while address is not None:
        assert len(found) < 10
        response = client.get(address)
        assert response.status_code == 200
        found.append(response.json())
        address = next_page(response)
    return found


def refusal(client, path):
    response = client.get(path)
    assert response.status_code == 400
    return {name: [finding["code"] for finding in findings] for name, findings in response.json().items()}


# --- Rows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_lines_are_shown_as_delivered_without_blank_cells(client, tmp_path, slash):
    dsr = import_report(
        tmp_path,
        NO_JANUARY,
        line("a", "One", "Ana|Eva", "NOABC2000001", "9223372036854775807", "0.10"),
        line("b"),
        line("c", usages="0", revenue="1.5e-7"),
        line("d", revenue="-123456789012345678901234567890.123456789012345678901234567890"),
    )
    response = client.get(f"/dsrs/{dsr.pk}/lines{slash}")
    assert response.status_code == 200
    assert response.json() == [
        {
            "line": 2,
            "dsp_id": "a",
            "title": "One",
            "artists": "Ana|Eva",
            "isrc": "NOABC2000001",
            "usages": 9223372036854775807,
            "revenue": "0.10",
        },
        {"line": 3, "dsp_id": "b"},
        {"line": 4, "dsp_id": "c", "usages": 0, "revenue": "0.00000015"},
        {"line": 5, "dsp_id": "d", "revenue": "-123456789012345678901234567890.123456789012345678901234567890"},
    ]


@pytest.mark.parametrize("slash", ["", "/"])
def test_problems_have_their_location_and_value(client, tmp_path, slash):
    client.force_login(user_with("view_dsr"))
    with pytest.raises(ReportRefused) as refused:
        import_report(tmp_path, ES_JANUARY, line("a", isrc="x"), "b", line("c", usages="1.5"))
    number = refused.value.extra["dsr"]
    response = client.get(f"/dsrs/{number}/problems{slash}")
    assert response.status_code == 200
    rows = response.json()
    assert rows[2]["message"] == (
        "The usages must be a whole number, and have a fraction. Ask the service for a corrected file."
    )
    ids = [row.pop("id") for row in rows]
    assert ids == sorted(ids)
    assert without_messages(rows) == [
        {"level": "warning", "code": "isrc_invalid", "line": 2, "column": "isrc", "value": "x"},
        {"level": "error", "code": "wrong_cell_count", "line": 3, "value": "1"},
        {"level": "error", "code": "not_an_integer", "line": 4, "column": "usages", "value": "1.5"},
    ]
    assert client.get(f"/dsrs/{number}/lines").json() == []


def test_a_dsr_without_lines_and_problems_has_empty_lists(client, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY)
    assert client.get(f"/dsrs/{dsr.pk}/problems").json() == []
    assert client.get(f"/dsrs/{dsr.pk}/lines").json() == []


def test_lists_have_only_the_rows_of_their_dsr(client, dsr, tmp_path):
    other = import_report(tmp_path, NO_JANUARY, line("other", isrc="y"))
    assert [row["dsp_id"] for row in client.get(f"/dsrs/{other.pk}/lines").json()] == ["other"]
    assert [row["value"] for row in client.get(f"/dsrs/{other.pk}/problems").json()] == ["y"]


def test_exact_numbers_are_text(client, tmp_path):
    dsr = import_report(tmp_path, NO_JANUARY, line("a", isrc="x", usages="9223372036854775807"), line("b", isrc="x"))
    response = client.get(f"/dsrs/{dsr.pk}/lines?exact=true&limit=1")
    assert response.json() == [{"line": "2", "dsp_id": "a", "isrc": "x", "usages": "9223372036854775807"}]
    assert client.get(next_page(response)).json() == [{"line": "3", "dsp_id": "b", "isrc": "x"}]
    (first, _) = client.get(f"/dsrs/{dsr.pk}/problems?exact=true").json()
    assert (first["id"], first["line"]) == (str(dsr.problems.first().pk), "2")
    # DSRs have no large numbers: there, the parameter is unknown and ignored.
    assert client.get("/dsrs/?exact=maybe").json() == client.get("/dsrs/").json()


# --- Pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "sizes"), [(1, [1] * 7), (2, [2, 2, 2, 1]), (3, [3, 3, 1]), (6, [6, 1]), (7, [7]), (8, [7])]
)
def test_the_pages_have_every_row_once_and_the_last_has_no_link(client, dsr, limit, sizes):
    of_lines = pages(client, f"/dsrs/{dsr.pk}/lines?limit={limit}")
    assert [len(page) for page in of_lines] == sizes
    assert [row["line"] for page in of_lines for row in page] == [2, 3, 4, 5, 6, 7, 8]
    of_problems = pages(client, f"/dsrs/{dsr.pk}/problems?limit={limit}")
    assert [len(page) for page in of_problems] == sizes
    assert [row["line"] for page in of_problems for row in page] == [2, 3, 4, 5, 6, 7, 8]


def test_a_dsr_with_its_own_partition_has_the_same_pages(client, settings, tmp_path):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    dsr = import_report(tmp_path, ES_JANUARY, *[line(f"a{number}") for number in range(5)])
    found = pages(client, f"/dsrs/{dsr.pk}/lines/?limit=2")
    assert [[row["line"] for row in page] for page in found] == [[2, 3], [4, 5], [6]]


def test_the_link_keeps_the_path_and_the_limit(client, dsr):
    response = client.get(f"/dsrs/{dsr.pk}/lines/?limit=3")
    assert response["Link"] == f'<http://testserver/dsrs/{dsr.pk}/lines/?limit=3&cursor=4>; rel="next"'
    response = client.get(f"/dsrs/{dsr.pk}/lines?cursor=2&limit=3")
    assert response["Link"] == f'<http://testserver/dsrs/{dsr.pk}/lines?cursor=5&limit=3>; rel="next"'


def test_a_page_starts_after_its_cursor(client, dsr):
    def lines(query):
        return [row["line"] for row in client.get(f"/dsrs/{dsr.pk}/lines?{query}").json()]

    assert lines("cursor=0&limit=2") == [2, 3]
    assert lines("cursor=3&limit=2") == [4, 5]
    assert lines("cursor=7") == [8]
    assert lines("cursor=8") == []
    assert lines("cursor=9223372036854775807") == []


def test_without_a_limit_a_page_has_a_thousand_rows(client, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, *[line(f"a{number}", isrc="x") for number in range(1001)])
    for list_of in ("lines", "problems"):
        response = client.get(f"/dsrs/{dsr.pk}/{list_of}")
        assert len(response.json()) == 1000
        assert len(client.get(next_page(response)).json()) == 1
        assert len(client.get(f"/dsrs/{dsr.pk}/{list_of}?limit=10000").json()) == 1001


def test_dsrs_are_paginated_on_request(client):
    ids = [recipes.dsr.make(offer=str(number)).pk for number in range(5)]
    found = pages(client, "/dsrs/?limit=2")
    assert [[row["id"] for row in page] for page in found] == [ids[:2], ids[2:4], ids[4:]]
    assert [len(page) for page in pages(client, "/dsrs/?limit=5")] == [5]
    after_second = client.get(f"/dsrs/?cursor={ids[1]}")
    assert [row["id"] for row in after_second.json()] == ids[2:]
    assert "Link" not in after_second
    first = client.get("/dsrs/?unknown=a%26b&limit=1")
    assert first["Link"] == f'<http://testserver/dsrs/?unknown=a%26b&limit=1&cursor={ids[0]}>; rel="next"'
    assert client.get("/dsrs/?cursor=9223372036854775807&limit=1").json() == []
    assert "Link" not in client.get("/dsrs/")


BIGINTS = [-(2**63), -5, -1, 0, 2**31, 2**53 + 1, 2**63 - 1]


def test_pages_have_every_id_that_a_column_can_hold(client):
    dsrs = [recipes.dsr.make(id=number, offer=str(number)) for number in (-(2**31), -1, 1, 2**31 - 1)]
    found = pages(client, "/dsrs/?limit=1")
    assert [row["id"] for page in found for row in page] == [dsr.pk for dsr in dsrs]
    assert client.get("/dsrs/-1").json()["id"] == -1

    for number in BIGINTS:
        baker.make(ReportProblem, id=number, dsr=dsrs[0], level="warning", code="isrc_invalid")
    found = pages(client, f"/dsrs/{dsrs[0].pk}/problems?limit=1&exact=true")
    assert [row["id"] for page in found for row in page] == [str(number) for number in BIGINTS]


# --- Invalid parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["", "0", "-1", "10001", "9" * 2000, "abc", "1.0", "1_0", "٣", " 1", "1\n", "1e1", "true", "null"]
)
def test_an_invalid_limit_is_refused_with_its_name(client, dsr, value):
    for path in ("/dsrs/", f"/dsrs/{dsr.pk}/lines", f"/dsrs/{dsr.pk}/problems"):
        response = client.get(path, {"limit": value})
        assert (response.status_code, list(response.json())) == (400, ["limit"])


@pytest.mark.parametrize("value", ["", "-9223372036854775809", "9223372036854775808", "abc", "1.0", "٣", "a1", "0x1"])
def test_an_invalid_cursor_is_refused_with_its_name(client, dsr, value):
    for path in ("/dsrs/", f"/dsrs/{dsr.pk}/lines", f"/dsrs/{dsr.pk}/problems"):
        response = client.get(path, {"cursor": value})
        assert (response.status_code, list(response.json())) == (400, ["cursor"])


def test_an_unknown_parameter_is_refused_with_its_name(client, dsr):
    for path in (f"/dsrs/{dsr.pk}/lines", f"/dsrs/{dsr.pk}/problems"):
        assert refusal(client, f"{path}?page=2") == {"page": ["unknown"]}
        assert refusal(client, f"{path}?limit=1&page=2&Limit=1") == {"page": ["unknown"], "Limit": ["unknown"]}


def test_a_repeated_parameter_is_refused_with_its_name(client, dsr):
    for path in ("/dsrs/", f"/dsrs/{dsr.pk}/lines", f"/dsrs/{dsr.pk}/problems"):
        assert refusal(client, f"{path}?limit=1&limit=1") == {"limit": ["repeated"]}
        assert refusal(client, f"{path}?cursor=1&cursor=2") == {"cursor": ["repeated"]}


# --- Cost ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("list_of", ["lines", "problems"])
def test_the_number_of_queries_is_the_same_for_1_and_for_100_rows(client, tmp_path, list_of):
    def queries(dsr):
        with CaptureQueriesContext(connection) as captured:
            rows = client.get(f"/dsrs/{dsr.pk}/{list_of}").json()
        return len(rows), len(captured)

    one, for_one = queries(import_report(tmp_path, ES_JANUARY, line("a", isrc="x")))
    many = [line(f"a{number}", isrc="x") for number in range(100)]
    hundred, for_hundred = queries(import_report(tmp_path, NO_JANUARY, *many))
    assert (one, hundred) == (1, 100)
    assert for_one == for_hundred
