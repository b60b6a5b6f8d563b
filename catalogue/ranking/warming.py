"""Reading what small questions need, after the database server has started with nothing in memory.

A small question reads little, but a page here and a page there: of the highest lines of each DSR, and of the lines of
a few hundred resources in all DSRs. A disk finds thousands of such pages in half a minute. It reads whole tables in a
fraction of that time, so as many of them are read as half of the memory for caches holds. Then the questions
themselves are asked, for what is left.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from time import monotonic

from django.db import DatabaseError, connection, transaction
from django.db.models import Max

from catalogue.lines.reading import partition_read, partitions_within
from catalogue.lines.scope import ALL, Scope, scope_state
from catalogue.models import DSR
from catalogue.ranking.building.ways import highest_lines_read
from catalogue.ranking.cached.resources import next_number
from dsrhub.database.statements import rows_of
from dsrhub.database.time_limits import OutOfTime, answered_within

logger = logging.getLogger(__name__)

# The shares that are asked for, one after the other. Smaller ones need no other pages.
PERCENTILES = (10, 25)
# Seconds that one step may take, and all of them together.
STEP_SECONDS, SECONDS = 10, 120
SERVER_START = "SELECT pg_postmaster_start_time()"
# What PostgreSQL assumes to be in memory, its own and that of the system.
CACHE_SIZE = "SELECT pg_size_bytes(current_setting('effective_cache_size'))"

Step = Callable[[], None]


class WarmUp:
    """What is left to read since the database server started. Each process of a worker has one."""

    def __init__(self) -> None:
        self._server_start: object = None
        self._steps: Iterator[Step] = iter(())
        self._seconds_left = 0.0

    def go_on(self, *, is_idle: Callable[[], bool]) -> int:
        """Do the next steps while `is_idle` says that nothing else is to be done. Return how many steps were done."""
        ((server_start,),) = rows_of(SERVER_START)
        if server_start != self._server_start:
            self._server_start, self._steps, self._seconds_left = server_start, _steps(), SECONDS
        done = 0
        while self._seconds_left > 0 and is_idle() and (step := next(self._steps, None)):
            started = monotonic()
            _run(step)
            self._seconds_left -= monotonic() - started
            done += 1
        return done


def _run(step: Step) -> None:
    """A step that fails or takes too long has read something, or its DSR is deleted by now."""
    try:
        with answered_within(STEP_SECONDS):
            step()
    except (OutOfTime, DatabaseError) as error:
        if not connection.is_usable():
            raise
        logger.info("a part of the database is not read into memory: %r", error)


def _steps() -> Iterator[Step]:
    ((cache_size,),) = rows_of(CACHE_SIZE)
    for partition in partitions_within(cache_size // 2):
        yield partial(partition_read, partition)
    for percentile, scope in product(PERCENTILES, _scopes()):
        yield partial(_ask, percentile, scope)


def _scopes() -> Iterator[Scope]:
    """The scopes of usual questions: each territory, that with the latest DSRs first, the latest period, and all."""
    ingested = DSR.objects.ingested()
    latest = ingested.values_list("territory_id").annotate(latest=Max("period_end"))
    for territory, _ in latest.order_by("-latest", "territory_id"):
        yield Scope(territory=territory)
    period = ingested.order_by("-period_end", "-period_start").values("period_start", "period_end").first()
    if period:
        yield Scope(**period)
    yield ALL


def _ask(percentile: int, scope: Scope) -> None:
    """Rank the resources with a small share, and forget the ranking: a request is to get what it asks for."""
    with transaction.atomic():
        _, dsrs = scope_state(scope)
        highest_lines_read(next_number(), dsrs, percentile)
        transaction.set_rollback(True)
