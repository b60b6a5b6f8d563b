"""What is wrong with a delivery, by stable codes."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import printable

# A value is kept with its problem so that people recognise it, not as a second copy of the file.
LONGEST_VALUE = 200
# Two amounts are kept with all of their digits, and as much of the name of a file as can be stored with them.
LONGEST_AMOUNTS = 255
# How many characters of a delivered line are kept: of the marked cells, and on each side of them.
LONGEST_MARKED, LONGEST_BESIDE = LONGEST_VALUE, 80
MOST_BYTES_OF_CHARACTER = 4
# Nobody reads more errors than these. A packed megabyte can be a gigabyte of wrong lines, each of which costs
# microseconds: without a bound, a small file would keep a worker busy for hours.
MOST_ERRORS = 1_000_000
REST_UNCHECKED = _("there may be more: the rest is not checked")


class ErrorCode(StrEnum):
    """Why a delivery is refused. Formats have codes of their own beside the common ones."""


class WarningCode(StrEnum):
    """What people should look at in a delivery that is loaded all the same."""


class CommonError(ErrorCode):
    NOT_A_NUMBER = "not_a_number"
    NOT_AN_INTEGER = "not_an_integer"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    NOT_UTF8 = "not_utf8"
    CONTROL_CHARACTER = "control_character"
    CELL_TOO_LONG = "cell_too_long"
    LINE_TOO_LONG = "line_too_long"
    GZIP_TRUNCATED = "gzip_truncated"
    GZIP_CORRUPT = "gzip_corrupt"
    GZIP_TRAILING_DATA = "gzip_trailing_data"
    WRONG_FILE_KIND = "wrong_file_kind"
    TERRITORY_UNKNOWN = "territory_unknown"
    CURRENCY_UNKNOWN = "currency_unknown"
    CONTEXT_REPEATED = "context_repeated"
    UNPACKED_TOO_LARGE = "unpacked_too_large"
    TOO_MANY_ERRORS = "too_many_errors"
    EXCHANGE_RATE_MISSING = "exchange_rate_missing"
    EXCHANGE_RATE_INCOMPLETE = "exchange_rate_incomplete"
    TOTALS_DIFFER = "totals_differ"


class CommonWarning(WarningCode):
    ISRC_INVALID = "isrc_invalid"
    INVISIBLE_CHARACTER = "invisible_character"
    BYTE_ORDER_MARK = "byte_order_mark"
    DSP_ID_ROUNDED = "dsp_id_rounded"
    DSP_ID_REPEATED = "dsp_id_repeated"
    TOTALS_ROW_SUSPECTED = "totals_row_suspected"
    GZIP_PADDING = "gzip_padding"
    GZIP_NAME_DIFFERS = "gzip_name_differs"
    CONTENT_SEEN_BEFORE = "content_seen_before"
    CONTENT_SUPERSEDED = "content_superseded"
    PERIOD_OVERLAPS = "period_overlaps"
    UNLIKE_PREVIOUS_REPORT = "unlike_previous_report"
    NAME_LOOKS_ALIKE = "name_looks_alike"
    SENDER_UNKNOWN = "sender_unknown"
    TRANSACTION_ID_REPEATED = "transaction_id_repeated"


class Excerpt(NamedTuple):
    """A part of a line as it was delivered, tabs included: the `marked` cells, and what is before and after them.

    What is cut off is `…`. Bytes that are no UTF-8 are U+FFFD, and characters that do not print are escaped.
    """

    before: str
    marked: str
    after: str


class RawCells(NamedTuple):
    """Some cells of a delivered line, or the whole line; those that it lacks are blank, at its end."""

    line: bytes
    cells: slice = slice(None)

    def excerpt(self) -> Excerpt:
        cells = self.line.split(b"\t")
        start, stop, _step = self.cells.indices(len(cells))
        before, after = cells[:start], cells[max(start, stop) :]
        # The tabs beside the marked cells belong to what is beside them.
        return Excerpt(
            _ending(b"\t".join([*before, b""] if start < stop else before)),
            _beginning(b"\t".join(cells[start:stop]), LONGEST_MARKED),
            _beginning(b"\t".join([b"", *after] if after else []), LONGEST_BESIDE),
        )


def _beginning(text: bytes, longest: int) -> str:
    # With some bytes more than needed, the last character is never cut in two.
    decoded = text[: MOST_BYTES_OF_CHARACTER * (longest + 2)].decode(errors="replace")
    return _visible(decoded[:longest]) + "…" * (len(decoded) > longest)


def _ending(text: bytes) -> str:
    decoded = text[-MOST_BYTES_OF_CHARACTER * (LONGEST_BESIDE + 2) :].decode(errors="replace")
    return "…" * (len(decoded) > LONGEST_BESIDE) + _visible(decoded[-LONGEST_BESIDE:])


def _visible(text: str) -> str:
    if text.replace("\t", "").isprintable():
        return text
    return "".join(one if one == "\t" or one.isprintable() else ascii(one)[1:-1] for one in text)


@dataclass(frozen=True)
class Problem:
    """One finding in a delivery. A `line` (the first is 1), `column` or `value` that does not apply is None.

    `excerpt` is None where the finding names no line. A problem that is found after the lines were read gets it later:
    see `catalogue.reports.excerpts`.
    In a delivery of several sales contexts, `context_number` counts the contexts from 1; None is the whole delivery.
    In a delivery of several files, `file` is the name of the file.
    """

    code: ErrorCode | WarningCode
    line: int | None = None
    column: str | None = None
    value: str | None = None
    context_number: int | None = None
    file: str | None = None
    excerpt: Excerpt | None = None

    @property
    def is_error(self) -> bool:
        return isinstance(self.code, ErrorCode)


@dataclass
class ProblemLog:
    """The first `limit` errors and the first `limit` warnings of a delivery, and the true numbers of both.

    Warnings that are not about a line are kept beyond the limit: they are few, and found after those of lines.
    A delivery whose first problem is `too_many_errors` was read up to its line, and may have more problems.
    """

    limit: int
    kept: list[Problem] = field(default_factory=list)
    error_count: int = 0
    warning_counts: Counter[int | None] = field(default_factory=Counter)

    def add(self, problem: Problem, cells: RawCells | None = None) -> None:
        """Add a problem of these `cells`. Their excerpt costs time, so only a problem that is kept gets one."""
        if problem.is_error:
            self.error_count += 1
            is_kept = self.error_count <= self.limit
        else:
            self.warning_counts[problem.context_number] += 1
            is_kept = problem.line is None or self.warning_count <= self.limit
        if is_kept:
            self.kept.append(problem if cells is None else replace(problem, excerpt=cells.excerpt()))

    def count_warnings(self, count: int, context_number: int | None) -> None:
        """Count warnings of a context that are not kept."""
        self.warning_counts[context_number] += count

    @property
    def has_too_many_errors(self) -> bool:
        """Whether reading is to end: the reader then calls `end_at`."""
        return self.error_count >= MOST_ERRORS

    def end_at(self, line: int, cells: RawCells) -> None:
        """Note that nothing behind this line was checked."""
        value = str(REST_UNCHECKED)
        self.kept.insert(0, Problem(CommonError.TOO_MANY_ERRORS, line, value=value, excerpt=cells.excerpt()))

    def without_excerpt(self, file: str | None) -> dict[int, list[int]]:
        """The places in `kept` of the problems of a file that lack an excerpt, by the lines that they name."""
        places = defaultdict(list)
        for place, problem in enumerate(self.kept):
            if problem.line is not None and problem.excerpt is None and problem.file == file:
                places[problem.line].append(place)
        return places

    @property
    def warning_count(self) -> int:
        return self.warning_counts.total()

    def warning_count_of(self, context_number: int | None) -> int:
        """The number of warnings of a context, those of the whole delivery included."""
        return sum(self.warning_counts[one] for one in {context_number, None})

    def of(self, context_number: int | None) -> list[Problem]:
        """The kept problems of a context, those of the whole delivery included."""
        return [problem for problem in self.kept if problem.context_number in (context_number, None)]

    @property
    def of_whole(self) -> list[Problem]:
        """The kept problems of the whole delivery."""
        return [problem for problem in self.kept if problem.context_number is None]

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.kept if problem.is_error]

    @property
    def warnings(self) -> list[Problem]:
        return [problem for problem in self.kept if not problem.is_error]


def shown(text: str, longest: int = LONGEST_VALUE) -> str:
    """The text fit to be shown and stored: cut to a length, and what does not print (no database takes NUL) escaped."""
    return printable(text, longest)
