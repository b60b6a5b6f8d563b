"""The sales of a file, by a definition: which context each row has, and its line for COPY."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalogue.reports.cells import CellError
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.interface import FIRST_LINE, ContextResult
from catalogue.reports.formats.templates.cells.contexts import ContextFault, ContextReader, Key
from catalogue.reports.formats.templates.cells.lines import LineCells
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.formats.templates.definition import (
    CONTEXT_FIELDS,
    LINE_FIELDS,
    NUMBER_FIELDS,
    TEXT_FIELDS,
    Definition,
)
from catalogue.reports.formats.templates.files.rows import Row
from catalogue.reports.formats.templates.files.table import Table
from catalogue.reports.formats.templates.names import name_fields
from catalogue.reports.problems import Problem, ProblemLog, RawCells

# A file that would become more DSRs than this is refused: then a column is probably not what the template says.
MOST_CONTEXTS = 20_000
# The same for the different combinations of cells that say what a row is about. Each is remembered.
MOST_GROUPS = 200_000


@dataclass(eq=False)
class Group:
    """The rows whose cells say in the same way what they are about. Without a context, the faults tell why."""

    key: Key
    line: int
    context: SalesContext | None = None
    faults: Sequence[ContextFault] = ()
    # Of its context, from 1 in the order of the file.
    number: int | None = None
    row_count: int = 0


class Batch(NamedTuple):
    """Rows of sales, and the group of each."""

    rows: Sequence[Row]
    groups: Sequence[Group]


class SalesReader:
    """The rows of sales of a file, in batches. What is wrong with them goes to `problems`.

    `groups` and `contexts` are those of the rows so far.
    """

    def __init__(
        self, delivery: Delivery, definition: Definition, problems: ProblemLog, progress: Progress | None = None
    ) -> None:
        self.problems, self.definition = problems, definition
        self.groups: dict[Key, Group] = {}
        self.contexts: dict[SalesContext, int] = {}
        # Whether there are groups without a context.
        self.has_faults = False
        # Whether problems of cells name the number of their context.
        self.names_contexts = False
        self.table = Table(delivery, definition, problems, progress)
        self._name = delivery.name
        self.is_readable = self._prepare()

    def _prepare(self) -> bool:
        """Find the columns; False where some are missing, which is reported."""
        in_name = name_fields(self.definition.recognition.name_pattern, self._name) or {}
        if not self.table.read_headings():
            return False
        # Rows that were read ahead may have errors of their own.
        errors = self.problems.error_count
        self.places = self._places()
        if self.problems.error_count > errors:
            return False
        context_places = {name: places[0] for name, places in self.places.items() if name in CONTEXT_FIELDS}
        self._contexts = ContextReader(self.definition, context_places, in_name)
        line_places = {name: places for name, places in self.places.items() if name in LINE_FIELDS}
        self.lines = LineCells(self.definition, line_places)
        numbers = [self.places[name][0] for name in NUMBER_FIELDS if name in self.places]
        self._needed = [*context_places.values(), *numbers]
        return True

    def _places(self) -> dict[str, list[int]]:
        """Where the columns of each field are. Of several columns, a file must have one, and only texts two."""
        found: dict[str, list[int]] = {}
        for name, source in self.definition.fields.items():
            places = [place for heading in source.columns if (place := self.table.place(heading)) is not None]
            if len(places) > 1 and name not in TEXT_FIELDS:
                self.table.report_second(places[1])
            if places:
                found[name] = places
            elif source.columns:
                self.table.report_missing(source.columns[0])
        return found

    def batches(self, most_rows: int | None = None) -> Iterator[Batch]:
        """The rows of sales, or the first of them."""
        row_count = 0
        for rows in self.table.sales(self._needed) if self.is_readable else ():
            batch = rows if most_rows is None else rows[: most_rows - row_count]
            row_count += len(batch)
            keys = [self._contexts.key(cells) for _, cells in batch]
            if not self._add_groups(keys, batch):
                return
            groups = [self.groups[key] for key in keys]
            for group, count in Counter(groups).items():
                group.row_count += count
            if batch:
                yield Batch(batch, groups)
            if row_count == most_rows or (batch and self.table.has_ended(batch[-1])):
                return

    def _add_groups(self, keys: Sequence[Key], rows: Sequence[Row]) -> bool:
        """Add the groups of rows that are new; False where there are too many, which is reported."""
        if self.groups.keys() >= set(keys):
            return True
        return all(key in self.groups or self._add_group(key, row) for key, row in zip(keys, rows, strict=True))

    def _add_group(self, key: Key, row: Row) -> bool:
        """Add the group of a row; False where there are too many, which is reported."""
        group = self.groups[key] = Group(key, row[0])
        found = self._contexts.read(key)
        if isinstance(found, SalesContext):
            group.context = found
            group.number = self.contexts.setdefault(found, len(self.contexts) + 1)
        else:
            group.faults = found
            self.has_faults = True
        if len(self.contexts) <= MOST_CONTEXTS and len(self.groups) <= MOST_GROUPS:
            return True
        self.table.report(TemplateError.TOO_MANY_CONTEXTS, row, value=str(len(self.contexts)))
        return False

    def lines_of(self, batch: Batch) -> Sequence[Sequence[str] | None]:
        """The cells of the line of each row, as `lines` has its columns; None where one is wrong, which is reported.

        A group whose rows have no context is reported at its first row.
        """
        if self.has_faults and any(group.faults and row[0] == group.line for row, group in zip(*batch, strict=True)):
            return self._lines_one_by_one(batch)
        try:
            columns = self.lines.read([cells for _, cells in batch.rows])
        except CellError:
            self.lines.take_warnings()
            return self._lines_one_by_one(batch)
        for warning in self.lines.take_warnings():
            row, group = batch.rows[warning.row], batch.groups[warning.row]
            self.table.report(warning.code, row, warning.place, context_number=self._shown_number(group))
        return list(zip(*columns, strict=True))

    def _lines_one_by_one(self, batch: Batch) -> list[Sequence[str] | None]:
        lines: list[Sequence[str] | None] = []
        for row, group in zip(*batch, strict=True):
            lines.append(None if self.table.has_ended(row) else self._line(row, group))
        return lines

    def _line(self, row: Row, group: Group) -> Sequence[str] | None:
        if row[0] == group.line:
            for fault in group.faults:
                self.table.report(fault.code, row, fault.place, fault.value)
        faults = self.lines.faults(row[1])
        for error, place in faults:
            self.table.report(error.code, row, place, context_number=self._shown_number(group))
        for warning in self.lines.take_warnings():
            self.table.report(warning.code, row, warning.place, context_number=self._shown_number(group))
        if faults:
            return None
        columns = self.lines.read([row[1]])
        self.lines.take_warnings()  # They are reported.
        return [cell for (cell,) in columns]

    def text(self, field: str, group: Group) -> str:
        """What the rows of a group say of a field of their context, as delivered."""
        return self._contexts.text(field, group.key)

    def _shown_number(self, group: Group) -> int | None:
        return group.number if self.names_contexts else None


class _Context:
    """A sales context while its lines are read."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self.next_line = FIRST_LINE
        self.byte_count = 0

    def line(self, cells: Sequence[str]) -> bytes:
        """The next line."""
        number, self.next_line = self.next_line, self.next_line + 1
        line = "\t".join(cells).encode()
        self.byte_count += len(line)
        return b"%b\t%d\t%b\n" % (self._mark, number, line)


