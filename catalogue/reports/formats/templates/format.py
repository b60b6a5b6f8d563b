"""Column files behind the interface of formats: a format for each version of a template."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain, islice

from catalogue.reports.contexts import Contents, DescribedContext, MessageFacts, MessagePart, Party
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.explanations import Explanations
from catalogue.reports.formats.interface import PREVIEW_CELLS, LineReader, Preview
from catalogue.reports.formats.templates.codes import EXPLANATIONS, TemplateError
from catalogue.reports.formats.templates.definition import Definition
from catalogue.reports.formats.templates.files.table import Table
from catalogue.reports.formats.templates.reader import SalesReader, TemplateReader
from catalogue.reports.formats.templates.recognition import (
    FirstRows,
    Nearness,
    is_recognised,
    nearness,
    problem_of_name,
)
from catalogue.reports.problems import Problem, ProblemLog, shown
from dsrhub.texts.marked import gettext_lazy as _

# Of the name of a file in the id of its message, and of the hash.
LONGEST_NAME, HASH_DIGITS = 200, 12
NAME_PATTERN = _("any name that a template recognises")


class TemplateFormat:
    """The files that one version of a template reads. A delivery is one file, and a message of all of its contexts.

    The message is identified by the name of the file and the hash of its content. `version_id` is the id of the version
    in the database.
    """

    name: str = "Template"
    endings: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx")
    name_pattern: str = NAME_PATTERN
    # Sales files have a line for each kind of sale, day or release.
    has_a_line_for_each_id: bool = False
    explanations: Explanations = EXPLANATIONS

    def __init__(self, definition: Definition, *, template_name: str, version_number: int, version_id: int) -> None:
        self.definition = definition
        self.template_name, self.version_number, self.version_id = template_name, version_number, version_id

    def recognises(self, name: str, head: bytes) -> bool:
        """A file is recognised by its first rows: see `recognises_file`."""
        return False

    def recognises_file(self, file: FirstRows) -> bool:
        return is_recognised(self.definition, file)

    def nearness(self, file: FirstRows) -> Nearness | None:
        return nearness(self.definition, file)

    def message_part(self, delivery: Delivery) -> MessagePart | None:
        return None

    def describe(
        self, deliveries: Sequence[Delivery], problems: ProblemLog, progress: Progress | None = None
    ) -> Contents | None:
        (delivery,) = deliveries
        if problem := problem_of_name(self.definition, delivery.name):
            problems.add(problem)
            return None
        sales = SalesReader(delivery, self.definition, ProblemLog(0), _without_bytes(progress))
        for _batch in sales.batches():
            pass
        if sales.problems.error_count or sales.has_faults or not sales.contexts:
            self._find_problems(delivery, problems, progress)
            return None
        return self._contents(sales, message_id(delivery))

    def _find_problems(self, delivery: Delivery, problems: ProblemLog, progress: Progress | None) -> None:
        """Report all problems of a file that has no contexts to import: those of its lines, too."""
        sales = SalesReader(delivery, self.definition, problems, _without_bytes(progress))
        for batch in sales.batches():
            sales.lines_of(batch)
        if not problems.error_count:
            problems.add(Problem(TemplateError.NO_SALES))

    def _contents(self, sales: SalesReader, content_id: str) -> Contents:
        counts: Counter[int | None] = Counter()
        for group in sales.groups.values():
            counts[group.number] += group.row_count
        contexts = [
            DescribedContext(context, Party(context.dsp, None), line_count=counts[number])
            for context, number in sales.contexts.items()
        ]
        society = contexts[0].context.society
        message = MessageFacts(
            sender=Party(self.definition.sender, None),
            recipient=Party(society or "", None),
            message_id=content_id,
            created="",
            profile=self.template_name,
            profile_version=str(self.version_number),
            period_start=min(context.period_start for context in sales.contexts),
            period_end=max(context.period_end for context in sales.contexts),
            file_count=1,
            template_version=self.version_id,
        )
        return Contents(contexts, message)

    def read(
        self,
        deliveries: Sequence[Delivery],
        contents: Contents,
        problems: ProblemLog,
        progress: Progress | None,
        marks: Sequence[bytes],
    ) -> LineReader:
        (delivery,) = deliveries
        assert contents.message is not None  # noqa: S101 - see `describe`
        sales = SalesReader(delivery, self.definition, problems, progress)
        if not sales.is_readable:
            raise DamagedDelivery(Problem(TemplateError.FILE_CHANGED))
        return TemplateReader(sales, marks, contents.message.message_id, partial(message_id, delivery))

    def preview(self, deliveries: Sequence[Delivery], limit: int) -> Preview:
        try:
            table = Table(deliveries[0], self.definition, ProblemLog(0))
            if not table.read_headings():
                return Preview([], [])
            rows = islice(chain.from_iterable(table.sales([])), limit)
            lines = [[shown(cell) for cell in cells[:PREVIEW_CELLS]] for _, cells in rows]
        except DamagedDelivery:
            return Preview([], [])
        return Preview([shown(cell) for cell in table.headings.cells[:PREVIEW_CELLS]], lines)


def message_id(delivery: Delivery) -> str:
    """The id of the message that a file is, once it has been read."""
    return f"{delivery.name[:LONGEST_NAME]} {delivery.sha256[:HASH_DIGITS]}"


def _without_bytes(progress: Progress | None) -> Progress | None:
    """A progress that may end the work, and counts no bytes: they are read once more."""
    return None if progress is None else lambda _count: progress(0)
