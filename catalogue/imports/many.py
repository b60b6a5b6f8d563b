"""The import of many files, several at a time: one is read and checked while the server indexes another.

The order of the files decides as if they were imported one by one: of two files with the same key, the second waits for
the first one, and then replaces it, or is refused.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock

import psycopg2
from django.db import Error, connection

from catalogue.imports.contexts import settled_contexts
from catalogue.imports.outcome import ImportReport
from catalogue.imports.services import dsr_import
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery
from dsrhub.database.statements import execute
from dsrhub.exceptions import DsrhubError
from dsrhub.files import FoundFile


@dataclass(frozen=True)
class PlannedFile:
    """A file and its sales contexts. It has none where it does not say them: its import tells why."""

    file: FoundFile
    contexts: Sequence[SalesContext]


def files_plan(files: Iterable[FoundFile]) -> list[PlannedFile]:
    return [PlannedFile(file, _contexts(file)) for file in files]


def _contexts(file: FoundFile) -> Sequence[SalesContext]:
    try:
        return settled_contexts([Delivery(file.path, file.path.name, folder=file.folder)])
    except (DsrhubError, OSError):
        return ()


def repeated_keys(planned: Sequence[PlannedFile]) -> dict[tuple[Path, ...], list[SalesContext]]:
    """The keys that several of the files have, by these files, in their order."""
    paths: dict[SalesContext, list[Path]] = defaultdict(list)
    for one in planned:
        for context in one.contexts:
            paths[context].append(one.file.path)
    repeated: dict[tuple[Path, ...], list[SalesContext]] = defaultdict(list)
    for context, of_context in paths.items():
        if len(of_context) > 1:
            repeated[tuple(of_context)].append(context)
    return dict(repeated)


def predecessors(planned: Sequence[PlannedFile]) -> list[set[int]]:
    """For each file, the positions of the earlier files that must be imported before it.

    These are the files of the same name, as a failure is kept under its name, and those with a context that differs in
    its period at most, and has a day in common: the later one replaces it, or gets a warning.
    """
    names: dict[str, int] = {}
    periods: dict[SalesContext, list[tuple[date, date, int]]] = defaultdict(list)
    found = []
    for position, one in enumerate(planned):
        name = one.file.path.name
        before = {names[name]} if name in names else set()
        names[name] = position
        for context in one.contexts:
            start, end = context.period_start, context.period_end
            others = periods[context.beside_period]
            before |= {other for first, last, other in others if first <= end and start <= last}
            others.append((start, end, position))
        found.append(before - {position})
    return found


@dataclass(frozen=True)
class FileResult:
    """What became of a file: its report, or the error that kept it out."""

    path: Path
    report: ImportReport | None = None
    error: Exception | None = None


def dsrs_import(
    planned: Sequence[PlannedFile], *, jobs: int, replace: bool, dry_run: bool, progress: Callable[[int], object]
) -> Iterator[FileResult]:
    """Import files, each wholly or not at all, and yield their results in the order of the files.

    `progress` is called with the number of bytes that were read since the last call, by one thread at a time. The
    caller refreshes the catalogue of resources.
    """
    importing = _Importing(progress, replace=replace, dry_run=dry_run, is_alone=jobs == 1)
    if jobs == 1:
        yield from (importing(one.file) for one in planned)
        return

    def import_in_turn(file: FoundFile, before: Collection[Future[FileResult]]) -> FileResult:
        # They began earlier, as the pool begins files in their order: so no two files wait for each other.
        wait(before)
        try:
            return importing(file)
        finally:
            connection.close()

    with ThreadPoolExecutor(jobs) as pool:
        futures: list[Future[FileResult]] = []
        for one, before in zip(planned, predecessors(planned), strict=True):
            futures.append(pool.submit(import_in_turn, one.file, [futures[position] for position in before]))
        results = deque(futures)
        del futures
        try:
            while results:
                # Popped, so that a report is not held in memory until the last file is imported.
                yield results.popleft().result()
        except BaseException:
            importing.stop()
            pool.shutdown(wait=False, cancel_futures=True)
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
