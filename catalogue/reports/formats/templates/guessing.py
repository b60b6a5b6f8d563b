"""A first definition for a file that no template recognises, for people to complete."""

import re
from codecs import (
    BOM_UTF16_BE,
    BOM_UTF16_LE,
    BOM_UTF32_BE,
    BOM_UTF32_LE,
    getincrementaldecoder,
)
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from charset_normalizer import from_bytes

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.definition import (
    DELIMITERS,
    NUMBER_FIELDS,
    Definition,
    FileForm,
    Kind,
    Recognition,
    Source,
)
from catalogue.reports.formats.templates.files.rows import ARCHIVE, UTF_16, Row, TextRows
from catalogue.reports.formats.templates.files.workbook import Workbook
from catalogue.reports.formats.templates.guessed_fields import (
    Columns,
    guessed_dates,
    guessed_fields,
    guessed_numbers,
)
from catalogue.reports.problems import CommonError, Problem
from dsrhub.file_kinds import foreign_kind, line_end_fault

# What of a sample is looked at.
SAMPLE_BYTES, SAMPLE_ROWS = 256 * 1024, 1000
PERIODS = ("period", "period_start", "period_end")
# The encodings of texts that are not UTF-8, by the names of charset-normalizer. Of equally likely ones, the first.
ALIASES = {
    "cp1252": "cp1252",
    "latin_1": "cp1252",
    "iso8859_15": "iso-8859-15",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1253": "cp1253",
    "cp1254": "cp1254",
    "iso8859_2": "iso-8859-2",
    "mac_roman": "mac-roman",
    "shift_jis": "shift_jis",
    "cp932": "shift_jis",
    "gb18030": "gb18030",
    "gbk": "gb18030",
}
CANDIDATES = [*ALIASES]


class Doubt(StrEnum):
    """What a sample does not decide: people look at it. The codes are stable."""

    # `1,234` may be a thousand or one: all numbers with this sign have three digits behind it.
    DECIMAL_SIGN = "decimal_sign"
    # `01/02/2020` may be in January or in February.
    DATE_FORM = "date_form"
    ENCODING = "encoding"
    DELIMITER = "delimiter"
    HEADING_ROW = "heading_row"


@dataclass(frozen=True)
class Guess:
    """What a sample looks like. The definition may lack required fields, so it may not be valid yet.

    `headings` are the cells of the heading row, `first_line` is the line of the file behind it, and `rows` are the
    first rows from there on, cell by cell. `doubts` are sure to be looked at. `sheets` are the names of the sheets of a
    workbook, in their order.
    """

    definition: Definition
    headings: tuple[str, ...]
    first_line: int
    rows: tuple[tuple[str, ...], ...]
    doubts: tuple[Doubt, ...] = ()
    sheets: tuple[str, ...] = ()


def guess(sample: Delivery, *, row_limit: int = 20) -> Guess:
    """What the sample looks like, by its name and its first bytes; of a workbook, by its first rows.

    Raises DamagedDelivery for what is neither text nor a workbook.
    """
    head = sample.head(SAMPLE_BYTES)
    doubts: list[Doubt] = []
    sheets: tuple[str, ...] = ()
    if head.startswith(ARCHIVE):
        workbook = Workbook(sample)
        sheets, form = workbook.sheets, FileForm(Kind.XLSX)
        rows = list(islice(workbook.rows(), SAMPLE_ROWS))
    else:
        form, rows = _text_form(head, doubts)
    heading = _heading_row(rows, doubts)
    form = replace(form, heading_row=heading[0])
    behind = [(line, cells) for line, cells in rows if line > heading[0]]
    columns = Columns([cell.strip() for cell in heading[1]], [cells for _, cells in behind])
    return Guess(
        definition=_definition(form, columns, doubts),
        headings=tuple(columns.headings),
        first_line=behind[0][0] if behind else heading[0] + 1,
        rows=tuple(tuple(cells) for _, cells in behind[:row_limit]),
        doubts=tuple(doubts),
        sheets=sheets,
    )


# --- The form of the file --------------------------------------------------------------------------------------


