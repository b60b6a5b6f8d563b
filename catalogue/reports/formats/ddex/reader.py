"""The lines of a message, checked: sales lines with what their block says of the recording or the release."""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from catalogue.reports.contexts import Contents, Declared
from catalogue.reports.delivery import Delivery, Progress
from catalogue.reports.formats.ddex import descriptions, sales
from catalogue.reports.formats.ddex.blocks import Block, BlockIds, RecordLine, cell_of_column
from catalogue.reports.formats.ddex.cells import line_cells, raw_cells, shown_text, value_of
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.ddex.descriptions import Descriptions, NamedCell
from catalogue.reports.formats.ddex.foot import Counts
from catalogue.reports.formats.ddex.lines import (
    NOTHING,
    LastLine,
    UnreadableMessage,
    are_clean,
    is_record,
    line_blocks,
    line_fault,
    raw_at,
)
from catalogue.reports.formats.ddex.money import Allocation
from catalogue.reports.formats.ddex.records import (
    BILATERAL,
    RELEASES,
    RESOURCES,
    REVENUE_SUMMARIES,
    SALES_CELLS,
    WITH_USAGES,
    WITHOUT_LINES,
    WORKS,
    SalesCells,
    family_of,
)
from catalogue.reports.formats.ddex.sales import Context, Sale, SalesLineError, SalesWriter
from catalogue.reports.formats.ddex.widths import BLANKS, RECORD_TYPE, RecordCells
from catalogue.reports.formats.interface import FIRST_LINE, ContextResult
from catalogue.reports.problems import ErrorCode, Problem, ProblemLog, RawCells, WarningCode, shown

# The shares in the revenue of all contexts that are remembered.
MOST_SHARES = 100_000
# The records of one block are in memory together.
MOST_IN_BLOCK = 100_000
# A sales line may come before what it refers to, as long as both are in one block.
MOST_WAITING = 10_000
# Files of a message have fewer lines than this, so that one number names a line of any of them.
FILE_LINES = 2**40


