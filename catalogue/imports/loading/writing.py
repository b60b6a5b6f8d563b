"""Writing the rows of a delivery in place of earlier ones, and telling of it: the audit log and webhooks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from catalogue.dsrs.events import dsrs_tell
from catalogue.dsrs.kept_files import dsr_file_keep
from catalogue.dsrs.services import deletion_entry, dsrs_remove, empty_messages_remove, problems_of_dsrs_keep
from catalogue.imports.loading.earlier import Earlier
from catalogue.imports.loading.incoming import Incoming
from catalogue.imports.loading.outcome import ImportedDSR, Outcome
from catalogue.imports.loading.placing import LoadedContext
from catalogue.imports.loading.rows import delivery_fields, dsrs_write, message_write, new_dsr, replacement_entry
from catalogue.models import DSR, ReportMessage
from catalogue.rates.periods import ExchangeRate
from catalogue.reports.problems import Problem
from dsrhub.logs.audit import audit_write
from dsrhub.webhooks.models import EventType


def delivery_write(
    incoming: Incoming,
    *,
    content_hash: str,
    earlier: Earlier,
    dropped: Sequence[DSR],
    loads: Sequence[LoadedContext],
    rates: Sequence[ExchangeRate],
) -> tuple[ReportMessage | None, list[ImportedDSR]]:
    """Write the rows of the message and its DSRs, in place of the earlier ones. Those that are `dropped` go, too."""
    removed = _removed(incoming, earlier, dropped, loads)
    message = _message(incoming)
    dsrs = _dsrs(incoming, message, content_hash, loads, rates)
    if incoming.choices.dry_run:
        return None, [ImportedDSR(dsr, Outcome.CHECKED) for dsr in dsrs]
    if message is None:
        for dsr in dsrs:
            dsr_file_keep(incoming.deliveries[0].packed(), dsr)
    pairs = list(zip(dsrs, earlier.by_context, strict=True))
    replaced = [(dsr, removed[old.pk]) for dsr, old in pairs if old is not None and old.pk in removed]
    gone = [removed[dsr.pk] for dsr in dropped if dsr.pk in removed]
    user = incoming.choices.user
    entries = [replacement_entry(dsr, old, user) for dsr, old in replaced]
    audit_write([*entries, *(deletion_entry(dsr.pk, dsr, user) for dsr in gone)])
    dsrs_tell(EventType.DSR_REPLACED if earlier.ids else EventType.DSR_INGESTED, dsrs, replaced=earlier.ids)
    dsrs_tell(EventType.DSR_DELETED, gone)
    return message, [ImportedDSR(dsr, Outcome.LOADED if old is None else Outcome.REPLACED) for dsr, old in pairs]


def _removed(
    incoming: Incoming, earlier: Earlier, dropped: Sequence[DSR], loads: Sequence[LoadedContext]
) -> Mapping[int, DSR]:
    """Remove the DSRs that are replaced or dropped. Return them by their ids."""
    numbers = zip(earlier.by_context, (load.dsr_number for load in loads), strict=True)
    successors = {old.pk: number for old, number in numbers if old is not None}
    leaving = [*earlier.ids, *(dsr.pk for dsr in dropped)]
    return dsrs_remove(leaving, successors=successors, user=incoming.choices.user)


def _message(incoming: Incoming) -> ReportMessage | None:
    """Write the row of the message; None for a report, and in a dry run."""
    facts, choices = incoming.contents.message, incoming.choices
    if facts is None or choices.dry_run:
        return None
    # A server of the release before, which does not know messages, may have deleted the DSRs of one.
    empty_messages_remove(message_id=facts.message_id)
    problems = incoming.problems if len(incoming.contexts) > 1 else None
    return message_write(incoming.deliveries, incoming.format.name, facts, problems, choices.user)


def _dsrs(
    incoming: Incoming,
    message: ReportMessage | None,
    content_hash: str,
    loads: Sequence[LoadedContext],
    rates: Sequence[ExchangeRate],
) -> list[DSR]:
    """Write the rows of the DSRs, with their problems."""
    numbers = incoming.context_numbers
    common = {**delivery_fields(incoming.deliveries[0], incoming.choices.user), "sha256": content_hash}
    dsrs = [
        new_dsr(described, load, rate, message, warning_count=_warning_count(incoming, number), **common)
        for number, described, load, rate in zip(numbers, incoming.contents.described, loads, rates, strict=True)
    ]
    dsrs_write(dsrs, loads)
    of_context = _problems_by_context(incoming)
    problems_of_dsrs_keep({dsr.pk: of_context[number] for number, dsr in zip(numbers, dsrs, strict=True)})
    return dsrs


def _problems_by_context(incoming: Incoming) -> Mapping[int | None, list[Problem]]:
    """The kept problems of each context. Those of a whole message are kept with the message."""
    problems = incoming.problems
    if incoming.contents.message is None or len(incoming.contexts) == 1:
        return {number: problems.of(number) for number in incoming.context_numbers}
    by_context: dict[int | None, list[Problem]] = defaultdict(list)
    for problem in problems.kept:
        by_context[problem.context_number].append(problem)
    return by_context


def _warning_count(incoming: Incoming, number: int | None) -> int:
    if incoming.contents.message is None or number is None:
        return incoming.problems.warning_count_of(number)
    return incoming.problems.warning_counts[number]
