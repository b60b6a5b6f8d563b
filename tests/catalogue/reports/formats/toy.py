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
from catalogue.reports.contexts import Contents, DescribedContext, MessagePart, SalesContext
from catalogue.reports.delivery import Delivery, Progress
from catalogue.reports.explanations import Explanation, Explanations
from catalogue.reports.formats.interface import ContextResult, LineReader, Preview
from catalogue.reports.problems import CommonWarning, ErrorCode, Problem, ProblemLog, RawCells

FIRST_LINE = b"TOY\n"
JANUARY = date(2020, 1, 1), date(2020, 1, 31)


class ToyError(ErrorCode):
    NOT_THREE_WORDS = "toy_not_three_words"


class ToyFormat:
    name = "Toy"
    endings: tuple[str, ...] = (".toy",)
    name_pattern = "{anything}.toy[.gz]"
    has_a_line_for_each_id = True
    explanations: Explanations = {ToyError.NOT_THREE_WORDS: Explanation("The toy is broken.", "Mend it.")}

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith(FIRST_LINE)

    def message_part(self, delivery: Delivery) -> MessagePart | None:
        return None

    def describe(
        self, deliveries: Sequence[Delivery], problems: ProblemLog, progress: Progress | None = None
    ) -> Contents:
        (delivery,) = deliveries
        headings = [line.split() for line in _lines(delivery.chunks()) if line.startswith("=")]
        if not headings:
            raise InvalidReportName(f"{delivery.name!r} has no DSR.", name=delivery.name)
        return Contents(
            [
                DescribedContext(SalesContext(dsp, offer, None, territory, currency, *JANUARY))
                for _, dsp, offer, territory, currency in headings
            ]
        )

    def read(
        self,
        deliveries: Sequence[Delivery],
        contents: Contents,
        problems: ProblemLog,
        progress: Progress | None,
        marks: Sequence[bytes],
    ) -> LineReader:
        (delivery,) = deliveries
        return ToyReader(_lines(delivery.chunks(progress)), problems, marks)

    def preview(self, deliveries: Sequence[Delivery], limit: int) -> Preview:
        return Preview(["line"], [[line] for line in list(_lines(deliveries[0].chunks()))[:limit]])


class ToyReader:
    last_line = None

    def __init__(self, lines: Iterator[str], problems: ProblemLog, marks: Sequence[bytes]) -> None:
        self.columns: tuple[str, ...] = ("dsp_id", "usages", "revenue")
        if marks:
            self.columns = ("line_number", *self.columns)
        self.rewritten_count = 0
        self.results: Sequence[ContextResult] = ()
        self._lines = lines
        self._marks = marks
        self._context_number: int | None = None
        self._problems = problems

    def __iter__(self) -> Iterator[bytes]:
        numbers, sizes = [2] * len(self._marks), [0] * len(self._marks)
        context = 0
        for line_number, line in enumerate(self._lines, start=1):
            if line.startswith("="):
                context += 1
                self._context_number = context if self._marks else None
            elif line.startswith("?"):
                self._report(CommonWarning.ISRC_INVALID, line_number, "isrc", line)
            elif context and (block := self._block(line_number, line.split())):
                if self._marks:
                    sizes[context - 1] += len(block)
                    block = b"%b\t%d\t%b" % (self._marks[context - 1], numbers[context - 1], block)
                    numbers[context - 1] += 1
                yield block
        self.results = [ContextResult(size) for size in sizes]

    def raw_cells(self, line: bytes, column: str | None) -> RawCells:
        return RawCells(line)

    def _block(self, line_number: int, words: list[str]) -> bytes:
        if len(words) != len(("dsp_id", "usages", "revenue")):
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
