"""The import of many files, several at a time: one is read and checked while the server indexes another."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import psycopg2
from django.db import Error, connection

from catalogue.imports.loading import ImportReport
from catalogue.imports.services import dsr_import
from dsrhub.database.statements import execute
from dsrhub.exceptions import DsrhubError
from dsrhub.files import FoundFile


@dataclass(frozen=True)
class FileResult:
    """What became of a file: its report, or the error that kept it out."""

    path: Path
    report: ImportReport | None = None
    error: Exception | None = None


def dsrs_import(
    files: Sequence[FoundFile], *, jobs: int, replace: bool, dry_run: bool, progress: Callable[[int], object]
) -> Iterator[FileResult]:
    """Import files, each wholly or not at all, and yield their results in the order of the files.

    `progress` is called with the number of bytes that were read since the last call, by one thread at a time. The
    caller refreshes the catalogue of resources.
    """
    importing = _Importing(progress, replace=replace, dry_run=dry_run, is_alone=jobs == 1)
    if jobs == 1:
        yield from map(importing, files)
        return

    def import_on_own_connection(file: FoundFile) -> FileResult:
        try:
            return importing(file)
        finally:
            connection.close()

    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(import_on_own_connection, files)
        except BaseException:
            importing.stop()
            raise


class _Importing:
    """The import of one file, by any number of threads."""

    def __init__(self, progress: Callable[[int], object], *, replace: bool, dry_run: bool, is_alone: bool) -> None:
        self._progress = progress
        self._replace = replace
        self._dry_run = dry_run
        self._is_alone = is_alone
        self._lock = Lock()
        self._is_stopped = False

    def __call__(self, file: FoundFile) -> FileResult:
        left = 0

        def advance(count: int) -> None:
            nonlocal left
            if self._is_stopped:
                raise KeyboardInterrupt
            # Bytes that are read twice count once.
            count = min(count, left)
            left -= count
            self._advance(count)

        try:
            left = file.size()
            if not self._is_alone:
                # The other files keep the other cores of the server busy: parallel workers would only add cost.
                execute("SET max_parallel_maintenance_workers = 0; SET max_parallel_workers_per_gather = 0")
            report = dsr_import(
                path=file.path,
                name=file.path.name,
                folder=file.folder,
                replace=self._replace,
                dry_run=self._dry_run,
                progress=advance,
                and_catalogue=False,
            )
        except (DsrhubError, OSError, Error, psycopg2.Error) as error:  # COPY's errors are the driver's
            return FileResult(file.path, error=error)
        else:
            return FileResult(file.path, report)
        finally:
            self._advance(left)

    def _advance(self, count: int) -> None:
        with self._lock:
            self._progress(count)

    def stop(self) -> None:
        """Make each thread stop at the next block that it reads."""
        self._is_stopped = True
