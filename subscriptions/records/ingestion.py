"""Adds the records that a program sends in one request: all or none, or each that is valid.

Everything that decides about a record is read under the locks under which it is written, so the outcome of each is that
of its commit. A request that would wait long for another writer gives up with UsageBusy, and has changed nothing.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

import psycopg2
from django.db import OperationalError, transaction
from psycopg2.errors import DeadlockDetected, LockNotAvailable

from dsrhub.database.statements import wait_for_locks
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.exceptions import (
    DaySealed,
    InvalidUsage,
    RecordProblem,
    TooManyUsageRecords,
    UsageBusy,
)
from subscriptions.models import RECORD_MODELS, UsageType
from subscriptions.records.copying import records_load
from subscriptions.records.documents import Sent
from subscriptions.records.events import UsageEvent, day_sealed, plain_event, record_problem, refuse, usage_day
from subscriptions.records.inserting import records_add
from subscriptions.records.loading import PROBLEM_LIMIT
from subscriptions.records.partitions import partitions_reload, records_write_lock, sealed_days
from subscriptions.records.stored import (
    Given,
    conflict_error,
    stored_positions,
    subscriptions_lock,
    subscriptions_missing,
    unknown_subscription,
)

logger = logging.getLogger(__name__)

MOST_RECORDS = 10_000
# More than these are added by COPY, which is faster for them, and slower for one.
FEW_RECORDS = 100
# How long a request waits for the locks of others: a thread of the server waits with it.
LOCK_TIMEOUT = "2s"


class Outcome(StrEnum):
    """What became of a record."""

    ADDED = "added"
    # It was there already, under its external id.
    REPEATED = "repeated"
    REFUSED = "refused"


@dataclass(frozen=True)
class RecordResult:
    """The outcome of the record at a position, from 1 on. A refused one has its problem."""

    position: int
    outcome: Outcome
    problem: RecordProblem | None = None


@dataclass(frozen=True)
class Ingested:
    """How many records had each outcome, and the result of each if they were judged one by one."""

    added: int
    repeated: int
    refused: int = 0
    results: Sequence[RecordResult] | None = None


def usage_records_ingest(*, records: Sequence[Sent], partial: bool = False, backfill: bool = False) -> Ingested:
    """Add records of both usage types in one transaction: all or none, or with `partial` each that is valid.

    Records of sealed days are added only with `backfill`. Raises TooManyUsageRecords and UsageBusy; and without
    `partial` InvalidUsage, DaySealed and UsageConflict. Their problems name the properties of a sent record.
    """
    if len(records) > MOST_RECORDS:
        raise TooManyUsageRecords(
            _("A request may have at most %(most)s records.") % {"most": MOST_RECORDS}, most=MOST_RECORDS
        )
    with _patient(), transaction.atomic():
        wait_for_locks(LOCK_TIMEOUT)
        done = _ingest_each(records, backfill) if partial else _ingest_all(records, backfill)
    logger.info("Records of usage: %s added, %s repeated, %s refused", done.added, done.repeated, done.refused)
    return done


@contextmanager
def _patient() -> Iterator[None]:
    """Raise UsageBusy where a lock of another writer was not to be had."""
    try:
        yield
    except (OperationalError, psycopg2.OperationalError) as error:
        # The driver's own error comes from COPY.
        if isinstance(error.__cause__ or error, LockNotAvailable | DeadlockDetected):
            raise UsageBusy(_("Other writers are at work on the same usage. Try again soon.")) from error
        raise


# --- All or none -----------------------------------------------------------------------------------------------


def _ingest_all(records: Sequence[Sent], backfill: bool) -> Ingested:
    by_type = _by_type(records)
    if len(by_type) != 1 or sum(map(len, by_type.values())) < len(records):
        # Otherwise the load itself finds all problems.
        found = _judged(records, by_type, backfill)
        _refuse(records, [one.problem for one in found if one.problem is not None])
    added = 0
    for usage_type, given in by_type.items():
        with _property_names(usage_type):
            added += _add(usage_type, [record for _, record in given], backfill)
    return Ingested(added, len(records) - added)


def _add(usage_type: UsageType, records: Sequence[UsageEvent], backfill: bool) -> int:
    """Add records, and return how many were not there already. A few need no temporary table."""
    if len(records) <= FEW_RECORDS:
        return records_add(usage_type, records, backfill=backfill) if records else 0
    return records_load(usage_type, iter(records), backfill=backfill)[1]


def _refuse(records: Sequence[Sent], problems: Sequence[RecordProblem]) -> None:
    """Raise the error that a load raises for such problems, if there are any."""
    if problems and all(problem.code == "usage_conflict" for problem in problems):
        sent = records[problems[0].position - 1]
        if not isinstance(sent, RecordProblem):
            raise conflict_error(sent[1].subscription, problems[0].value, problems[0].position)
    refuse(problems[:PROBLEM_LIMIT], len(problems))


@contextmanager
def _property_names(usage_type: UsageType) -> Iterator[None]:
    """Let problems name the properties of a sent record."""
    try:
        yield
    except (InvalidUsage, DaySealed) as error:
        problems = [_named(problem, usage_type) for problem in error.extra["problems"]]
        raise type(error)(problems, error.extra["error_count"]) from error


def _named(problem: RecordProblem, usage_type: UsageType) -> RecordProblem:
    names = {"subscription": "subscription_id", "amount": RECORD_MODELS[usage_type].amount_column}
    return replace(problem, field=names.get(problem.field, problem.field))


# --- Each by itself --------------------------------------------------------------------------------------------


def _ingest_each(records: Sequence[Sent], backfill: bool) -> Ingested:
    by_type = _by_type(records)
    results = _judged(records, by_type, backfill)
    new = {result.position for result in results if result.outcome is Outcome.ADDED}
    for usage_type, given in by_type.items():
        _add(usage_type, [record for position, record in given if position in new], backfill)
    counts = Counter(result.outcome for result in results)
    added, repeated, refused = (counts[outcome] for outcome in Outcome)
    return Ingested(added, repeated, refused, results)


def _by_type(records: Sequence[Sent]) -> dict[UsageType, list[Given]]:
    """The records of each usage type with their positions, without those that have a problem already."""
    found: dict[UsageType, list[Given]] = {}
    for position, sent in enumerate(records, 1):
        if not isinstance(sent, RecordProblem):
            usage_type, record = sent
            found.setdefault(usage_type, []).append((position, record))
    return found


def _judged(records: Sequence[Sent], by_type: Mapping[UsageType, list[Given]], backfill: bool) -> list[RecordResult]:
    """What becomes of each record, in the order of the positions. Holds all locks until the transaction ends."""
    problems = {sent.position: sent for sent in records if isinstance(sent, RecordProblem)}
    valid: dict[UsageType, list[Given]] = {}
    for usage_type, given in by_type.items():
        found = {at: problem for at, record in given if (problem := record_problem(at, record))}
        problems |= {at: _named(problem, usage_type) for at, problem in found.items()}
        valid[usage_type] = [(at, plain_event(record)) for at, record in given if at not in found]
    # Both usage types at once: two requests that locked one after the other could wait for each other.
    subscriptions_lock(
        record.subscription for given in valid.values() for _, record in given if record.external_id is not None
    )
    repeated: set[int] = set()
    for usage_type, given in valid.items():
        found, known = _judged_of_type(usage_type, given, backfill)
        problems |= {at: _named(problem, usage_type) for at, problem in found.items()}
        repeated |= known
    return [_result(at, problems.get(at), is_repeated=at in repeated) for at in range(1, len(records) + 1)]


def _result(position: int, problem: RecordProblem | None, *, is_repeated: bool) -> RecordResult:
    if problem is not None:
        return RecordResult(position, Outcome.REFUSED, problem)
    return RecordResult(position, Outcome.REPEATED if is_repeated else Outcome.ADDED)


def _judged_of_type(
    usage_type: UsageType, given: list[Given], backfill: bool
) -> tuple[dict[int, RecordProblem], set[int]]:
    """The problems of valid records by their positions, and the positions of those that are stored already."""
    records_write_lock(usage_type)
    partitions_reload()
    unknown = subscriptions_missing(record.subscription for _, record in given)
    sealed = set() if backfill else sealed_days(usage_type)
    stored = stored_positions(usage_type, given)
    problems: dict[int, RecordProblem] = {}
    repeated: set[int] = set()
    first: dict[tuple[int, str], UsageEvent] = {}
    for at, record in given:
        known = (record.subscription, record.external_id or "")
        if record.subscription in unknown:
            problems[at] = unknown_subscription(at, record.subscription)
        elif stored.get(at) or (known in first and first[known] != record):
            problems[at] = RecordProblem(at, "external_id", str(record.external_id), "usage_conflict")
        elif at in stored or known in first:
            repeated.add(at)
        elif usage_day(record.usage_date) in sealed:
            problems[at] = day_sealed(at, record.usage_date)
        elif record.external_id is not None:
            first[known] = record
    return problems, repeated
