"""Rankings are cached, so that the same question, a smaller share or the next page costs only what it shows.

A ranking is cached under the exact state of the DSRs that it was built from: which are in scope and at which rate,
and which describe the resources. Every question reads that state first, so a ranking is never stale: after an import,
a deletion or a change of rates it is not found any more.

A reader of a ranking holds a lock of the session on it, and no transaction; a ranking is dropped only while nobody
reads it. The lock ends with the session at the latest, and everything else is in tables that a crash of the server
empties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from catalogue.lines.lookups import TEXTS
from catalogue.lines.scope import KEY, IngestedDSR, Scope
from catalogue.models import KeptRanking
from catalogue.ranking.building import ranking_build
from catalogue.ranking.rows import SHARED_TABLE, own_table, ranking_drop, resource_ranks
from dsrhub.database import locks
from dsrhub.database.pages import PAGE_BYTES, CutShort, bytes_of, converted
from dsrhub.database.statements import rows_of

# A ranking that was not used for this long most likely belongs to a state that has passed.
KEPT_FOR = timedelta(days=7)


class RankedResource(NamedTuple):
    """A resource with its sums over the DSRs in scope. What has no value is None.

    `revenue` is in EUR and exact; `dsrs` are the ids, ascending, of the DSRs in scope that report it;
    `cumulative_share` is the revenue of the resources up to this one in per cent of the total, to 10 decimals.
    """

    rank: int
    dsp: str
    dsp_id: str
    title: str | None
    artists: str | None
    isrc: str | None
    usages: int | None
    revenue: Decimal
    dsrs: list[int]
    cumulative_share: Decimal


@dataclass(frozen=True)
class Ranking:
    """The first `count` resources by revenue, which have the share in question.

    `key` names the state of the DSRs that it was built from: see `scope_state`. `total` is all revenue in EUR, to 20
    digits, or exact where some revenue is negative.
    """

    number: int
    key: str
    count: int
    total: Decimal
    table: str
    row_count: int

    def rows(self, *, after_rank: int = 0, limit: int) -> list[RankedResource]:
        """The next resources behind a rank; fewer where their texts are long. The first resource has rank 1."""
        columns = "rank, dsp, dsp_id, title, artists, isrc, usages, revenue, dsrs, round(running * 100 / %(total)s, 10)"
        return converted(self.select(columns, after_rank=after_rank, limit=limit), _ranked)

    def select(self, expressions: str, *, after_rank: int = 0, limit: int) -> list[Any]:
        """SQL expressions over the columns of the same resources. In `dsrs`, ids have no order."""
        last_rank = min(after_rank + limit, self.count)
        page = f"FROM {self.table} WHERE ranking = %(ranking)s AND rank > %(after)s AND rank <= "
        # The texts are added up without the other columns, which PostgreSQL would store for it.
        rows = rows_of(
            f"""
            SELECT {expressions} {page} (
                SELECT max(rank) FROM (
                    SELECT rank, sum({bytes_of(*TEXTS)}) OVER (
                        ORDER BY rank ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    ) AS bytes_before {page} %(last)s
                ) AS page
                WHERE coalesce(bytes_before, 0) < %(page_bytes)s
            )
            ORDER BY rank
            """,  # noqa: S608 - no value is in it
            ranking=self.number,
            after=after_rank,
            last=last_rank,
            page_bytes=PAGE_BYTES,
            total=self.total,
        )
        # Ranks have no gaps.
        return CutShort(rows) if len(rows) < last_rank - after_rank else rows

    def ranks(self, revenues: Mapping[tuple[str, str], Decimal]) -> dict[tuple[str, str], int]:
        """The ranks of resources, by DSP and dsp_id, in a ranking of all of them: one of 100 per cent.

        `revenues` are those in this state of the DSRs. Where the total is zero or less, no resource has a rank. Raises
        LookupError for another revenue: a rank without its resource would be wrong.
        """
        if not self.count:
            return {}
        ranks = resource_ranks(self.table, self.count, revenues, ranking=self.number)
        if missing := revenues.keys() - ranks.keys():
            raise LookupError(f"Ranking {self.number} has {len(missing)} resources not, or not with this revenue.")
        return ranks


def _ranked(row: Sequence[Any]) -> RankedResource:
    *named, usages, revenue, dsrs, share = row
    return RankedResource._make((*named, None if usages is None else int(usages), revenue, sorted(dsrs), share))


def ranking_find(scope: Scope, percentile: int) -> Ranking | None:
    """A cached ranking of the present state that has the share, or None. The caller closes it."""
    return _opened(f"WITH {scope.state()}", KEY, percentile, scope.parameters())


def ranking_open(key: str, percentile: int) -> Ranking | None:
    """The same for the state with this key."""
    return _opened("", "%(key)s", percentile, {"key": key})


def _opened(state: str, key: str, percentile: int, parameters: dict[str, Any]) -> Ranking | None:
    rows = rows_of(
        f"""
        {state} UPDATE catalogue_keptranking SET used_at = statement_timestamp()
        WHERE id = (
            SELECT id FROM catalogue_keptranking WHERE key = {key} AND ends[%(percentile)s] IS NOT NULL
            ORDER BY id LIMIT 1
        )
        RETURNING id, key, ends[%(percentile)s], total, has_own_table, row_count,
            pg_try_advisory_lock_shared(%(readers)s, id)
        """,  # noqa: S608 - no value is in it
        **parameters,
        percentile=percentile,
        readers=locks.RANKING_READERS.space,
    )
    for number, found_key, count, total, has_own_table, row_count, is_locked in rows:
        if is_locked:  # Otherwise it is just being dropped.
            table = own_table(number) if has_own_table else SHARED_TABLE
            return Ranking(number, found_key, count, total, table, row_count)
    return None


def ranking_lock(key: str) -> None:
    """Let others who need a ranking of this state wait until this transaction ends: then they find it."""
    locks.RANKING.take(key=key)


def ranking_cache(key: str, percentile: int, dsrs: Sequence[IngestedDSR]) -> None:
    """Build and cache a ranking of this state, in the caller's transaction, which has locked the state."""
    ((number,),) = rows_of("SELECT nextval(pg_get_serial_sequence('catalogue_keptranking', 'id'))")
    built = ranking_build(number, dsrs, percentile)
    KeptRanking.objects.create(
        id=number,
        key=key,
        ends=built.ends,
        total=built.total,
        row_count=built.row_count,
        has_own_table=built.table != SHARED_TABLE,
        used_at=timezone.now(),
    )


