"""What a format of reports does. Bytes, gzip and hash, the problem log, numbers and ISRCs are common to all formats."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery
from catalogue.reports.problems import ProblemLog
from catalogue.reports.totals import LastLine


class Preview(NamedTuple):
    """The first lines of a delivery, cell by cell as they were delivered. A line may have more cells than columns."""

    columns: list[str]
    lines: list[list[str]]


class ContextReader(Protocol):
    """The lines of one sales context: the iteration yields blocks of lines that COPY can load as they are.

    A line has the cells of `columns` (columns of UsageLine) separated by tabs, in UTF-8, without control characters;
    quotes are data, a blank is NULL. Numbers and ISRCs are in the forms of `catalogue.reports.cells`. All lines of a
    context have the same line end. Lines with an error are left out and reported; `columns` may then be empty.
    """

    columns: tuple[str, ...]
    # The lines that were not loaded as they were delivered; complete when the iteration has ended.
    rewritten_count: int

    @property
    def last_line(self) -> LastLine | None:
        """The last line, once the iteration has ended. None if it cannot be a totals row."""

    def __iter__(self) -> Iterator[bytes]: ...


class ReportFormat(Protocol):
    """A format of delivered reports. It knows no database."""

    # A short name, in capitals, and the endings of its files without `.gz`.
    name: str
    endings: tuple[str, ...]
    # How its files are named, for people.
    name_pattern: str

    def recognises(self, name: str, head: bytes) -> bool:
        """Whether a file of this name that begins with these (unpacked) bytes has this format."""

    def describe(self, delivery: Delivery) -> Sequence[SalesContext]:
        """The sales contexts of the delivery, one or more, no two of them equal. Each becomes a DSR.

        Raises InvalidReportName where the delivery does not say what it is about, and DamagedDelivery, as the chunks
        do.
        """

    def read(
        self, chunks: Iterator[bytes], contexts: Sequence[SalesContext], problems: ProblemLog
    ) -> Iterator[ContextReader]:
        """A reader of each context, in the order of the contexts. Each is read to its end before the next one.

        Errors and warnings go to `problems`; with several contexts they name the context by its number, from 1.
        Reading ends where `problems.has_too_many_errors`. Raises DamagedDelivery, as the chunks do.
        """

    def preview(self, delivery: Delivery, limit: int) -> Preview:
        """At most `limit` lines; none where the delivery cannot be read."""
