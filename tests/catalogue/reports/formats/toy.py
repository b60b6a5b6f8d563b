"""A toy format of several DSRs in one file, as a contributor could add it.

    TOY
    = Toybox Free ES EUR
    a 5 1.50
    = Toybox Free NO NOK
    a 7 20

Every DSR is of January 2020. Numbers are those of any format; a wrong one is an error on its line.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from catalogue.exceptions import InvalidReportName
from catalogue.reports.cells import CellError, plain_integer, plain_number
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.interface import ContextReader, Preview
from catalogue.reports.problems import CommonWarning, ErrorCode, Problem, ProblemLog

FIRST_LINE = b"TOY\n"
JANUARY = date(2020, 1, 1), date(2020, 1, 31)


class ToyError(ErrorCode):
    NOT_THREE_WORDS = "toy_not_three_words"


class ToyFormat:
    name = "Toy"
    endings: tuple[str, ...] = (".toy",)
    name_pattern = "{anything}.toy[.gz]"

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith(FIRST_LINE)

    def describe(self, delivery: Delivery) -> Sequence[SalesContext]:
        headings = [line.split() for line in _lines(delivery.chunks()) if line.startswith("=")]
        if not headings:
            raise InvalidReportName(f"{delivery.name!r} has no DSR.", name=delivery.name)
        return [
            SalesContext(dsp, offer, None, territory, currency, *JANUARY)
            for _, dsp, offer, territory, currency in headings
        ]

    def read(
        self, chunks: Iterator[bytes], contexts: Sequence[SalesContext], problems: ProblemLog
    ) -> Iterator[ContextReader]:
        lines = enumerate(_lines(chunks), start=1)
        next(line for line in lines if line[1].startswith("="))
        for number in range(1, len(contexts) + 1):
            yield ToyReader(lines, number if len(contexts) > 1 else None, problems)

    def preview(self, delivery: Delivery, limit: int) -> Preview:
        return Preview(["line"], [[line] for line in list(_lines(delivery.chunks()))[:limit]])


class ToyReader:
    columns: tuple[str, ...] = ("dsp_id", "usages", "revenue")
    last_line = None

    def __init__(self, lines: Iterator[tuple[int, str]], context_number: int | None, problems: ProblemLog) -> None:
        self.rewritten_count = 0
        self._lines = lines
        self._context_number = context_number
        self._problems = problems

    def __iter__(self) -> Iterator[bytes]:
        for line_number, line in self._lines:
            if line.startswith("="):
                return
            if line.startswith("?"):
                self._report(CommonWarning.ISRC_INVALID, line_number, "isrc", line)
            else:
                yield self._block(line_number, line.split())

    def _block(self, line_number: int, words: list[str]) -> bytes:
        if len(words) != len(self.columns):
            self._report(ToyError.NOT_THREE_WORDS, line_number)
            return b""
        try:
            return f"{words[0]}\t{plain_integer(words[1])}\t{plain_number(words[2])}\n".encode()
        except CellError as error:
            self._report(error.code, line_number, "revenue", words[2])
            return b""

    def _report(
        self, code: ErrorCode | CommonWarning, line: int, column: str | None = None, value: str | None = None
    ) -> None:
        self._problems.add(Problem(code, line, column, value, self._context_number))


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    yield from b"".join(chunks).decode().splitlines()