class MessageReader:
    """The iteration yields the sales lines of all files in blocks. See LineReader."""

    # A message ends with its own record.
    last_line = None

    columns: tuple[str, ...] = (*sales.COLUMNS, *descriptions.COLUMNS)

    def __init__(
        self,
        deliveries: Sequence[Delivery],
        contents: Contents,
        problems: ProblemLog,
        progress: Progress | None,
        marks: Sequence[bytes],
    ) -> None:
        self.problems = problems
        self._deliveries = deliveries
        self._progress = progress
        self._contexts = [
            Context(number, mark, _allocation(described.declared, MOST_SHARES // len(contents.contexts)))
            for number, (described, mark) in enumerate(zip(contents.contexts, marks, strict=True), start=1)
        ]
        self._is_single = len(self._contexts) == 1
        self._by_summary = {
            described.declared.summary_id.encode(): context
            for described, context in zip(contents.contexts, self._contexts, strict=True)
            if described.declared is not None
        }
        self._descriptions = Descriptions(self._warn_of_cell)
        self._writers = {family: SalesWriter(numbers, self._refuse_sale) for family, numbers in SALES_CELLS.items()}
        self._block_ids = BlockIds()
        self._cells = RecordCells(self._report_of_line).of
        self._skipped: Counter[str] = Counter()
        self._counts = Counts()
        handlers: dict[bytes, Callable[[list[bytes]], None]] = {
            family: partial(self._single_sale if numbers.is_single_record else self._sale, family, numbers)
            for family, numbers in SALES_CELLS.items()
        }
        handlers |= dict.fromkeys(RESOURCES, self._resource) | dict.fromkeys(RELEASES, self._release)
        handlers |= dict.fromkeys(WORKS, self._work)
        handlers |= {b"RE02": self._part, b"HEAD": self._head, b"FOOT": self._foot, b"SRFO": self._foot}
        self._handlers = handlers

    @property
    def rewritten_count(self) -> int:
        return sum(context.next_line - FIRST_LINE for context in self._contexts)

    @property
    def results(self) -> Sequence[ContextResult]:
        return [context.result() for context in self._contexts]

    def raw_cells(self, line: bytes, column: str | None) -> RawCells:
        number = cell_of_column(column)
        return raw_cells(line_cells(line), number) if number else RawCells(line)

    def __iter__(self) -> Iterator[bytes]:
        for index, delivery in enumerate(self._deliveries):
            self._begin_file(index, delivery)
            try:
                for lines in line_blocks(delivery.chunks(self._progress)):
                    self._last_of_block = lines[-1]
                    if self._is_cut_off(lines):
                        self._line += 1
                    else:
                        yield self._rows(lines)
                    if self.problems.has_too_many_errors:
                        self.problems.end_at(self._line, RawCells(self._last_of_block))
                        return
                yield self._end_file()
            except UnreadableMessage as error:
                self._write_sales()
                for problem in error.problems:
                    self.problems.add(replace(problem, file=self._file))
                return
        self._end_message()
        yield b"".join(context.last() for context in self._contexts)

    # --- Files -------------------------------------------------------------------------------------------------

    def _begin_file(self, index: int, delivery: Delivery) -> None:
        self._file = delivery.name if len(self._deliveries) > 1 else None
        self._first_of_file = index * FILE_LINES
        self._line, self._last_of_block = 0, b""
        self._has_head = self._is_after_summaries = False
        self._other_summaries: set[bytes] = set()
        self._foot_line: RecordLine | None = None
        self._block: Block | None = None
        # Sales lines of one family that are not written yet, and what is.
        self._sales_family, self._sales = b"", list[Sale]()
        self._out: list[bytes] = []

    def _rows(self, lines: list[bytes]) -> bytes:
        """The sales lines among these lines, as COPY reads them."""
        handlers = self._handlers
        is_clean = are_clean(b"\n".join(lines))
        for self._line, line in enumerate(lines, start=self._line + 1):  # noqa: B020 - the start is known by then
            if not is_clean and not self._is_clean(line):
                continue
            handler = handlers.get(line[:4])
            if handler is None:
                self._other(line)
            elif self._foot_line is None:
                handler(self._cells(line))
            else:
                self._add(DdexError.RECORD_AFTER_FOOT, self._line, value=shown_text(line[:4]), raw=raw_at(line, 0))
        return self._written()

    def _written(self) -> bytes:
        """The lines that are not yielded yet."""
        self._write_sales()
        lines, self._out = b"".join(self._out), []
        return lines

    def _write_sales(self) -> None:
        if self._sales:
            written, self._sales = self._sales, []
            self._out.append(self._writers[self._sales_family].lines(written))

    def _is_cut_off(self, lines: list[bytes]) -> bool:
        """Whether a file ends in a line that says nothing but that its end is missing."""
        return (
            isinstance(lines, LastLine)
            and self._foot_line is None
            and is_record(lines[0])
            and family_of(lines[0].lstrip(b" ")) not in (b"FOOT", b"SRFO")
        )

    def _is_clean(self, line: bytes) -> bool:
        """Whether a line can be stored; reports it otherwise."""
        if line.startswith(b"#") or not line.strip(NOTHING):
            return False
        fault = line_fault(line)
        if fault is not None:
            self._add(fault.code, self._line, value=shown_text(fault.text), raw=fault.raw)
        return fault is None

    def _other(self, line: bytes) -> None:
        """A comment, a blank line, a summary, or a record of a type that is not read."""
        if not is_record(line):
            return
        line = line.removeprefix(BOM_UTF8).lstrip(b" ")
        record_type = line.partition(b"\t")[0].strip()
        family = family_of(record_type)
        if self._foot_line is not None:
            self._add(DdexError.RECORD_AFTER_FOOT, self._line, value=shown_text(family), raw=raw_at(line, 0))
        elif family in self._handlers:
            self._handlers[family](self._cells(line))
        elif family.startswith(b"SY"):
            self._summary(self._cells(line), family)
        elif family[:2] in WITH_USAGES or not RECORD_TYPE.fullmatch(record_type):
            # Neither usages of another profile nor a part of a broken line may be passed over.
            self._add(DdexError.RECORD_NOT_EXPECTED, self._line, value=shown_text(record_type), raw=raw_at(line, 0))
        else:
            self._without_lines(self._cells(line), family)

    def _without_lines(self, cells: list[bytes], family: bytes) -> None:
        """A record that describes no sales: it is counted, or belongs to the block."""
        if family in WITHOUT_LINES:
            self._in_block(cells)
        elif family[:2] != BILATERAL:
            self._skipped[shown_text(family)] += 1

    def _head(self, cells: list[bytes]) -> None:
        if self._has_head:
            self._add(DdexError.RECORD_NOT_EXPECTED, self._line, value="HEAD", raw=raw_cells(cells, 1))
        self._has_head = True

    def _summary(self, cells: list[bytes], family: bytes) -> None:
        self._counts.summaries += 1
        if self._is_after_summaries:
            self._add(DdexError.SUMMARY_LATE, self._line, value=shown_text(family), raw=raw_cells(cells, 1))
        if family.decode(errors="replace") not in REVENUE_SUMMARIES:
            self._other_summaries.add(value_of(cells[1]))

    def _foot(self, cells: list[bytes]) -> None:
        self._foot_line = RecordLine(self._line, cells)

    def _end_file(self) -> bytes:
        self._end_block()
        if self._foot_line is None:
            self._add(DdexError.FOOT_MISSING, self._line or None, raw=RawCells(self._last_of_block))
        else:
            self._check_foot(self._foot_line)
        self._counts.end_file(self._line)
        return self._written()

    def _check_foot(self, foot: RecordLine) -> None:
        """Senders are often wrong."""
        is_last_file = self._first_of_file == (len(self._deliveries) - 1) * FILE_LINES
        for cell, name, stated, found in self._counts.differences(foot, self._line, is_last_file=is_last_file):
            column, value = f"FOOT cell {cell}, {name}", f"{stated} stated, {found} found"
            self._add(DdexWarning.FOOT_DIFFERS, foot.number, column, value, raw=foot.raw(cell))

    def _end_message(self) -> None:
        for line in self._block_ids.repeated_lines():
            index, number = divmod(line, FILE_LINES)
            self._file = self._deliveries[index].name if len(self._deliveries) > 1 else None
            self._add(DdexError.BLOCK_REPEATED, number)
        self._file = None
        for record_type, count in sorted(self._skipped.items()):
            self._add(DdexWarning.RECORDS_SKIPPED, None, value=f"{record_type}: {count}")
        for context in self._contexts:
            if context.allocation.has_more_than_declared:
                self._warn_of_context(DdexWarning.USAGES_ABOVE_DECLARED, context, str(context.allocation.usages))

    def _warn_of_context(self, code: WarningCode, context: Context, value: str) -> None:
        self.problems.add(Problem(code, value=value, context_number=self._number_of(context)))

    # --- Blocks ------------------------------------------------------------------------------------------------

    def _in_block(self, cells: list[bytes]) -> Block:
        """The block of a record, which ends the block before it."""
        block = self._block
        if block is None or block.id != cells[1]:
            block = self._begin_block(cells)
        if not block.id:
            self._add_of_cell(DdexError.VALUE_MISSING, RecordLine(self._line, cells), 2, "block id")
        block.record_count += 1
        if block.record_count == MOST_IN_BLOCK:
            excerpt = raw_cells(cells, 0).excerpt()
            raise UnreadableMessage(
                Problem(DdexError.BLOCK_TOO_LARGE, self._line, value=shown_text(block.id), excerpt=excerpt)
            )
        return block

    def _begin_block(self, cells: list[bytes]) -> Block:
        """A new block, but for one whose id has other spaces around it."""
        block_id = cells[1].strip()
        if self._block is not None and self._block.id == block_id:
            return self._block
        self._end_block()
        self._block = Block(block_id)
        self._is_after_summaries = True
        self._counts.blocks += 1
        self._block_ids.add(block_id, self._first_of_file + self._line)
        return self._block

    def _end_block(self) -> None:
        if self._block is None:
            return
        waiting, self._block.waiting = self._block.waiting, []
        for family, record in waiting:
            self._late_sale(family, record, self._block)

    def _resource(self, cells: list[bytes]) -> None:
        block = self._in_block(cells)
        block.last_resource = self._define(block.resources, cells)

    def _release(self, cells: list[bytes]) -> None:
        self._define(self._in_block(cells).releases, cells)

    def _part(self, cells: list[bytes]) -> None:
        self._define(self._in_block(cells).parts, cells)

    def _define(self, defined: dict[bytes, RecordLine], cells: list[bytes]) -> bytes:
        """Add a record to those of its kind in the block, by its reference."""
        record = RecordLine(self._line, cells)
        reference = value_of(cells[2])
        if not reference:
            self._add_of_cell(DdexError.VALUE_MISSING, record, 3, "reference")
        elif reference in defined:
            self._add_of_cell(DdexError.REFERENCE_REPEATED, record, 3, "reference", value=shown_text(reference))
        defined[reference] = record
        return reference

    def _work(self, cells: list[bytes]) -> None:
        block = self._in_block(cells)
        # Before version 2 of the record, a work belongs to the resource above it.
        resource = value_of(cells[16]) or block.last_resource
        block.works.setdefault(resource, []).append(RecordLine(self._line, cells))

    # --- Sales lines -------------------------------------------------------------------------------------------

    def _sale(self, family: bytes, numbers: SalesCells, cells: list[bytes]) -> None:
        block = self._block
        if block is None or block.id != cells[1]:
            block = self._in_block(cells)
        context = self._by_summary.get(cells[numbers.summary - 1])
        references = cells[4], cells[5]
        described = block.described.get(references)
        if context is None or described is None:
            try:
                context = context or self._context_of(cells, numbers)
                described = self._described(block, cells, context)
            except SalesLineError as error:
                if error.code == DdexError.REFERENCE_UNKNOWN and len(block.waiting) < MOST_WAITING:
                    block.waiting.append((family, RecordLine(self._line, cells)))
                else:
                    self._refuse(RecordLine(self._line, cells), context, error)
                return
        self._add_sale(family, (context, described, self._line, cells))

    def _late_sale(self, family: bytes, record: RecordLine, block: Block) -> None:
        """A sales line that came before what it refers to, at the end of its block."""
        context = self._context_of(record.cells, SALES_CELLS[family])
        try:
            described = self._described(block, record.cells, context)
        except SalesLineError as error:
            self._refuse(record, context, error)
        else:
            self._add_sale(family, (context, described, *record))

    def _single_sale(self, family: bytes, numbers: SalesCells, cells: list[bytes]) -> None:
        """A sales line that describes what was sold."""
        record = RecordLine(self._line, cells)
        cells.extend(BLANKS[len(cells) :])
        self._is_after_summaries = True
        context: Context | None = None
        try:
            context = self._context_of(cells, numbers)
            described = self._descriptions.of_single_record(record, context)
        except SalesLineError as error:
            self._refuse(record, context, error)
        else:
            self._add_sale(family, (context, described, *record))

    def _context_of(self, cells: list[bytes], numbers: SalesCells) -> Context:
        summary_id = value_of(cells[numbers.summary - 1])
        context = self._by_summary.get(summary_id)
        if context is None:
            is_other = summary_id in self._other_summaries
            error = DdexError.SUMMARY_WITHOUT_REVENUE if is_other else DdexError.SUMMARY_UNKNOWN
            raise SalesLineError(error, numbers.summary, "summary id", summary_id)
        return context

    def _described(self, block: Block, cells: list[bytes], context: Context) -> bytes:
        release, resource = cells[4], cells[5]
        described = block.described.get((release, resource))
        if described is None:
            described = self._descriptions.of_block(block, value_of(release), value_of(resource), context)
            block.described[release, resource] = described
        return described

    def _add_sale(self, family: bytes, sale: Sale) -> None:
        if family != self._sales_family:
            self._write_sales()
            self._sales_family = family
        self._sales.append(sale)

    def _refuse_sale(self, sale: Sale, error: SalesLineError) -> None:
        context, _, number, cells = sale
        self._refuse(RecordLine(number, cells), context, error)

    def _refuse(self, record: RecordLine, context: Context | None, error: SalesLineError) -> None:
        value = shown_text(error.value) if error.value else None
        self._add_of_cell(error.code, record, error.cell, error.name, value=value, context=context)

    # --- Problems ----------------------------------------------------------------------------------------------

    def _report_of_line(self, code: ErrorCode | WarningCode, column: str | None, value: str, raw: RawCells) -> None:
        self._add(code, self._line, column, value, raw=raw)

    def _warn_of_cell(self, code: WarningCode, record: RecordLine, cell: NamedCell, context: Context) -> None:
        self._add_of_cell(code, record, cell.number, cell.name, value=shown(cell.value), context=context)

    def _add_of_cell(
        self,
        code: ErrorCode | WarningCode,
        record: RecordLine,
        number: int,
        name: str,
        *,
        value: str | None = None,
        context: Context | None = None,
    ) -> None:
        """Add a problem of a cell of a record, or with 0 of the whole record."""
        context_number = None if context is None else self._number_of(context)
        column, raw = record.column(number, name), record.raw(number)
        self._add(code, record.number, column, value, context_number=context_number, raw=raw)

    def _number_of(self, context: Context) -> int | None:
        return None if self._is_single else context.number

    def _add(
        self,
        code: ErrorCode | WarningCode,
        line: int | None,
        column: str | None = None,
        value: str | None = None,
        *,
        context_number: int | None = None,
        raw: RawCells | None = None,
    ) -> None:
        # Problems are in the order of lines.
        self._write_sales()
        self.problems.add(Problem(code, line, column, value, context_number, self._file), raw)


def _allocation(declared: Declared | None, most_shares: int) -> Allocation:
    if declared is None:
        return Allocation(None, "0")
    revenue = None if declared.revenue is None else f"{declared.revenue:f}"
    return Allocation(revenue, f"{declared.usages or 0:f}", most_shares)
