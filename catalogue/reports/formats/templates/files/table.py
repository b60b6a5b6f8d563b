"""The headings of a file, and which of its rows are sales, by a definition."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from catalogue.reports.delivery import Delivery, Progress
from catalogue.reports.formats.templates.cells.territories import folded
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.formats.templates.definition import Definition, Kind
from catalogue.reports.formats.templates.files.rows import Row, file_rows, kind_of
from catalogue.reports.problems import ErrorCode, Problem, ProblemLog, RawCells, WarningCode, shown
from dsrhub.texts.invisible import is_blank

# Where a heading row is looked for that has no number.
HEADING_ROWS = 50
# Rows that are read together.
BATCH_ROWS = 1000

# The place of a column, and the folded values of cells whose rows are left out.
Skipped = tuple[int, frozenset[str]]


class Headings:
    """The columns of a file by their headings, in any case and spacing."""

    def __init__(self, cells: Sequence[str]) -> None:
        self.cells = [cell.strip() for cell in cells]
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for place, cell in enumerate(self.cells):
            self._places[folded(cell)].append(place)

    def places(self, heading: str) -> list[int]:
        """Where the columns of this heading are."""
        return self._places.get(folded(heading), [])

    def has_all(self, headings: Iterable[str]) -> bool:
        return all(self.places(heading) for heading in headings)

    def name(self, place: int) -> str:
        """The heading of a column; its number where that is blank."""
        return (self.cells[place] if place < len(self.cells) else "") or str(place + 1)


class Table:
    """A file that is read once: first `read_headings`, then `sales`. What is wrong goes to the problem log."""

    def __init__(
        self, delivery: Delivery, definition: Definition, problems: ProblemLog, progress: Progress | None = None
    ) -> None:
        self.definition, self.problems = definition, problems
        self.headings = Headings([])
        # The number of rows that the definition leaves out.
        self.skipped_count = 0
        self._heading_row: Row = (0, [])
        self._has_ended = False
        decimal = definition.numbers.decimal
        self._kind = kind_of(delivery.head(), definition.file)
        form = replace(definition.file, kind=self._kind)
        self._rows = file_rows(delivery, form, self._report_line, progress, decimal=decimal)

    # --- Headings ----------------------------------------------------------------------------------------------

    def read_headings(self) -> bool:
        """Find the heading row; False where it is missing, which is reported."""
        number = self.definition.file.heading_row
        if number == 0:
            first = next(self._rows, None)
            self._rows = chain([] if first is None else [first], self._rows)
            self.headings = Headings([str(place) for place in range(1, len(first[1]) + 1)] if first else [])
            return True
        wanted = self.definition.recognition.headings
        found = heading_row(self._rows, number, wanted)
        if found is None:
            self.problems.add(Problem(TemplateError.HEADING_ROW_MISSING, value=shown(", ".join(wanted))))
            return False
        self._heading_row, self.headings = found, Headings(found[1])
        return True

    def place(self, heading: str) -> int | None:
        """Where the column of this heading is; None where there is none. Two columns of it are reported."""
        places = self.headings.places(heading)
        if len(places) > 1:
            self.report_second(places[1])
        return places[0] if places else None

    def report_second(self, place: int) -> None:
        """Report that a column says the same as one before it."""
        self.report(TemplateError.HEADING_REPEATED, self._heading_row, place)

    def report_missing(self, heading: str) -> None:
        """Report that there is no column of this heading."""
        line, cells = self._heading_row
        raw = raw_cells(cells, len(cells))
        self.problems.add(Problem(TemplateError.HEADING_MISSING, line or None, shown(heading)), raw if line else None)

    # --- Rows --------------------------------------------------------------------------------------------------

    def sales(self, needed: Sequence[int]) -> Iterator[list[Row]]:
        """The rows of sales in batches, each row with as many cells as there are headings. A batch may be empty.

        `needed` are the places of cells that every row of sales has: a row behind the end that has them is an error.
        """
        skips = self._skips()
        ends = tuple(end.strip().casefold() for end in self.definition.rows.ends_at)
        while batch := list(islice(self._rows, BATCH_ROWS)):
            if self._are_all_sales(batch, ends, skips):
                yield batch
                continue
            end = next((place for place, row in enumerate(batch) if _is_end(row, ends)), None)
            yield [row for row in batch[:end] if self._is_sale(row, skips)]
            if end is not None:
                self._look_behind_end(needed, batch[end + 1 :])
            if end is not None or self.has_ended(batch[-1]):
                return

    def _are_all_sales(self, batch: Sequence[Row], ends: Sequence[str], skips: Sequence[Skipped]) -> bool:
        """Whether nothing is unusual in a batch: then its rows need not be looked at one by one."""
        rows = [cells for _, cells in batch]
        if set(map(len, rows)) != {len(self.headings.cells)}:
            return False
        firsts = [cells[0] for cells in rows]
        joined = "\n".join(firsts).casefold() if ends else ""
        skipped = (folded(cell) in values for place, values in skips for cell in {cells[place] for cells in rows})
        return all(firsts) and not any(end in joined for end in ends) and not any(skipped)

    def _is_sale(self, row: Row, skips: Sequence[Skipped]) -> bool:
        """Whether a row is one of sales: made as long as the headings, neither blank nor to be left out."""
        cells = row[1]
        if all(map(is_blank, cells)) or not self._fit(row, len(self.headings.cells)):
            return False
        is_skipped = any(folded(cells[place]) in values for place, values in skips)
        self.skipped_count += is_skipped
        return not is_skipped

    def has_ended(self, row: Row) -> bool:
        """Whether reading ends here, as there are too many errors: the first such row is noted."""
        if not self.problems.has_too_many_errors:
            return False
        if not self._has_ended:
            self._has_ended = True
            self.problems.end_at(row[0], raw_cells(row[1], None))
        return True

    def _fit(self, row: Row, width: int) -> bool:
        """Make a row as long as the headings; False for one that cannot be, which is reported."""
        cells = row[1]
        surplus = cells[width:]
        if self._kind == Kind.XLSX:
            cells += [""] * (width - len(cells))  # A sheet does not have the blank cells at the end of a row.
        if len(cells) < width or not all(map(is_blank, surplus)):
            self.report(TemplateError.ROW_LENGTH, row, None, str(len(cells)))
            return False
        del cells[width:]
        return True

    def _skips(self) -> list[Skipped]:
        found = [(self.place(skip.column), skip) for skip in self.definition.rows.skip]
        for place, skip in found:
            if place is None:
                self.report_missing(skip.column)
        return [(place, frozenset(map(folded, skip.values))) for place, skip in found if place is not None]

    def _look_behind_end(self, needed: Sequence[int], first: Sequence[Row]) -> None:
        """Read on to the end of the file, and report the first row that looks like sales. `first` are read already."""
        width, is_reported = len(self.headings.cells), False
        for row in chain(first, self._rows):
            cells = row[1]
            is_sale = len(cells) == width and not any(is_blank(cells[place]) for place in needed)
            if is_sale and not is_reported:
                self.report(TemplateError.ROWS_BEHIND_END, row)
                is_reported = True

    # --- Problems ----------------------------------------------------------------------------------------------

    def report(
        self,
        code: ErrorCode | WarningCode,
        row: Row,
        place: int | None = None,
        value: str | None = None,
        context_number: int | None = None,
    ) -> None:
        """Report a problem of a row, or of its cell at a place."""
        line, cells = row
        column = None if place is None else self.headings.name(place)
        if value is None and place is not None:
            value = cells[place]
        problem = Problem(code, line, column and shown(column), value and shown(value), context_number)
        self.problems.add(problem, raw_cells(cells, place))

    def _report_line(self, code: ErrorCode | WarningCode, line: int | None, text: str, value: str | None) -> None:
        raw = None if line is None else raw_cells([text.rstrip("\r\n")], None)
        self.problems.add(Problem(code, line, value=value and shown(value)), raw)


def _is_end(row: Row, ends: tuple[str, ...]) -> bool:
    return bool(row[1]) and row[1][0].strip().casefold().startswith(ends)


def heading_row(rows: Iterable[Row], number: int | None, headings: Iterable[str]) -> Row | None:
    """The row of a number; without one, the first that has all of these headings. It reads no further."""
    if number is not None:
        return next((row for row in rows if row[0] >= number), None)
    headings = list(headings)
    return next((row for row in islice(rows, HEADING_ROWS) if Headings(row[1]).has_all(headings)), None)


def raw_cells(cells: Sequence[str], place: int | None) -> RawCells:
    """The cells of a row for the excerpt of a problem, those at the place marked; a tab in a cell becomes a space."""
    line = "\t".join(" ".join(cell.split("\t")) for cell in cells).encode(errors="surrogateescape")
    return RawCells(line) if place is None else RawCells(line, slice(place, place + 1))
