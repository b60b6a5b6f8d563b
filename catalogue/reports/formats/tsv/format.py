"""TSV reports behind the interface of formats."""

from collections.abc import Iterator, Sequence

from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.interface import ContextReader, Preview
from catalogue.reports.formats.tsv.name import NAME_PATTERN, parse_report_name
from catalogue.reports.formats.tsv.reader import BOM, LONGEST_LINE, ReportReader
from catalogue.reports.problems import ProblemLog, shown
from dsrhub.line_blocks import line_blocks

# Cells of a line in a preview: a line may have a million.
MOST_CELLS = 50


class TsvFormat:
    name = "TSV"
    endings: tuple[str, ...] = (".tsv",)
    name_pattern = NAME_PATTERN

    def recognises(self, name: str, head: bytes) -> bool:
        return True

    def describe(self, delivery: Delivery) -> Sequence[SalesContext]:
        return [parse_report_name(delivery.name)]

    def read(
        self, chunks: Iterator[bytes], contexts: Sequence[SalesContext], problems: ProblemLog
    ) -> Iterator[ContextReader]:
        yield ReportReader(chunks, problems)

    def preview(self, delivery: Delivery, limit: int) -> Preview:
        lines: list[bytes] = []
        try:
            for block in line_blocks(delivery.chunks(), LONGEST_LINE):
                lines += block.removeprefix(BOM).split(b"\n")[:-1]
                if len(lines) > limit:
                    break
        except DamagedDelivery:
            return Preview([], [])
        cells = [[shown(cell) for cell in _cells(line)] for line in lines[: limit + 1]]
        return Preview(cells[0], cells[1:]) if cells else Preview([], [])


def _cells(line: bytes) -> list[str]:
    return line.removesuffix(b"\r").decode(errors="backslashreplace").split("\t", MOST_CELLS)[:MOST_CELLS]
