"""Pages of rows that end early where their texts are long, so that no page fills the memory of a server."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from dsrhub.database.statements import rows_of

# A page ends with the row that reaches this. Pages of usual texts never do: 10,000 lines have about 1 MiB.
PAGE_BYTES = 4 * 1024 * 1024

Row = TypeVar("Row")
Converted = TypeVar("Converted")
Found = TypeVar("Found", bound=Model)


class CutShort(list[Row]):
    """The rows of a page that ended early. At least one row follows."""


class CutAt(CutShort[Row]):
    """The rows of a page that ended early behind its last row: at the `place` up to which was searched."""

    def __init__(self, rows: Iterable[Row], place: Any) -> None:
        super().__init__(rows)
        self.place = place


def next_place(rows: Sequence[Row], limit: int, place_of: Callable[[Row], Any]) -> Any:
    """The place behind which the next page starts; None where no page follows.

    `rows` has one row more than the `limit` where one follows, or is CutShort.
    """
    if len(rows) > limit:
        return place_of(rows[limit - 1])
    if isinstance(rows, CutAt):
        return rows.place
    return place_of(rows[-1]) if isinstance(rows, CutShort) else None


def page_by_id(found: QuerySet[Found], *, after: int | None, limit: int) -> list[Found]:
    """The first rows of a query behind an id, in the order of their ids."""
    following = found if after is None else found.filter(pk__gt=after)
    return list(following.order_by("pk")[:limit])


def bytes_of(*texts: str) -> str:
    """The number of bytes of some columns as SQL. It reads no long text: the length is stored with its address."""
    return " + ".join(f"coalesce(octet_length({text}), 0)" for text in texts)


def page_rows(statement: str, /, *texts: str, read_bytes: int = 0, **parameters: Any) -> list[Any]:
    """The rows of a statement in its order, cut short where the columns `texts` have more than PAGE_BYTES.

    They may continue a page whose texts have `read_bytes`: see `joined`. The first row is there in any case.
    """
    rows = rows_of(
        f"""
        SELECT * FROM (
            SELECT page.*, lead(true) OVER () AS is_followed,
                sum({bytes_of(*texts)}) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
            FROM ({statement}) AS page
        ) AS page
        WHERE coalesce(bytes_before, 0) < %(page_bytes)s
        """,  # noqa: S608 - no value is in it
        page_bytes=max(PAGE_BYTES - read_bytes, 1),
        **parameters,
    )
    page = [row[:-2] for row in rows]
    return CutShort(page) if rows and rows[-1][-2] else page


def joined(page: list[Any], rows: list[Any], *, read_bytes: int) -> list[Any]:
    """A page, whose texts have `read_bytes`, and the rows that `page_rows` finds behind it."""
    if read_bytes >= PAGE_BYTES:
        return CutShort(page) if rows else page
    return like(rows, [*page, *rows])


def is_small(statement: str, /, *texts: str, **parameters: Any) -> bool:
    """Whether the columns `texts` of all rows have PAGE_BYTES at most.

    Where an index finds the rows, this is faster than adding up beside the rows, which PostgreSQL would store for it.
    """
    measured = f"SELECT coalesce(sum({bytes_of(*texts)}), 0) FROM ({statement}) AS page"  # noqa: S608
    ((text_bytes,),) = rows_of(measured, **parameters)
    return bool(text_bytes <= PAGE_BYTES)


def converted(rows: list[Row], convert: Callable[[Row], Converted]) -> list[Converted]:
    """The rows of a page, each converted. A page that is cut short stays so."""
    return like(rows, map(convert, rows))


def like(rows: list[Any], others: Iterable[Converted]) -> list[Converted]:
    """Others in place of the rows of a page."""
    return CutShort(others) if isinstance(rows, CutShort) else list(others)
