"""The excerpts of problems that are found after the lines were read, such as a repeated id."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.interface import LineReader
from catalogue.reports.problems import ProblemLog
from dsrhub.files.line_blocks import line_blocks

# No format has longer lines.
LONGEST_LINE = 4 * 1024 * 1024


def excerpts_add(problems: ProblemLog, deliveries: Sequence[Delivery], reader: LineReader) -> None:
    """Add the excerpt to each kept problem that names a line and has none.

    Each file is read again, up to the last of these lines. A file without such problems is not read. Files that have
    the same name cannot be told apart, and get no excerpts. Raises DamagedDelivery, as the chunks do.
    """
    names = [delivery.name for delivery in deliveries]
    for delivery in deliveries:
        places = problems.without_excerpt(delivery.name if len(deliveries) > 1 else None)
        if not places or names.count(delivery.name) > 1:
            continue
        for number, line in numbered_lines(delivery, places.keys()):
            for place in places[number]:
                problem = problems.kept[place]
                excerpt = reader.raw_cells(line, problem.column).excerpt()
                problems.kept[place] = replace(problem, excerpt=excerpt)


def numbered_lines(delivery: Delivery, numbers: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """The lines of these numbers, without line ends, each with its number. The first line is 1.

    Only the blocks that have one of them are split into lines.
    """
    wanted = deque(sorted(numbers))
    before = 0
    for block in line_blocks(delivery.content_again(), LONGEST_LINE):
        last = before + block.count(b"\n")
        lines = block.split(b"\n") if wanted[0] <= last else []
        while wanted and wanted[0] <= last:
            number = wanted.popleft()
            yield number, lines[number - before - 1].removesuffix(b"\r")
        if not wanted:
            return
        before = last
