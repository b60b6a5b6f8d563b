"""Which DSRs count for a question, and the state in which they are.

A question is told as values, not as a QuerySet: its SQL is then put together once, and so small that a kept answer is
found by one statement that reads the state itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from dsrhub.database.statements import rows_of


@dataclass(frozen=True)
class Counting:
    """Which ingested DSRs count: those of a territory or DSP, those wholly between two days, certain ones."""

    territory: str | None = None
    period_start: date | None = None
    period_end: date | None = None
    dsp: str | None = None
    dsrs: tuple[int, ...] | None = None

    def state(self) -> str:
        """The tables `ingested` and `state` as SQL, which takes the `parameters`."""
        conditions = [CONDITIONS[name] for name, value in vars(self).items() if value is not None]
        return STATE.format(condition=" AND ".join(conditions) or "true")

    def parameters(self) -> dict[str, Any]:
        return {**vars(self), "dsrs": None if self.dsrs is None else list(self.dsrs)}


ALL = Counting()

CONDITIONS = {
    "territory": "territory_id = %(territory)s",
    "period_start": "period_start >= %(period_start)s",
    "period_end": "period_end <= %(period_end)s",
    "dsp": "dsp = %(dsp)s",
    "dsrs": "id = ANY(%(dsrs)s)",
}


class IngestedDSR(NamedTuple):
    """What a question needs of a DSR, and whether the DSR counts for it.

    `most_repeats` is the largest number of its lines that one dsp_id has.
    """

    id: int
    dsp: str
    exchange_rate: Decimal
    partition: int
    line_count: int
    total_revenue: Decimal
    lowest_revenue: Decimal | None
    most_repeats: int
    counts: bool


# The DSRs that count, and those of the same DSPs, which describe the resources too.
STATE = """
ingested AS MATERIALIZED (
    SELECT id, dsp, exchange_rate, partition, line_count, total_revenue, lowest_revenue, most_repeats,
        {condition} AS counts
    FROM catalogue_dsr WHERE status = 'ingested'
),
state AS (SELECT * FROM ingested WHERE dsp IN (SELECT dsp FROM ingested WHERE counts))
"""
# Names the state: what is made of it is stale as soon as it has another name.
KEY = """(
    SELECT encode(sha256(convert_to(coalesce(string_agg(
        CASE WHEN counts THEN id || '=' || exchange_rate ELSE id::text END, ' ' ORDER BY id
    ), ''), 'UTF8')), 'hex') FROM state
)"""


def counting_state(counting: Counting) -> tuple[str, list[IngestedDSR]]:
    """The key of the state, and its DSRs by id."""
    rows = rows_of(
        f"WITH {counting.state()} SELECT {KEY}, state.* FROM (SELECT) AS one LEFT JOIN state ON true ORDER BY id",  # noqa: S608
        **counting.parameters(),
    )
    return rows[0][0], [IngestedDSR._make(row) for _, *row in rows if row[0] is not None]


def counting_dsrs(counting: Counting) -> list[IngestedDSR]:
    """Those alone that count, by id."""
    rows = rows_of(
        f"WITH {counting.state()} SELECT * FROM ingested WHERE counts ORDER BY id",  # noqa: S608
        **counting.parameters(),
    )
    return [IngestedDSR._make(row) for row in rows]


def arrays_of(dsrs: Sequence[IngestedDSR]) -> dict[str, list[Any]]:
    """What a statement about the lines of these DSRs takes: `own` is the partition of each, `partitions` are all."""
    return {
        "ids": [dsr.id for dsr in dsrs],
        "dsps": [dsr.dsp for dsr in dsrs],
        "rates": [dsr.exchange_rate for dsr in dsrs],
        "own": [dsr.partition for dsr in dsrs],
        "partitions": partitions_of(dsrs),
    }


def partitions_of(dsrs: Sequence[IngestedDSR]) -> list[int]:
    return sorted({dsr.partition for dsr in dsrs})


def stand(dsrs: Sequence[IngestedDSR]) -> bool:
    """Whether all of them are still there, at the same rates.

    A DSR's lines go only after its row is gone: where all rows stand, all their lines were there to be read until
    now, without any lock.
    """
    ((all_stand,),) = rows_of(
        """
        SELECT coalesce(bool_and((status, exchange_rate) IS NOT DISTINCT FROM ('ingested', rate)), true)
        FROM unnest(%(ids)s::integer[], %(rates)s::numeric[]) AS was (id, rate)
        LEFT JOIN catalogue_dsr AS dsr USING (id)
        """,
        ids=[dsr.id for dsr in dsrs],
        rates=[dsr.exchange_rate for dsr in dsrs],
    )
    return bool(all_stand)
