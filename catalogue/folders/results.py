"""What became of a delivery of a drop folder: for programs as JSON, and for people as text. In English."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.utils import timezone

from catalogue.exceptions import DeliveryRefused
from catalogue.imports.loading.outcome import ImportReport
from catalogue.imports.many import FileResult
from catalogue.imports.printed import result_text
from catalogue.reports.formats.registry import explanation
from catalogue.reports.problems import Problem
from dsrhub.exceptions import DsrhubError
from dsrhub.stores.interface import StoredFile
from dsrhub.texts.wording import printable

LONGEST_NAME = 4096


def loaded_json(report: ImportReport) -> dict[str, Any]:
    return {
        "outcome": report.outcome.value,
        "code": None,
        "dsrs": [one.dsr.pk for one in report.imported],
        "missing": [dsr.pk for dsr in report.missing],
        "dropped": report.dropped,
        "error_count": 0,
        "warning_count": report.problems.warning_count,
        "problems": _problems_json(report.problems.kept),
    }


def refused_json(error: DsrhubError) -> dict[str, Any]:
    return {
        "outcome": "refused",
        "code": error.code,
        "message": str(error.text),
        "dsrs": [],
        "failed_dsr": error.extra.get("dsr"),
        "error_count": error.error_count if isinstance(error, DeliveryRefused) else 1,
        "warning_count": error.warning_count if isinstance(error, DeliveryRefused) else 0,
        "problems": _problems_json(error.extra.get("problems", ())),
    }


def facts_json(address: str, files: Sequence[StoredFile]) -> dict[str, Any]:
    """What is the same whatever became of a delivery."""
    return {
        "folder": address,
        "at": timezone.now().isoformat(timespec="seconds"),
        "files": [{"name": printable(file.name, LONGEST_NAME), "bytes": file.size} for file in files],
    }


def text_of(name: str, file_count: int, *, report: ImportReport | None = None, error: DsrhubError | None = None) -> str:
    """The text that `import_dsr` prints, and what helps against each kind of problem of a refused delivery."""
    lines = [result_text(FileResult(Path(name), report, error), file_count)]
    codes = dict.fromkeys(problem.code for problem in error.extra.get("problems", ())) if error else {}
    lines += [f"{code.value}: {explanation(code)}" for code in codes]
    return "\n".join(lines)


def _problems_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [
        {
            "level": "error" if problem.is_error else "warning",
            "code": problem.code.value,
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "value": problem.value,
            "message": str(explanation(problem.code)),
        }
        for problem in problems
    ]
