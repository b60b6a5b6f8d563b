"""The sales of a file, by a definition: which context each row has, and its line for COPY."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from catalogue.reports.cells import CellError
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.interface import ContextResult
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

FIRST_LINE = 2
# So many DSRs of a file are no mistake.
MOST_CONTEXTS = 20_000
# Rows that say what they are about in so many ways are remembered.
MOST_GROUPS = 200_000
# Lines that are handed on together.
BLOCK_LINES = 1000


@dataclass
class Group:
    """The rows whose cells say in the same way what they are about. Without a context, the faults tell why."""

    key: Key
    line: int
    context: SalesContext | None = None
    faults: Sequence[ContextFault] = ()
    # Of its context, from 1 in the order of the file.
    number: int | None = None
    row_count: int = 0


class SalesReader:
    """The rows of sales of a file, each with its group. What is wrong with them goes to `problems`.

    `groups` and `contexts` are those of the rows so far.
    """

    def __init__(
        self, delivery: Delivery, definition: Definition, problems: ProblemLog, progress: Progress | None = None
    ) -> None:
        self.problems, self.definition = problems, definition
        self.groups: dict[Key, Group] = {}
        self.contexts: dict[SalesContext, int] = {}
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
        self.places = self._places()
        if self.problems.error_count:
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

    def rows(self) -> Iterator[tuple[Row, Group]]:
        """Each row of sales. A group whose rows have no context is reported at its first row."""
        if not self.is_readable:
            return
        groups, key_of = self.groups, self._contexts.key
        for row in self.table.sales(self._needed):
            key = key_of(row[1])
            group = groups.get(key)
            if group is None:
                group = self._new_group(key, row)
                if group is None:
                    return
            group.row_count += 1
            yield row, group

    def _new_group(self, key: Key, row: Row) -> Group | None:
        """The group of a row; None where there are too many, which is reported."""
        group = self.groups[key] = Group(key, row[0])
        found = self._contexts.read(key)
        if isinstance(found, SalesContext):
            group.context = found
            group.number = self.contexts.setdefault(found, len(self.contexts) + 1)
        else:
            group.faults = found
            for fault in found:
                self.table.report(fault.code, row, fault.place, fault.value)
        if len(self.contexts) <= MOST_CONTEXTS and len(self.groups) <= MOST_GROUPS:
            return group
        self.problems.add(Problem(TemplateError.TOO_MANY_CONTEXTS, row[0], value=str(len(self.contexts))))
        return None

    def cells(self, row: Row, group: Group) -> list[str] | None:
        """The cells of the line of a row, in the order of `lines.columns`; None where one is wrong: it is reported."""
        try:
            cells = self.lines.cells(row[1])
        except CellError:
            for error, place in self.lines.faults(row[1]):
                self.table.report(error.code, row, place, context_number=self._shown_number(group))
            return None
        for warning in self.lines.take_warnings():
            self.table.report(warning.code, row, warning.place, context_number=self._shown_number(group))
        return cells

    def text(self, field: str, group: Group) -> str:
        """What the rows of a group say of a field of their context, as delivered."""
        return self._contexts.text(field, group.key)

    def _shown_number(self, group: Group) -> int | None:
        return group.number if self.names_contexts else None


class _Context:
    """A sales context while its lines are read."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.next_line = FIRST_LINE
        self.byte_count = 0


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
        sales, contexts, lines = self._sales, self._contexts, []
        for row, group in sales.rows():
            cells = sales.cells(row, group)
            if cells is None or group.number is None:
                continue
            if group.number > len(contexts):
                raise self._file_changed()
            context = contexts[group.number - 1]
            line = "\t".join(cells).encode()
            lines.append(b"%b\t%d\t%b\n" % (context.mark, context.next_line, line))
            context.next_line += 1
            context.byte_count += len(line)
            if len(lines) >= BLOCK_LINES:
                yield b"".join(lines)
                lines = []
        yield b"".join(lines)
        if not sales.problems.error_count and self._content_id() != self._expected_id:
            raise self._file_changed()

    def _file_changed(self) -> DamagedDelivery:
        return DamagedDelivery(Problem(TemplateError.FILE_CHANGED))
