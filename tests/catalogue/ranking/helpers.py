"""Whole rankings, for tests and benchmarks."""

from datetime import date

from catalogue.lines.scope import Scope
from catalogue.ranking.cached.resources import RankedResource
from catalogue.ranking.selectors import resource_ranking


def top_resources(
    *,
    percentile: int,
    territory: str | None = None,
    period_start: date | None = None,
    period_end: date | None = None,
) -> list[RankedResource]:
    """All resources of a ranking. The product reads them page by page."""
    with resource_ranking(percentile=percentile, scope=Scope(territory, period_start, period_end)) as ranking:
        return ranking.rows(limit=ranking.count)
