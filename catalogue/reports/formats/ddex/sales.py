"""Sales lines with a known context and description: their other cells are checked, and they become lines for COPY."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from operator import itemgetter

from catalogue.reports.cells import CellError, plain_integer
from catalogue.reports.formats.ddex.cells import BACKSLASH_MARK, PIPE_MARK, value_of
from catalogue.reports.formats.ddex.codes import DdexError
from catalogue.reports.formats.ddex.money import Allocation, Share
from catalogue.reports.formats.ddex.records import SalesCells
from catalogue.reports.formats.interface import FIRST_LINE, ContextResult
from catalogue.reports.problems import CommonError, ErrorCode

# A longer id, type or reference is refused.
LONGEST_TEXT = 255
LONGEST_USE_TYPE = 100
PLAIN_DIGITS = 18
BOOLEANS = {b"true": b"t", b"false": b"f", b"": b""}
MOST_DETAILS = 10_000
BLANK, HASH = b" #"

COLUMNS = ("line_number", "usages", "revenue", "use_type", "is_royalty_bearing", "returns", "transaction_id")


class Context:
    """A sales context while its lines are read. The line with most usages so far is kept back: it gets the rest."""

    def __init__(self, number: int, mark: bytes, allocation: Allocation) -> None:
        self.number = number
        self.allocation = allocation
        self.next_line = FIRST_LINE
        self.byte_count = 0
        # After the mark: the line number, the usages, the revenue, and the other cells.
        self._line = mark + b"\t%d\t%d\t%b\t%b"
        self._mark_length = len(mark)
        self._largest: tuple[int, int, Share, bytes] | None = None

    def add(self, usages: Sequence[int], shares: Sequence[Share], others: Sequence[bytes]) -> bytes:
        """The next lines, with one that was kept back if another is larger."""
        first, self.next_line = self.next_line, self.next_line + len(usages)
        self.allocation.add(usages, shares)
        revenues = (revenue for _, revenue in shares)
        lines = [self._line % cells for cells in zip(count(first), usages, revenues, others)]
        most = max(usages)
        if self._largest is None or most > self._largest[1]:
            at, kept = usages.index(most), self._largest
            self._largest = first + at, most, shares[at], others[at]
            if kept is None:
                del lines[at]
            else:
                lines[at] = self._line % (*kept[:2], kept[2][1], kept[3])
        return self._counted(lines)

    def last(self) -> bytes:
        """The line that was kept back to the end; none if there are no lines."""
        if self._largest is None:
            return b""
        line, usages, share, others = self._largest
        return self._counted([self._line % (line, usages, self.allocation.with_rest(share), others)])

    def _counted(self, lines: Sequence[bytes]) -> bytes:
        joined = b"".join(lines)
        self.byte_count += len(joined) - self._mark_length * len(lines)
        return joined

    def result(self) -> ContextResult:
        return ContextResult(self.byte_count, self.allocation.unallocated)


class SalesLineError(Exception):
    """A sales line cannot be read: what is wrong, in which cell, and the value."""

    def __init__(self, code: ErrorCode, cell: int, name: str, value: bytes = b"") -> None:
        super().__init__(code)
        self.code, self.cell, self.name, self.value = code, cell, name, value


# A sales line: its context, the description of what was used, its number in the file, and its cells. Without names, as
# there are hundreds of millions.
Sale = tuple[Context, bytes, int, list[bytes]]


class SalesWriter:
    """Sales lines of one record family become lines for COPY, many at a time: each step is one for all lines.

    `refuse` is called for each line that is wrong, in their order.
    """

    def __init__(self, numbers: SalesCells, refuse: Callable[[Sale, SalesLineError], None]) -> None:
        self._numbers = numbers
        self._refuse = refuse
        # A line without a cell for returns has another one in its place, which is not looked at.
        cells = (
            numbers.usages,
            numbers.transaction_id,
            numbers.use_type,
            numbers.royalty_bearing,
            numbers.returns or 1,
        )
        self._cells = itemgetter(*(number - 1 for number in cells))
        self._details: dict[tuple[bytes, bytes, bytes], bytes] = {}

    def lines(self, sales: Sequence[Sale]) -> bytes:
        """The lines of each context, in their order."""
        if not sales:
            return b""
        try:
            return self._lines(sales)
        except SalesLineError as error:
            if len(sales) == 1:
                self._refuse(sales[0], error)
                return b""
        # One of them is wrong.
        return b"".join(self.lines([sale]) for sale in sales)

    def _lines(self, sales: Sequence[Sale]) -> bytes:
        """Raises SalesLineError, and then has changed nothing."""
        contexts, descriptions, _, cells = zip(*sales, strict=True)
        usage_cells, ids, use_types, bearings, returns = zip(*map(self._cells, cells), strict=True)
        all_usages = self._usages(usage_cells)
        details = self._details_of(use_types, bearings, returns if self._numbers.returns else [b""] * len(sales))
        others = map(b"\t".join, zip(details, self._transaction_ids(ids), descriptions, strict=True))
        by_context: dict[Context, tuple[list[int], list[bytes]]] = {}
        for context, usages, rest in zip(contexts, all_usages, others, strict=True):
            of_context = by_context.get(context) or by_context.setdefault(context, ([], []))
            of_context[0].append(usages)
            of_context[1].append(rest)
        shares = {context: self._shares(context, usages, usage_cells) for context, (usages, _) in by_context.items()}
        return b"".join(
            context.add(usages, shares[context], others) for context, (usages, others) in by_context.items()
        )

    def _shares(self, context: Context, usages: Sequence[int], cells: Sequence[bytes]) -> list[Share]:
        try:
            return context.allocation.shares(usages)
        except CellError as error:
            raise SalesLineError(error.code, self._numbers.usages, "usages", cells[0]) from error

    def _usages(self, cells: Iterable[bytes]) -> list[int]:
        number = self._numbers.usages
        return [
            int(cell) if cell.isdigit() and len(cell) <= PLAIN_DIGITS else usages_of(cell, number) for cell in cells
        ]

    def _transaction_ids(self, cells: Sequence[bytes]) -> Sequence[bytes]:
        joined = b"".join(cells)
        is_plain = not any(mark in joined for mark in (BLANK, HASH, BACKSLASH_MARK, PIPE_MARK))
        ids = cells if is_plain else [value_of(cell) for cell in cells]
        longest = max(ids, key=len)
        if len(longest) > LONGEST_TEXT:
            raise SalesLineError(CommonError.CELL_TOO_LONG, self._numbers.transaction_id, "transaction id", longest)
        return ids

    def _details_of(
        self, use_types: Iterable[bytes], bearings: Iterable[bytes], returns: Iterable[bytes]
    ) -> list[bytes]:
        """The columns of these cells. Nearly all lines have one of a few combinations of them."""
        known = self._details
        all_cells = zip(use_types, bearings, returns, strict=True)
        return [known.get(cells) or self._new_details(cells) for cells in all_cells]

    def _new_details(self, cells: tuple[bytes, bytes, bytes]) -> bytes:
        use_type, bearing, returns = cells
        numbers = self._numbers
        value = value_of(use_type)
        if len(value) > LONGEST_USE_TYPE:
            raise SalesLineError(CommonError.CELL_TOO_LONG, numbers.use_type, "use type", value)
        columns = value, boolean_of(bearing, numbers.royalty_bearing), returns_of(returns, numbers.returns)
        found = b"\t".join(columns)
        if len(self._details) < MOST_DETAILS:
            self._details[cells] = found
        return found


def usages_of(cell: bytes, number: int) -> int:
    text = value_of(cell)
    if not text:
        raise SalesLineError(DdexError.USAGES_MISSING, number, "usages")
    try:
        return int(plain_integer(text.decode()))
    except CellError as error:
        code = DdexError.USAGES_NOT_WHOLE if error.code == CommonError.NOT_AN_INTEGER else error.code
        raise SalesLineError(code, number, "usages", text) from error


def returns_of(cell: bytes, number: int) -> bytes:
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


def boolean_of(cell: bytes, number: int) -> bytes:
    text = value_of(cell)
    found = BOOLEANS.get(text.lower())
    if found is None:
        raise SalesLineError(DdexError.NOT_A_BOOLEAN, number, "royalty bearing", text)
    return found
