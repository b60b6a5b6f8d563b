"""Which row of a sample has the headings, and where its totals are."""

import re
from collections import Counter
from collections.abc import Sequence

from catalogue.reports.formats.templates.cells.territories import folded
from catalogue.reports.formats.templates.definition import LINE_FIELDS, TEXT_FIELDS, Rows, Skip
from catalogue.reports.formats.templates.guessing.columns import column_fields
from catalogue.reports.formats.templates.guessing.forms import is_date, is_number

HEADING_ROWS = 50
# Rows at the end of a file among which totals are looked for.
LAST_ROWS = 30
TOTALS = re.compile(
    r"(?i)\W*(?:grand |sub|row |total[_ ]?|all )*"
    r"(?:totals?|sum|rows?|count|summe|gesamt|gesamtsumme|suma|somme|totale|total g[eé]n[eé]ral)\b[\w ]*\W*"
)
# A heading whose name is known counts as much as this many other headings.
KNOWN = 3

Cells = Sequence[str]


def heading_place(rows: Sequence[Cells]) -> int | None:
    """The place of the heading row; None where no row looks like one."""
    width = usual_width(rows)
    scores = {place: _heading_score(row, width) for place, row in enumerate(rows[:HEADING_ROWS])}
    best = max(scores, key=lambda place: scores[place], default=None)
    return best if best is not None and scores[best] > 0 else None


def usual_width(rows: Sequence[Cells]) -> int:
    widths = Counter(len(row) for row in rows if any(cell.strip() for cell in row))
    return max(widths, key=lambda width: (widths[width] * (width > 1), widths[width]), default=0)


def _heading_score(row: Cells, width: int) -> float:
    """How much a row looks like headings; 0 for a row of other things, such as one with a number."""
    names = [folded(cell) for cell in row if cell.strip()]
    if not names or len(row) != width or len(names) <= width / 2:
        return 0
    if any(is_number(name) or is_date(name) for name in names):
        return 0
    known = len({field for field in column_fields(row).values() if field in LINE_FIELDS} - {"title"})
    return len(set(names)) / len(names) + len(names) / width + KNOWN * known


def totals_of(headings: Cells, fields: dict[int, str], rows: Sequence[Cells], last: Sequence[Cells]) -> Rows:
    """Which rows at the end are no sales: the end of the sales, or a value of a column by which they are known."""
    for place, row in enumerate(last[-LAST_ROWS:], start=max(len(last) - LAST_ROWS, 0)):
        filled = [column for column, cell in enumerate(row) if cell.strip()]
        mark = next((column for column in filled if TOTALS.fullmatch(row[column].strip())), None)
        if mark is None or len(filled) > len(headings) / 2 + 1 or _names_a_recording(row, mark, fields):
            continue
        text = " ".join(row[mark].split())
        if not text.isprintable():
            continue
        if mark == 0 and text == row[0].strip() and _is_end(row, fields.get(0), [*rows, *last[:place]]):
            return Rows(ends_at=(text,))
        if mark < len(headings) and len(row) == len(headings) and headings[mark].strip():
            return Rows(skip=(Skip(headings[mark].strip(), (text,)),))
    return Rows()


def _names_a_recording(row: Cells, mark: int, fields: dict[int, str]) -> bool:
    """Whether a row is of a recording, though it has few cells: an artist may be `Sum 41`."""
    return any(cell.strip() and fields.get(column) in TEXT_FIELDS for column, cell in enumerate(row) if column != mark)


def _is_end(mark: Cells, field: str | None, others: Sequence[Cells]) -> bool:
    """Whether no other row begins as this one, or may: a title may be `Total Eclipse`."""
    beginning = mark[0].strip().casefold()
    is_free_text = field in ("title", "artists", "label", "composers")
    return not is_free_text and not any(
        row and row != mark and row[0].strip().casefold().startswith(beginning) for row in others
    )
