"""Numbers, dates and cursors: their form, and the refusal of invalid values."""

import base64
import json
from datetime import date
from decimal import Decimal as Number

import pytest
from graphql import GraphQLError, parse_value
from model_bakery import baker

from catalogue.models import ReportProblem
from graphql_schema.scalars import BigInt, Date, Decimal
from tests.catalogue import recipes
from tests.graphql_schema.helpers import ask, pages, refusal

# --- Numbers and dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1E-7", "0.0000001"),
        ("1E+3", "1000"),
        ("0.10", "0.10"),
        ("-0.5", "-0.5"),
        ("0", "0"),
        ("2.220446049250313e-16", "0.0000000000000002220446049250313"),
        ("123456789012345678901234567890.1", "123456789012345678901234567890.1"),
    ],
)
def test_decimals_are_plain_digits(number, text):
    assert Decimal.serialize(Number(number)) == text


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63 - 1, 2**64])
def test_big_integers_are_strings(number):
    assert BigInt.serialize(number) == f"{number}"
    assert BigInt.parse_value(f"{number}") == BigInt.parse_value(number) == number
    assert BigInt.parse_literal(parse_value(f"{number}")) == BigInt.parse_literal(parse_value(f'"{number}"')) == number


def test_decimals_are_read_with_every_digit():
    for literal in ("0.1234567890123456789012345678901234567890", '"0.1234567890123456789012345678901234567890"'):
        assert Decimal.parse_literal(parse_value(literal)) == Number("0.1234567890123456789012345678901234567890")
    assert Decimal.parse_value("-12.50") == Number("-12.5")
    assert Decimal.parse_value(12) == 12


def test_days_are_read():
    assert Date.parse_value("2020-02-29") == Date.parse_literal(parse_value('"2020-02-29"')) == date(2020, 2, 29)
    assert Date.serialize(date(2020, 2, 29)) == "2020-02-29"


INVALID_DECIMALS = [
    "",
    "x",
    "NaN",
    "Infinity",
    "1e3",
    "1_0",
    " 1",
    "1\n",
    "1.",
    ".5",
    "+1",
    "٣",
    "1" * 31,
    "0." + "1" * 61,
]
INVALID_INTEGERS = ["", "1.0", "1e3", "1_0", " 1", "1\n", "٣", "1" * 31]
INVALID_DAYS = [
    "",
    "2020-02-30",
    "20200229",
    "2020-W01-1",
    "2020-2-9",
    "2020-01-01T00:00:00Z",
    "2020-01-01\n",
    "٢٠٢٠-01-01",
]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        *((Decimal, value) for value in [*INVALID_DECIMALS, 0.5, True, None, [], {}]),
        *((BigInt, value) for value in [*INVALID_INTEGERS, 1.0, True, None, [], {}]),
        *((Date, value) for value in [*INVALID_DAYS, 20200101, True, None, [], {}]),
    ],
)
def test_an_invalid_value_is_refused(scalar, value):
    with pytest.raises(GraphQLError, match="Not a "):
        scalar.parse_value(value)
    with pytest.raises(GraphQLError, match="Not a "):
        scalar.parse_literal(parse_value("ENUM"))


# --- Cursors ---------------------------------------------------------------------------------------------------

DSRS = "query ($after: String, $first: Int) { dsrs(after: $after, first: $first) { pageInfo { endCursor } } }"


