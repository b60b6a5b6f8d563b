"""Importing a delivery: wholly, or not at all. Every door (command, admin, REST) calls this."""

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from catalogue.dsrs.names import names_settle
from catalogue.dsrs.services import dsr_remove, problems_keep
from catalogue.exceptions import InvalidReportName, NameLooksAlike, ReportRefused
from catalogue.imports.loading import DeliveryLoad, ImportReport, dsr_fields
from catalogue.models import DSR, Currency, RejectedDelivery, Territory
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import LONGEST_NAME, Delivery, Progress
from catalogue.reports.formats.registry import contexts_of, format_of
from catalogue.reports.problems import shown
from catalogue.resources.services import catalogue_refresh
from dsrhub.database import locks
from dsrhub.spelling import spellings

LONGEST_REASON = 500


def dsr_import(
    *,
    path: Path,
    name: str,
    folder: Path | None = None,
    replace: bool = False,
    replace_only: Collection[int] | None = None,
    dry_run: bool = False,
    user: User | None = None,
    progress: Progress | None = None,
    and_catalogue: bool = True,
    unpacked_limit: int | None = None,
) -> ImportReport:
    """Import the file at `path`, delivered as `name`: all of its DSRs, or none.

    A file that a program found in a `folder` is opened without following links: see `file_open`.

    The key of a DSR is its sales context. The same content under the same keys again is a no-op that succeeds;
    different content is refused, or replaces the earlier DSRs with `replace`. A user who saw certain earlier DSRs names
    them in `replace_only`: if others are there by now, nothing is changed. A dry run does all the work and keeps
    nothing of it. Without `and_catalogue`, the caller brings the catalogue of resources up to date. Content of more
    than `unpacked_limit` bytes is refused: uploads have such a limit.

    Raises NotARegularFile, InvalidReportName and NameLooksAlike (both kept as a rejected delivery), DSRExists,
    ConfirmationOutdated, and ReportRefused with the problems, which are kept with a failed DSR; those of a delivery of
    several DSRs are kept as a rejected delivery.
    """
    started = time.monotonic()
    delivery = Delivery(path, name, unpacked_limit, folder=folder)
    try:
        described = known_contexts(contexts_of(delivery), name)
        load = DeliveryLoad(
            delivery,
            format_of(delivery),
            names_settle(described),
            replace=replace,
            replace_only=replace_only,
            dry_run=dry_run,
            user=user,
        )
        report = _loaded(load, described, progress)
    except (InvalidReportName, NameLooksAlike) as error:
        if not dry_run:
            _rejection_keep(name, error.message, user)
        raise
    if and_catalogue and not dry_run:
        catalogue_refresh()
    report.seconds = time.monotonic() - started
    return report


def _loaded(load: DeliveryLoad, described: Sequence[SalesContext], progress: Progress | None) -> ImportReport:
    """Load a delivery in a transaction of its own, and keep its failure in another one."""
    try:
        # Durable: inside another transaction, a failure could not be kept, nor locks be released in time.
        with transaction.atomic(durable=True):
            # Workers of earlier releases lock the names as they were delivered.
            _lock_keys([*load.contexts, *described])
            report = load.run(progress)
            # The delivery is in: its earlier failure is outdated.
            _failure_forget(load.delivery.name)
            if load.dry_run:
                transaction.set_rollback(True)
    except ReportRefused as refusal:
        if not load.dry_run:
            _failure_keep(load, refusal)
        raise
    return report


def known_contexts(contexts: Sequence[SalesContext], name: str) -> Sequence[SalesContext]:
    """The contexts of a delivery. Raises InvalidReportName where a territory or a currency does not exist."""
    for context in contexts:
        if not Territory.objects.filter(pk=context.territory).exists():
            raise InvalidReportName(f"{name!r} names an unknown territory {context.territory!r}.", name=name)
        if not Currency.objects.filter(pk=context.currency).exists():
            raise InvalidReportName(f"{name!r} names an unknown currency {context.currency!r}.", name=name)
    return contexts


def _lock_keys(contexts: Sequence[SalesContext]) -> None:
    """Let others who import DSRs under the same keys wait until this transaction ends."""
    # In one order, so that two deliveries with the same keys do not wait for each other.
    for key in sorted(set(contexts), key=lambda context: locks.DSR_KEY.key(**asdict(context))):
        locks.DSR_KEY.take(**asdict(key))


# --- Failures --------------------------------------------------------------------------------------------------


def _rejection_keep(name: str, reason: str, user: User | None) -> None:
    """Keep that a delivery became no DSR, not even a failed one, and why."""
    RejectedDelivery.objects.update_or_create(
        name=shown(name, LONGEST_NAME), defaults={"reason": reason[:LONGEST_REASON], "delivered_by": user}
    )


def _failure_keep(load: DeliveryLoad, refusal: ReportRefused) -> None:
    """Keep a failed DSR and its problems, in place of the last failure of the same file."""
    name, contexts, problems = load.delivery.name, load.contexts, load.problems
    if len(contexts) > 1:
        # A file has one failed DSR at most: its contexts fail together, as a delivery.
        _rejection_keep(name, refusal.message, load.user)
        return
    with transaction.atomic():
        _lock_keys(contexts)
        _failure_forget(name)
        dsr = DSR.objects.create(
            status=DSR.Status.FAILED,
            error_count=problems.error_count,
            warning_count=problems.warning_count,
            **dsr_fields(load.delivery, contexts[0], load.user),
        )
        problems_keep(dsr, problems.kept)
    refusal.extra["dsr"] = dsr.pk


def _failure_forget(name: str) -> None:
    names = spellings(name)
    for dsr_number in DSR.objects.failed().filter(path__in=names).values_list("pk", flat=True):
        dsr_remove(dsr_number)
    RejectedDelivery.objects.filter(name__in=[shown(one, LONGEST_NAME) for one in names]).delete()
