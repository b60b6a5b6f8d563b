"""The cached rankings of resources: where their rows are, and how one is cached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone

from catalogue.lines.lookups import TEXTS
from catalogue.lines.scope import KEY, IngestedDSR, Scope
from catalogue.models import KeptRanking
from catalogue.ranking.building.rows import SHARED_TABLE, own_table, ranking_drop, resource_ranks
from catalogue.ranking.building.ways import ranking_build
from catalogue.ranking.cached.asked import BOUNDS, remembering
from catalogue.ranking.cached.cache import Question, execute_apart
from dsrhub.database import locks
from dsrhub.database.pages import PAGE_BYTES, CutShort, bytes_of, converted
from dsrhub.database.statements import execute, rows_of


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
        # The texts are added up without the other columns, which PostgreSQL would store for it; and one by one only
        # where all together are too long.
        rows = rows_of(
            f"""
            SELECT {expressions} {page} CASE
                WHEN (SELECT sum({bytes_of(*TEXTS)}) {page} %(last)s) <= %(page_bytes)s THEN %(last)s
                ELSE (
                    SELECT max(rank) FROM (
                        SELECT rank, sum({bytes_of(*TEXTS)}) OVER (
                            ORDER BY rank ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                        ) AS bytes_before {page} %(last)s
                    ) AS page
                    WHERE coalesce(bytes_before, 0) < %(page_bytes)s
                )
            END
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


@dataclass(frozen=True)
class TopQuestion(Question[Ranking]):
    """The resources that together make `percentile` per cent of all revenue."""

    percentile: int

    kind = "resources"
    table = "catalogue_keptranking"
    condition = "ends[%(percentile)s] IS NOT NULL"
    columns = "id, key, ends[%(percentile)s], total, has_own_table, row_count"
    building = locks.RANKING
    readers = locks.RANKING_READERS

    def find(self, scope: Scope) -> Ranking | None:
        """The same as for all questions. The scope is remembered, and a worker prepares its next rankings."""
        return self._opened(f"{scope.state()}{remembering(scope)},", KEY, {**scope.parameters(), **BOUNDS})

    def cached(self, *columns: Any) -> Ranking:
        number, key, count, total, has_own_table, row_count = columns
        return Ranking(number, key, count, total, _table(number, has_own_table), row_count)

    def build(self, key: str, dsrs: Sequence[IngestedDSR]) -> None:
        ranking_cache(key, self.percentile, dsrs)

    def want(self, key: str, dsr_numbers: Sequence[int]) -> None:
        execute_apart(
            """
            INSERT INTO catalogue_wantedranking (key, percentile, dsr_numbers, wanted_at)
            VALUES (%s, %s, %s, statement_timestamp())
            ON CONFLICT (key) DO UPDATE
            SET percentile = greatest(catalogue_wantedranking.percentile, excluded.percentile)
            """,
            [key, self.percentile, list(dsr_numbers)],
        )

    @classmethod
    def drop(cls, number: int) -> None:
        for (has_own_table,) in rows_of(DROP, number=number):
            ranking_drop(number, _table(number, has_own_table))


@dataclass(frozen=True)
class PreparedQuestion(TopQuestion):
    """The same, of which nobody waits for the answer: it takes one core at most."""

    def build(self, key: str, dsrs: Sequence[IngestedDSR]) -> None:
        execute("SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL max_parallel_maintenance_workers = 0")
        super().build(key, dsrs)


DROP = "DELETE FROM catalogue_keptranking WHERE id = %(number)s RETURNING has_own_table"


def _table(number: int, has_own_table: bool) -> str:
    return own_table(number) if has_own_table else SHARED_TABLE


def next_number() -> int:
    """A number that no other ranking has."""
    ((number,),) = rows_of("SELECT nextval(pg_get_serial_sequence('catalogue_keptranking', 'id'))")
    return int(number)


def ranking_cache(key: str, percentile: int, dsrs: Sequence[IngestedDSR]) -> None:
    """Build and cache a ranking of this state, in the caller's transaction, which has locked the state."""
    number = next_number()
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
