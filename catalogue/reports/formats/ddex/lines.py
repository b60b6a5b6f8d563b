"""The physical lines of a file, in blocks, with their numbers."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

from catalogue.reports.problems import CommonError, Problem, RawCells

# A record may name thousands of resources. Without a bound, a file without line ends would be held in memory whole.
LONGEST_LINE = 4 * 1024 * 1024


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
