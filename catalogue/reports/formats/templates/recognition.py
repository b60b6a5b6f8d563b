"""Whether a template recognises a file, by its first rows and its name."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.formats.templates.definition import Definition, FileForm, Kind
from catalogue.reports.formats.templates.files.rows import ARCHIVE, Row, TextRows, kind_of
from catalogue.reports.formats.templates.files.table import HEADING_ROWS, Headings, heading_row
from catalogue.reports.formats.templates.files.workbook import Workbook
from catalogue.reports.formats.templates.names import name_fits, pattern_fields
from catalogue.reports.problems import ErrorCode, Problem, WarningCode, shown

# Enough for a heading row behind some lines of a letterhead.
FIRST_BYTES = 64 * 1024


class FirstRows:
    """The first rows of a file, as different forms read them. Each form is read once."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._head = delivery.head(FIRST_BYTES)
        self._rows: dict[tuple[str, ...], Sequence[Row]] = {}
        self._workbook: Workbook | None = None

    @property
    def name(self) -> str:
        return self._delivery.name

    def rows(self, form: FileForm) -> Sequence[Row]:
        """At most HEADING_ROWS rows; none where the file is of another kind, or cannot be read."""
        form = replace(form, kind=kind_of(self._head, form))
        key = (form.kind, form.encoding, form.delimiter, form.quote, form.sheet)
        if key not in self._rows:
            self._rows[key] = self._read(form)
        return self._rows[key]

    def is_kind(self, form: FileForm) -> bool:
        """Whether the file may be of the kind of a form."""
        return self._head.startswith(ARCHIVE) == (kind_of(self._head, form) == Kind.XLSX)

    def _read(self, form: FileForm) -> list[Row]:
        found: list[Row] = []
        if not self.is_kind(form):
            return found
        # The rows before the damage stay.
        with suppress(DamagedDelivery):
            if form.kind == Kind.XLSX:
                self._workbook = self._workbook or Workbook(self._delivery)
                found.extend(islice(self._workbook.rows(form.sheet), HEADING_ROWS))
            else:
                found.extend(islice(TextRows([self._head], form, _ignore, is_whole=False), HEADING_ROWS))
        return found


def _ignore(code: ErrorCode | WarningCode, line: int | None, text: str, value: str | None) -> None:
    """What is wrong with the file, its import tells."""


def is_refused_name(definition: Definition, name: str) -> bool:
    """Whether files of this name have no sales, by what the template says."""
    return any(name_fits(pattern, name) for pattern in definition.recognition.refused_names)


def problem_of_name(definition: Definition, name: str) -> Problem | None:
    """Why a file of this name cannot be read by the definition."""
    pattern = definition.recognition.name_pattern
    if is_refused_name(definition, name):
        return Problem(TemplateError.NO_SALES_FILE, value=shown(name))
    if pattern_fields(pattern) and not name_fits(pattern, name):
        return Problem(TemplateError.NAME_WITHOUT_FIELDS, value=shown(name))
    return None


def is_recognised(definition: Definition, file: FirstRows) -> bool:
    """Whether a file is one of those that the definition is about."""
    recognition, form = definition.recognition, definition.file
    if is_refused_name(definition, file.name):
        return True
    if not name_fits(recognition.name_pattern, file.name):
        return False
    if form.heading_row == 0:
        return file.is_kind(form)
    row = heading_row(file.rows(form), form.heading_row, recognition.headings)
    return row is not None and Headings(row[1]).has_all(recognition.headings)


class Nearness(NamedTuple):
    """How near a file is to those of a definition: the required headings that it has not, and whether its name fits."""

    missing_share: float
    missing: tuple[str, ...]
    name_fits: bool


def nearness(definition: Definition, file: FirstRows) -> Nearness | None:
    """How near a file is by the row that has the most of the headings; None where it has none of them."""
    wanted = definition.recognition.headings
    rows = [Headings(cells) for _, cells in _heading_rows(definition, file)]
    missing = min((_missing(wanted, row) for row in rows), key=len, default=wanted)
    if len(missing) == len(wanted):
        return None
    return Nearness(len(missing) / len(wanted), missing, name_fits(definition.recognition.name_pattern, file.name))


def _heading_rows(definition: Definition, file: FirstRows) -> Sequence[Row]:
    """The rows that may have the headings."""
    number = definition.file.heading_row
    if number == 0:
        return []
    rows = file.rows(definition.file)
    if number is None:
        return rows
    row = heading_row(rows, number, ())
    return [] if row is None else [row]


def _missing(wanted: Sequence[str], row: Headings) -> tuple[str, ...]:
    return tuple(heading for heading in wanted if not row.places(heading))
