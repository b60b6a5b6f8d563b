"""Which DSRs a question is about, and the state in which they are.

A scope holds values, not a QuerySet. Its SQL is composed once and stays small, so that one statement can read the
state and find a cached answer for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from catalogue.querysets import require_order
from dsrhub.database.statements import rows_of

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Scope:
    """The ingested DSRs of a territory or a DSP, those whose whole period lies between two days, or certain ones.

    Raises PeriodReversed where the `period_start` is after the `period_end`.
    """

    territory: str | None = None
    period_start: date | None = None
    period_end: date | None = None
    dsp: str | None = None
    dsrs: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require_order(start=self.period_start, end=self.period_end, argument="period_end")

    def state(self) -> str:
        """The tables `ingested` and `state` as SQL, which takes the `parameters`."""
        conditions = [CONDITIONS[name] for name, value in vars(self).items() if value is not None]
        return STATE.format(condition=" AND ".join(conditions) or "true")

    def parameters(self) -> dict[str, Any]:
        return {**vars(self), "dsrs": None if self.dsrs is None else list(self.dsrs)}


ALL = Scope()

CONDITIONS = {
    "territory": "territory_id = %(territory)s",
    "period_start": "period_start >= %(period_start)s",
    "period_end": "period_end <= %(period_end)s",
    "dsp": "dsp = %(dsp)s",
    "dsrs": "id = ANY(%(dsrs)s)",
}


class IngestedDSR(NamedTuple):
    """What a question needs of a DSR, and whether the DSR is in its scope.

    `most_repeats` is the largest number of its lines that share one dsp_id.
    """

    id: int
    dsp: str
    exchange_rate: Decimal
    partition: int
    line_count: int
    total_revenue: Decimal
    lowest_revenue: Decimal | None
    most_repeats: int
    in_scope: bool


# The DSRs in scope, and the other DSRs of the same DSPs: they describe the resources too.
STATE = """
ingested AS MATERIALIZED (
    SELECT id, dsp, exchange_rate, partition, line_count, total_revenue, lowest_revenue, most_repeats,
        {condition} AS in_scope
    FROM catalogue_dsr WHERE status = 'ingested'
),
state AS (SELECT * FROM ingested WHERE dsp IN (SELECT dsp FROM ingested WHERE in_scope))
"""
# The name of the state. An answer for another name is stale.
KEY = """(
    SELECT encode(sha256(convert_to(coalesce(string_agg(
        CASE WHEN in_scope THEN id || '=' || exchange_rate ELSE id::text END || ' ' || quote_literal(dsp),
        ' ' ORDER BY id
    ), ''), 'UTF8')), 'hex') FROM state
)"""


def scope_state(scope: Scope) -> tuple[str, list[IngestedDSR]]:
    """The key of the state, and its DSRs by id."""
    rows = rows_of(
        f"WITH {scope.state()} SELECT {KEY}, state.* FROM (SELECT) AS one LEFT JOIN state ON true ORDER BY id",  # noqa: S608
        **scope.parameters(),
    )
    return rows[0][0], [IngestedDSR._make(row) for _, *row in rows if row[0] is not None]


def dsrs_in_scope(scope: Scope) -> list[IngestedDSR]:
    """The DSRs in scope, by id."""
    rows = rows_of(
        f"WITH {scope.state()} SELECT * FROM ingested WHERE in_scope ORDER BY id",  # noqa: S608
        **scope.parameters(),
    )
    return [IngestedDSR._make(row) for row in rows]


def still_current(dsrs: Sequence[IngestedDSR]) -> bool:
    """Whether all of them are still there, at the same rates and of the same DSPs.

    A DSR's lines are dropped only after its row is gone. While all rows stand, all their lines could be read until
    now, without any lock.
    """
    ((are_current,),) = rows_of(
        """
        SELECT coalesce(bool_and(
            (status, exchange_rate, dsr.dsp) IS NOT DISTINCT FROM ('ingested', rate, was.dsp)
        ), true)
        FROM unnest(%(ids)s::integer[], %(rates)s::numeric[], %(dsps)s::text[]) AS was (id, rate, dsp)
        LEFT JOIN catalogue_dsr AS dsr USING (id)
        """,
        dsps=[dsr.dsp for dsr in dsrs],
        ids=[dsr.id for dsr in dsrs],
        rates=[dsr.exchange_rate for dsr in dsrs],
    )
    return bool(are_current)


def consistent_answer(scope: Scope, answer: Callable[[Sequence[IngestedDSR]], Answer]) -> Answer:
    """An answer from the lines of the DSRs in scope. If one of them goes meanwhile, the question is asked again."""
    while True:
        dsrs = dsrs_in_scope(scope)
        found = answer(dsrs)
        if still_current(dsrs):
            return found
