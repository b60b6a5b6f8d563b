"""Text cut into blocks of whole lines. Knows no Django."""

import re
from collections.abc import Iterable, Iterator

from dsrhub.texts.invisible import INVISIBLE_CHARACTERS

# The end of a text in DOS, which its `copy` still writes.
CTRL_Z = b"\x1a"
BLANKS = f"\n\r {CTRL_Z.decode()}{INVISIBLE_CHARACTERS}"
# All rows of a sheet of Excel, 1,048,576, with six blank cells each.
LONGEST_BLANK_END = 8 * 1024 * 1024


def line_blocks(chunks: Iterable[bytes], longest_line: int, separators: str = "\t") -> Iterator[bytes]:
    """The same bytes cut behind line ends, without the blank lines and the Ctrl-Z at the end.

    A line of `separators` and spaces alone is blank.

    The last line end is added where it is missing. A line of more than `longest_line` bytes is a block of its own,
    without its end, and ends the iteration. More than LONGEST_BLANK_END bytes of blank lines are kept: they would have
    to be held in memory until the next line that is not blank, or the end.
    """
    blank_line = re.compile(f"[{separators}{BLANKS}]*+")
    blank = b""
    for block in _whole_lines(chunks, longest_line):
        stop = _blank_end(block, blank_line)
        if stop:
            if blank:
                yield blank
            yield block[:stop]
            blank = block[stop:]
        else:
            blank += block
        if len(blank) > LONGEST_BLANK_END:
            yield blank
            blank = b""


def _whole_lines(chunks: Iterable[bytes], longest_line: int) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield rest + chunk[:cut]
            rest = chunk[cut:]
        else:
            rest += chunk
        if len(rest) > longest_line:
            yield rest
            return
    rest = rest.rstrip(CTRL_Z)
    if rest:
        yield rest + b"\n"


def _blank_end(block: bytes, blank_line: re.Pattern[str]) -> int:
    """Where the blank lines at the end of a block begin."""
    stop = len(block)
    while stop:
        start = block.rfind(b"\n", 0, stop - 1) + 1
        if not blank_line.fullmatch(block[start:stop].decode(errors="replace")):
            break
        stop = start
    return stop
