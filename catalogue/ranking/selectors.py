"""Questions about rankings. REST, GraphQL and the admin ask these."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db.models import Count, Sum

from catalogue.lines.scope import ALL, Scope
from catalogue.models import KeptArtists, KeptRanking, WantedArtists, WantedRanking
from catalogue.ranking.cached.cache import found_or_built
from catalogue.ranking.cached.resources import Ranking, TopQuestion
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _

LARGEST_PERCENTILE = 100


class RankingCounts(NamedTuple):
    """How many rankings of a kind are cached, with how many rows in all, and how many are queued."""

    cached: int
    rows: int
    queued: int


def ranking_counts() -> dict[str, RankingCounts]:
    """The cached and the queued rankings, by what they rank."""
    kinds: dict[str, tuple[Any, Any]] = {
        "resources": (KeptRanking, WantedRanking),
        "artists": (KeptArtists, WantedArtists),
    }
    return {kind: _counts(cached, wanted) for kind, (cached, wanted) in kinds.items()}


def _counts(cached: Any, wanted: Any) -> RankingCounts:
    found = cached.objects.aggregate(count=Count("pk"), rows=Sum("row_count", default=0))
    return RankingCounts(found["count"], found["rows"], wanted.objects.count())


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
        raise InvalidArgument(
            _("Not a number from 1 to %(most)s: %(percentile)s.")
            % {"most": LARGEST_PERCENTILE, "percentile": percentile},
            argument="percentile",
        )
    with found_or_built(TopQuestion(percentile), scope) as ranking:
        yield ranking
