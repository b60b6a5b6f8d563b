"""What can be done with a DSR. Every door (command, admin, REST) calls these, and they alone write DSRs."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import Q, Sum

from catalogue.delivery import DamagedDelivery, Delivery, Progress
from catalogue.exceptions import (
    DSRExists,
    DSRNotFound,
    ExchangeRateIncomplete,
    ExchangeRateMissing,
    InvalidReportName,
    ReportRefused,
)
from catalogue.kept_files import file_forget, file_keep
from catalogue.lines.storage import LineLoad, Repeats, lines_drop
from catalogue.models import DSR, Currency, LeftoverLines, RejectedDelivery, ReportProblem, Territory
from catalogue.parsing import (
    LONGEST_NAME,
    ErrorCode,
    Problem,
    ProblemLog,
    ReportName,
    ReportReader,
    WarningCode,
    parse_report_name,
    shown,
)
from catalogue.rates import ExchangeRate, exchange_rate, rates_lock
from catalogue.resources import dsp_lock, resources_forget, resources_lock, resources_register
from catalogue.resources_anew import resources_make, resources_replace
from dsrhub.database import locks
from dsrhub.database.statements import execute, is_lock_timeout, rows_of, wait_for_locks

logger = logging.getLogger(__name__)

# How long dropping a table may make others wait for it, how often it is tried, and the pause in seconds between tries.
# A table that is still in use then is dropped by a later run.
DROP_LOCK_TIMEOUT, DROP_TRIES, DROP_PAUSE = "100ms", 3, 0.1
# The catalogue of resources is made anew where so many lines are to be registered, and half of all or more.
ANEW_LINES = 100_000
# What was made anew waits so often for a moment in which nobody reads the old: that is some minutes.
REPLACE_TRIES = 1_000


class Outcome(StrEnum):
    """What became of a delivery that was not refused."""

    LOADED = "loaded"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    CHECKED = "checked"


@dataclass
class ImportReport:
    """How an import went. After a dry run `dsr` is what it would have been, and has no place in the database."""

    dsr: DSR
    outcome: Outcome
    problems: ProblemLog
    rewritten_count: int = 0
    seconds: float = 0.0


def dsr_import(
    *,
    path: Path,
    name: str,
    replace: bool = False,
    dry_run: bool = False,
    user: User | None = None,
    progress: Progress | None = None,
    and_catalogue: bool = True,
    unpacked_limit: int | None = None,
) -> ImportReport:
    """Import the file at `path`, delivered as `name`: wholly, or not at all.

    The key of a DSR is all that its name says. The same content under a key again is a no-op that succeeds;
    another content is refused, or with `replace` takes the place of the earlier one. A dry run does all the work
    and keeps nothing of it. Without `and_catalogue` somebody else brings the catalogue of resources up to date.
    A content of more than `unpacked_limit` bytes is refused: files of people, unlike those of operators, have one.

    Raises InvalidReportName (kept as a rejected delivery), DSRExists, and ReportRefused with the problems, which
    are kept with a DSR that has failed.
    """
    started = time.monotonic()
    try:
        report_name = _known_report_name(name)
    except InvalidReportName as error:
        if not dry_run:
            _rejection_keep(name, error.message, user)
        raise
    delivery = Delivery(path, name, unpacked_limit)
    problems = ProblemLog(settings.DSRHUB_PROBLEM_LIMIT)
    try:
        # Durable: inside another transaction, a failure could not be kept, nor locks be let go in time.
        with transaction.atomic(durable=True):
            _lock_key(report_name)
            report = _loaded(
                delivery, name, report_name, problems, replace=replace, dry_run=dry_run, user=user, progress=progress
            )
            # The file is in: that it failed before is of no interest any more.
            _failure_forget(name)
            if dry_run:
                transaction.set_rollback(True)
    except ReportRefused as refusal:
        if not dry_run:
            refusal.extra["dsr"] = _failure_keep(delivery, name, report_name, problems, user).pk
        raise
    if and_catalogue and not dry_run:
        catalogue_refresh()
    report.seconds = time.monotonic() - started
    return report


def dsr_delete(*, dsr_number: int) -> None:
    """Delete a DSR with its lines and problems. Its lines count no more at once; the next `catalogue_refresh` frees
    the disk and forgets what only this DSR reported.

    Raises DSRNotFound.
    """
    with transaction.atomic():
        if not _remove(dsr_number):
            raise DSRNotFound(f"There is no DSR {dsr_number}.", id=dsr_number)


def catalogue_refresh() -> None:
    """Bring the catalogue of resources up to what is ingested, and drop the lines of deleted DSRs from the disk.

    Done DSR by DSR and DSP by DSP, each in a transaction of its own: what is killed goes on from there, and several
    at once share the work. Where most of it is new, it is all made at once. Lines that somebody is reading are left
    to a later run.
    """
    for dsp in LeftoverLines.objects.filter(is_catalogued=True).order_by("dsp").values_list("dsp").distinct():
        _resources_forget(*dsp)
    _leftovers_drop()
    if _are_mostly_new():
        _resources_make_anew()
    # The latest first: what it says, earlier ones do not change.
    for dsr_number in DSR.objects.uncatalogued().order_by("-period_end", "-id").values_list("pk", flat=True):
        _resources_register(dsr_number)


def _leftovers_drop() -> None:
    """Drop the lines of DSRs that are gone, from the catalogue too."""
    # Those in the shared partition first, which wait for no reader. Who keeps one table from being dropped keeps all.
    for leftover in LeftoverLines.objects.filter(is_catalogued=False).order_by("partition", "dsr_number"):
        if not any(_leftover_is_dropped(leftover, pause) for pause in [0, *[DROP_PAUSE] * (DROP_TRIES - 1)]):
            break


def _resources_forget(dsp: str) -> None:
    with transaction.atomic():
        dsp_lock(dsp)
        if leftovers := list(LeftoverLines.objects.filter(dsp=dsp, is_catalogued=True)):
            resources_forget(dsp, leftovers)


def _resources_register(dsr_number: int) -> None:
    dsr = DSR.objects.uncatalogued().filter(pk=dsr_number).first()
    if dsr is None:
        return
    with transaction.atomic():
        dsp_lock(dsr.dsp)
        # Somebody else may have done it while this one waited.
        if DSR.objects.uncatalogued().filter(pk=dsr_number).exists() and not resources_register(dsr):
            transaction.set_rollback(True)


def _are_mostly_new() -> bool:
    lines = DSR.objects.ingested().aggregate(
        new=Sum("line_count", filter=Q(is_catalogued=False), default=0),
        known=Sum("line_count", filter=Q(is_catalogued=True), default=0),
    )
    return bool(lines["new"] >= ANEW_LINES and lines["new"] >= lines["known"])


def _resources_make_anew() -> None:
    with transaction.atomic():
        resources_lock()
        # Somebody else may have done it while this one waited.
        if not _are_mostly_new():
            return
        dsrs = list(DSR.objects.ingested())
        resources_make(dsrs)
        if not _resources_replace(dsrs):
            # Then they are registered one by one.
            transaction.set_rollback(True)


def _resources_replace(dsrs: Sequence[DSR]) -> bool:
    """Let the resources of these DSRs be all that there are; False where a DSR is gone by now, or nothing helps."""
    for _ in range(REPLACE_TRIES):
        try:
            with transaction.atomic():
                wait_for_locks(DROP_LOCK_TIMEOUT)
                resources_replace()
                LeftoverLines.objects.exclude(dsr_number__in=[dsr.pk for dsr in dsrs]).update(is_catalogued=False)
                new = [dsr.pk for dsr in dsrs if not dsr.is_catalogued]
                return DSR.objects.uncatalogued().filter(pk__in=new).update(is_catalogued=True) == len(new)
        except OperationalError as error:
            if not is_lock_timeout(error):
                raise
            time.sleep(DROP_PAUSE)
    logger.warning("the catalogue of resources is read all the time, and cannot be replaced")
    return False


def _leftover_is_dropped(leftover: LeftoverLines, pause: float) -> bool:
    time.sleep(pause)
    try:
        with transaction.atomic():
            # Dropping waits for the readers of all DSRs.
            wait_for_locks(DROP_LOCK_TIMEOUT)
            if LeftoverLines.objects.select_for_update(skip_locked=True).filter(pk=leftover.pk).exists():
                lines_drop(dsr_number=leftover.dsr_number, partition=leftover.partition)
                leftover.delete()
    except OperationalError as error:
        # Nearly always somebody reads. Whatever it is, what was asked for is done: this is only its clearing up.
        logger.info("lines of deleted DSR %s are left to a later run: %s", leftover.dsr_number, error)
        return False
    return True


# --- The steps of an import ------------------------------------------------------------------------------------


def _known_report_name(name: str) -> ReportName:
    """What the name says, if its territory and its currency exist."""
    report_name = parse_report_name(name)
    if not Territory.objects.filter(pk=report_name.territory).exists():
        raise InvalidReportName(f"{name!r} names an unknown territory {report_name.territory!r}.", name=name)
    if not Currency.objects.filter(pk=report_name.currency).exists():
        raise InvalidReportName(f"{name!r} names an unknown currency {report_name.currency!r}.", name=name)
    return report_name


def _rejection_keep(name: str, reason: str, user: User | None) -> None:
    """Keep that a file was delivered under a name that says too little, and why."""
    RejectedDelivery.objects.update_or_create(
        name=shown(name, LONGEST_NAME), defaults={"reason": reason[:500], "delivered_by": user}
    )


def _lock_key(report_name: ReportName) -> None:
    """Let others who import a report under the same key wait until this transaction ends."""
    locks.DSR_KEY.take(**asdict(report_name))


def _loaded(
    delivery: Delivery,
    name: str,
    report_name: ReportName,
    problems: ProblemLog,
    *,
    replace: bool,
    dry_run: bool,
    user: User | None,
    progress: Progress | None,
) -> ImportReport:
    earlier = DSR.objects.ingested().under_key(report_name).first()
    if earlier is not None:
        if _sha256(delivery, name, problems) == earlier.sha256:
            return ImportReport(earlier, Outcome.UNCHANGED, problems)
        if not replace:
            raise DSRExists(
                f"{name}: DSR {earlier.pk} ({earlier.path}) has the same key and another content. "
                "It stays, unless its replacement is asked for.",
                id=earlier.pk,
                path=earlier.path,
            )
    _rate(name, report_name, problems)
    try:
        chunks, is_small = _peek(delivery.chunks(progress), settings.DSRHUB_SHARED_PARTITION_BYTES)
        reader = ReportReader(chunks, problems)
    except DamagedDelivery as damage:
        problems.add(damage.problem)
    _refuse_errors(name, problems)

    load = LineLoad(_next_dsr_number(), temporary=dry_run or is_small)
    load.copy(_blocks_to_load(reader, problems), reader.columns)
    _refuse_errors(name, problems)
    totals = load.totals()
    repeats = load.repeats(limit=problems.limit)
    _warn(delivery, name, report_name, repeats, problems)
    if not dry_run:
        load.store()
    load.discard()
    # Before the earlier DSR's row is locked: who changes rates locks the rows too, and in this order.
    rates_lock(shared=True)
    if earlier is not None:
        _remove(earlier.pk)
    dsr = DSR(
        id=load.dsr_number,
        status=DSR.Status.INGESTED,
        partition=load.partition,
        sha256=delivery.sha256,
        most_repeats=repeats.most_repeats,
        warning_count=problems.warning_count,
        **_described(delivery, name, report_name, user),
        **_rated(_rate(name, report_name, problems)),
        **asdict(totals),
    )
    dsr.save(force_insert=True)
    _problems_keep(dsr, problems)
    if not dry_run:
        file_keep(delivery.path, dsr)
    outcome = Outcome.CHECKED if dry_run else Outcome.REPLACED if earlier is not None else Outcome.LOADED
    return ImportReport(dsr, outcome, problems, reader.rewritten_count)


def _sha256(delivery: Delivery, name: str, problems: ProblemLog) -> str:
    try:
        for _ in delivery.chunks():
            pass
    except DamagedDelivery as damage:
        problems.add(damage.problem)
    _refuse_errors(name, problems)
    return delivery.sha256


def _rate(name: str, report_name: ReportName, problems: ProblemLog) -> ExchangeRate:
    try:
        return exchange_rate(
            currency=report_name.currency,
            period_start=report_name.period_start,
            period_end=report_name.period_end,
        )
    except ExchangeRateMissing as error:
        problems.add(Problem(ErrorCode.EXCHANGE_RATE_MISSING, value=report_name.currency))
        raise _refusal(f"{name}: {error.message}", problems) from error
    except ExchangeRateIncomplete as error:
        days = f"{report_name.currency}: {error.extra['days_found']} of {error.extra['days_expected']} days"
        problems.add(Problem(ErrorCode.EXCHANGE_RATE_INCOMPLETE, value=days))
        raise _refusal(f"{name}: {error.message}", problems) from error


def _peek(chunks: Iterator[bytes], limit: int) -> tuple[Iterator[bytes], bool]:
    """The same chunks, and whether they are at most `limit` bytes in all."""
    head: list[bytes] = []
    size = 0
    for chunk in chunks:
        head.append(chunk)
        size += len(chunk)
        if size > limit:
            return chain(head, chunks), False
    return iter(head), True


def _blocks_to_load(reader: ReportReader, problems: ProblemLog) -> Iterator[bytes]:
    """The blocks until the first error; the rest is then checked for more errors and not loaded."""
    try:
        for block in reader:
            if not problems.error_count:
                yield block
    except DamagedDelivery as damage:
        problems.add(damage.problem)


def _refuse_errors(name: str, problems: ProblemLog) -> None:
    if problems.error_count:
        first = problems.errors[0]
        places = (("line", first.line), ("column", first.column), ("value", first.value))
        place = ", ".join(f"{word} {value!r}" for word, value in places if value is not None)
        raise _refusal(
            f"{name}: {problems.error_count} error{'s' * (problems.error_count != 1)}, "
            f"nothing is loaded. The first: {first.code}{place and ' at ' + place}",
            problems,
        )


def _refusal(message: str, problems: ProblemLog) -> ReportRefused:
    return ReportRefused(
        message,
        error_count=problems.error_count,
        warning_count=problems.warning_count,
        problems=problems.kept,
    )


def _warn(delivery: Delivery, name: str, report_name: ReportName, repeats: Repeats, problems: ProblemLog) -> None:
    """Report what is legal and yet deserves a look."""
    if delivery.gzip_name is not None and delivery.gzip_name != name.removesuffix(".gz"):
        problems.add(Problem(WarningCode.GZIP_NAME_DIFFERS, value=delivery.gzip_name))
    others = DSR.objects.ingested().exclude(pk__in=DSR.objects.ingested().under_key(report_name))
    # Reports without lines all have the same content.
    for other in others.filter(sha256=delivery.sha256, line_count__gt=0):
        problems.add(Problem(WarningCode.CONTENT_SEEN_BEFORE, value=other.path))
    for other in others.overlapping(report_name):
        problems.add(Problem(WarningCode.PERIOD_OVERLAPS, value=other.path))
    for line_number, dsp_id in repeats.first:
        problems.add(Problem(WarningCode.DSP_ID_REPEATED, line_number, "dsp_id", shown(dsp_id)))
    problems.warning_count += repeats.line_count - len(repeats.first)


def _next_dsr_number() -> int:
    ((number,),) = rows_of("SELECT nextval(pg_get_serial_sequence('catalogue_dsr', 'id'))")
    return int(number)


def _described(delivery: Delivery, name: str, report_name: ReportName, user: User | None) -> dict[str, Any]:
    """What a DSR's row says of where it comes from, whether it went in or failed."""
    return {
        "path": name,
        "gzip_name": delivery.gzip_name,
        "dsp": report_name.dsp,
        "offer": report_name.offer,
        "society": report_name.society,
        "territory_id": report_name.territory,
        "currency_id": report_name.currency,
        "period_start": report_name.period_start,
        "period_end": report_name.period_end,
        "imported_by": user,
    }


