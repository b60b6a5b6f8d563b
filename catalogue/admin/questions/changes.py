"""What changed between two periods, as the cells of a table and as the values of a file."""

from typing import Any

from catalogue.dsrs.statistics.comparison import Compared
from catalogue.resources.comparison import ComparedResource
from dsrhub.values.cells import plain, rounded

Row = Compared | ComparedResource

COLUMNS = (
    *("usages_before", "usages_now", "usages_difference", "usages_percent"),
    *("revenue_eur_before", "revenue_eur_now", "revenue_eur_difference", "revenue_eur_percent"),
    *("incomplete_before", "incomplete_now"),
)
AMOUNTS = ("usages_percent", *(name for name in COLUMNS if name.startswith("revenue_eur")))


def change_values(row: Row) -> tuple[Any, ...]:
    """The values of the COLUMNS."""
    return (
        *_both(row, "usages"),
        row.usages_difference,
        row.usages_percent,
        *_both(row, "revenue_eur"),
        row.revenue_difference,
        row.revenue_percent,
        " ".join(row.incomplete_before),
        " ".join(row.incomplete_now),
    )


def change_cells(row: Row) -> list[str | None]:
    """Usages before and now, their difference, also in per cent; and the same of the revenue."""
    return [
        *map(plain, _both(row, "usages")),
        plain(row.usages_difference),
        rounded(row.usages_percent),
        *map(rounded, _both(row, "revenue_eur")),
        rounded(row.revenue_difference),
        rounded(row.revenue_percent),
    ]


def incomplete_in(row: Row) -> str:
    """The incomplete months of both periods."""
    return ", ".join([*row.incomplete_before, *row.incomplete_now])


def _both(row: Row, name: str) -> list[Any]:
    return [getattr(sums, name) if sums else None for sums in (row.before, row.now)]
