"""The physical lines of a file, in blocks, with their numbers; and which of them cannot be stored."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from catalogue.reports.cells import fault_in_utf8
from catalogue.reports.problems import CommonError, Problem, RawCells

# A record may name thousands of resources. Without a bound, a file without line ends would be held in memory whole.
LONGEST_LINE = 4 * 1024 * 1024
# Ctrl-Z ends a file of some old systems.
NOTHING = b" \t\x1a"
CONTROL_CHARACTER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# The same in a block of lines.
CONTROL_CHARACTERS = bytes(code for code in (*range(32), 127) if code not in b"\t\n")


class UnreadableMessage(Exception):
    """The file cannot be read any further: its first problem says why."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*(problem.code for problem in problems))
        self.problems = problems


class LastLine(list[bytes]):
    """A block of one line, which has no line end: the last one of a file, or a part of a line where it is cut off."""


def line_blocks(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of each chunk, without line ends. Raises UnreadableMessage for a line that is too long."""
    rest = b""
    number = 0
    is_first = True
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            if is_first:
                lines[0] = lines[0].removeprefix(BOM_UTF8)
                is_first = False
            if b"\r" in chunk or lines[0].endswith(b"\r"):
                lines = [line.removesuffix(b"\r") for line in lines]
            number += len(lines)
            yield lines
        if len(rest) > LONGEST_LINE:
            raise UnreadableMessage(Problem(CommonError.LINE_TOO_LONG, number + 1, excerpt=RawCells(rest).excerpt()))
    if rest:
        yield LastLine([(rest.removeprefix(BOM_UTF8) if is_first else rest).removesuffix(b"\r")])


def is_record(line: bytes) -> bool:
    """Whether a line is more than a comment or blank."""
    return not line.startswith(b"#") and bool(line.strip())


class LineFault(NamedTuple):
    """Why a line cannot be stored, with the text around the fault and its cell."""

    code: CommonError
    text: bytes
    raw: RawCells


def are_clean(lines: bytes) -> bool:
    """Whether all of these lines can be stored. False also for a line of NOTHING that has a control character."""
    return fault_in_utf8(lines) is None and len(lines.translate(None, CONTROL_CHARACTERS)) == len(lines)


def line_fault(line: bytes) -> LineFault | None:
    """The first fault of a line."""
    if (at := fault_in_utf8(line)) is not None:
        return LineFault(CommonError.NOT_UTF8, line, raw_at(line, at))
    if found := CONTROL_CHARACTER.search(line):
        at = found.start()
        return LineFault(CommonError.CONTROL_CHARACTER, line[max(at - 20, 0) :], raw_at(line, at))
    return None


def raw_at(line: bytes, position: int) -> RawCells:
    """The cell of a line that has the byte at a position."""
    number = line.count(b"\t", 0, position)
    return RawCells(line, slice(number, number + 1))
