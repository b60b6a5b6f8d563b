"""What the SQL statements of the catalogue share: how they are run, and how lines describe a resource."""

from typing import Any

from django.db import connection

# Of lines with the `lateness` of their DSR: title, artists and ISRC, each of the latest line that says anything. DSRs
# come by period end, period start and file name, so whichever was imported first makes no difference.
LATEST = """
    (array_agg(title ORDER BY lateness DESC, line_number DESC) FILTER (WHERE title IS NOT NULL))[1] AS title,
    (array_agg(artists ORDER BY lateness DESC, line_number DESC) FILTER (WHERE artists IS NOT NULL))[1] AS artists,
    (array_agg(isrc ORDER BY lateness DESC, line_number DESC) FILTER (WHERE isrc IS NOT NULL))[1] AS isrc
"""


def rows_of(statement: str, **parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, _adapted(parameters))
        rows: list[Any] = cursor.fetchall()
    return rows


def execute(statement: str, **parameters: Any) -> int:
    """How many rows it wrote."""
    with connection.cursor() as cursor:
        cursor.execute(statement, _adapted(parameters))
        row_count: int = cursor.rowcount
    return row_count


def _adapted(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: _array(value) if isinstance(value, list) else value for name, value in parameters.items()}


def _array(values: list[Any]) -> str:
    """An array as one literal. The driver writes ARRAY[...], of which PostgreSQL parses each element as an expression:
    with thousands of DSRs, that would be most of a statement's time."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    """As PostgreSQL's documentation has it in section 8.15.6."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "NULL" if value is None else str(value)
