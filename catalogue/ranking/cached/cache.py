"""Rankings are cached, so that the same question, a smaller share or the next page costs only what it shows.

A ranking is cached under the exact state of the DSRs that it was built from: which are in scope and at which rate,
and which describe the resources. Every question reads that state first, so a ranking is never stale: after an import,
a deletion or a change of rates it is not found any more.

A reader of a ranking holds a lock of the session on it, and no transaction; a ranking is dropped only while nobody
reads it. The lock ends with the session at the latest, and everything else is in tables that a crash of the server
empties.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from django.conf import settings
from django.db import OperationalError, connection, transaction

from catalogue.exceptions import RankingNotReady
from catalogue.lines.scope import KEY, IngestedDSR, Scope, scope_state, still_current
from dsrhub.database.locks import SessionLock, TransactionLock
from dsrhub.database.statements import execute, is_canceled, rows_of
from dsrhub.metrics.stored import Addition, StoredCounter, stored_add
from dsrhub.texts.marked import gettext_lazy as _

# A ranking that was not used for this long most likely belongs to a state that has passed.
CACHED_FOR = timedelta(days=7)
# A use is written this often, at most. Each UPDATE leaves a dead row, which stays as long as any transaction that began
# before it, such as an import of an hour: each question would have to step over the dead rows of all others.
WRITTEN_FOR = timedelta(minutes=1)

RANKINGS = StoredCounter(
    "dsrhub_rankings_built",
    "Rankings that were built and cached, by what they rank.",
    ("kind",),
    (("resources",), ("artists",)),
)


class CachedRows(Protocol):
    """A cached ranking: its number, and how many rows it has."""

    @property
    def number(self) -> int: ...

    @property
    def row_count(self) -> int: ...


Cached = TypeVar("Cached", bound=CachedRows)


@dataclass(frozen=True)
class Question(ABC, Generic[Cached]):
    """A question that a ranking answers; each kind of ranking has a subclass. Its fields are parameters of the SQL.

    `table` has a row for each cached ranking, with the columns `id`, `key`, `row_count` and `used_at`. A ranking has
    the answer if it has the key and meets the `condition`; then `cached` gets its `columns`.
    """

    # What it ranks, for the metrics.
    kind: ClassVar[str]
    table: ClassVar[str]
    condition: ClassVar[str]
    columns: ClassVar[str]
    # Held while a ranking is built, and while one is read.
    building: ClassVar[TransactionLock]
    readers: ClassVar[SessionLock]

    @abstractmethod
    def cached(self, *columns: Any) -> Cached:
        """The ranking with these columns."""

    @abstractmethod
    def build(self, key: str, dsrs: Sequence[IngestedDSR]) -> None:
        """Build and cache the ranking of a state, in the caller's transaction."""

    @abstractmethod
    def want(self, key: str, dsr_numbers: Sequence[int]) -> None:
        """Queue the ranking for a worker."""

    @classmethod
    @abstractmethod
    def drop(cls, number: int) -> None:
        """Remove a ranking and its rows."""

    def find(self, scope: Scope) -> Cached | None:
        """A cached ranking of the present state that has the answer, or None. The caller closes it."""
        return self._opened(f"{scope.state()},", KEY, scope.parameters())

    def open(self, key: str) -> Cached | None:
        """The same for the state with this key."""
        return self._opened("", "%(key)s", {"key": key})

    def close(self, ranking: Cached) -> None:
        self.readers.give_back(ranking.number, shared=True)
        if ranking.row_count >= settings.DSRHUB_KEPT_RANKING_ROWS:  # It is too large to be cached.
            drop_surplus(type(self))

    def _opened(self, tables: str, key: str, parameters: dict[str, Any]) -> Cached | None:
        """`tables` are those of a WITH clause that the expression `key` reads."""
        # A ranking that is dropped meanwhile is not found: the lock of its row waits for the one who drops it.
        rows = rows_of(
            f"""
            WITH {tables} found AS (
                SELECT {self.columns}, used_at FROM {self.table} WHERE key = {key} AND {self.condition}
                ORDER BY id LIMIT 1 FOR KEY SHARE
            )
            SELECT found.*, statement_timestamp(), pg_try_advisory_lock_shared(%(readers)s, id) FROM found
            """,  # noqa: S608 - no value is in it
            **parameters,
            **asdict(self),
            readers=self.readers.space,
        )
        for *columns, used_at, now, is_locked in rows:
            if is_locked:  # Otherwise it is just being dropped.
                ranking = self.cached(*columns)
                if now - used_at > WRITTEN_FOR:
                    execute(f"UPDATE {self.table} SET used_at = %(now)s WHERE id = %(id)s", now=now, id=ranking.number)  # noqa: S608
                return ranking
        return None


