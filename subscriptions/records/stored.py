"""What is stored already: subscriptions, and records under external ids. And the statements on records of one type."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg2 import sql

from dsrhub.database.statements import composed, rows_of
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.exceptions import RecordProblem, UsageConflict
from subscriptions.models import RECORD_MODELS, UsageType
from subscriptions.records.events import UsageEvent, usage_day
from subscriptions.records.partitions import parent_table

# A record with its position in the call, from 1 on.
Given = tuple[int, UsageEvent]

# Records as a table: its parameters are `given_parameters`.
GIVEN = sql.SQL(
    """
    SELECT * FROM unnest(%(subscription)s::bigint[], %(usage_date)s::timestamptz[], %(day)s::date[],
        %(price)s::numeric[], %(amount)s::bigint[], %(external_id)s::varchar[], %(position)s::bigint[]
    ) AS given (subscription_id, usage_date, day, price, amount, external_id, position)
    """
)
# Writers of external ids lock the subscription until they commit. So the second of two writers of one id finds the
# record of the first, whatever the day: no unique index can span the partitions. Earlier releases take the same lock.
LOCK_SUBSCRIPTIONS = """
SELECT id FROM subscriptions_subscription WHERE id IN (
    SELECT subscription_id FROM ({given}) AS given WHERE external_id IS NOT NULL
) ORDER BY id FOR NO KEY UPDATE
"""
# Whether there is a record under one of some external ids. OFFSET makes the planner look up each id by the index: where
# it knows no statistics of new records, it would rather read and sort all of them.
KNOWN = """
SELECT FROM unnest(%(external_ids)s::varchar[], %(subscriptions)s::bigint[]) AS given (external_id, subscription_id)
WHERE EXISTS (
    SELECT FROM {table} AS there
    WHERE (there.external_id, there.subscription_id) = (given.external_id, given.subscription_id) OFFSET 0
) OR EXISTS (
    SELECT FROM subscriptions_unplainexternalid AS unplain
    WHERE (unplain.usage_type, unplain.plain_id, unplain.subscription_id)
        = ({type}, given.external_id, given.subscription_id) OFFSET 0
) LIMIT 1
"""
# The given records whose external id is stored already, and whether the stored values differ. Ids in another than
# their plain form are those of earlier releases.
STORED_NOW = """
SELECT wanted.position, wanted.subscription_id, wanted.external_id,
    (there.usage_date, there.price, there.{amount}) IS DISTINCT FROM (wanted.usage_date, wanted.price, wanted.amount)
        AS differs
FROM (
    SELECT *, external_id AS stored_id FROM ({given}) AS given WHERE external_id IS NOT NULL
    UNION ALL
    SELECT given.*, unplain.external_id FROM ({given}) AS given JOIN subscriptions_unplainexternalid AS unplain
    ON (unplain.usage_type, unplain.plain_id, unplain.subscription_id)
        = ({type}, given.external_id, given.subscription_id)
) AS wanted JOIN {table} AS there
ON (there.external_id, there.subscription_id) = (wanted.stored_id, wanted.subscription_id)
"""
# The same, and a given record that differs from another given one.
STORED = (
    STORED_NOW
    + """
UNION ALL
SELECT max(position), subscription_id, external_id, true FROM ({given}) AS given WHERE external_id IS NOT NULL
GROUP BY subscription_id, external_id
HAVING (min(usage_date), min(price), min(amount)) IS DISTINCT FROM (max(usage_date), max(price), max(amount))
"""
)
MISSING = """
SELECT id FROM unnest(%(ids)s::bigint[]) AS given (id)
WHERE NOT EXISTS (SELECT FROM subscriptions_subscription AS known WHERE known.id = given.id)
"""


def statement_for(template: str, usage_type: UsageType, given: sql.SQL = GIVEN) -> sql.Composed:
    """A statement on the records of a usage type. `given` are other records that it compares or adds."""
    return composed(
        template,
        given=given,
        table=parent_table(usage_type),
        type=sql.Literal(usage_type.value),
        amount=sql.Identifier(RECORD_MODELS[usage_type].amount_column),
    )


def given_parameters(given: Sequence[Given]) -> dict[str, Any]:
    """The parameters of GIVEN."""
    columns = {field: [getattr(record, field) for _, record in given] for field in UsageEvent._fields}
    days = [usage_day(usage_date) for usage_date in columns["usage_date"]]
    return columns | {"day": days, "position": [position for position, _ in given]}


def subscriptions_lock(numbers: Iterable[int]) -> None:
    """Lock some subscriptions, as all writers of external ids do. Other writers do not wait."""
    ids = sorted(set(numbers))
    rows_of(
        "SELECT id FROM subscriptions_subscription WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        ids=ids,
    )


def subscriptions_missing(numbers: Iterable[int]) -> set[int]:
    """Those of some ids that no subscription has."""
    return {number for (number,) in rows_of(MISSING, ids=list(set(numbers)))}


def unknown_subscriptions(first_positions: dict[int, int]) -> list[RecordProblem]:
    """A problem for each id without a subscription. The ids come with the position of their first record."""
    missing = subscriptions_missing(first_positions)
    return [unknown_subscription(first_positions[number], number) for number in sorted(missing)]


def unknown_subscription(position: int, number: int) -> RecordProblem:
    return RecordProblem(position, "subscription", str(number), "unknown_subscription")


def stored_positions(usage_type: UsageType, given: Sequence[Given]) -> dict[int, bool]:
    """The positions of the records that are stored under their external ids, and whether the stored values differ."""
    named = [one for one in given if one[1].external_id is not None]
    if not named:
        return {}
    rows = rows_of(statement_for(STORED_NOW, usage_type), **given_parameters(named))
    return {position: differs for position, *_key, differs in rows}


def any_is_stored(usage_type: UsageType, named: Sequence[tuple[int, str]]) -> bool:
    """Whether a record is stored under one of these subscriptions and external ids."""
    subscriptions, external_ids = zip(*named, strict=True)
    parameters = {"subscriptions": list(subscriptions), "external_ids": list(external_ids)}
    return bool(rows_of(statement_for(KNOWN, usage_type), **parameters))


def conflict_error(subscription: int, external_id: str, position: int) -> UsageConflict:
    return UsageConflict(
        _("record %(position)s: subscription %(subscription)s has another record with the external id %(external_id)s.")
        % {"position": position, "subscription": subscription, "external_id": repr(external_id)},
        external_id=external_id,
        subscription=subscription,
        position=position,
    )
