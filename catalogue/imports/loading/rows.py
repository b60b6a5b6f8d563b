"""The rows that an import writes: DSRs, their message, totals and problems, and what the audit log tells of them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError

from catalogue.dsrs.kept_files import message_file_keep
from catalogue.dsrs.services import dsr_facts, problems_keep
from catalogue.imports.loading.placing import LoadedContext
from catalogue.models import DSR, ReportMessage, RevenueKind, UseTypeTotal
from catalogue.rates.periods import ExchangeRate
from catalogue.reports.contexts import DescribedContext, MessageFacts, SalesContext
from catalogue.reports.delivery import Delivery
from catalogue.reports.problems import ProblemLog
from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.logs.audit import audit_entry
from dsrhub.models import Action, AuditEntry
from dsrhub.texts.marked import gettext_lazy as _

# Rows are written by this many at a time.
BATCH = 500


def message_write(
    deliveries: Sequence[Delivery],
    format_name: str,
    facts: MessageFacts,
    problems: ProblemLog | None,
    user: User | None,
) -> ReportMessage:
    """Write the row of a message, with its files and the problems of the message as a whole.

    `problems` are all problems of the delivery; None where they all go to its only DSR.
    """
    message = ReportMessage.objects.create(
        format=format_name,
        sender_name=facts.sender.name,
        sender_id=facts.sender.party_id or "",
        recipient_name=facts.recipient.name,
        recipient_id=facts.recipient.party_id or "",
        message_id=facts.message_id,
        created=facts.created,
        profile=facts.profile,
        profile_version=facts.profile_version,
        period_start=facts.period_start,
        period_end=facts.period_end,
        template_version_id=facts.template_version,
        files=[{"name": delivery.name, "sha256": delivery.sha256} for delivery in deliveries],
        warning_count=0 if problems is None else problems.warning_counts[None],
        imported_by=user,
    )
    problems_keep([] if problems is None else problems.of_whole, message=message)
    for number, delivery in enumerate(deliveries):
        message_file_keep(delivery.packed(), message, number)
    return message


def dsrs_write(dsrs: Sequence[DSR], loads: Sequence[LoadedContext]) -> None:
    """Write the rows of DSRs and their totals by use type.

    Raises ConfirmationOutdated where another import wrote a DSR under one of the keys: those of a delivery of very many
    contexts are not locked.
    """
    try:
        DSR.objects.bulk_create(dsrs, batch_size=BATCH)
    except IntegrityError as error:
        raise ConfirmationOutdated(
            _("%(name)s: another import loaded one of these reports meanwhile. Import the file again.")
            % {"name": dsrs[0].path}
        ) from error
    UseTypeTotal.objects.bulk_create(
        [UseTypeTotal(dsr_id=load.dsr_number, **sums._asdict()) for load in loads for sums in load.use_types],
        batch_size=BATCH,
    )


def new_dsr(
    described: DescribedContext, load: LoadedContext, rate: ExchangeRate, message: ReportMessage | None, **fields: Any
) -> DSR:
    """The row of an ingested DSR. `fields` are those of its delivery."""
    return DSR(
        id=load.dsr_number,
        status=DSR.Status.INGESTED,
        message=message,
        partition=load.partition,
        most_repeats=load.most_repeats,
        exchange_rate=rate.value,
        rate_method=rate.method,
        rate_source=rate.source,
        **fields,
        **key_fields(described.context),
        **asdict(load.totals),
        **_declared_fields(described, load),
    )


def _declared_fields(described: DescribedContext, load: LoadedContext) -> dict[str, Any]:
    declared = described.declared
    if declared is None:
        return {}
    return {
        "summary_id": declared.summary_id,
        "declared_usages": declared.usages,
        "declared_revenue": declared.revenue,
        "subscribers": declared.subscribers,
        "unallocated_revenue": load.unallocated_revenue,
        "revenue_kind": RevenueKind.ALLOCATED,
        "returns": load.returns,
        "usages_without_royalty": load.usages_without_royalty,
        "revenue_without_royalty": load.revenue_without_royalty,
    }


def delivery_fields(delivery: Delivery, user: User | None) -> dict[str, Any]:
    """The fields that an ingested and a failed DSR have alike."""
    return {"path": delivery.name, "gzip_name": delivery.gzip_name, "imported_by": user}


def key_fields(context: SalesContext) -> dict[str, Any]:
    key = asdict(context)
    return {"territory_id": key.pop("territory"), "currency_id": key.pop("currency"), **key}


def replacement_entry(dsr: DSR, earlier: DSR, user: User | None) -> AuditEntry:
    """The entry of the audit log for a replaced DSR."""
    old = {"id": earlier.pk, **dsr_facts(earlier)}
    return audit_entry(Action.DSR_REPLACED, dsr, user=user, details={"old": old, "new": dsr_facts(dsr)})
