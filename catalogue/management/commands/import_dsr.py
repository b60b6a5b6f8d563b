import sys
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from typing import Any, cast

import psycopg2
from django.core.management.base import CommandError
from django.db import Error
from tqdm import tqdm

from catalogue.dsrs.declared import MEASURES, DeclaredTotals
from catalogue.exceptions import NoReportFound, ReportRefused
from catalogue.imports.finding import FoundReports, LeftOut, reports_find
from catalogue.imports.grouping import FoundDelivery
from catalogue.imports.loading import Choices
from catalogue.imports.many import FileResult, deliveries_plan, dsrs_import, repeated_keys
from catalogue.imports.outcome import ImportedDSR, ImportReport, Outcome
from catalogue.report_templates.selectors import template_named, template_version
from catalogue.reports.contexts import MessageFacts, SalesContext
from catalogue.reports.problems import Problem
from catalogue.resources.services import catalogue_refresh
from dsrhub.commands import DsrhubCommand, decimal_number, whole_number
from dsrhub.files import FoundFile
from dsrhub.values import printable

# A file with very many problems must not hide the results of the others. The API and the admin show all stored ones.
SHOWN_PROBLEMS = 20
SHOWN_PATHS = 20
LONGEST_PATH = 4096
# A message may have thousands of DSRs.
SHOWN_DSRS = 20


