import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg2
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from tqdm import tqdm

from catalogue.exceptions import ReportRefused
from catalogue.parsing import Problem
from catalogue.services import ImportReport, Outcome, catalogue_refresh, dsr_import
from dsrhub.database.statements import execute
from dsrhub.exceptions import DsrhubError

ENDINGS = (".tsv", ".tsv.gz")
# A file with very many problems must not bury what became of the others; all that are kept can be asked for.
SHOWN_PROBLEMS = 20


class Command(BaseCommand):
    # They would load REST, GraphQL and their schemas, of which an import needs nothing.
    requires_system_checks = []
    help = "Import DSRs: each file wholly or not at all. A bad file does not stop the others."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths", nargs="+", type=Path, metavar="PATH", help="a .tsv or .tsv.gz file, or a folder of them"
        )
        parser.add_argument(
            "--replace", action="store_true", help="replace an earlier DSR that has the same key and another content"
        )
        parser.add_argument("--dry-run", action="store_true", help="do all the work, and keep nothing of it")
        parser.add_argument(
            "--jobs",
            type=int,
            choices=range(1, 17),
            default=3,
            metavar="N",
            help="how many files are imported at a time (3): one is checked while others are loaded and indexed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        files = list(_report_files(options["paths"]))
        refused = 0
        with tqdm(
            total=sum(path.stat().st_size for path in files),
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
        ) as bar:
            jobs = min(options["jobs"], len(files))
            importing = Importing(bar, replace=options["replace"], dry_run=options["dry_run"], is_alone=jobs == 1)
            for text, is_refusal in _in_parallel(importing, files, jobs):
                refused += is_refusal
                self._tell(bar, text, is_error=is_refusal)
            if not options["dry_run"]:
                # Once for all files: what many of them report is registered the faster.
                bar.set_description("registering resources")
                self._catalogue_refresh()
        if refused:
            raise CommandError(f"{refused} of {_counted(len(files), 'file')} refused.")
        self.stdout.write(f"{_counted(len(files), 'file')} {'checked' if options['dry_run'] else 'in'}.")

    @staticmethod
    def _catalogue_refresh() -> None:
        try:
            catalogue_refresh()
        except Error as error:
            raise CommandError(
                f"Resources are not all registered, refresh_catalogue goes on with them: {_first_line(error)}"
            ) from None

    def _tell(self, bar: Any, text: str, *, is_error: bool) -> None:
        """Print beside the bar, not into it."""
        with bar.external_write_mode(file=sys.stderr):
            if is_error:
                self.stderr.write(text)
            else:
                self.stdout.write(text)


class Importing:
    """What is done with each file, by any number of threads: its import, which moves the bar on."""

    def __init__(self, bar: Any, *, replace: bool, dry_run: bool, is_alone: bool) -> None:
        self._bar = bar
        self._replace = replace
        self._dry_run = dry_run
        self._is_alone = is_alone
        self._lock = Lock()
        self._is_stopped = False

    def __call__(self, path: Path) -> tuple[str, bool]:
        """What became of the file, and whether it was refused."""
        left = path.stat().st_size

        def advance(count: int) -> None:
            nonlocal left
            if self._is_stopped:
                raise KeyboardInterrupt
            # What is read twice counts once.
            count = min(count, left)
            left -= count
            self._move_bar(count)

        try:
            if not self._is_alone:
                # The other files have work for the server's other cores: parallel workers would only cost more.
                execute("SET max_parallel_maintenance_workers = 0; SET max_parallel_workers_per_gather = 0")
            report = dsr_import(
                path=path,
                name=path.name,
                replace=self._replace,
                dry_run=self._dry_run,
                progress=advance,
                and_catalogue=False,
            )
        except (DsrhubError, OSError) as error:
            return _refusal(path, error), True
        except (Error, psycopg2.Error) as error:  # COPY's errors are the driver's
            # The database is gone, or full, or gave up: whether the file is in, the next run finds out.
            return f"failed: {path}: {_first_line(error)}", True
        else:
            return f"{path.name}: {_summary(report)}", False
        finally:
            self._move_bar(left)

    def _move_bar(self, count: int) -> None:
        with self._lock:
            self._bar.update(count)

    def stop(self) -> None:
        """Let files that are being read be left as they are."""
        self._is_stopped = True


def _in_parallel(importing: Importing, files: list[Path], jobs: int) -> Iterator[tuple[str, bool]]:
    """What became of each file, in their order; one is read and checked while the server indexes another."""
    if jobs == 1:
        yield from map(importing, files)
        return

    def import_on_own_connection(path: Path) -> tuple[str, bool]:
        try:
            return importing(path)
        finally:
            connection.close()

    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(import_on_own_connection, files)
        except BaseException:
            importing.stop()
            raise


def _report_files(paths: list[Path]) -> Iterator[Path]:
    """The files among `paths` and the reports in the folders among them, in the order of their names."""
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(ENDINGS))
            if not found:
                raise CommandError(f"{path}: no .tsv or .tsv.gz file in this folder.")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise CommandError(f"{path}: no such file or folder.")


def _summary(report: ImportReport) -> str:
    dsr = report.dsr
    if report.outcome == Outcome.UNCHANGED:
        return f"unchanged, its content is DSR {dsr.pk} already"
    verdict = "checked, would be loaded" if report.outcome == Outcome.CHECKED else f"{report.outcome} as DSR {dsr.pk}"
    rate = dsr.line_count / report.seconds if report.seconds else 0
    lines = [
        f"{verdict}: {_counted(dsr.line_count, 'line')}, {_counted(dsr.blank_count, 'blank cell')}, "
        f"{_counted(dsr.warning_count, 'warning')}, {report.seconds:.2f} s, {rate:,.0f} lines/s",
        *_shown(report.problems.warnings, report.problems.warning_count),
    ]
    return "\n".join(lines)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _refusal(path: Path, error: DsrhubError | OSError) -> str:
    if isinstance(error, ReportRefused):
        problems: list[Problem] = [problem for problem in error.extra["problems"] if problem.is_error]
        return "\n".join([f"refused: {error}", *_shown(problems, error.extra["error_count"])])
    return f"refused: {error}" if isinstance(error, DsrhubError) else f"refused: {path}: {error.strerror or error}"


def _first_line(error: Exception) -> str:
    """What the database says, without where in the statement."""
    return str(error).partition("\n")[0]


def _shown(problems: list[Problem], count: int) -> list[str]:
    """The first problems, a line each, and how many more there are."""
    lines = [f"  {_place(problem)}" for problem in problems[:SHOWN_PROBLEMS]]
    return lines if count <= len(lines) else [*lines, f"  and {count - len(lines):,} more"]


def _place(problem: Problem) -> str:
    line = f"line {problem.line}" if problem.line is not None else "file"
    column = f", column {problem.column}" if problem.column is not None else ""
    value = f": {problem.value!r}" if problem.value is not None else ""
    return f"{line}{column}: {problem.code}{value}"
