"""TSV reports behind the interface of formats."""

from codecs import BOM_UTF8
from collections.abc import Sequence

from catalogue.reports.contexts import Contents, DescribedContext, MessagePart
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.interface import PREVIEW_CELLS, LineReader, Preview
from catalogue.reports.formats.tsv.explanations import EXPLANATIONS
from catalogue.reports.formats.tsv.name import NAME_PATTERN, parse_report_name
from catalogue.reports.formats.tsv.reader import COLUMNS, LONGEST_LINE, ReportReader
from catalogue.reports.problems import ProblemLog, shown
from dsrhub.files.headings import plain_headings
from dsrhub.files.line_blocks import line_blocks


class TsvFormat:
    name = "TSV"
    endings: tuple[str, ...] = (".tsv",)
    name_pattern = NAME_PATTERN
    has_a_line_for_each_id = True
    explanations = EXPLANATIONS

    def recognises(self, name: str, head: bytes) -> bool:
        return True

    def message_part(self, delivery: Delivery) -> MessagePart | None:
        return None

    def describe(
        self, deliveries: Sequence[Delivery], problems: ProblemLog, progress: Progress | None = None
    ) -> Contents:
        (delivery,) = deliveries
        return Contents([DescribedContext(parse_report_name(delivery.name))])

    def read(
        self,
        deliveries: Sequence[Delivery],
        contents: Contents,
        problems: ProblemLog,
        progress: Progress | None,
        marks: Sequence[bytes],
    ) -> LineReader:
        (delivery,) = deliveries
        return ReportReader(delivery.chunks(progress), problems)

    def preview(self, deliveries: Sequence[Delivery], limit: int) -> Preview:
        lines: list[bytes] = []
        try:
            for block in line_blocks(deliveries[0].chunks(), LONGEST_LINE):
                lines += block.removeprefix(BOM_UTF8).split(b"\n")[:-1]
                if len(lines) > limit:
                    break
        except DamagedDelivery:
            return Preview([], [])
        cells = [[shown(cell) for cell in _cells(line)] for line in lines[: limit + 1]]
        return Preview(cells[0], cells[1:]) if cells else Preview([], [])


def _cells(line: bytes) -> list[str]:
    return line.removesuffix(b"\r").decode(errors="backslashreplace").split("\t", PREVIEW_CELLS)[:PREVIEW_CELLS]


def has_tsv_headings(head: bytes) -> bool:
    """Whether a file that begins with these bytes has the six columns of a TSV report."""
    return sorted(plain_headings(_cells(head.removeprefix(BOM_UTF8).partition(b"\n")[0]))) == sorted(COLUMNS)
