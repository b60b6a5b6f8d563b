"""Where the lines of a delivery are loaded: at once where they belong, or by way of a table for all contexts."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Protocol

from django.conf import settings

from catalogue.lines.staging import MOST_OWN_TABLES, Placement, Rest, StagedLines, UseTypeSums
from catalogue.lines.storage import LineLoad, LineTotals, Repeats
from catalogue.models import SHARED_PARTITION
from catalogue.reports.contexts import DescribedContext
from catalogue.reports.formats.interface import LineReader
from dsrhub.database.statements import rows_of

NO_LINES = LineTotals(0, Decimal(0), Decimal(0), None, 0, 0, 0, 0, 0)


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

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run

    def load(self, reader: LineReader, blocks: Iterator[bytes]) -> None:
        blocks, is_small = _peek(blocks, settings.DSRHUB_SHARED_PARTITION_BYTES)
        if not reader.columns:
            deque(blocks, maxlen=0)
            return
        (number,) = _dsr_numbers(1)
        self._lines = LineLoad(number, temporary=self._dry_run or is_small)
        self._lines.copy(blocks, reader.columns)

    def contexts(self, *, problem_limit: int) -> list[LoadedContext]:
        lines = self._lines
        repeats = lines.repeats(limit=problem_limit)
        return [LoadedContext(lines.dsr_number, lines.partition, lines.totals(), repeats.most_repeats, repeats)]

    def repeated_transactions(self, *, limit: int) -> tuple[int, list[str]]:
        return 0, []  # Its lines have none.

    def store(self) -> None:
        if not self._dry_run:
            self._lines.store()
        self.discard()

    def discard(self) -> None:
        self._lines.discard()


class StagedContexts:
    """The lines of a delivery of several contexts, in any order. Large contexts get tables of their own."""

    def __init__(self, contexts: Sequence[DescribedContext], *, with_repeats: bool, dry_run: bool) -> None:
        self._described = contexts
        self._with_repeats = with_repeats
        self._dry_run = dry_run

    def load(self, reader: LineReader, blocks: Iterator[bytes]) -> None:
        self._lines = StagedLines()
        self._lines.copy(blocks, reader.columns)
        self._results = reader.results

    def contexts(self, *, problem_limit: int) -> list[LoadedContext]:
        rests = [
            Rest(number, result.largest_line, result.rounding_rest)
            for number, result in enumerate(self._results, start=1)
            if result.largest_line is not None and result.rounding_rest
        ]
        if rests:
            self._lines.add(rests)
        totals = self._lines.totals()
        use_types = self._lines.use_types([described.context.use_type for described in self._described])
        repeats = self._lines.repeats(limit=problem_limit) if self._with_repeats else {}
        numbers = _dsr_numbers(len(self._results))
        own = self._own_tables()
        loaded = []
        for context, (number, result) in enumerate(zip(numbers, self._results, strict=True), start=1):
            found = totals.get(context)
            loaded.append(
                LoadedContext(
                    number,
                    number if context in own else SHARED_PARTITION,
                    found.lines if found else NO_LINES,
                    found.most_repeats if found else 1,
                    repeats.get(context),
                    result.unallocated_revenue,
                    found.returns if found else None,
                    found.usages_without_royalty if found else Decimal(0),
                    found.revenue_without_royalty if found else Decimal(0),
                    use_types.get(context, []),
                )
            )
        self._placements = [
            Placement(context, one.dsr_number, one.partition) for context, one in enumerate(loaded, start=1)
        ]
        return loaded

    def repeated_transactions(self, *, limit: int) -> tuple[int, list[str]]:
        return self._lines.repeated_transactions(limit=limit)

    def store(self) -> None:
        if not self._dry_run:
            self._lines.store(self._placements)

    def discard(self) -> None:
        self._lines.discard()

    def _own_tables(self) -> set[int]:
        """The numbers of the contexts whose lines get a table of their own: the largest ones."""
        sizes = [(result.byte_count, number) for number, result in enumerate(self._results, start=1)]
        large = sorted((size for size in sizes if size[0] > settings.DSRHUB_SHARED_PARTITION_BYTES), reverse=True)
        return {number for _, number in large[:MOST_OWN_TABLES]}


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
