"""Importing a delivery: wholly, or not at all. Every door (command, admin, REST) calls this."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from catalogue.dsrs.declared import NOTHING_DECLARED, DeclaredTotals
from catalogue.dsrs.events import failure_tell
from catalogue.dsrs.services import dsr_remove, problems_keep
from catalogue.exceptions import DeliveryRefused, InvalidReportName, NameLooksAlike, ReportRefused
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.contexts import SettledContents, contents_settle
from catalogue.imports.loading.incoming import Incoming
from catalogue.imports.loading.outcome import ImportReport, import_count
from catalogue.imports.loading.refusals import refusal_of_errors
from catalogue.imports.loading.rows import delivery_fields, key_fields
from catalogue.imports.loading.steps import DeliveryLoad
from catalogue.imports.recognition import delivery_format
from catalogue.lines.arriving import lines_arriving
from catalogue.models import DSR, RejectedDelivery, TemplateVersion
from catalogue.reports.delivery import LONGEST_NAME, DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.interface import ReportFormat
from catalogue.reports.problems import ProblemLog, shown
from catalogue.resources.services import catalogue_refresh
from dsrhub.exceptions import DsrhubError
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.marked import text_json
from dsrhub.texts.spelling import spellings


@dataclass(frozen=True)
class DeliveredFile:
    """A file at `path`, delivered as `name`. One that a program found in a `folder` is opened without following links:
    see `file_open`."""

    path: Path
    name: str
    folder: Path | None = None


def dsr_import(
    *,
    path: Path,
    name: str,
    folder: Path | None = None,
    replace: bool = False,
    replace_only: Collection[int] | None = None,
    drop_missing: bool = False,
    dry_run: bool = False,
    user: User | None = None,
    declared: DeclaredTotals = NOTHING_DECLARED,
    template: TemplateVersion | None = None,
    progress: Progress | None = None,
    and_catalogue: bool = True,
    unpacked_limit: int | None = None,
) -> ImportReport:
    """Import a delivery of one file. See `delivery_import`."""
    return delivery_import(
        files=[DeliveredFile(path, name, folder)],
        choices=Choices(
            replace=replace,
            replace_only=replace_only,
            drop_missing=drop_missing,
            dry_run=dry_run,
            user=user,
            declared=declared,
            template=template,
        ),
        progress=progress,
        and_catalogue=and_catalogue,
        unpacked_limit=unpacked_limit,
    )


def delivery_import(
    *,
    files: Sequence[DeliveredFile],
    choices: Choices,
    progress: Progress | None = None,
    when_read: Callable[[], object] | None = None,
    and_catalogue: bool = True,
    unpacked_limit: int | None = None,
) -> ImportReport:
    """Import a delivery: all of its DSRs, or none. It is one file, or the files of one message.

    The key of a DSR is its sales context. The same content under the same keys again is a no-op that succeeds;
    different content is refused, or replaces the earlier DSRs with `replace`. A user who saw certain earlier DSRs names
    them in `replace_only`: if others are there by now, nothing is changed. With `drop_missing`, the DSRs of replaced
    messages whose contexts the delivery lacks are deleted; if there are others than `drop_only`, nothing is changed. A
    delivery is refused if its totals are not those that are `declared` of it, also where its content is there already.
    A dry run does all the work and keeps nothing of it. A file of columns is read by the template of its choices, or by
    the one that recognises it. `when_read` is called when all lines are read, and before they
    are compared with other DSRs: it may wait for another import. Without `and_catalogue`, the caller brings the
    catalogue of resources up to date. Content of more than `unpacked_limit` bytes in a file is refused: uploads have
    such a limit.

    Raises NotARegularFile, TemplateAmbiguous, InvalidReportName and NameLooksAlike (both kept as a rejected delivery),
    DSRExists, MessageIdReused, ConfirmationOutdated, InvalidArgument for a declared revenue in several currencies, and
    ReportRefused with the problems, which are kept with a failed DSR; those of a message, or of a delivery of several
    DSRs, are kept with a rejected delivery.
    """
    started = time.monotonic()
    try:
        report = _imported(files, choices, progress, when_read, unpacked_limit)
    except DsrhubError:
        if not choices.dry_run:
            import_count(None)
        raise
    if and_catalogue and not choices.dry_run:
        catalogue_refresh()
    report.seconds = time.monotonic() - started
    if not choices.dry_run:
        import_count(report)
    return report


def _imported(
    files: Sequence[DeliveredFile],
    choices: Choices,
    progress: Progress | None,
    when_read: Callable[[], object] | None,
    unpacked_limit: int | None,
) -> ImportReport:
    deliveries = [Delivery(file.path, file.name, unpacked_limit, folder=file.folder) for file in files]
    problems = ProblemLog(settings.DSRHUB_PROBLEM_LIMIT)
    name = deliveries[0].name
    try:
        for delivery in deliveries:
            _require_text(delivery.name)
        report_format = delivery_format(deliveries[0], choices.template)
        contents = _described(report_format, deliveries, problems, progress)
    except DeliveryRefused as error:
        _count(error, problems)
        if not choices.dry_run:
            _rejection_keep(name, error, problems, choices.user)
        raise
    return _loaded(Incoming(deliveries, report_format, contents, problems, choices), progress, when_read)


def _described(
    report_format: ReportFormat, deliveries: Sequence[Delivery], problems: ProblemLog, progress: Progress | None
) -> SettledContents:
    """What the delivery is about, in the names that are used here.

    Raises InvalidReportName, NameLooksAlike and ReportRefused.
    """
    name, contents = deliveries[0].name, None
    try:
        contents = report_format.describe(deliveries, problems, progress)
    except DamagedDelivery as damage:
        problems.add(damage.problem)
    if contents is None:
        raise refusal_of_errors(name, problems)
    settled = contents_settle(contents, name, problems)
    if problems.error_count:
        raise refusal_of_errors(name, problems)
    return settled


def _require_text(name: str) -> None:
    """Raises InvalidReportName for a file name that cannot be stored or shown, as its bytes are no text."""
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidReportName(
            _("The file name %(name)s has characters that do not print, or more than %(most)s.")
            % {"name": repr(name[:LONGEST_NAME]), "most": LONGEST_NAME},
            name=name,
        )


def _loaded(incoming: Incoming, progress: Progress | None, when_read: Callable[[], object] | None) -> ImportReport:
    """Load a delivery in a transaction of its own, and keep its failure in another one."""
    dry_run = incoming.choices.dry_run
    try:
        # Durable: inside another transaction, a failure could not be kept, nor locks be released in time.
        with transaction.atomic(durable=True), lines_arriving(dry_run=dry_run) as arrival:
            report = DeliveryLoad(incoming).run(arrival, progress, when_read)
            # The delivery is in: its earlier failure is outdated, and that of its files without the others.
            for delivery in incoming.deliveries:
                _failure_forget(delivery.name)
            if dry_run:
                transaction.set_rollback(True)
    except ReportRefused as refusal:
        _count(refusal, incoming.problems)
        if not dry_run:
            _failure_keep(incoming, refusal)
        raise
    except NameLooksAlike as error:
        _count(error, incoming.problems)
        if not dry_run:
            _rejection_keep(incoming.name, error, incoming.problems, incoming.choices.user)
        raise
    return report


# --- Failures --------------------------------------------------------------------------------------------------


def _count(refusal: DeliveryRefused, problems: ProblemLog) -> None:
    """Set the numbers of errors and warnings. Only a ReportRefused has all of its errors among the problems."""
    refusal.error_count = problems.error_count + (not isinstance(refusal, ReportRefused))
    refusal.warning_count = problems.warning_count


def _rejection_keep(name: str, error: DeliveryRefused, problems: ProblemLog, user: User | None) -> None:
    """Keep that a delivery became no DSR, not even a failed one, and why."""
    with transaction.atomic():
        rejection, _ = RejectedDelivery.objects.update_or_create(
            name=shown(name, LONGEST_NAME),
            defaults={
                "reason": error.text[: RejectedDelivery.LONGEST_REASON],
                "reason_parts": text_json(error.text),
                "error_count": problems.error_count,
                "warning_count": problems.warning_count,
                "delivered_by": user,
            },
        )
        rejection.problems.all().delete()
        problems_keep(problems.kept, rejection=rejection)
        failure_tell(name=name, refusal=error, problems=problems)


def _failure_keep(incoming: Incoming, refusal: ReportRefused) -> None:
    """Keep a failed DSR and its problems, in place of the last failure of the same file."""
    name, problems, user = incoming.name, incoming.problems, incoming.choices.user
    if not incoming.is_direct:
        # A file has one failed DSR at most: its contexts fail together, as a delivery.
        _rejection_keep(name, refusal, problems, user)
        return
    with transaction.atomic():
        incoming.lock_keys()
        _failure_forget(name)
        dsr = DSR.objects.create(
            status=DSR.Status.FAILED,
            error_count=problems.error_count,
            warning_count=problems.warning_count,
            **delivery_fields(incoming.deliveries[0], user),
            **key_fields(incoming.contexts[0]),
        )
        problems_keep(problems.kept, dsr=dsr)
        failure_tell(name=name, refusal=refusal, problems=problems, dsr=dsr)
    refusal.extra["dsr"] = dsr.pk


def _failure_forget(name: str) -> None:
    names = spellings(name)
    for dsr_number in DSR.objects.failed().filter(path__in=names).values_list("pk", flat=True):
        dsr_remove(dsr_number)
    RejectedDelivery.objects.filter(name__in=[shown(one, LONGEST_NAME) for one in names]).delete()