def cursor(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.django_db
def test_a_page_starts_after_the_row_of_its_cursor():
    ids = [recipes.dsr.make(offer=str(number)).pk for number in range(2)]
    first = ask(DSRS, first=1)["dsrs"]["pageInfo"]["endCursor"]
    assert json.loads(base64.urlsafe_b64decode(first)) == ["DSR id", ids[0]]
    assert ask(DSRS, after=first)["dsrs"]["pageInfo"]["endCursor"] == ask(DSRS)["dsrs"]["pageInfo"]["endCursor"]
    last = ask(DSRS)["dsrs"]["pageInfo"]["endCursor"]
    assert ask(DSRS, after=last)["dsrs"]["pageInfo"]["endCursor"] is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1",
        "٣",
        "\0",
        "a" * 10_000,
        cursor(),
        cursor("DSR id"),
        cursor("DSR id", "1"),
        cursor("DSR id", 1.0),
        cursor("DSR id", True),
        cursor("DSR id", None),
        cursor("DSR id", [1]),
        cursor("DSR id", 2**63),
        cursor("DSR id", 1, 2),
        cursor("EcbRate id", 1),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(b'{"DSR id": 1}').decode(),
        base64.urlsafe_b64encode(b"\xff").decode(),
        base64.urlsafe_b64encode(b'["DSR id",' + b"9" * 5000 + b"]").decode(),
    ],
)
def test_an_invalid_cursor_is_refused(text):
    assert refusal(DSRS, after=text) == ("invalid_cursor", {"argument": "after"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("dsrs(orderBy: PERIOD", ["DSR period_start id", "2020-13-01", 1]),
        ("dsrs(orderBy: PERIOD", ["DSR period_start id", 20200101, 1]),
        ("territories(first: 1", ["Territory code_2", "\0"]),
        ("territories(first: 1", ["Territory code_2", "\ud800"]),
        ("resources(orderBy: TITLE", ["resources by title", 0, "a", 1]),
        ("resources(orderBy: USAGES", ["resources by usages", "NaN", "a", 1]),
        ("resources(orderBy: USAGES", ["resources by usages", "x", "a", 1]),
        ("resources(orderBy: USAGES", ["resources by usages", "1e400000", "a", 1]),
        ("resources(orderBy: USAGES", ["resources by usages", 1, "a", 1]),
    ],
)
def test_a_forged_cursor_is_refused(field, place):
    query = f"query ($after: String) {{ page: {field}, after: $after) {{ edges {{ cursor }} }} }}"
    assert refusal(query, after=cursor(*place)) == ("invalid_cursor", {"argument": "after"})


@pytest.mark.django_db
def test_pages_have_every_id_that_a_column_can_hold():
    ids = [-(2**31), -1, 1, 2**31 - 1]
    dsrs = [recipes.dsr.make(id=number, offer=str(number)) for number in ids]
    page = "pageInfo { hasNextPage endCursor } edges { cursor node"
    for order, expected in (("ID", ids), ("NEWEST", ids[::-1]), ("PERIOD", ids)):
        lists = pages(
            f"query ($after: String) {{ dsrs(first: 1, after: $after, orderBy: {order}) {{ {page} {{ id }} }} }} }}"
        )
        assert [node["id"] for nodes in lists for node in nodes] == [str(number) for number in expected]

    problems = [-(2**63), -5, 0, 2**31, 2**53 + 1, 2**63 - 1]
    for number in problems:
        baker.make(ReportProblem, id=number, dsr=dsrs[0], level="warning", code="isrc_invalid")
    query = f"""query ($after: String, $id: ID!) {{
        dsr(id: $id) {{ problems(first: 1, after: $after) {{ {page} {{ id }} }} }} }}
    }}"""
    after, found = None, []
    while len(found) <= len(problems):
        connection = ask(query, id=-(2**31), after=after)["dsr"]["problems"]
        found += [edge["node"]["id"] for edge in connection["edges"]]
        after = connection["pageInfo"]["endCursor"]
        if not connection["pageInfo"]["hasNextPage"]:
            break
    assert found == [str(number) for number in problems]


@pytest.mark.django_db
@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
def test_a_page_has_1_to_100_rows(first):
    assert refusal(DSRS, first=first) == ("invalid_argument", {"argument": "first"})


@pytest.mark.django_db
def test_a_page_has_20_rows_by_default():
    query = "query ($first: Int) { territories(first: $first) { edges { cursor } } }"
    assert len(ask(query)["territories"]["edges"]) == 20
    assert len(ask(query, first=None)["territories"]["edges"]) == 20
    assert len(ask(query, first=100)["territories"]["edges"]) == 100
