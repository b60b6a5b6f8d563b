"""The last record of a file, which states how much the file and its message have."""

from collections.abc import Iterator
from typing import NamedTuple

from catalogue.reports.formats.ddex.blocks import RecordLine
from catalogue.reports.formats.ddex.records import family_of


class Difference(NamedTuple):
    """A cell of the last record, what it states, and what was found."""

    cell: int
    name: str
    stated: str
    found: int


class Counts:
    """How much a message has so far. `summaries` and `blocks` are those of the present file."""

    def __init__(self) -> None:
        self.summaries = self.blocks = 0
        self._lines_before = self._blocks_before = 0

    def end_file(self, line_count: int) -> None:
        self._lines_before += line_count
        self._blocks_before += self.blocks
        self.summaries = self.blocks = 0

    def differences(self, foot: RecordLine, line_count: int, *, is_last_file: bool) -> Iterator[Difference]:
        """What the last record of a file of `line_count` lines states, where it differs from what was found.

        Only the last file states the numbers of the whole message.
        """
        lines, blocks = self._lines_before + line_count, self._blocks_before + self.blocks
        if family_of(foot.value(1)) == b"SRFO":
            counts = {2: ("lines", lines), 3: ("summaries", self.summaries)}
        else:
            counts = {
                2: ("lines of the file", line_count),
                3: ("lines of the message", lines),
                4: ("summaries", self.summaries),
                5: ("blocks of the file", self.blocks),
                6: ("blocks of the message", blocks),
            }
        for cell, (name, count) in counts.items():
            stated = foot.value(cell).decode(errors="backslashreplace")
            if stated and stated != str(count) and (is_last_file or "message" not in name):
                yield Difference(cell, name, stated, count)
