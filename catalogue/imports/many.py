"""The import of many deliveries, several at a time: one is read and checked while the server indexes another.

The order of the files decides as if they were imported one by one: of two files with the same key, the second waits for
the first one, and then replaces it, or is refused. Of two files of one series, both are read at a time, and then the
second waits for the first one, with which it is compared.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock

import psycopg2
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from catalogue.imports.grouping import FoundDelivery, deliveries_of
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.contexts import settled_contexts
from catalogue.imports.loading.outcome import ImportReport
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.models import TemplateVersion
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery
from dsrhub.database.statements import execute
from dsrhub.exceptions import DsrhubError
from dsrhub.files.disk import FoundFile


@dataclass(frozen=True)
class PlannedDelivery:
    """A delivery and its sales contexts. It has none where it does not say them: its import tells why."""

    delivery: FoundDelivery
    contexts: Sequence[SalesContext]


def deliveries_plan(files: Sequence[FoundFile], template: TemplateVersion | None = None) -> list[PlannedDelivery]:
    """The deliveries that files are, in their order. A single one is compared with no other, by its contexts."""
    found = deliveries_of(files)
    return [PlannedDelivery(one, _contexts(one, template) if len(found) > 1 else ()) for one in found]


def _contexts(delivery: FoundDelivery, template: TemplateVersion | None) -> Sequence[SalesContext]:
    try:
        deliveries = [Delivery(file.path, file.path.name, folder=file.folder) for file in delivery.files]
        return settled_contexts(deliveries, template)
    except (DsrhubError, OSError):
        return ()


def repeated_keys(planned: Sequence[PlannedDelivery]) -> dict[tuple[Path, ...], list[SalesContext]]:
    """The keys that several of the deliveries have, by the paths of these, in their order."""
    paths: dict[SalesContext, list[Path]] = defaultdict(list)
    for one in planned:
        for context in one.contexts:
            paths[context].append(one.delivery.path)
    repeated: dict[tuple[Path, ...], list[SalesContext]] = defaultdict(list)
    for context, of_context in paths.items():
        if len(of_context) > 1:
            repeated[tuple(of_context)].append(context)
    return dict(repeated)


def predecessors(planned: Sequence[PlannedDelivery]) -> list[set[int]]:
    """For each delivery, the positions of the earlier ones that must be imported before it.

    These are those with a file of the same name, as a failure is kept under its name, and those with a context that
    differs in its period at most, and has a day in common: the later one replaces it, or gets a warning.
    """
    names: dict[str, int] = {}
    periods: dict[SalesContext, list[tuple[date, date, int]]] = defaultdict(list)
    found = []
    for position, one in enumerate(planned):
        own_names = {file.path.name for file in one.delivery.files}
        before = {names[name] for name in own_names if name in names}
        names |= dict.fromkeys(own_names, position)
        for context in one.contexts:
            start, end = context.period_start, context.period_end
            others = periods[context.beside_period]
            before |= {other for first, last, other in others if first <= end and start <= last}
            others.append((start, end, position))
        found.append(before - {position})
    return found


def earlier_of_series(planned: Sequence[PlannedDelivery]) -> list[set[int]]:
    """For each delivery, the positions of the earlier ones with a context that differs in its period at most.

    They must be imported before the delivery is compared with the previous report of its series, and after that, for
    it to be loaded: so no comparison depends on which is faster.
    """
    of_series: dict[SalesContext, set[int]] = defaultdict(set)
    found = []
    for position, one in enumerate(planned):
        series = {context.beside_period for context in one.contexts}
        found.append(set[int]().union(*(of_series[context] for context in series)))
        for context in series:
            of_series[context].add(position)
    return found


@dataclass(frozen=True)
class FileResult:
    """What became of a delivery: its report, or the error that kept it out. `path` is that of its first file."""

    path: Path
    report: ImportReport | None = None
    error: Exception | None = None


def dsrs_import(
    planned: Sequence[PlannedDelivery], *, jobs: int, choices: Choices, progress: Callable[[int], object]
) -> Iterator[FileResult]:
    """Import deliveries, each wholly or not at all, and yield their results in their order.

    `progress` is called with the number of bytes that were read since the last call, by one thread at a time. The
    caller refreshes the catalogue of resources.
    """
    importing = _Importing(progress, choices, is_alone=jobs == 1)
    if jobs == 1:
        yield from (importing(one.delivery) for one in planned)
        return

    def import_in_turn(
        delivery: FoundDelivery, before: Collection[Future[FileResult]], of_series: Collection[Future[FileResult]]
    ) -> FileResult:
        # They began earlier, as the pool begins deliveries in their order: so no two wait for each other.
        wait(before)
        result = importing(delivery, lambda: wait(of_series))
        if result.error is not None and not connection.is_usable():
            connection.close()
        return result

    with _threads(jobs) as pool:
        futures: list[Future[FileResult]] = []
        for one, *earlier in zip(planned, predecessors(planned), earlier_of_series(planned), strict=True):
            waits_for = ([futures[position] for position in positions] for positions in earlier)
            futures.append(pool.submit(import_in_turn, one.delivery, *waits_for))
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


@contextmanager
def _threads(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads. Each has one connection for all of its files, which is closed at the end of the pool."""
    opened: list[BaseDatabaseWrapper] = []

    def share_connection() -> None:
        own = connections[DEFAULT_DB_ALIAS]
        own.inc_thread_sharing()
        opened.append(own)

    try:
        with ThreadPoolExecutor(jobs, initializer=share_connection) as pool:
            yield pool
    finally:
        for one in opened:
            one.close()


class _Importing:
    """The import of one delivery, by any number of threads."""

    def __init__(self, progress: Callable[[int], object], choices: Choices, *, is_alone: bool) -> None:
        self._progress = progress
        self._choices = choices
        self._is_alone = is_alone
        self._lock = Lock()
        self._is_stopped = False

    def __call__(self, file: FoundDelivery, when_read: Callable[[], object] | None = None) -> FileResult:
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
            report = delivery_import(
                files=[DeliveredFile(one.path, one.path.name, one.folder) for one in file.files],
                choices=self._choices,
                progress=advance,
                when_read=when_read,
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
