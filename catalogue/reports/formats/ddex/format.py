"""DDEX messages behind the interface of formats."""

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import replace

from catalogue.reports.contexts import Contents, MessagePart
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.ddex.cells import shown_text
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.ddex.explanations import EXPLANATIONS
from catalogue.reports.formats.ddex.lines import UnreadableMessage, is_record, line_blocks
from catalogue.reports.formats.ddex.message import FILE_NUMBER, FileHead, file_head, message_part
from catalogue.reports.formats.ddex.reader import MessageReader
from catalogue.reports.formats.interface import PREVIEW_CELLS, LineReader, Preview
from catalogue.reports.problems import Problem, ProblemLog, shown

NAME_PATTERN = "DSR_{Recipient}_{Sender}_{Service}_{Period}_{Territory}_{X}of{Y}_{Created}.tsv[.gz]"
NAME = re.compile(r"DSR_(?:[^_]*_){4,}[^_]*\.(?:tsv|txt)(?:\.gz)?", re.IGNORECASE)
FILE_OF_FILES = re.compile(r"_([0-9]{1,9})of([0-9]{1,9})_", re.IGNORECASE)
HEAD = re.compile(rb"[ \t]*HEAD(?:\.[0-9]*)?[ \t]")


class DdexFormat:
    name = "DDEX"
    endings: tuple[str, ...] = (".tsv",)
    name_pattern = NAME_PATTERN
    has_a_line_for_each_id = False
    explanations = EXPLANATIONS

    def recognises(self, name: str, head: bytes) -> bool:
        lines = head.removeprefix(BOM_UTF8).split(b"\n")
        first = next((line for line in lines if is_record(line)), b"")
        return bool(HEAD.match(first)) or (bool(NAME.fullmatch(name)) and not first.startswith(b"dsp_id"))

    def message_part(self, delivery: Delivery) -> MessagePart | None:
        try:
            return message_part(delivery)
        except (DamagedDelivery, UnreadableMessage):
            return None

    def describe(
        self, deliveries: Sequence[Delivery], problems: ProblemLog, progress: Progress | None = None
    ) -> Contents | None:
        heads = []
        for delivery in deliveries:
            try:
                head = file_head(delivery, delivery.name if len(deliveries) > 1 else None)
            except UnreadableMessage as error:
                for problem in error.problems:
                    problems.add(problem)
                continue
            heads.append((delivery.name, head))
        if problems.error_count:
            return None
        for number, (_, head) in enumerate(heads):
            for problem in head.problems:
                # All files have the same summaries, so their problems are those of the first file.
                if number == 0 or (problem.is_error and problem.line == head.record.line_number):
                    problems.add(problem)
        _check_files(heads, problems)
        return None if problems.error_count else heads[0][1].contents

    def read(
        self,
        deliveries: Sequence[Delivery],
        contents: Contents,
        problems: ProblemLog,
        progress: Progress | None,
        marks: Sequence[bytes],
    ) -> LineReader:
        return MessageReader(deliveries, contents, problems, progress, marks)

    def preview(self, deliveries: Sequence[Delivery], limit: int) -> Preview:
        try:
            lines = next(line_blocks(deliveries[0].chunks()), [])
        except (DamagedDelivery, UnreadableMessage):
            return Preview([], [])
        records = [line for line in lines if is_record(line)][:limit]
        return Preview([], [[shown_text(cell) for cell in line.split(b"\t")[:PREVIEW_CELLS]] for line in records])


def _check_files(heads: Sequence[tuple[str, FileHead]], problems: ProblemLog) -> None:
    """A message is complete: each of its files is there once, and all say the same of it."""
    first_name, first = heads[0]
    numbers: dict[int, str] = {}
    for name, head in heads:
        file, line = name if len(heads) > 1 else None, head.record.line_number
        if replace(head.message, created="") != replace(first.message, created=""):
            value, excerpt = shown(first_name), head.record.excerpt()
            problems.add(Problem(DdexError.FILES_DIFFER, line, "HEAD", value, file=file, excerpt=excerpt))
        elif head.summary_cells != first.summary_cells:
            problems.add(Problem(DdexError.FILES_DIFFER, column="summaries", value=shown(first_name), file=file))
        if head.file_number in numbers:
            value, excerpt = str(head.file_number), head.record.excerpt(FILE_NUMBER)
            problems.add(Problem(DdexError.FILE_REPEATED, line, "file number", value, file=file, excerpt=excerpt))
        numbers[head.file_number] = name
        stated = FILE_OF_FILES.search(name)
        if stated and (int(stated[1]), int(stated[2])) != (head.file_number, head.message.file_count):
            found = f"{stated[0].strip('_')}, file {head.file_number} of {head.message.file_count}"
            problems.add(Problem(DdexWarning.NAME_DIFFERS, value=shown(found), file=file))
    missing = sorted({*range(1, first.message.file_count + 1)} - numbers.keys())
    if missing and not problems.error_count:
        listed = ", ".join(map(str, missing[:20]))
        problems.add(Problem(DdexError.FILES_MISSING, value=f"{listed} of {first.message.file_count}"))
