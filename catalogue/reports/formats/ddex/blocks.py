"""The blocks of a message: the records of one, and the ids of all, to find one that comes back."""

import heapq
import re
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from catalogue.reports.formats.ddex.cells import raw_cells, value_of
from catalogue.reports.problems import RawCells, shown

# The prefix of an id and the number at its end, as most senders count their blocks.
COUNTED = re.compile(rb"(.*?)(0|[1-9][0-9]{0,17})", re.DOTALL)
# Runs are kept in memory up to this number, then sorted and written to a temporary file.
MOST_RUNS = 50_000
NUMBER_BYTES = 8
RUN_BYTES = 4 * NUMBER_BYTES
NOT_COUNTED = b"\0"
COLUMN = re.compile(r"\S* cell ([0-9]+), ")


class RecordLine(NamedTuple):
    """The cells of a record, with the blank ones at its end, and its line."""

    number: int
    cells: list[bytes]

    def cell(self, number: int) -> bytes:
        return self.cells[number - 1]

    def value(self, number: int) -> bytes:
        return value_of(self.cells[number - 1])

    def column(self, number: int, name: str) -> str:
        """How a problem names one of its cells, or with 0 the whole record. See `cell_of_column`."""
        family = shown(self.cells[0].strip()[:4].decode(errors="backslashreplace"))
        return f"{family} cell {number}, {name}" if number else f"{family}, {name}"

    def raw(self, number: int) -> RawCells:
        """One of its cells, or with 0 the whole record, as a problem shows it."""
        return raw_cells(self.cells, number)


def cell_of_column(column: str | None) -> int:
    """The number of the cell that a problem names; 0 for the whole record."""
    match = COLUMN.match(column or "")
    return int(match[1]) if match else 0


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
        # Sales lines that came before what they refer to, with their families.
        self.waiting: list[tuple[bytes, RecordLine]] = []
        self.record_count = 0


class BlockIds:
    """Ids that are counted up, as `B1`, `B2`, ..., are one run. Any other id is a run of its own. Memory does not grow
    with the message.
    """

    def __init__(self, most_runs: int = MOST_RUNS) -> None:
        self._most_runs = most_runs
        self._runs: list[bytes] = []
        self._files: list[BinaryIO] = []
        self._prefix, self._start, self._stop, self._line = b"", 0, -1, 0

    def add(self, block_id: bytes, line: int) -> None:
        """Add the id of the block that begins on a line."""
        match = COUNTED.fullmatch(block_id)
        prefix, number = (match[1], int(match[2])) if match else (block_id + NOT_COUNTED, 0)
        if match and prefix == self._prefix and number == self._stop + 1:
            self._stop = number
            return
        self._end_run()
        self._prefix, self._start, self._stop, self._line = prefix, number, number, line

    def repeated_lines(self) -> list[int]:
        """The lines on which a run begins that has an id of another run; of two runs, the later one."""
        self._end_run()
        lines = []
        last: tuple[bytes, int, int] = b"", -1, -1
        for run in heapq.merge(sorted(self._runs), *map(_runs_of, self._files)):
            prefix, (start, stop, line) = run[:NUMBER_BYTES], _numbers(run[NUMBER_BYTES:])
            if prefix == last[0] and start <= last[1]:
                lines.append(max(line, last[2]))
            last = (prefix, max(stop, last[1]), line) if prefix == last[0] else (prefix, stop, line)
        for file in self._files:
            file.close()
        self._runs, self._files = [], []
        return sorted(lines)

    def _end_run(self) -> None:
        if self._stop < self._start:
            return
        stop, self._stop = self._stop, self._start - 1
        # Big-endian numbers sort as bytes.
        prefix = hash(self._prefix).to_bytes(NUMBER_BYTES, "big", signed=True)
        numbers = (self._start, stop, self._line)
        self._runs.append(prefix + b"".join(number.to_bytes(NUMBER_BYTES, "big") for number in numbers))
        if len(self._runs) >= self._most_runs:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - it is read and closed at the end
            file.write(b"".join(sorted(self._runs)))
            self._files.append(file)
            self._runs = []


def _runs_of(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    return iter(partial(file.read, RUN_BYTES), b"")


def _numbers(packed: bytes) -> tuple[int, int, int]:
    start, stop, line = (
        int.from_bytes(packed[at : at + NUMBER_BYTES], "big") for at in range(0, len(packed), NUMBER_BYTES)
    )
    return start, stop, line
