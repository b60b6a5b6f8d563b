"""The headings of a file of columns: how they are read, and what is wrong with them as a whole. Knows no Django."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "vertical bars"}
# What looks like a space.
SPACES = " \xa0\u3000"
# So many headings are no coincidence.
ENOUGH = 2


class HeadingFault(NamedTuple):
    """What is wrong with a header line as a whole: a stable code, and a sentence for people."""

    code: str
    advice: str


def plain_headings(cells: Sequence[str]) -> tuple[str, ...]:
    """The headings without outer spaces, in small letters."""
    return tuple(cell.strip(SPACES).lower() for cell in cells)


def heading_fault(cells: Sequence[str], columns: Collection[str], separator: str) -> HeadingFault | None:
    """Why a header line, read with this separator, has not the headings of `columns`, if one thing explains it."""
    line = separator.join(cells)
    found = _known(cells, columns)
    for other, name in SEPARATORS.items():
        if other != separator and _known(_unquoted(line.split(other)), columns) >= max(ENOUGH, found + 1):
            advice = f"The headings are separated by {name}. Export the file with {SEPARATORS[separator]}."
            return HeadingFault("wrong_separator", advice)
    if _known(_unquoted(cells), columns) >= max(ENOUGH, found + 1):
        return HeadingFault("quoted_headings", "The headings are in quotes. Export the file without quotes.")
    written = [(cell, _respelled(cell)) for cell in cells]
    wrong = [f"{column}, not {cell.strip()!r}" for cell, column in written if column not in plain_headings([cell])]
    if wrong and {column for _, column in written} <= set(columns):
        return HeadingFault("misspelled_headings", f"Write {'; '.join(wrong)}.")
    return None


def _known(cells: Sequence[str], columns: Collection[str]) -> int:
    return len(set(plain_headings(cells)) & set(columns))


def _unquoted(cells: Sequence[str]) -> list[str]:
    return [cell.strip(SPACES).strip("\"'") for cell in cells]


def _respelled(cell: str) -> str:
    """The heading with underscores for spaces, dots and hyphens."""
    return re.sub(r"[\s_.-]+", "_", cell.strip(SPACES).lower())
