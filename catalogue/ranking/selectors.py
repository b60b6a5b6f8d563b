"""Questions about rankings. REST, GraphQL and the admin ask these."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction

from catalogue.exceptions import RankingNotReady
from catalogue.lines.scope import ALL, IngestedDSR, Scope, scope_state, still_current
from catalogue.ranking.cache import (
    Ranking,
    ranking_cache,
    ranking_close,
    ranking_find,
    ranking_lock,
    ranking_open,
    ranking_want,
    rankings_drop_surplus,
)
from dsrhub.database.statements import is_canceled
from dsrhub.exceptions import InvalidArgument

LARGEST_PERCENTILE = 100


@contextmanager
def resource_ranking(*, percentile: int, scope: Scope = ALL) -> Iterator[Ranking]:
    """The highest-earning resources that together make `percentile` per cent (1 to 100) of the revenue in scope.

    Resources are ordered by their revenue in EUR, then by dsp_id and DSP (bytewise), and the list ends with the first
    resource at which the running sum reaches the share of the total; at 100 it ends with the last resource that has
    revenue. For a total of zero or less the list is empty. Resources without any revenue are never in it.

    The caller reads the ranking page by page, at any size. It cannot be dropped before the context ends.

    Raises InvalidArgument and RankingNotReady.
    """
    if not 1 <= percentile <= LARGEST_PERCENTILE:
        raise InvalidArgument(f"Not a number from 1 to {LARGEST_PERCENTILE}: {percentile}.", argument="percentile")
    ranking = None
    while ranking is None:
        ranking = ranking_find(scope, percentile) or _build(scope, percentile)
    try:
        yield ranking
    finally:
        ranking_close(ranking)


def _build(scope: Scope, percentile: int) -> Ranking | None:
    """A ranking of this state, or None where the state has changed meanwhile.

    Raises RankingNotReady where the statements may not take as long; then a worker builds it.
    """
    key, dsrs = scope_state(scope)
    try:
        return _build_now(key, percentile, dsrs)
    except OperationalError as error:
        if not is_canceled(error):
            raise
        ranking_want(key, percentile, [dsr.id for dsr in dsrs if dsr.in_scope])
        raise RankingNotReady("The ranking is being built. Ask again in a minute.") from error


def _build_now(key: str, percentile: int, dsrs: list[IngestedDSR]) -> Ranking | None:
    with transaction.atomic():
        ranking_lock(key)
        ranking = ranking_open(key, percentile)
        if ranking is None:
            ranking_cache(key, percentile, dsrs)
            # A DSR that was imported meanwhile is in the next answer, and in no part of this one.
            if not still_current(dsrs):
                transaction.set_rollback(True)
                return None
            ranking = ranking_open(key, percentile)
    rankings_drop_surplus()
    return ranking