def _rated(rate: ExchangeRate) -> dict[str, Any]:
    return {"exchange_rate": rate.value, "rate_method": rate.method, "rate_source": rate.source}


def _failure_keep(
    delivery: Delivery, name: str, report_name: ReportName, problems: ProblemLog, user: User | None
) -> DSR:
    """Keep a DSR that has failed, and why, in place of the same file's last failure."""
    with transaction.atomic():
        _lock_key(report_name)
        _failure_forget(name)
        dsr = DSR.objects.create(
            status=DSR.Status.FAILED,
            error_count=problems.error_count,
            warning_count=problems.warning_count,
            **_described(delivery, name, report_name, user),
        )
        _problems_keep(dsr, problems)
    return dsr


def _failure_forget(name: str) -> None:
    for dsr_number in DSR.objects.failed().filter(path=name).values_list("pk", flat=True):
        _remove(dsr_number)


# Thousands of model instances would take longer than the import of a file of as many lines.
PROBLEMS_KEEP = """
INSERT INTO catalogue_reportproblem (dsr_id, level, code, line, "column", value)
SELECT %(dsr)s, level, code, line, "column", value
FROM unnest(%(levels)s::text[], %(codes)s::text[], %(lines)s::bigint[], %(columns)s::text[], %(values)s::text[])
    WITH ORDINALITY AS problem (level, code, line, "column", value, place)
ORDER BY place
"""


def _problems_keep(dsr: DSR, problems: ProblemLog) -> None:
    levels = {True: ReportProblem.Level.ERROR, False: ReportProblem.Level.WARNING}
    execute(
        PROBLEMS_KEEP,
        dsr=dsr.pk,
        levels=[levels[problem.is_error].value for problem in problems.kept],
        codes=[problem.code.value for problem in problems.kept],
        lines=[problem.line for problem in problems.kept],
        columns=[problem.column for problem in problems.kept],
        values=[problem.value for problem in problems.kept],
    )


def _remove(dsr_number: int) -> bool:
    """Delete the row of a DSR, and note where its lines lie, to be dropped after the commit; False if it is gone."""
    # Two who remove one DSR must meet at its row, before either holds anything that the other needs.
    dsr = DSR.objects.select_for_update().filter(pk=dsr_number).first()
    if dsr is None:
        return False
    if dsr.status == DSR.Status.INGESTED:
        LeftoverLines.objects.create(
            dsr_number=dsr.pk, partition=dsr.partition, dsp=dsr.dsp, is_catalogued=dsr.is_catalogued
        )
        file_forget(dsr)
    dsr.delete()
    return True
