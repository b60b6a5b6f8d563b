"""A file that a definition reads, without a database."""

from pathlib import Path
from typing import Any, NamedTuple

from catalogue.reports.contexts import Contents, SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.format import TemplateFormat
from catalogue.reports.formats.templates.validation import definition_checked
from catalogue.reports.problems import ProblemLog


class Found(NamedTuple):
    """The contexts of a file, the lines of each by column, and the problems as (code, line, column, value)."""

    contexts: list[SalesContext]
    lines: dict[int, list[dict[str, str]]]
    problems: list[tuple[str, int | None, str | None, str | None]]
    contents: Contents | None = None


def template_format(data: dict[str, Any]) -> TemplateFormat:
    return TemplateFormat(definition_checked(data), template_name="Tonbank", version_number=1, version_id=7)


def read_file(path: Path, data: dict[str, Any]) -> Found:
    """What the import of a file would load and report. Damage is a problem, too."""
    delivery, problems = Delivery(path, path.name), ProblemLog(1000)
    contents, lines = None, dict[int, list[dict[str, str]]]()
    try:
        contents = template_format(data).describe([delivery], problems)
        if contents is not None:
            lines = _lines(template_format(data), delivery, contents, problems)
    except DamagedDelivery as damage:
        problems.add(damage.problem)
    contexts = [] if contents is None else [one.context for one in contents.contexts]
    found = [(str(one.code), one.line, one.column, one.value) for one in problems.kept]
    return Found(contexts, lines, found, contents)


def _lines(
    report_format: TemplateFormat, delivery: Delivery, contents: Contents, problems: ProblemLog
) -> dict[int, list[dict[str, str]]]:
    marks = [b"%d" % number for number in range(1, len(contents.contexts) + 1)]
    reader = report_format.read([delivery], contents, problems, None, marks)
    lines: dict[int, list[dict[str, str]]] = {number: [] for number in range(1, len(marks) + 1)}
    for line in b"".join(reader).decode().splitlines():
        mark, *cells = line.split("\t")
        lines[int(mark)].append(dict(zip(reader.columns, cells, strict=True)))
    assert [len(of) for of in lines.values()] == [one.line_count for one in contents.contexts] or problems.error_count
    return lines


def read_text(folder: Path, text: str | bytes, data: dict[str, Any], name: str = "tonbank.csv") -> Found:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_file(path, data)
