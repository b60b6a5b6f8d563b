"""Where the lines of a delivery are loaded: at once where they belong, or by way of a table for all contexts."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Protocol

from django.conf import settings

from catalogue.lines.arriving import Arrival
from catalogue.lines.staging import MOST_OWN_TABLES, StagedLines, StagedTotals, UseTypeSums
from catalogue.lines.storage import LineLoad, LineTotals, Repeats
from catalogue.models import SHARED_PARTITION
from catalogue.reports.contexts import DescribedContext
from catalogue.reports.formats.interface import LineReader
from dsrhub.database.statements import rows_of

NO_LINES = StagedTotals(
    LineTotals(0, Decimal(0), Decimal(0), None, 0, 0, 0, 0, 0, Decimal(0), Decimal(0)),
    1,
    None,
    Decimal(0),
    Decimal(0),
    [],
)
# What is expected of lines, to tell before they are read which contexts may be large: hardly any has more bytes, and
# hardly any delivery more bytes of lines for each of its own, which may be packed.
LINE_BYTES, GROWTH = 400, 20


@dataclass(frozen=True)
class LoadedContext:
    """The lines of a context in the database, under the id of the DSR that they will belong to.

    Only contexts of messages have the fields from `unallocated_revenue` on.
    """

    dsr_number: int
    partition: int
    totals: LineTotals
    most_repeats: int
    repeats: Repeats | None = None
    unallocated_revenue: Decimal | None = None
    returns: int | None = None
    usages_without_royalty: Decimal | None = None
    revenue_without_royalty: Decimal | None = None
    use_types: Sequence[UseTypeSums] = field(default_factory=list)


class Lines(Protocol):
    """The lines of a delivery while it is imported. The methods are called in their order."""

    @property
    def marks(self) -> Sequence[bytes]:
        """Those of the contexts: see `ReportFormat.read`."""

    def load(self, reader: LineReader, blocks: Iterator[bytes]) -> None:
        """Load the blocks of the reader."""

    def contexts(self, *, problem_limit: int) -> list[LoadedContext]:
        """The loaded contexts, in the order of the delivery."""

    def repeated_transactions(self, *, limit: int) -> tuple[int, list[str]]:
        """How many transaction ids more than one line has, and the first of them."""

    def store(self) -> None:
        """Put the lines in their place."""

    def discard(self) -> None:
        """Drop the lines instead: the delivery is there already."""


class DirectLines:
    """The lines of a delivery of one context: they are loaded into the table that will have them, or its like."""

    def __init__(self, arrival: Arrival, *, dry_run: bool) -> None:
        self.marks = ()
        self._arrival = arrival
        self._dry_run = dry_run

    def load(self, reader: LineReader, blocks: Iterator[bytes]) -> None:
        blocks, is_small = _peek(blocks, settings.DSRHUB_SHARED_PARTITION_BYTES)
        if not reader.columns:
            deque(blocks, maxlen=0)
            return
        (number,) = _dsr_numbers(1)
        self._lines = LineLoad(number, temporary=self._dry_run or is_small, arrival=self._arrival)
        self._lines.copy(blocks, reader.columns)

    def contexts(self, *, problem_limit: int) -> list[LoadedContext]:
        lines = self._lines
        repeats = lines.repeats(limit=problem_limit)
        self._totals = lines.totals()
        return [LoadedContext(lines.dsr_number, lines.partition, self._totals, repeats.most_repeats, repeats)]

    def repeated_transactions(self, *, limit: int) -> tuple[int, list[str]]:
        return 0, []  # Its lines have none.

    def store(self) -> None:
        if not self._dry_run:
            self._lines.store()
        self.discard()
        if not self._dry_run:
            self._arrival.complete({(self._lines.dsr_number, self._lines.partition): self._totals.line_count})

    def discard(self) -> None:
        self._lines.discard()


class StagedContexts:
    """The lines of a delivery of several contexts, in any order. Large contexts get tables of their own."""

    def __init__(
        self,
        contexts: Sequence[DescribedContext],
        arrival: Arrival,
        *,
        byte_count: int,
        with_repeats: bool,
        dry_run: bool,
    ) -> None:
        """`byte_count` is the size of the delivery."""
        self._arrival = arrival
        self._with_repeats = with_repeats
        self._dry_run = dry_run
        self._contexts = dict(zip(_dsr_numbers(len(contexts)), contexts, strict=True))
        self._own = set() if dry_run else self._probably_large(byte_count * GROWTH)
        self._lines = StagedLines(self._own, arrival)
        self.marks = [self._lines.mark(number) for number in self._contexts]

    def load(self, reader: LineReader, blocks: Iterator[bytes]) -> None:
        self._lines.copy(blocks, reader.columns)
        self._results = dict(zip(self._contexts, reader.results, strict=True))

    def contexts(self, *, problem_limit: int) -> list[LoadedContext]:
        totals = self._lines.totals({number: one.context.use_type for number, one in self._contexts.items()})
        repeats = self._lines.repeats(limit=problem_limit) if self._with_repeats else {}
        self._own = {number for number in self._own if self._is_large(self._results[number].byte_count)}
        self._loaded = [
            LoadedContext(
                number,
                number if number in self._own else SHARED_PARTITION,
                (found := totals.get(number, NO_LINES)).lines,
                found.most_repeats,
                repeats.get(number),
                result.unallocated_revenue,
                found.returns,
                found.usages_without_royalty,
                found.revenue_without_royalty,
                found.use_types,
            )
            for number, result in self._results.items()
        ]
        return self._loaded

    def repeated_transactions(self, *, limit: int) -> tuple[int, list[str]]:
        return self._lines.repeated_transactions(limit=limit)

    def store(self) -> None:
        if not self._dry_run:
            self._lines.store(self._own)
            self._arrival.complete({(one.dsr_number, one.partition): one.totals.line_count for one in self._loaded})

    def discard(self) -> None:
        self._lines.discard()

    def _probably_large(self, byte_count: int) -> set[int]:
        """The DSRs whose lines get tables of their own, unless they turn out to be small: those with most lines.

        What is not known may be large. `byte_count` is that of all lines.
        """
        most_lines = {number: _most_lines(one) for number, one in self._contexts.items()}
        large = [number for number, count in most_lines.items() if count is None or self._is_large(count * LINE_BYTES)]
        large.sort(key=lambda number: (most_lines[number] is not None, -(most_lines[number] or 0), number))
        return set(large[: min(MOST_OWN_TABLES, byte_count // max(settings.DSRHUB_SHARED_PARTITION_BYTES, 1))])

    def _is_large(self, byte_count: Decimal | int) -> bool:
        return byte_count > settings.DSRHUB_SHARED_PARTITION_BYTES


def _most_lines(described: DescribedContext) -> Decimal | int | None:
    """How many lines a context may have: a DSR hardly has more lines than usages."""
    if described.line_count is not None:
        return described.line_count
    return described.declared.usages if described.declared else None


def _peek(pieces: Iterator[bytes], limit: int) -> tuple[Iterator[bytes], bool]:
    """The same pieces, and whether they are at most `limit` bytes in all."""
    head: list[bytes] = []
    size = 0
    for piece in pieces:
        head.append(piece)
        size += len(piece)
        if size > limit:
            return chain(head, pieces), False
    return iter(head), True


def _dsr_numbers(count: int) -> list[int]:
    numbers = "SELECT nextval(pg_get_serial_sequence('catalogue_dsr', 'id')) FROM generate_series(1, %(count)s)"
    return [number for (number,) in rows_of(numbers, count=count)]