@contextmanager
def found_or_built(question: Question[Cached], scope: Scope) -> Iterator[Cached]:
    """The ranking that has the answer. It cannot be dropped before the context ends.

    Raises RankingNotReady where the statements may not take as long as it takes; then a worker builds it.
    """
    ranking = None
    while ranking is None:
        ranking = question.find(scope) or _build(question, scope)
    try:
        yield ranking
    finally:
        question.close(ranking)


def _build(question: Question[Cached], scope: Scope) -> Cached | None:
    """A ranking of this state, or None where the state has changed meanwhile."""
    key, dsrs = scope_state(scope)
    try:
        return build_now(question, key, dsrs)
    except OperationalError as error:
        if not is_canceled(error):
            raise
        question.want(key, [dsr.id for dsr in dsrs if dsr.in_scope])
        raise RankingNotReady(_("The ranking is being built. Ask again in a minute.")) from error


def build_now(question: Question[Cached], key: str, dsrs: list[IngestedDSR]) -> Cached | None:
    """The ranking of a state, built if it is not cached, or None where the state has passed. The caller closes it."""
    with transaction.atomic():
        # Others who need a ranking of this state wait until this transaction ends: then they find it.
        question.building.take(key=key)
        ranking = question.open(key)
        is_new = ranking is None
        if is_new:
            question.build(key, dsrs)
            # A DSR that was imported meanwhile is in the next answer, and in no part of this one.
            if not still_current(dsrs):
                transaction.set_rollback(True)
                return None
            ranking = question.open(key)
    if is_new:
        stored_add(Addition(RANKINGS, (question.kind,)))
    drop_surplus(type(question))
    return ranking


def drop_surplus(kind: type[Question[Any]], *, passed: str = "") -> None:
    """Keep the rankings that were used last, as many as the setting allows, and those that are being read.

    `passed` is the key of a state that has passed, whose rankings nobody asks for any more.
    """
    surplus = rows_of(
        f"""
        SELECT id
        FROM (
            SELECT *, sum(row_count + 1) FILTER (WHERE row_count < %(bound)s) OVER (ORDER BY used_at DESC, id) AS taken
            FROM {kind.table}
        ) AS ranking
        WHERE (
                row_count >= %(bound)s OR taken > %(bound)s OR key = %(passed)s
                OR used_at < statement_timestamp() - %(cached_for)s
            )
            AND NOT EXISTS (
                SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND classid = %(readers)s AND objid = id AND pid = pg_backend_pid()
            )
        """,  # noqa: S608 - no value is in it
        bound=settings.DSRHUB_KEPT_RANKING_ROWS,
        cached_for=max(CACHED_FOR, timedelta(days=settings.DSRHUB_PREPARED_DAYS)),
        passed=passed,
        readers=kind.readers.space,
    )
    for (number,) in surplus:
        with transaction.atomic():
            if kind.readers.try_take_for_transaction(number):
                kind.drop(number)


def execute_apart(statement: str, parameters: Sequence[Any]) -> None:
    """Run a statement on a connection of its own: that of a question that was canceled has no time left."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute(statement, parameters)
    finally:
        own.close()