def _text_form(head: bytes, doubts: list[Doubt]) -> tuple[FileForm, list[Row]]:
    encoding = _encoding(head, doubts)
    # The last line may be cut off.
    whole = head[: head.rfind(b"\n") + 1] if len(head) >= SAMPLE_BYTES and encoding not in UTF_16 else head
    readings = [_reading(whole, encoding, delimiter) for delimiter in DELIMITERS]
    readings.sort(key=lambda one: one.score, reverse=True)
    if readings[0].score == readings[1].score:
        doubts.append(Doubt.DELIMITER)
    return readings[0].form, readings[0].rows


def _encoding(head: bytes, doubts: list[Doubt]) -> str:
    """The encoding of a text. Raises DamagedDelivery for what is no text."""
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) and not head.startswith((BOM_UTF32_LE, BOM_UTF32_BE)):
        return "utf-16"
    zeros = head[:40:2].count(0), head[1:40:2].count(0)
    if max(zeros) > len(head[:40]) // 4 and min(zeros) == 0:
        return "utf-16-le" if zeros[1] else "utf-16-be"
    if kind := foreign_kind(head) or line_end_fault(head):
        raise DamagedDelivery(Problem(CommonError.WRONG_FILE_KIND, value=str(kind)))
    try:
        getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        doubts.append(Doubt.ENCODING)
        found = from_bytes(head, cp_isolation=CANDIDATES)
        likely = {match.encoding for match in found if match.chaos <= found[0].chaos}
        return next((ALIASES[name] for name in CANDIDATES if name in likely), CANDIDATES[0])
    return "utf-8"


class _Reading(NamedTuple):
    """The rows that a delimiter makes of a text. `score` tells how much they look like rows."""

    form: FileForm
    rows: list[Row]
    score: tuple[float, int]


def _reading(text: bytes, encoding: str, delimiter: str) -> _Reading:
    form = FileForm(encoding=encoding, delimiter=delimiter)
    rows, has_faults = _rows(text, form)
    if has_faults:
        without = replace(form, quote="")
        form, rows = without, _rows(text, without)[0]
    widths = Counter(len(cells) for _, cells in rows if any(cells))
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    return _Reading(form, rows, (count / widths.total(), width) if width > 1 else (0.0, 0))


def _rows(text: bytes, form: FileForm) -> tuple[list[Row], bool]:
    """The first rows, and whether their quotes do not match."""
    faults: list[object] = []
    rows = TextRows([text], form, lambda *fault: faults.append(fault))
    return list(islice(rows, SAMPLE_ROWS)), bool(faults)


def _heading_row(rows: Sequence[Row], doubts: list[Doubt]) -> Row:
    """The first row that has as many cells as most rows, and whose cells are names that differ."""
    widths = Counter(len(cells) for _, cells in rows if any(cells))
    width = widths.most_common(1)[0][0] if widths else 0
    for line, cells in rows:
        names = [cell.strip() for cell in cells if cell.strip()]
        has_numbers = any(re.fullmatch(r"[-+0-9.,/% ]+", name) for name in names)
        if len(cells) >= width > 0 and len(set(names)) == len(names) > len(cells) // 2 and not has_numbers:
            return line, cells
    doubts.append(Doubt.HEADING_ROW)
    return rows[0] if rows else (1, [])


# --- What its columns are --------------------------------------------------------------------------------------


def _definition(form: FileForm, columns: Columns, doubts: list[Doubt]) -> Definition:
    fields = guessed_fields(columns)
    number_cells = [cell for name in NUMBER_FIELDS for cell in _cells_of(fields, name, columns)]
    numbers = guessed_numbers(number_cells)
    date_cells = [cell for name in PERIODS for cell in _cells_of(fields, name, columns)]
    dates = guessed_dates(date_cells, is_range="period_start" in fields)
    doubts += [Doubt.DECIMAL_SIGN] * numbers.is_doubtful + [Doubt.DATE_FORM] * dates.is_doubtful
    used = {heading for source in fields.values() for heading in source.columns}
    return Definition(
        recognition=Recognition(tuple(heading for heading in columns.headings if heading in used)),
        file=form,
        numbers=numbers.form,
        dates=dates.form,
        fields=fields,
    )


def _cells_of(fields: Mapping[str, Source], name: str, columns: Columns) -> list[str]:
    return [cell for heading in fields[name].columns for cell in columns.cells(heading)] if name in fields else []