def ranking_want(key: str, percentile: int, dsr_numbers: Sequence[int]) -> None:
    """Queue a ranking for a worker, on a connection of its own: the question's connection has no time left."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO catalogue_wantedranking (key, percentile, dsr_numbers, wanted_at)
                VALUES (%s, %s, %s, statement_timestamp())
                ON CONFLICT (key) DO UPDATE
                SET percentile = greatest(catalogue_wantedranking.percentile, excluded.percentile)
                """,
                [key, percentile, list(dsr_numbers)],
            )
    finally:
        own.close()


def ranking_close(ranking: Ranking) -> None:
    locks.RANKING_READERS.give_back(ranking.number, shared=True)
    if ranking.row_count >= settings.DSRHUB_KEPT_RANKING_ROWS:  # It is too large to be cached.
        rankings_drop_surplus()


def rankings_drop_surplus() -> None:
    """Keep the rankings that were used last, as many as the setting allows, and those that are being read."""
    surplus = rows_of(
        """
        SELECT id, has_own_table
        FROM (
            SELECT *, sum(row_count + 1) FILTER (WHERE row_count < %(bound)s) OVER (ORDER BY used_at DESC, id) AS kept
            FROM catalogue_keptranking
        ) AS ranking
        WHERE (row_count >= %(bound)s OR kept > %(bound)s OR used_at < statement_timestamp() - %(kept_for)s)
            AND NOT EXISTS (
                SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND classid = %(readers)s AND objid = id AND pid = pg_backend_pid()
            )
        """,
        bound=settings.DSRHUB_KEPT_RANKING_ROWS,
        kept_for=KEPT_FOR,
        readers=locks.RANKING_READERS.space,
    )
    for number, has_own_table in surplus:
        with transaction.atomic():
            if locks.RANKING_READERS.try_take_for_transaction(number):
                KeptRanking.objects.filter(id=number).delete()
                ranking_drop(number, own_table(number) if has_own_table else SHARED_TABLE)