class Command(DsrhubCommand):
    # The checks would load REST and GraphQL with their schemas, which an import does not need.
    requires_system_checks = []
    help = "Import DSRs, each file completely or not at all. A bad file does not stop the others."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            type=Path,
            metavar="PATH",
            help="a report, or a folder of reports",
        )
        parser.add_argument(
            "--replace", action="store_true", help="replace an earlier DSR that has the same key and different content"
        )
        parser.add_argument(
            "--drop-missing",
            action="store_true",
            help="with --replace: also delete the DSRs of replaced messages whose contexts the new message lacks",
        )
        for name, kind in (("lines", whole_number), ("usages", whole_number), ("revenue", decimal_number)):
            parser.add_argument(
                f"--declared-{name}",
                type=kind,
                metavar="N",
                help=f"the {name} that the service declares of a single delivery, which is refused if it has others",
            )
        parser.add_argument(
            "--template",
            metavar="NAME",
            help="let this template read the files, whichever would recognise them",
        )
        parser.add_argument("--dry-run", action="store_true", help="do the complete import, but keep nothing")
        parser.add_argument(
            "--jobs",
            type=whole_number,
            choices=range(1, 17),
            default=3,
            metavar="N",
            help="number of files to import at a time (default: 3): one is checked while others are loaded and indexed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["drop_missing"] and not options["replace"]:
            raise CommandError("--drop-missing needs --replace.")
        declared = DeclaredTotals(**{name: options[f"declared_{name}"] for name in MEASURES})
        name = options["template"]
        template = None if name is None else template_version(template_named(name))
        choices = Choices(
            **{choice: options[choice] for choice in ("replace", "drop_missing", "dry_run")},
            declared=declared,
            template=template,
        )
        try:
            found = reports_find(options["paths"], is_template_chosen=template is not None)
        except NoReportFound as error:
            self._print_left_out(error.extra["left_out"])
            raise CommandError(error.message) from None
        self._print_left_out(found.left_out)
        files, planned, refused = found.files, deliveries_plan(found.files, template), 0
        if not declared.is_empty and (len(planned) != 1 or any(path.is_dir() for path in options["paths"])):
            raise CommandError("Totals are declared of one delivery: name its file, or the files of one message.")
        self._print_repeated(repeated_keys(planned), replace=options["replace"])
        with tqdm(
            total=sum(map(_size, files)),
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
        ) as bar:
            jobs = min(options["jobs"], len(planned))
            results = dsrs_import(planned, jobs=jobs, choices=choices, progress=bar.update)
            for one, result in zip(planned, results, strict=True):
                refused += len(one.delivery.files) if result.error is not None else 0
                self._print(bar, _result_text(one.delivery, result), is_error=result.error is not None)
            if not options["dry_run"]:
                # One refresh for all files is faster, as many of them report the same resources.
                bar.set_description("registering resources")
                self._catalogue_refresh()
        done = f"{_counted(len(files), 'file')} {'checked' if options['dry_run'] else 'imported'}"
        if refused:
            done = f"{refused} of {_counted(len(files), 'file')} refused"
        outcome = f"{', '.join([done, *_left_out_counts(found)])}."
        if refused or found.unread_folders:
            raise CommandError(outcome)
        self.stdout.write(outcome)

    def _print_left_out(self, left_out: list[LeftOut]) -> None:
        for one in left_out[:SHOWN_PATHS]:
            self.stderr.write(f"skipped: {printable(str(one.path), LONGEST_PATH)}: {one.reason}.")
        if len(left_out) > SHOWN_PATHS:
            self.stderr.write(f"and {len(left_out) - SHOWN_PATHS:,} more skipped")

    def _print_repeated(self, repeated: dict[tuple[Path, ...], list[SalesContext]], *, replace: bool) -> None:
        outcome = "each replaces the one before it" if replace else "none replaces another, as --replace is not given"
        for paths, contexts in islice(repeated.items(), SHOWN_PATHS):
            names = _listed([printable(str(path), LONGEST_PATH) for path in paths])
            keys = _listed([f"({context})" for context in contexts])
            self.stderr.write(f"same key: {names}: {keys}. They are imported in this order, and {outcome}.")
        if len(repeated) > SHOWN_PATHS:
            self.stderr.write(f"and {len(repeated) - SHOWN_PATHS:,} more groups of files with the same key")

    @staticmethod
    def _catalogue_refresh() -> None:
        try:
            catalogue_refresh()
        except Error as error:
            raise CommandError(
                f"Not all resources are registered. Run refresh_catalogue to continue: {_first_line(error)}"
            ) from None

    def _print(self, bar: Any, text: str, *, is_error: bool) -> None:
        """Print a text without breaking the progress bar."""
        with bar.external_write_mode(file=sys.stderr):
            if is_error:
                self.stderr.write(text)
            else:
                self.stdout.write(text)


def _left_out_counts(found: FoundReports) -> list[str]:
    """How many paths of each kind are left out, for the kinds that there are."""
    counts = (
        (len(found.skipped_files), "file", "skipped"),
        (len(found.linked_folders), "linked folder", "skipped"),
        (len(found.unread_folders), "folder", "not read"),
    )
    return [f"{_counted(count, word)} {verb}" for count, word, verb in counts if count]


def _size(file: FoundFile) -> int:
    try:
        return file.size()
    except OSError:
        return 0  # The import of this file tells what is wrong.


def _result_text(delivery: FoundDelivery, result: FileResult) -> str:
    if result.report is None:
        return _refusal(result.path, result.error)
    report, name = result.report, result.path.name
    if report.message_facts is None:
        lines = _first([f"{name}: {_summary(one, report.seconds)}" for one in report.imported[:SHOWN_DSRS]], report)
    else:
        files = f" and {_counted(len(delivery.files) - 1, 'more file')}" if len(delivery.files) > 1 else ""
        lines = [f"{name}{files}: {_message_summary(report)}"]
        if report.outcome != Outcome.UNCHANGED:
            lines += _first([_context_line(one) for one in report.imported[:SHOWN_DSRS]], report)
    warnings = _problem_lines(report.problems.warnings, report.problems.warning_count)
    return "\n".join([*lines, *_missing_lines(report), *warnings])


def _first(lines: list[str], report: ImportReport) -> list[str]:
    """Lines of the first DSRs of a delivery, and the number of the further ones."""
    left = len(report.imported) - len(lines)
    return [*lines, f"  and {_counted(left, 'more DSR')}"] if left else lines


def _message_summary(report: ImportReport) -> str:
    facts, dsrs = cast(MessageFacts, report.message_facts), [one.dsr for one in report.imported]
    message = f"message {facts.message_id} of {facts.sender.name}"
    if report.outcome == Outcome.UNCHANGED:
        return f"unchanged, already imported as {message}: {_counted(len(dsrs), 'DSR')}"
    verdict = "checked, would be loaded" if report.outcome == Outcome.CHECKED else report.outcome
    line_count = sum(dsr.line_count for dsr in dsrs)
    rate = line_count / report.seconds if report.seconds else 0
    return (
        f"{verdict} as {message}: {_counted(len(dsrs), 'DSR')}, {_counted(line_count, 'line')}, "
        f"{_counted(report.problems.warning_count, 'warning')}, {report.seconds:.2f} s, {rate:,.0f} lines/s"
    )


def _context_line(imported: ImportedDSR) -> str:
    dsr = imported.dsr
    verdict = {Outcome.CHECKED: "DSR"}.get(imported.outcome, f"{imported.outcome} as DSR {dsr.pk}")
    return f"  {verdict}: {dsr.context}: {_counted(dsr.line_count, 'line')}"


def _missing_lines(report: ImportReport) -> list[str]:
    """The DSRs of replaced messages whose contexts the delivery lacks."""
    deleted = "would be deleted" if report.outcome == Outcome.CHECKED else "deleted"
    fate = deleted if report.dropped else "stays; --drop-missing deletes it"
    lines = [f"  missing: DSR {dsr.pk} ({dsr.path}; {dsr.context}): {fate}" for dsr in report.missing[:SHOWN_DSRS]]
    left = len(report.missing) - len(lines)
    return [*lines, f"  and {left:,} more missing"] if left else lines


def _summary(imported: ImportedDSR, seconds: float) -> str:
    dsr, outcome = imported.dsr, imported.outcome
    if outcome == Outcome.UNCHANGED:
        return f"unchanged, already imported as DSR {dsr.pk}"
    verdict = "checked, would be loaded" if outcome == Outcome.CHECKED else f"{outcome} as DSR {dsr.pk}"
    rate = dsr.line_count / seconds if seconds else 0
    return (
        f"{verdict}: {_counted(dsr.line_count, 'line')}, {_counted(dsr.blank_count, 'blank cell')}, "
        f"{_counted(dsr.warning_count, 'warning')}, {seconds:.2f} s, {rate:,.0f} lines/s"
    )


def _listed(texts: list[str]) -> str:
    """The first texts, and the number of further ones."""
    more = [f"and {len(texts) - SHOWN_PATHS:,} more"] if len(texts) > SHOWN_PATHS else []
    return ", ".join([*texts[:SHOWN_PATHS], *more])


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _refusal(path: Path, error: Exception | None) -> str:
    if isinstance(error, ReportRefused):
        problems: list[Problem] = [problem for problem in error.extra["problems"] if problem.is_error]
        return "\n".join([f"refused: {error}", *_problem_lines(problems, error.extra["error_count"])])
    if isinstance(error, OSError):
        return f"refused: {path}: {error.strerror or error}"
    if isinstance(error, (Error, psycopg2.Error)):
        # The database is unreachable, full or timed out. The next run finds out whether the file was imported.
        return f"failed: {path}: {_first_line(error)}"
    return f"refused: {error}"


def _first_line(error: Exception) -> str:
    """Return the message of the database without the position in the statement."""
    return str(error).partition("\n")[0]


def _problem_lines(problems: list[Problem], count: int) -> list[str]:
    """Return the first problems, one line each, and the number of further ones."""
    lines = [f"  {_problem_text(problem)}" for problem in problems[:SHOWN_PROBLEMS]]
    return lines if count <= len(lines) else [*lines, f"  and {count - len(lines):,} more"]


def _problem_text(problem: Problem) -> str:
    line = f"line {problem.line}" if problem.line is not None else "file"
    if problem.file is not None:
        line = f"{problem.file}: {line}"
    column = f", column {problem.column}" if problem.column is not None else ""
    value = f": {problem.value!r}" if problem.value is not None else ""
    return f"{line}{column}: {problem.code}{value}"
