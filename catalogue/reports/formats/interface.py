"""What a format of reports does. Bytes, gzip and hash, the problem log, numbers and ISRCs are common to all formats."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from catalogue.reports.contexts import Contents, MessagePart
from catalogue.reports.delivery import Delivery, Progress
from catalogue.reports.explanations import Explanations
from catalogue.reports.problems import ProblemLog, RawCells
from catalogue.reports.totals import LastLine

# Lines are numbered as in a file with one line of headings.
HEADER_LINE, FIRST_LINE = 1, 2
# How many cells of a line a preview has at most: a line may have a million.
PREVIEW_CELLS = 50


class Preview(NamedTuple):
    """The first lines of a delivery, cell by cell as they were delivered. A line may have more cells than columns."""

    columns: list[str]
    lines: list[list[str]]


class ContextResult(NamedTuple):
    """What a reader found out about a context, known after its last line.

    `byte_count` is the size of its lines, without marks. Where revenue is allocated to lines, `unallocated_revenue` is
    the rest of the declared revenue.
    """

    byte_count: int
    unallocated_revenue: Decimal | None = None


class LineReader(Protocol):
    """The lines of a delivery: the iteration yields blocks of lines that COPY can load as they are.

    A line has the cells of `columns` separated by tabs, in UTF-8, without control characters; quotes are data, a blank
    is NULL. Numbers and ISRCs are in the forms of `catalogue.reports.cells`. All lines have the same line end. Lines
    with an error are left out and reported; `columns` may then be empty.

    The columns are those of UsageLine. Where the contexts have marks (see `ReportFormat.read`), the mark of its context
    leads each line, then comes `line_number`, which counts the lines of each context from 2, and `results` has the
    result of each context when the iteration has ended. Otherwise it is empty, and the lines stand behind one line of
    headings: they are numbered from 2, as in the file.
    """

    columns: tuple[str, ...]

    @property
    def rewritten_count(self) -> int:
        """How many lines were not loaded as they were delivered, once the iteration has ended."""

    @property
    def last_line(self) -> LastLine | None:
        """The last line, once the iteration has ended. None if it cannot be a totals row."""

    @property
    def results(self) -> Sequence[ContextResult]: ...

    def raw_cells(self, line: bytes, column: str | None) -> RawCells:
        """The cells of a delivered line that a problem marks which names this column; without one, the whole line.

        `line` has no line end.
        """

    def __iter__(self) -> Iterator[bytes]: ...


class ReportFormat(Protocol):
    """A format of delivered reports. It knows no database."""

    # A short name, in capitals, and the endings of its files without `.gz`.
    name: str
    endings: tuple[str, ...]
    # How its files are named, for people.
    name_pattern: str
    # Whether a context has one line for each dsp_id: then a second one deserves a look.
    has_a_line_for_each_id: bool
    # What its own codes mean.
    explanations: Explanations

    def recognises(self, name: str, head: bytes) -> bool:
        """Whether a file of this name that begins with these (unpacked) bytes has this format."""

    def message_part(self, delivery: Delivery) -> MessagePart | None:
        """Which file of a message this file is. None where the format has no messages of several files, and where the
        file does not say it: its import tells why.

        It reads only the beginning of the file.
        """

    def describe(
        self, deliveries: Sequence[Delivery], problems: ProblemLog, progress: Progress | None = None
    ) -> Contents | None:
        """What the files of one delivery are about; None where an error in `problems` says why this cannot be said.

        A format that has to read all lines for it calls `progress` with 0 bytes, which may end the work. Raises
        InvalidReportName where a name does not say it, and DamagedDelivery, as the chunks do.
        """

    def read(
        self,
        deliveries: Sequence[Delivery],
        contents: Contents,
        problems: ProblemLog,
        progress: Progress | None,
        marks: Sequence[bytes],
    ) -> LineReader:
        """A reader of the lines of all contexts.

        `marks` are the cells by which the caller knows the lines of each context, not part of `columns`. A delivery of
        one context that is no message has none.

        Errors and warnings go to `problems`; with several contexts they name the context by its number, from 1.
        Reading ends where `problems.has_too_many_errors`. Raises DamagedDelivery, as the chunks do.
        """

    def preview(self, deliveries: Sequence[Delivery], limit: int) -> Preview:
        """At most `limit` lines; none where the delivery cannot be read."""
