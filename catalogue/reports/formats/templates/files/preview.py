"""The first rows of a file as they are delivered, for people who are making a template."""

from dataclasses import replace
from itertools import islice

from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates.definition import Definition
from catalogue.reports.formats.templates.files.rows import file_rows, kind_of
from catalogue.reports.formats.templates.files.table import Headings, heading_row


def first_rows(sample: Delivery, definition: Definition, *, row_limit: int = 20) -> tuple[list[str], list[list[str]]]:
    """The headings and the first rows behind them, cell by cell; none where the headings are not found.

    It needs only the file, the numbers and the headings of the definition, without faults. Raises DamagedDelivery.
    """
    form = replace(definition.file, kind=kind_of(sample.head(), definition.file))
    rows = file_rows(sample, form, _ignore, decimal=definition.numbers.decimal)
    if form.heading_row == 0:
        found = [cells for _line, cells in islice(rows, row_limit)]
        return [str(place + 1) for place in range(max(map(len, found), default=0))], found
    headings = heading_row(rows, form.heading_row, definition.recognition.headings)
    if headings is None:
        return [], []
    return Headings(headings[1]).cells, [cells for _line, cells in islice(rows, row_limit)]


def _ignore(code: object, line: int | None, text: str, value: str | None) -> None:
    """The check reports what cannot be read."""
