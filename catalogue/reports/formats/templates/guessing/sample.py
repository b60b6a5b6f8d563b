"""The beginning and the end of a sample as text, and how its cells are found."""

import codecs
import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from charset_normalizer import from_bytes

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.definition import DELIMITERS, ENCODINGS, FileForm
from catalogue.reports.problems import CommonError, Problem
from dsrhub.files.kinds import foreign_kind, line_end_fault
from dsrhub.texts.marked import gettext_lazy as _

HEAD_BYTES, TAIL_BYTES = 256 * 1024, 16 * 1024
# Of a file that is packed, the end is looked for only so far.
MOST_UNPACKED = 64 * 1024 * 1024
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The encodings of one byte for a character, the most likely one first.
LIKELY = ("cp1252", *(one for one in ENCODINGS if not one.startswith("utf") and one != "cp1252"))
# How much less odd another encoding must look than the most likely one.
CLEARER = 0.05
# The share of zeros in every other byte of UTF-16.
MOST_ZEROS = 0.8
MOST_ROWS = 2000
BINARY = _("This is neither text nor a workbook.")

# The rows of a text, each with the number of its first line.
Rows = list[tuple[int, list[str]]]


def first_bytes(sample: Delivery) -> bytes:
    """The first unpacked bytes. Raises DamagedDelivery."""
    head = b""
    for chunk in sample.content_again():
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES]


def last_bytes(sample: Delivery) -> bytes:
    """The last unpacked bytes; none of a packed file whose end is far away. Raises DamagedDelivery."""
    if not sample.is_packed:
        file = sample.packed()
        file.seek(-min(TAIL_BYTES, sample.packed_bytes), os.SEEK_END)
        return file.read(TAIL_BYTES) or b""
    tail, count = b"", 0
    for chunk in sample.content_again():
        tail = (tail + chunk)[-TAIL_BYTES:]
        count += len(chunk)
        if count > MOST_UNPACKED:
            return b""
    return tail


def require_text(head: bytes) -> None:
    """Raises DamagedDelivery for what is no text, in any of the encodings that are read."""
    encoding = _utf_16(head)
    problem = None if encoding else foreign_kind(head) or line_end_fault(head[:4096])
    if problem is None and encoding is None and b"\0" in head:
        problem = BINARY
    if problem is not None:
        raise DamagedDelivery(Problem(CommonError.WRONG_FILE_KIND, value=str(problem)))


def encoding_of(text: bytes) -> tuple[str, bool]:
    """The encoding of a text, and whether it is in doubt."""
    if encoding := _utf_16(text):
        return encoding, False
    if _is_utf_8(text):
        return "utf-8", False
    return _one_byte_encoding(text), True


def _utf_16(text: bytes) -> str | None:
    if text.startswith(UTF_16_MARKS):
        return "utf-16"
    start = text[:1000]
    even, odd = start[0::2], start[1::2]
    for encoding, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros and zeros.count(0) > MOST_ZEROS * len(zeros) and not others.count(0):
            return encoding
    return None


def _is_utf_8(text: bytes) -> bool:
    # A character may be cut off at the end.
    try:
        codecs.getincrementaldecoder("utf-8")().decode(text)
    except UnicodeDecodeError:
        return False
    return True


def _one_byte_encoding(text: bytes) -> str:
    """The encoding in which the lines with other characters than ASCII look least odd."""
    other = b"\n".join(line for line in text.splitlines() if not line.isascii())[:TAIL_BYTES]
    chaos: dict[str, float] = {}
    for match in from_bytes(other, cp_isolation=list(LIKELY), threshold=1):
        for name in match.could_be_from_charset:
            chaos.setdefault(_name(name), match.chaos)
    best = min(chaos, key=lambda name: chaos[name], default="iso-8859-1")
    is_likely = LIKELY[0] in chaos and chaos[LIKELY[0]] <= chaos[best] + CLEARER
    return LIKELY[0] if is_likely else best


def _name(python_name: str) -> str:
    """The name among ENCODINGS of an encoding that Python calls otherwise."""
    return next((one for one in ENCODINGS if codecs.lookup(one) == codecs.lookup(python_name)), python_name)


def texts_of(head: bytes, tail: bytes, encoding: str) -> tuple[str, str]:
    """The beginning without the line that is cut off at its end, and the end without one that is cut off before it."""
    begins_big = encoding == "utf-16" and head.startswith(codecs.BOM_UTF16_BE)
    first = head.decode(encoding, errors="ignore").removeprefix("\ufeff")
    last = tail.decode("utf-16-be" if begins_big else encoding, errors="ignore").removeprefix("\ufeff")
    whole_first = first[: first.rfind("\n") + 1] or first if len(head) == HEAD_BYTES else first
    return whole_first, last.partition("\n")[2] if len(tail) == TAIL_BYTES else last


# --- Delimiter and quote ---------------------------------------------------------------------------------------


def dialect_of(text: str, form: FileForm) -> tuple[FileForm, bool]:
    """The form with the delimiter and the quote of a text, and whether the delimiter is in doubt."""
    scores = {
        (delimiter, quote): _regularity(rows_of(text, replace(form, delimiter=delimiter, quote=quote)))
        for delimiter in DELIMITERS
        for quote in _quotes(text, delimiter)
    }
    (delimiter, quote), best = max(scores.items(), key=lambda pair: pair[1])
    if not best:  # One column.
        return replace(form, delimiter=",", quote='"'), True
    others = [score for (other, _quote), score in scores.items() if other != delimiter]
    return replace(form, delimiter=delimiter, quote=quote), max(others) > best / 2


def _quotes(text: str, delimiter: str) -> Sequence[str]:
    """The quotes that may stand around cells, the most likely one first."""
    if '"' not in text:
        single = ("'",) if text.startswith("'") or f"{delimiter}'" in text else ()
        # Files with tabs seldom have quotes, and titles begin with them.
        return ("", *single) if delimiter == "\t" else ('"', *single)
    return ('"', "")


def rows_of(text: str, form: FileForm) -> Rows:
    """The first rows of a text; none where its quotes do not match."""
    lines = io.StringIO(text, newline="\n")
    reader = csv.reader(
        lines,
        delimiter=form.delimiter,
        quotechar=form.quote or None,
        quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
        strict=True,
    )
    rows: Rows = []
    line = 1
    try:
        for cells in islice(reader, MOST_ROWS):
            rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:
        return []
    return rows


def _regularity(rows: Rows) -> float:
    """How much rows look like a table: many rows of one length, many cells, and few rows of other lengths."""
    lengths = Counter(len(row) for _line, row in rows if any(cell.strip() for cell in row))
    total = lengths.total()
    if not total:
        return 0.0
    # As in the measure of patterns by G. van den Burg et al., "Wrangling messy CSV files" (2019).
    return sum(count * (length - 1) / length for length, count in lengths.items()) / len(lengths) / total
