"""Edits and deletes raw records, and marks their keys."""

from collections.abc import Collection
from typing import Any

from django.db import transaction

from dsrhub.database.locks import USAGE_RECORD, USAGE_RECORDS
from dsrhub.database.statements import execute, rows_of
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.exceptions import UsageRecordNotFound
from subscriptions.models import RECORD_MODELS, UsageRecord, UsageType
from subscriptions.records.events import UsageEvent, day_sealed, plain_event, record_problem, refuse, usage_day
from subscriptions.records.partitions import partitioned_days, partitions_create, records_write_lock, sealed_days
from subscriptions.records.stored import conflict_error, statement_for, subscriptions_lock, unknown_subscriptions

# Marks both the old and the new day of the record.
EDIT = """
WITH old AS (SELECT subscription_id, day FROM {table} WHERE id = %(id)s AND day = %(old_day)s),
edited AS (
    UPDATE {table} SET subscription_id = %(subscription)s, usage_date = %(usage_date)s, day = %(day)s,
        price = %(price)s, {amount} = %(amount)s, external_id = %(external_id)s
    WHERE id = %(id)s AND day = %(old_day)s RETURNING subscription_id, day
)
INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id)
SELECT {type}, day, subscription_id FROM old UNION SELECT {type}, day, subscription_id FROM edited
"""
DELETE = """
WITH deleted AS (
    DELETE FROM {table} WHERE id = ANY(%(ids)s::bigint[]) RETURNING id, subscription_id, day, price, {amount} AS amount
),
marked AS (
    INSERT INTO subscriptions_usagemark (usage_type, day, subscription_id)
    SELECT DISTINCT {type}, day, subscription_id FROM deleted
)
SELECT coalesce(array_agg(id ORDER BY id), '{{}}'), coalesce(sum(price), 0), coalesce(sum(amount), 0) FROM deleted
"""
# For more records, one lock covers all of them: the lock table of the database has room for only some thousands.
RECORDS_LOCKED_SINGLY = 100
SAME_EXTERNAL_ID = """
SELECT 1 FROM {table}
WHERE subscription_id = %(subscription)s AND id <> %(id)s AND external_id IN (
    SELECT %(external_id)s UNION ALL SELECT external_id FROM subscriptions_unplainexternalid
    WHERE (usage_type, plain_id, subscription_id) = ({type}, %(external_id)s, %(subscription)s)
) LIMIT 1
"""


def record_edit(usage_type: UsageType, record_id: int, values: UsageEvent, *, backfill: bool) -> None:
    """Change the values of a record. It may move to another day or subscription."""
    refuse([problem] if (problem := record_problem(1, values)) else [])
    values = plain_event(values)
    day = usage_day(values.usage_date)
    with transaction.atomic():
        old = _locked_record(usage_type, record_id)
        refuse(unknown_subscriptions({values.subscription: 1}))
        if values.external_id is not None:
            _refuse_taken_id(usage_type, record_id, values)
        if day != old.day and not backfill and day in sealed_days(usage_type):
            refuse([day_sealed(1, values.usage_date)])
        partitions_create(usage_type, {day} - partitioned_days(usage_type))
        parameters = values._asdict() | {"id": record_id, "day": day, "old_day": old.day}
        execute(statement_for(EDIT, usage_type), **parameters)
        facts = {"old": _facts(old), "new": values._asdict()}
        audit(Action.USAGE_EDITED, old, details=facts)


def records_locked(usage_type: UsageType, record_ids: Collection[int]) -> list[UsageRecord]:
    """Lock records against changes, deletion and purges until the transaction ends, and return them."""
    records_write_lock(usage_type)
    _lock_records(usage_type, record_ids)
    return list(RECORD_MODELS[usage_type]._default_manager.filter(pk__in=record_ids))


def records_delete(usage_type: UsageType, record_ids: Collection[int]) -> int:
    """Delete records, and return how many existed."""
    with transaction.atomic():
        _lock_records(usage_type, record_ids)
        ((ids, price, amount),) = rows_of(statement_for(DELETE, usage_type), ids=list(record_ids))
        if ids:
            only, name = (ids[0], str(ids[0])) if len(ids) == 1 else (None, f"{len(ids)} records")
            facts = {"records": len(ids), "price": price, "amount": amount, "ids": ids}
            audit(Action.USAGE_DELETED, RECORD_MODELS[usage_type], number=only, name=name, details=facts)
    return len(ids)


def _facts(record: UsageRecord) -> dict[str, Any]:
    """The values of a record, under the names of `UsageEvent`."""
    values = record.subscription_id, record.usage_date, record.price, record.amount, record.external_id
    return UsageEvent(*values)._asdict()


def _locked_record(usage_type: UsageType, record_id: int) -> UsageRecord:
    """Lock a record against changes, deletion and purges until the transaction ends, and return it."""
    records_write_lock(usage_type)
    _lock_records(usage_type, [record_id])
    for record in RECORD_MODELS[usage_type]._default_manager.filter(pk=record_id):
        return record
    raise UsageRecordNotFound(
        _("There is no %(usage_type)s usage record %(id)s.") % {"usage_type": usage_type, "id": record_id}, id=record_id
    )


def _lock_records(usage_type: UsageType, record_ids: Collection[int]) -> None:
    """Block other changes of these records. Without it, an UPDATE fails if the row moves to another partition."""
    is_few = len(record_ids) <= RECORDS_LOCKED_SINGLY
    USAGE_RECORDS.take(shared=is_few, usage_type=usage_type)
    for record_id in sorted(record_ids) if is_few else []:
        USAGE_RECORD.take(usage_type=usage_type, record_id=record_id)


def _refuse_taken_id(usage_type: UsageType, record_id: int, values: UsageEvent) -> None:
    subscriptions_lock([values.subscription])
    if rows_of(statement_for(SAME_EXTERNAL_ID, usage_type), **values._asdict(), id=record_id):
        raise conflict_error(values.subscription, str(values.external_id), 1)
