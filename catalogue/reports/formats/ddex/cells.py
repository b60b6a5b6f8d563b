"""Lines of a DDEX file split into cells, and cells into values.

Senders escape in different ways. One rule, from left to right, reads all of them: three backslashes, or two, are a
backslash; two or one before `|` are a literal `|`; one before a tab is a literal tab, which is read as a space. A
backslash before anything else is itself. Escapes are resolved after a cell is split at `|`.
"""

import re
from collections.abc import Sequence

from catalogue.reports.formats.ddex.records import ALL_CELLS, LAST_MANDATORY, family_of
from catalogue.reports.problems import RawCells, shown

# Control characters never come in a valid line, so two of them can mark escaped characters while a line is split.
ESCAPED_BACKSLASH, ESCAPED_PIPE = b"\x02", b"\x03"
ESCAPE = re.compile(rb"\\\\\\|\\\\?\||\\\t|\\\\")
ESCAPE_BUT_TAB = re.compile(rb"\\\\\\|\\\\?\||\\\\")
UNKNOWN = b"#unknown#"
# A byte is found ten times as fast by its number.
BACKSLASH, PIPE = ord("\\"), ord("|")
BACKSLASH_MARK, PIPE_MARK = ord(ESCAPED_BACKSLASH), ord(ESCAPED_PIPE)


def line_cells(line: bytes) -> list[bytes]:
    """The cells of a line, with marks in place of escapes: see `value_of`."""
    if BACKSLASH not in line:
        return line.split(b"\t")
    cells = ESCAPE.sub(_mark, line).split(b"\t")
    if b"\\\t" not in line:
        return cells
    # A title may end in a backslash: then too few cells are left.
    others = ESCAPE_BUT_TAB.sub(_mark, line).split(b"\t")
    record_type = cells[0].strip()
    is_short = len(cells) < LAST_MANDATORY.get(family_of(record_type), 0)
    return others if is_short or len(others) == ALL_CELLS.get(record_type) else cells


def _mark(match: re.Match[bytes]) -> bytes:
    escape = match[0]
    if escape.endswith(b"|"):
        return ESCAPED_PIPE
    return b" " if escape.endswith(b"\t") else ESCAPED_BACKSLASH


def value_of(cell: bytes) -> bytes:
    """The text of a cell with one value: blank where the sender does not know it. An unescaped `|` is text, too."""
    if not cell:
        return cell
    text = cell.strip()
    if text == UNKNOWN:
        return b""
    if BACKSLASH_MARK in text or PIPE_MARK in text:
        return text.replace(ESCAPED_BACKSLASH, b"\\").replace(ESCAPED_PIPE, b"|")
    return text


def raw_cells(cells: Sequence[bytes], number: int) -> RawCells:
    """A cell of a line, or with 0 all of its cells, as it was delivered. Blank cells at its end are left out.

    All spellings of an escape look the same.
    """
    line = b"\t".join(cells).rstrip(b"\t").replace(ESCAPED_BACKSLASH, b"\\\\").replace(ESCAPED_PIPE, b"\\|")
    return RawCells(line, slice(number - 1, number) if number else slice(None))


def shown_text(text: bytes) -> str:
    """A text as the value of a problem. More bytes than these have more characters than are shown."""
    return shown(text[:1000].decode(errors="backslashreplace"))


def values_of(cell: bytes) -> list[bytes]:
    """The values of a cell that may have several, without blank ones."""
    return [value for value in map(value_of, cell.split(b"|")) if value]
