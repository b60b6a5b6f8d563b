"""Records that were stored more than once under one external id. New ones are not: earlier releases added them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db import connection

from subscriptions.models import UsageType
from subscriptions.records.stored import statement_for

# Ids that look the same have one plain form.
REPEATED = """
SELECT there.subscription_id, coalesce(unplain.plain_id, there.external_id) AS plain,
    array_agg(there.id ORDER BY there.id), array_agg(there.day ORDER BY there.id)
FROM {table} AS there LEFT JOIN subscriptions_unplainexternalid AS unplain
ON (unplain.usage_type, unplain.subscription_id, unplain.external_id)
    = ({type}, there.subscription_id, there.external_id)
WHERE there.external_id IS NOT NULL
GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class RepeatedUsage:
    """Records of one subscription under one external id: the ids and days of the records, in the order of the ids."""

    usage_type: UsageType
    subscription: int
    external_id: str
    record_ids: list[int]
    days: list[date]


def repeated_usage() -> Iterator[RepeatedUsage]:
    """All records that count more than once for one external id. Reads each raw record, and holds few in memory."""
    for usage_type in UsageType:
        with connection.chunked_cursor() as cursor:
            cursor.execute(statement_for(REPEATED, usage_type))
            for subscription, external_id, record_ids, days in cursor:
                yield RepeatedUsage(usage_type, subscription, external_id, record_ids, days)
