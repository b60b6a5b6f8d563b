"""Keeping the catalogue of resources up to date, and dropping the lines of deleted DSRs."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import OperationalError, transaction
from django.db.models import Q, Sum

from catalogue.lines.storage import abandoned_lines_drop, lines_drop, shared_lines_analyze
from catalogue.models import DSR, SHARED_PARTITION, LeftoverLines, SupersededDSR
from catalogue.resources.rebuild import resources_rebuild, resources_replace
from catalogue.resources.register import dsp_lock, dsps_with_gone, gone_of, resources_register, resources_remove
from dsrhub.database import locks
from dsrhub.database.statements import is_lock_timeout, wait_for_locks
from dsrhub.exceptions import NodeOutOfReach

logger = logging.getLogger(__name__)

# Small DSRs of a DSP are registered, and the lines of deleted ones dropped, by this many at a time.
MOST_TOGETHER = 1_000
# How long dropping a table may make others wait for it, how often it is tried, and the pause in seconds between tries.
# A table that is still in use then is dropped by a later run.
DROP_LOCK_TIMEOUT, DROP_TRIES, DROP_PAUSE = "100ms", 3, 0.1
# The catalogue is rebuilt if at least this many lines must be registered, and at least half of all lines.
REBUILD_LINES = 100_000
# How often the rebuilt table is tried to replace the old one while nobody reads that: for some minutes.
REPLACE_TRIES = 1_000


@dataclass(frozen=True)
class CatalogueState:
    """How far the catalogue of resources is behind: DSRs to register, and deleted DSRs with lines to drop."""

    uncatalogued_count: int
    leftover_count: int


def catalogue_state() -> CatalogueState:
    return CatalogueState(DSR.objects.uncatalogued().count(), LeftoverLines.objects.count())


def catalogue_refresh() -> None:
    """Bring the catalogue of resources up to date with the ingested DSRs, and drop the lines of deleted ones.

    Works DSP by DSP and in a few DSRs at a time, each in a transaction of its own: after a crash it continues from
    there, and several sessions share the work. Where most lines are new, the whole catalogue is rebuilt at once. Lines
    that somebody is reading are left to a later run.
    """
    shared_lines_analyze()
    for dsp in dsps_with_gone():
        _resources_remove(dsp)
    _leftovers_drop()
    _abandoned_drop()
    if _are_mostly_new():
        _resources_rebuild()
    for numbers in _uncatalogued():
        _resources_register(numbers)


def _uncatalogued() -> Iterable[list[int]]:
    """The DSRs to register, those that are registered together in one list: small ones of a DSP.

    The most recent DSRs come first: earlier ones do not change what they report.
    """
    together: dict[tuple[str, int], list[int]] = defaultdict(list)
    dsrs = DSR.objects.uncatalogued().order_by("-period_end", "-id").values_list("pk", "dsp", "partition")
    for place, (number, dsp, partition) in enumerate(dsrs):
        batch = place // MOST_TOGETHER if partition == SHARED_PARTITION else -number
        together[dsp, batch].append(number)
    return together.values()


def _resources_remove(dsp: str) -> None:
    with transaction.atomic():
        dsp_lock(dsp)
        if gone := gone_of(dsp):
            resources_remove(dsp, gone)


def _resources_register(dsr_numbers: Sequence[int]) -> None:
    uncatalogued = DSR.objects.uncatalogued().filter(pk__in=dsr_numbers)
    dsp = uncatalogued.values_list("dsp", flat=True).first()
    if dsp is None:
        return
    with transaction.atomic():
        dsp_lock(dsp)
        # While this one waited for the lock, another session may have done it, or renamed the DSP.
        dsrs = list(uncatalogued.filter(dsp=dsp))
        if dsrs and not resources_register(dsrs):
            transaction.set_rollback(True)


# --- Rebuilding ------------------------------------------------------------------------------------------------


def _are_mostly_new() -> bool:
    lines = DSR.objects.ingested().aggregate(
        new=Sum("line_count", filter=Q(is_catalogued=False), default=0),
        known=Sum("line_count", filter=Q(is_catalogued=True), default=0),
    )
    return bool(lines["new"] >= REBUILD_LINES and lines["new"] >= lines["known"])


def _resources_rebuild() -> None:
    with transaction.atomic():
        locks.RESOURCES.take()
        # Another session may have done it while this one waited for the lock.
        if not _are_mostly_new():
            return
        dsrs = list(DSR.objects.ingested())
        resources_rebuild(dsrs)
        if not _resources_replace(dsrs):
            # Then they are registered DSR by DSR.
            transaction.set_rollback(True)


def _resources_replace(dsrs: Sequence[DSR]) -> bool:
    """Replace the resources by the rebuilt ones; False where a DSR is gone by now, or the table is always in use."""
    for _ in range(REPLACE_TRIES):
        try:
            with transaction.atomic():
                wait_for_locks(DROP_LOCK_TIMEOUT)
                resources_replace()
                LeftoverLines.objects.exclude(dsr_number__in=[dsr.pk for dsr in dsrs]).update(is_catalogued=False)
                SupersededDSR.objects.exclude(pk__in=[dsr.pk for dsr in dsrs]).update(is_catalogued=False)
                new = [dsr.pk for dsr in dsrs if not dsr.is_catalogued]
                return DSR.objects.uncatalogued().filter(pk__in=new).update(is_catalogued=True) == len(new)
        except OperationalError as error:
            if not is_lock_timeout(error):
                raise
            time.sleep(DROP_PAUSE)
    logger.warning("the catalogue of resources is read all the time, and cannot be replaced")
    return False


# --- Lines of deleted DSRs -------------------------------------------------------------------------------------


def _leftovers_drop() -> None:
    """Drop the lines of deleted DSRs whose resources are removed."""
    for leftovers in _leftovers_together():
        # A reader that keeps one table from being dropped keeps all of them.
        if not any(_leftovers_are_dropped(leftovers, pause) for pause in [0, *[DROP_PAUSE] * (DROP_TRIES - 1)]):
            break


def _abandoned_drop() -> None:
    """Drop what failed imports have left on a cluster. Another session may be reading other lines."""
    try:
        abandoned_lines_drop(lock_timeout=DROP_LOCK_TIMEOUT)
    except (OperationalError, NodeOutOfReach) as error:
        logger.info("lines of failed imports are left to a later run: %s", error)


def _leftovers_together() -> Iterator[list[LeftoverLines]]:
    """The lines to drop: first those in the shared partition, which wait for no reader, many at a time."""
    leftovers = LeftoverLines.objects.filter(is_catalogued=False).order_by("dsr_number")
    shared = list(leftovers.filter(partition=SHARED_PARTITION))
    for start in range(0, len(shared), MOST_TOGETHER):
        yield shared[start : start + MOST_TOGETHER]
    for leftover in leftovers.exclude(partition=SHARED_PARTITION):
        yield [leftover]


def _leftovers_are_dropped(leftovers: Sequence[LeftoverLines], pause: float) -> bool:
    """Drop the lines of DSRs that lie in one partition."""
    time.sleep(pause)
    numbers = [leftover.dsr_number for leftover in leftovers]
    try:
        with transaction.atomic():
            # Dropping a table waits for the readers of all DSRs, and other readers wait behind it.
            wait_for_locks(DROP_LOCK_TIMEOUT)
            left = LeftoverLines.objects.select_for_update(skip_locked=True).filter(dsr_number__in=numbers)
            if numbers := list(left.values_list("dsr_number", flat=True)):
                lines_drop(dsr_numbers=numbers, partition=leftovers[0].partition)
                LeftoverLines.objects.filter(dsr_number__in=numbers).delete()
    except (OperationalError, NodeOutOfReach) as error:
        # Nearly always somebody reads. Whatever it is, the deletion itself is done: only its lines remain on disk.
        logger.info("lines of deleted DSRs %s are left to a later run: %s", numbers, error)
        return False
    return True
