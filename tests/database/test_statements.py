"""How values come to the database in an array."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from dsrhub.database.statements import rows_of

pytestmark = pytest.mark.django_db

TEXTS = [
    "plain",
    "",
    "NULL",
    "null",
    'a "quote"',
    "back\\slash",
    "{braces}, comma",
    "it's",
    "tab\tand\nline",
    "%s",
    "é 音 😀",
    None,
]
NUMBERS = [Decimal("1E-7"), Decimal("-3.50"), Decimal("9.9384227272727272727272727272727272727273"), None]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", TEXTS),
        ("numeric", NUMBERS),
        ("integer", [0, -1, 2**31 - 1]),
        ("integer", []),
        ("date", [date(2026, 1, 31), date.max, None]),
        ("timestamptz", [datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC), None]),
    ],
)
def test_an_array_comes_to_the_database_as_it_is(kind, values):
    ((came,),) = rows_of(f"SELECT %(values)s::{kind}[]", values=values)
    assert came == values


def test_any_takes_an_array_of_its_own_type():
    assert rows_of("SELECT 2 = ANY(%(numbers)s), 'b' <> ALL(%(texts)s)", numbers=[1, 2], texts=["a", "b"]) == [
        (True, False)
    ]
