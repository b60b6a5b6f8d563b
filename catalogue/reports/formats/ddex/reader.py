"""The lines of a message, checked: sales lines with what their block says of the recording or the release."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from catalogue.reports.cells import ISRC, LONGEST_CELL, CellError, id_warning, plain_integer, plain_isrc
from catalogue.reports.contexts import Contents, Declared
from catalogue.reports.delivery import Delivery, Progress
from catalogue.reports.formats.ddex.blocks import BlockIds
from catalogue.reports.formats.ddex.cells import BACKSLASH, PIPE, line_cells, value_of, values_of
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.ddex.lines import BOM, LastLine, UnreadableMessage, is_record, line_blocks
from catalogue.reports.formats.ddex.money import Allocation
from catalogue.reports.formats.ddex.records import (
    ALL_CELLS,
    BILATERAL,
    RELEASES,
    RESOURCES,
    REVENUE_SUMMARIES,
    SALES_CELLS,
    WITH_USAGES,
    WITH_WORK,
    WITHOUT_LINES,
    WORKS,
    SalesCells,
    family_of,
)
from catalogue.reports.formats.interface import ContextResult
from catalogue.reports.problems import CommonError, CommonWarning, ErrorCode, Problem, ProblemLog, WarningCode, shown
from dsrhub.invisible import is_blank

RECORD_TYPE = re.compile(rb"[A-Z]{2}[0-9]{2}(?:\.[0-9]{1,2})?")
# Ctrl-Z ends a file of some old systems.
NOTHING = b" \t\x1a"
CONTROL_CHARACTER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# The same in a block of lines.
CONTROL_CHARACTERS = bytes(code for code in (*range(32), 127) if code not in b"\t\n")
FIRST_LINE = 2
# A longer id, type or reference is refused.
LONGEST_TEXT = 255
LONGEST_USE_TYPE = 100
PLAIN_DIGITS = 18
PLAIN_ISRC = re.compile(ISRC.pattern.encode())
BOOLEANS = {b"true": b"t", b"false": b"f", b"": b""}
# The cells that are read of a record, those missing at its end included: of a single record, and of all others.
SINGLE_RECORD_CELLS, RECORD_CELLS = 43, 17
BLANKS = [b""] * SINGLE_RECORD_CELLS
# The shares in the revenue of all contexts that are remembered.
MOST_SHARES = 100_000
# The records of one block are in memory together.
MOST_IN_BLOCK = 100_000
# A sales line may come before what it refers to, as long as both are in one block.
MOST_WAITING = 10_000
# Files of a message have fewer lines than this, so that one number names a line of any of them.
FILE_LINES = 2**40
# The texts of a recording or a release, in the order of DESCRIPTION.
DESCRIPTION = (
    *("dsp_id", "title", "artists", "isrc", "is_release", "iswc", "composers", "label", "icpn"),
    *("isrcs", "artists_delivered"),
)
SALE = ("context", "line_number", "usages", "revenue", "use_type", "is_royalty_bearing", "returns", "transaction_id")


class RecordLine(NamedTuple):
    """The cells of a record, with the blank ones at its end, and its line."""

    number: int
    cells: list[bytes]

    def cell(self, number: int) -> bytes:
        return self.cells[number - 1]

    def value(self, number: int) -> bytes:
        return value_of(self.cells[number - 1])


class Context:
    """A sales context while its lines are read."""

    def __init__(self, number: int, allocation: Allocation) -> None:
        self.number = number
        self.prefix = b"%d" % number
        self.allocation = allocation
        self.next_line = FIRST_LINE
        self.byte_count = 0

    def result(self) -> ContextResult:
        allocation = self.allocation
        return ContextResult(self.byte_count, allocation.rounding_rest, allocation.largest_line, allocation.unallocated)


class Block:
    """The records of one block that sales lines refer to."""

    def __init__(self, block_id: bytes) -> None:
        self.id = block_id
        self.releases: dict[bytes, RecordLine] = {}
        self.parts: dict[bytes, RecordLine] = {}
        self.resources: dict[bytes, RecordLine] = {}
        self.works: dict[bytes, list[RecordLine]] = {}
        self.last_resource = b""
        # The described recordings and releases, by their references.
        self.described: dict[tuple[bytes, bytes], bytes] = {}
        self.waiting: list[tuple[SalesCells, RecordLine]] = []
        self.record_count = 0


class SalesLineError(Exception):
    """A sales line cannot be read: what is wrong, in which cell, and the value."""

    def __init__(self, code: ErrorCode, cell: int, name: str, value: bytes = b"") -> None:
        super().__init__(code)
        self.code, self.cell, self.name, self.value = code, cell, name, value


class MessageReader:
    """The iteration yields the sales lines of all files in blocks. See LineReader."""

    # A message ends with its own record.
    last_line = None

    columns: tuple[str, ...] = (*SALE, *DESCRIPTION)

    def __init__(
        self, deliveries: Sequence[Delivery], contents: Contents, problems: ProblemLog, progress: Progress | None
    ) -> None:
        self.problems = problems
        self.rewritten_count = 0
        self._deliveries = deliveries
        self._progress = progress
        self._contexts = [
            Context(number, _allocation(described.declared, MOST_SHARES // len(contents.contexts)))
            for number, described in enumerate(contents.contexts, start=1)
        ]
        self._is_single = len(self._contexts) == 1
        self._by_summary = {
            described.declared.summary_id.encode(): context
            for described, context in zip(contents.contexts, self._contexts, strict=True)
            if described.declared is not None
        }
        self._details: dict[tuple[bytes, bytes, bytes], bytes] = {}
        self._block_ids = BlockIds()
        self._skipped: Counter[str] = Counter()
        self._surplus: set[bytes] = set()
        self._lines_before = self._blocks_before = 0
        handlers: dict[bytes, Callable[[bytes], None]] = {
            family: partial(self._single_sale if numbers.is_single_record else self._sale, numbers)
            for family, numbers in SALES_CELLS.items()
        }
        handlers |= dict.fromkeys(RESOURCES, self._resource) | dict.fromkeys(RELEASES, self._release)
        handlers |= dict.fromkeys(WORKS, self._work)
        handlers |= {b"RE02": self._part, b"HEAD": self._head, b"FOOT": self._foot, b"SRFO": self._foot}
        self._handlers = handlers

    @property
    def results(self) -> Sequence[ContextResult]:
        return [context.result() for context in self._contexts]

    def __iter__(self) -> Iterator[bytes]:
        for index, delivery in enumerate(self._deliveries):
            self._begin_file(index, delivery)
            try:
                for lines in line_blocks(delivery.chunks(self._progress)):
                    if self._is_cut_off(lines):
                        self._line += 1
                    else:
                        yield self._rows(lines)
                    if self.problems.has_too_many_errors:
                        self.problems.end_at(self._line)
                        return
                yield self._end_file()
            except UnreadableMessage as error:
                for problem in error.problems:
                    self._add(problem.code, problem.line, problem.column, problem.value)
                return
        self._end_message()

    # --- Files -------------------------------------------------------------------------------------------------

    def _begin_file(self, index: int, delivery: Delivery) -> None:
        self._file = delivery.name if len(self._deliveries) > 1 else None
        self._first_of_file = index * FILE_LINES
        self._line = 0
        self._has_head = self._is_after_summaries = False
        self._summary_count = self._block_count = 0
        self._other_summaries: set[bytes] = set()
        self._foot_line: RecordLine | None = None
        self._block: Block | None = None
        self._out: list[bytes] = []

    def _rows(self, lines: list[bytes]) -> bytes:
        """The sales lines among these lines, as COPY reads them."""
        handlers = self._handlers
        self._out = []
        joined = b"\n".join(lines)
        is_clean = _is_utf8(joined) and len(joined.translate(None, CONTROL_CHARACTERS)) == len(joined)
        for self._line, line in enumerate(lines, start=self._line + 1):  # noqa: B020 - the start is known by then
            if not is_clean and not self._is_clean(line):
                continue
            handler = handlers.get(line[:4])
            if handler is None:
                self._other(line)
            elif self._foot_line is None:
                handler(line)
            else:
                self._add(DdexError.RECORD_AFTER_FOOT, self._line, value=_shown(line[:4]))
        self.rewritten_count += len(self._out)
        return b"".join(self._out)

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
        if not _is_utf8(line):
            self._add(CommonError.NOT_UTF8, self._line, value=_shown(line))
        elif found := CONTROL_CHARACTER.search(line):
            self._add(CommonError.CONTROL_CHARACTER, self._line, value=_shown(line[max(found.start() - 20, 0) :]))
        else:
            return True
        return False

    def _other(self, line: bytes) -> None:
        """A comment, a blank line, a summary, or a record of a type that is not read."""
        if not is_record(line):
            return
        line = line.removeprefix(BOM).lstrip(b" ")
        record_type = line.partition(b"\t")[0].strip()
        family = family_of(record_type)
        if self._foot_line is not None:
            self._add(DdexError.RECORD_AFTER_FOOT, self._line, value=_shown(family))
        elif family in self._handlers:
            self._handlers[family](line)
        elif family.startswith(b"SY"):
            self._summary(line, family)
        elif family[:2] in WITH_USAGES or not RECORD_TYPE.fullmatch(record_type):
            # Neither usages of another profile nor a part of a broken line may be passed over.
            self._add(DdexError.RECORD_NOT_EXPECTED, self._line, value=_shown(record_type))
        else:
            self._without_lines(line, family)

    def _without_lines(self, line: bytes, family: bytes) -> None:
        """A record that describes no sales: it is counted, or belongs to the block."""
        record = self._read(line)
        if family in WITHOUT_LINES:
            self._in_block(record)
        elif family[:2] != BILATERAL:
            self._skipped[_shown(family)] += 1

    def _head(self, line: bytes) -> None:
        if self._has_head:
            self._add(DdexError.RECORD_NOT_EXPECTED, self._line, value="HEAD")
        self._has_head = True

    def _summary(self, line: bytes, family: bytes) -> None:
        self._summary_count += 1
        if self._is_after_summaries:
            self._add(DdexError.SUMMARY_LATE, self._line, value=_shown(family))
        if family.decode(errors="replace") not in REVENUE_SUMMARIES:
            self._other_summaries.add(self._read(line).value(2))

    def _foot(self, line: bytes) -> None:
        self._foot_line = self._read(line)

    def _end_file(self) -> bytes:
        self._out = []
        self._end_block()
        if self._foot_line is None:
            self._add(DdexError.FOOT_MISSING, self._line or None)
        else:
            self._check_foot(self._foot_line)
        self._lines_before += self._line
        self._blocks_before += self._block_count
        return b"".join(self._out)

    def _check_foot(self, foot: RecordLine) -> None:
        """Compare what the last record states with what was read. Senders are often wrong."""
        lines, blocks = self._lines_before + self._line, self._blocks_before + self._block_count
        if family_of(foot.value(1)) == b"SRFO":
            found = {2: ("lines", lines), 3: ("summaries", self._summary_count)}
        else:
            found = {
                2: ("lines of the file", self._line),
                3: ("lines of the message", lines),
                4: ("summaries", self._summary_count),
                5: ("blocks of the file", self._block_count),
                6: ("blocks of the message", blocks),
            }
        for cell, (name, count) in found.items():
            stated = foot.value(cell).decode(errors="backslashreplace")
            # Only the last file states the numbers of the whole message.
            if stated and stated != str(count) and not ("message" in name and self._is_not_last()):
                value = f"{stated} stated, {count} found"
                self._add(DdexWarning.FOOT_DIFFERS, foot.number, f"FOOT cell {cell}, {name}", value)

    def _is_not_last(self) -> bool:
        return self._first_of_file != (len(self._deliveries) - 1) * FILE_LINES

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

    def _in_block(self, record: RecordLine) -> Block:
        """The block of a record, which ends the block before it."""
        block = self._block
        if block is None or block.id != record.cells[1]:
            block = self._begin_block(record)
        if not block.id:
            self._add(DdexError.VALUE_MISSING, record.number, _column(record, 2, "block id"))
        block.record_count += 1
        if block.record_count == MOST_IN_BLOCK:
            raise UnreadableMessage(Problem(DdexError.BLOCK_TOO_LARGE, self._line, value=_shown(block.id)))
        return block

    def _begin_block(self, record: RecordLine) -> Block:
        """A new block, but for one whose id has other spaces around it."""
        block_id = record.cells[1].strip()
        if self._block is not None and self._block.id == block_id:
            return self._block
        self._end_block()
        self._block = Block(block_id)
        self._is_after_summaries = True
        self._block_count += 1
        self._block_ids.add(block_id, self._first_of_file + self._line)
        return self._block

    def _end_block(self) -> None:
        if self._block is None:
            return
        waiting, self._block.waiting = self._block.waiting, []
        for numbers, record in waiting:
            self._late_sale(numbers, record, self._block)

    def _read(self, line: bytes) -> RecordLine:
        return RecordLine(self._line, self._cells(line))

    def _cells(self, line: bytes) -> list[bytes]:
        """The cells of a line, with all that are read."""
        cells = line_cells(line) if BACKSLASH in line else line.split(b"\t")
        full = ALL_CELLS.get(cells[0], 0)
        if full and len(cells) > full and cells[0] not in self._surplus and any(map(bytes.strip, cells[full:])):
            self._surplus.add(cells[0])
            surplus = next(cell for cell in cells[full:] if cell.strip())
            self._add(DdexWarning.CELLS_SURPLUS, self._line, _shown(cells[0]), _shown(surplus))
        if len(cells) < RECORD_CELLS:
            cells += BLANKS[len(cells) : RECORD_CELLS]
        return cells

    def _resource(self, line: bytes) -> None:
        record = self._read(line)
        block = self._in_block(record)
        reference = record.value(3)
        self._define(block.resources, reference, record)
        block.last_resource = reference

    def _release(self, line: bytes) -> None:
        record = self._read(line)
        self._define(self._in_block(record).releases, record.value(3), record)

    def _part(self, line: bytes) -> None:
        record = self._read(line)
        self._define(self._in_block(record).parts, record.value(3), record)

    def _define(self, defined: dict[bytes, RecordLine], reference: bytes, record: RecordLine) -> None:
        if not reference:
            self._add(DdexError.VALUE_MISSING, record.number, _column(record, 3, "reference"))
        elif reference in defined:
            self._add(DdexError.REFERENCE_REPEATED, record.number, _column(record, 3, "reference"), _shown(reference))
        defined[reference] = record

    def _work(self, line: bytes) -> None:
        record = self._read(line)
        block = self._in_block(record)
        # Before version 2 of the record, a work belongs to the resource above it.
        block.works.setdefault(record.value(17) or block.last_resource, []).append(record)

    # --- Sales lines -------------------------------------------------------------------------------------------

    def _sale(self, numbers: SalesCells, line: bytes) -> None:
        cells = self._cells(line)
        block = self._block
        if block is None or block.id != cells[1]:
            block = self._in_block(RecordLine(self._line, cells))
        context: Context | None = None
        try:
            context = self._by_summary.get(cells[numbers.summary - 1]) or self._context_of(cells, numbers)
            described = block.described.get((cells[4], cells[5])) or self._of_block(cells, block, context)
            self._emit(cells, numbers, context, described)
        except SalesLineError as error:
            if error.code == DdexError.REFERENCE_UNKNOWN and len(block.waiting) < MOST_WAITING:
                block.waiting.append((numbers, RecordLine(self._line, cells)))
            else:
                self._refuse(RecordLine(self._line, cells), context, error)

    def _late_sale(self, numbers: SalesCells, record: RecordLine, block: Block) -> None:
        """A sales line that came before what it refers to, at the end of its block."""
        context = self._context_of(record.cells, numbers)
        try:
            self._emit(record.cells, numbers, context, self._of_block(record.cells, block, context))
        except SalesLineError as error:
            self._refuse(record, context, error)

    def _single_sale(self, numbers: SalesCells, line: bytes) -> None:
        """A sales line that describes what was sold."""
        record = self._read(line)
        record.cells.extend(BLANKS[len(record.cells) :])
        self._is_after_summaries = True
        context: Context | None = None
        try:
            context = self._context_of(record.cells, numbers)
            self._emit(record.cells, numbers, context, self._of_single_record(record, context))
        except SalesLineError as error:
            self._refuse(record, context, error)

    def _refuse(self, record: RecordLine, context: Context | None, error: SalesLineError) -> None:
        value = _shown(error.value) if error.value else None
        number = None if context is None else self._number_of(context)
        self._add(error.code, record.number, _column(record, error.cell, error.name), value, number)

    def _context_of(self, cells: list[bytes], numbers: SalesCells) -> Context:
        summary_id = value_of(cells[numbers.summary - 1])
        context = self._by_summary.get(summary_id)
        if context is None:
            is_other = summary_id in self._other_summaries
            error = DdexError.SUMMARY_WITHOUT_REVENUE if is_other else DdexError.SUMMARY_UNKNOWN
            raise SalesLineError(error, numbers.summary, "summary id", summary_id)
        return context

    def _emit(self, cells: list[bytes], numbers: SalesCells, context: Context, described: bytes) -> None:
        cell = cells[numbers.usages - 1]
        usages = int(cell) if cell.isdigit() and len(cell) <= PLAIN_DIGITS else _usages(cell, numbers.usages)
        # What may be wrong with the line is found before its usages are added.
        details = self._details_of(
            cells[numbers.use_type - 1],
            cells[numbers.royalty_bearing - 1],
            cells[numbers.returns - 1] if numbers.returns else b"",
            numbers,
        )
        transaction_id = value_of(cells[numbers.transaction_id - 1])
        if len(transaction_id) > LONGEST_TEXT:
            raise SalesLineError(CommonError.CELL_TOO_LONG, numbers.transaction_id, "transaction id", transaction_id)
        line_number = context.next_line
        try:
            revenue = context.allocation.add(line_number, usages)
        except CellError as error:
            raise SalesLineError(error.code, numbers.usages, "usages", cell) from error
        number_and_usages = b"%d\t%d" % (line_number, usages)
        row = b"\t".join((context.prefix, number_and_usages, revenue, details, transaction_id, described))
        context.next_line = line_number + 1
        context.byte_count += len(row)
        self._out.append(row)

    def _details_of(self, use_type: bytes, bearing: bytes, returns: bytes, numbers: SalesCells) -> bytes:
        """The columns of these cells. Nearly all lines have one of a few combinations of them."""
        key = use_type, bearing, returns
        found = self._details.get(key)
        if found is None:
            value = value_of(use_type)
            if len(value) > LONGEST_USE_TYPE:
                raise SalesLineError(CommonError.CELL_TOO_LONG, numbers.use_type, "use type", value)
            columns = value, _boolean(bearing, numbers.royalty_bearing), _returns(returns, numbers.returns)
            found = b"\t".join(columns)
            if len(self._details) < MOST_WAITING:
                self._details[key] = found
        return found

    # --- What was used -----------------------------------------------------------------------------------------

    def _of_block(self, cells: list[bytes], block: Block, context: Context) -> bytes:
        """The description of what a sales line refers to: a resource, or a release that is used as a whole."""
        release, resource = cells[4], cells[5]
        described = self._describe(block, value_of(release), value_of(resource), context)
        block.described[release, resource] = described
        return described

    def _describe(self, block: Block, release: bytes, resource: bytes, context: Context) -> bytes:
        if not (release or resource):
            raise SalesLineError(DdexError.REFERENCE_MISSING, 6, "resource reference")
        part = None if resource else block.parts.get(release)
        if part is not None:
            resources = values_of(part.cell(6))
            if len(resources) == 1:
                resource = resources[0]
        if resource:
            found = block.resources.get(resource)
            if found is None:
                raise SalesLineError(DdexError.REFERENCE_UNKNOWN, 6, "resource reference", resource)
            return self._resource_row(block, resource, found, context)
        whole = part or block.releases.get(release)
        if whole is None:
            raise SalesLineError(DdexError.REFERENCE_UNKNOWN, 5, "release reference", release)
        return self._release_row(block, whole, context)

    def _resource_row(self, block: Block, reference: bytes, record: RecordLine, context: Context) -> bytes:
        release = next(iter(block.releases.values())) if len(block.releases) == 1 else None
        iswc = composers = b""
        if family_of(record.cells[0].strip()) in WITH_WORK:
            iswc, composers = record.value(12), _names(record.cell(13))
        for work in block.works.get(reference, ()):
            iswc, composers = iswc or work.value(4), composers or _names(work.cell(7))
        return self._row(
            context,
            record,
            dsp_id=4,
            isrcs=record.cell(5),
            title=record.value(6),
            artists=record.cell(8),
            iswc=iswc,
            composers=composers,
            label=release.value(13) if release else b"",
            icpn=release.value(7) if release else b"",
        )

    def _release_row(self, block: Block, record: RecordLine, context: Context) -> bytes:
        releases = list(block.releases.values())
        about = record if record in releases else (releases[0] if len(releases) == 1 else None)
        return self._row(
            context,
            record,
            dsp_id=4,
            is_release=True,
            title=about.value(10) if about else b"",
            artists=about.cell(8) if about else b"",
            label=about.value(13) if about else b"",
            icpn=about.value(7) if about else b"",
        )

    def _of_single_record(self, record: RecordLine, context: Context) -> bytes:
        if record.value(3):
            return self._row(
                context,
                record,
                dsp_id=3,
                isrcs=record.cell(4),
                title=record.value(5),
                artists=record.cell(7),
                iswc=record.value(12),
                composers=_names(record.cell(13)),
                label=record.value(30),
                icpn=record.value(24),
            )
        return self._row(
            context,
            record,
            dsp_id=21,
            is_release=True,
            title=record.value(27),
            artists=record.cell(25),
            label=record.value(30),
            icpn=record.value(24),
        )

    def _row(
        self,
        context: Context,
        record: RecordLine,
        *,
        dsp_id: int,
        title: bytes,
        artists: bytes,
        label: bytes,
        icpn: bytes,
        isrcs: bytes = b"",
        iswc: bytes = b"",
        composers: bytes = b"",
        is_release: bool = False,
    ) -> bytes:
        """The columns of DESCRIPTION, with the line end."""
        key = self._id(record, dsp_id, context)
        isrc, all_isrcs = self._isrcs(record, isrcs, context)
        # A display artist is one text, in which `|` would separate artists.
        delivered = value_of(artists)
        joined = _one_text(delivered)
        cells = (
            *(key, title, joined, isrc, b"t" if is_release else b"f", iswc, composers),
            *(label, icpn, all_isrcs, delivered if delivered != joined else b""),
        )
        row = b"\t".join(cells) + b"\n"
        for name, cell in zip(DESCRIPTION, cells, strict=True) if len(row) > LONGEST_CELL else ():
            if len(cell) > LONGEST_CELL:
                raise SalesLineError(CommonError.CELL_TOO_LONG, 0, f"{name}, on line {record.number}", cell)
        return row

    def _id(self, record: RecordLine, number: int, context: Context) -> bytes:
        """The id of a recording or a release, byte for byte as delivered."""
        key = record.value(number)
        text = key.decode()
        if is_blank(text):
            raise SalesLineError(DdexError.DSP_ID_MISSING, number, f"dsp_id, on line {record.number}", key)
        warning = id_warning(text)
        if warning is not None:
            column = _column(record, number, "dsp_id")
            self._add(warning, record.number, column, shown(text), self._number_of(context))
        return key

    def _isrcs(self, record: RecordLine, cell: bytes, context: Context) -> tuple[bytes, bytes]:
        """The first well-formed ISRC of a cell, or else its first value, and all of them where it has several."""
        if not cell or PLAIN_ISRC.fullmatch(cell):
            return cell, b""
        values = [plain_isrc(value.decode()) for value in values_of(cell)]
        if not values:
            return b"", b""
        valid = [isrc for isrc in values if ISRC.fullmatch(isrc)]
        column = _column(record, 4 if record.cells[0].startswith(b"SR") else 5, "isrc")
        number = self._number_of(context)
        for isrc in values:
            if isrc not in valid:
                self._add(CommonWarning.ISRC_INVALID, record.number, column, shown(isrc), number)
        if len(values) > 1:
            self._add(DdexWarning.ISRC_REPEATED, record.number, column, shown("|".join(values)), number)
        first = (valid or [values_of(cell)[0].decode()])[0]
        return first.encode(), "|".join(values).encode() if len(values) > 1 else b""

    # --- Problems ----------------------------------------------------------------------------------------------

    def _number_of(self, context: Context) -> int | None:
        return None if self._is_single else context.number

    def _add(
        self,
        code: ErrorCode | WarningCode,
        line: int | None,
        column: str | None = None,
        value: str | None = None,
        context_number: int | None = None,
    ) -> None:
        self.problems.add(Problem(code, line, column, value, context_number, self._file))


def _allocation(declared: Declared | None, most_shares: int) -> Allocation:
    if declared is None:
        return Allocation(None, "0")
    revenue = None if declared.revenue is None else f"{declared.revenue:f}"
    return Allocation(revenue, f"{declared.usages or 0:f}", most_shares)


def _usages(cell: bytes, number: int) -> int:
    text = value_of(cell)
    if not text:
        raise SalesLineError(DdexError.USAGES_MISSING, number, "usages")
    try:
        return int(plain_integer(text.decode()))
    except CellError as error:
        code = DdexError.USAGES_NOT_WHOLE if error.code == CommonError.NOT_AN_INTEGER else error.code
        raise SalesLineError(code, number, "usages", text) from error


def _returns(cell: bytes, number: int) -> bytes:
    text = value_of(cell)
    if not text:
        return b""
    try:
        returns = plain_integer(text.decode())
    except CellError as error:
        raise SalesLineError(error.code, number, "returns", text) from error
    if returns.startswith("-"):
        raise SalesLineError(DdexError.RETURNS_NEGATIVE, number, "returns", text)
    return returns.encode()


def _boolean(cell: bytes, number: int) -> bytes:
    text = value_of(cell)
    found = BOOLEANS.get(text.lower())
    if found is None:
        raise SalesLineError(DdexError.NOT_A_BOOLEAN, number, "royalty bearing", text)
    return found


def _column(record: RecordLine, cell: int, name: str) -> str:
    family = _shown(record.cells[0].strip()[:4])
    return f"{family} cell {cell}, {name}" if cell else f"{family}, {name}"


def _names(cell: bytes) -> bytes:
    """The names in a cell, separated by `|`."""
    if PIPE not in cell:
        return _one_text(value_of(cell))
    return b"|".join(filter(None, map(_one_text, values_of(cell))))


def _one_text(name: bytes) -> bytes:
    """A name without the character that separates names."""
    return b" / ".join(part for part in map(bytes.strip, name.split(b"|")) if part) if PIPE in name else name


def _shown(text: bytes) -> str:
    return shown(text[:1000].decode(errors="backslashreplace"))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