class TemplateReader:
    """The iteration yields the lines of all contexts in blocks. See `LineReader`."""

    # Problems name the lines of the file, and a row of sums has no context.
    last_line = None

    def __init__(
        self, sales: SalesReader, marks: Sequence[bytes], expected_id: str, content_id: Callable[[], str]
    ) -> None:
        """The contexts have these marks, in the order of the file, if its content has the expected id at the end."""
        self._sales, self._expected_id, self._content_id = sales, expected_id, content_id
        sales.names_contexts = len(marks) > 1
        self._contexts = [_Context(mark) for mark in marks]
        self.columns = ("line_number", *sales.lines.columns)

    @property
    def rewritten_count(self) -> int:
        return sum(context.next_line - FIRST_LINE for context in self._contexts)

    @property
    def results(self) -> Sequence[ContextResult]:
        return [ContextResult(context.byte_count) for context in self._contexts]

    def raw_cells(self, line: bytes, column: str | None) -> RawCells:
        return RawCells(line)

    def __iter__(self) -> Iterator[bytes]:
        sales = self._sales
        for batch in sales.batches():
            if len(sales.contexts) > len(self._contexts):
                raise self._file_changed()
            pairs = zip(batch.groups, sales.lines_of(batch), strict=True)
            lines = [(group.number, cells) for group, cells in pairs if group.number and cells]
            yield b"".join(self._contexts[number - 1].line(cells) for number, cells in lines)
        if not sales.problems.error_count and self._content_id() != self._expected_id:
            raise self._file_changed()

    def _file_changed(self) -> DamagedDelivery:
        return DamagedDelivery(Problem(TemplateError.FILE_CHANGED))
