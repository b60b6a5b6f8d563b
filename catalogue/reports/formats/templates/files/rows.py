"""The rows of a file of columns, cell by cell."""

import csv
import io
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, count, islice

from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.templates.codes import TemplateError, TemplateWarning
from catalogue.reports.formats.templates.definition import FileForm, Kind
from catalogue.reports.formats.templates.files.workbook import Workbook
from catalogue.reports.problems import CommonError, ErrorCode, Problem, WarningCode
from dsrhub.files.line_blocks import line_blocks

# A longer line is no row: without a bound, a file without line ends would be held in memory whole.
LONGEST_LINE = 1024 * 1024
# Rows of a text that are read together, which saves time for each, and the characters that they may have: a row may
# have any number of lines in quotes.
ROWS_AT_ONCE, MOST_AT_ONCE = 1000, 64 * 1024 * 1024
# The progress of a workbook is reported each time this many rows are read.
PROGRESS_ROWS = 1000
# How a workbook begins, and every other zip archive.
ARCHIVE = b"PK\x03\x04"
UTF_16 = ("utf-16", "utf-16-le", "utf-16-be")
# In these, every text has letters, also one that is written in UTF-8: they would be wrong.
ONE_BYTE = ("cp1252", "iso-8859-1", "iso-8859-15", "cp1250", "cp1251", "cp1253", "cp1254", "iso-8859-2", "mac-roman")

# A row: the number of its first line in the file, or of its row in the sheet, and its cells.
Row = tuple[int, list[str]]
# Called with what is wrong with a line, or with the whole file: the code, the line and its number, and a value.
Report = Callable[[ErrorCode | WarningCode, int | None, str, str | None], None]


def kind_of(head: bytes, form: FileForm) -> str:
    """As what a file is read that begins with these bytes."""
    if form.kind != Kind.EITHER:
        return form.kind
    return Kind.XLSX if head.startswith(ARCHIVE) else Kind.TEXT


def file_rows(
    delivery: Delivery, form: FileForm, report: Report, progress: Progress | None = None, *, decimal: str = "."
) -> Iterator[Row]:
    """All rows of a file, whose kind is known; what cannot be read is reported.

    Numbers of a workbook have the sign `decimal`. The hash of the delivery is complete at the end.
    Raises DamagedDelivery.
    """
    delivery.reads_any_kind = form.kind == Kind.XLSX or form.encoding in UTF_16
    if form.kind == Kind.TEXT:
        yield from TextRows(delivery.chunks(progress), form, report)
    else:
        yield from _in_steps(Workbook(delivery).rows(form.sheet, decimal), progress)
        for _chunk in delivery.chunks(progress):
            pass  # It hashes the bytes and counts them.


def _in_steps(rows: Iterator[Row], progress: Progress | None) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if progress is not None and number % PROGRESS_ROWS == 0:
            progress(0)
        yield row


class TextRows:
    """The rows of a text of delimited cells. A row has several lines if a cell in quotes has."""

    def __init__(self, chunks: Iterable[bytes], form: FileForm, report: Report, *, is_whole: bool = True) -> None:
        """The beginning of a text, which is not whole, may end within a character."""
        self._form, self._report = form, report
        is_utf_16 = form.encoding in UTF_16
        self._encoding = "utf-8" if is_utf_16 else form.encoding
        utf_8 = _transcoded(chunks, form.encoding, is_whole) if is_utf_16 else chunks
        self._blocks = line_blocks(utf_8, LONGEST_LINE, form.delimiter)
        # Whether letters other than ASCII came, and whether all of them may be UTF-8.
        self._has_letters, self._may_be_utf_8 = False, True
        self._line, self._read_count = "", 0

    def __iter__(self) -> Iterator[Row]:
        form = self._form
        reader = csv.reader(
            self._lines(),
            delimiter=form.delimiter,
            quotechar=form.quote or None,
            quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
            strict=True,
        )
        is_at_end = False
        while not is_at_end:
            first, rows = reader.line_num + 1, list[list[str]]()
            self._read_count = 0
            try:
                rows.extend(islice(reader, ROWS_AT_ONCE))
            except csv.Error as error:
                # Those before the error are there.
                yield from _numbered(rows, first, reader.line_num)
                self._report(TemplateError.QUOTE_BROKEN, _line_behind(rows, first), self._line, str(error))
            else:
                yield from _numbered(rows, first, reader.line_num)
                is_at_end = len(rows) < ROWS_AT_ONCE
        if self._encoding in ONE_BYTE and self._has_letters and self._may_be_utf_8:
            self._report(TemplateWarning.ENCODING_DOUBTFUL, None, "", form.encoding)

    def _lines(self) -> Iterator[str]:
        """The lines with their ends. Bytes that are no characters become surrogates, which no valid text has."""
        line_count = 0
        for block in self._blocks:
            if not block.endswith(b"\n"):
                self._report(CommonError.LINE_TOO_LONG, line_count + 1, block.decode(errors="replace"), None)
                return
            text = block.removeprefix(BOM_UTF8) if line_count == 0 and self._encoding == "utf-8" else block
            line_count += block.count(b"\n")
            self._look_at_letters(block)
            for line in io.StringIO(text.decode(self._encoding, errors="surrogateescape"), newline="\n"):
                self._line = line
                self._read_count += len(line)
                if self._read_count > MOST_AT_ONCE:
                    self._report(CommonError.LINE_TOO_LONG, line_count, line, None)
                    return
                yield line

    def _look_at_letters(self, block: bytes) -> None:
        if self._encoding in ONE_BYTE and self._may_be_utf_8 and not block.isascii():
            self._has_letters = True
            try:
                block.decode()
            except UnicodeDecodeError:
                self._may_be_utf_8 = False


def _numbered(rows: list[list[str]], first: int, last: int) -> Iterable[Row]:
    """The rows, each with the number of its first line. They begin and end in these lines."""
    if last - first + 1 == len(rows):
        return zip(count(first), rows, strict=False)
    return zip(accumulate(map(_line_count, rows), initial=first), rows, strict=False)


def _line_behind(rows: list[list[str]], first: int) -> int:
    """The number of the line behind rows that begin in a line."""
    return first + sum(map(_line_count, rows))


def _line_count(cells: list[str]) -> int:
    """How many lines a row has: a line end in quotes belongs to its cell."""
    return 1 + "".join(cells).count("\n")


def _transcoded(chunks: Iterable[bytes], encoding: str, is_whole: bool) -> Iterator[bytes]:
    """The same text in UTF-8. Raises DamagedDelivery."""
    decoder = getincrementaldecoder(encoding)()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=is_whole).encode()
    except UnicodeError as error:
        raise DamagedDelivery(Problem(TemplateError.ENCODING_DIFFERS, value=encoding)) from error
